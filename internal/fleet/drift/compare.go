package drift

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Look is one result of a host, which Compare compares with what was known.
type Look struct {
	Kind     store.RunKind
	Host     string // the name for people
	New      bool   // the host was unknown before
	Now      store.Snapshot
	Severity map[string]model.Severity // of the findings in Now
	Gone     map[string]model.Severity // of the findings known before, as far as available
	Weak     map[string]bool           // settings that this audit judges weak
	Catalog  *catalog.Catalog          // for titles; may be nil
}

// Compare returns what changed between what is known and a look, worst first. The caller fills in times, host and run.
func Compare(known Known, l Look) []store.Event {
	c := &comparing{Look: l, known: known}
	if l.Kind == store.RunAudit {
		c.settings()
		c.findings()
	} else {
		c.reach()
	}
	slices.SortStableFunc(c.out, func(a, b store.Event) int { return b.Severity.Rank() - a.Severity.Rank() })
	return c.out
}

type comparing struct {
	Look
	known Known
	out   []store.Event
}

func (c *comparing) say(
	kind store.EventKind, severity model.Severity, subject, before, after, format string, args ...any,
) {
	c.out = append(c.out, store.Event{
		Kind: kind, Severity: severity, Subject: subject, Before: before, After: after, Host: c.Host,
		Text: c.Host + " " + fmt.Sprintf(format, args...) + ".",
	})
}

// reach compares what strangers get.
func (c *comparing) reach() {
	now, was := c.Now.Verdict, c.known.Last
	switch {
	case now == model.Unreachable:
		if c.known.Answered && was != model.Unreachable {
			c.say(store.EventVanished, model.Low, "", string(was), string(now), "does not answer any more; it was %s",
				was)
		}
		return
	case !c.known.Answered:
		severity, finding := model.Info, ""
		if now == model.Exposed {
			severity, finding = c.worst(), c.gravest()
		}
		c.say(store.EventNewHost, severity, finding, "", string(now), "is new and %s", c.state())
		return
	case was == model.Unreachable:
		c.say(store.EventReturned, model.Info, "", string(was), string(now), "answers again and %s", c.state())
	}
	switch before := c.known.Verdict; {
	case now == model.Exposed && before != model.Exposed:
		c.say(store.EventBecameExposed, max2(model.High, c.worst()), "", string(before), string(now),
			"became exposed: %s", c.given())
	case now == model.Closed && (before == model.Exposed || before == model.Limited) && c.unasked() != "":
		c.say(store.EventInconclusive, model.Low, "", string(before), string(now),
			"refuses strangers where they were tried; it was %s, and %s, which was open, was not tried again", before,
			c.unasked())
	case now == model.Closed && (before == model.Exposed || before == model.Limited):
		c.say(store.EventBecameClosed, model.Info, "", string(before), string(now),
			"is closed now: strangers are refused; it was %s", before)
	case now == model.VerdictInconclusive && was != model.VerdictInconclusive:
		c.say(store.EventInconclusive, model.Low, "", string(was), string(now),
			"gave no answer that settles whether it is open; the last that did was %s", orNone(string(before)))
	}
	c.pipes()
	if c.known.SMB1 != nil && !*c.known.SMB1 && c.Now.SMB1 {
		c.say(store.EventSMB1Returned, model.Medium, "SMB1", "no", "yes", "speaks SMB1 again")
	}
	c.findings()
}

// unasked returns a pipe that was open to a stranger and has no answer in this look although the way to it was not seen
// refused: its answer may be unchanged. It is empty if there is none.
func (c *comparing) unasked() string {
	const allowed = string(model.Allowed)
	for _, name := range slices.Sorted(maps.Keys(c.known.Pipes)) {
		id, pipe, _ := strings.Cut(name, "/")
		door := c.Now.Pipes[key(id, Door)]
		if c.known.Pipes[name] != allowed || pipe == Door || door != allowed && door != "" {
			continue
		}
		if c.Now.Pipes[name] == "" {
			return fmt.Sprintf("the pipe %s for %s", pipe, id)
		}
	}
	return ""
}

// state describes a host's state, in words that follow "is new and".
func (c *comparing) state() string {
	switch c.Now.Verdict {
	case model.Exposed:
		return "exposed: " + c.given()
	case model.Limited:
		return "limited: strangers come in, and are given nothing of value"
	case model.Closed:
		return "closed: strangers are refused"
	}
	return "gave no answer that settles whether it is open"
}

// given lists what strangers get.
func (c *comparing) given() string {
	var kinds []string
	for i, kind := range model.Disclosures() {
		if i < len(c.Now.Cells) && c.Now.Cells[i] == 'a' && kind.IsExposure() {
			kinds = append(kinds, kind.Noun())
		}
	}
	if len(kinds) == 0 {
		return "strangers are given data"
	}
	return "strangers are given " + list(kinds)
}

// worst returns the severity of the worst current finding.
func (c *comparing) worst() model.Severity {
	worst := model.Info
	for _, s := range c.Severity {
		worst = max2(worst, s)
	}
	return worst
}

// gravest returns the first of the worst findings: the one to mend first. It is empty if there is none.
func (c *comparing) gravest() string {
	for _, f := range c.Now.Findings {
		if c.Severity[f] == c.worst() {
			return f
		}
	}
	return ""
}

func max2(a, b model.Severity) model.Severity {
	if b.Rank() > a.Rank() {
		return b
	}
	return a
}

// pipes compares which pipes strangers may open. A door that opened or closed is one event for everything behind it.
func (c *comparing) pipes() {
	const allowed = string(model.Allowed)
	opened, shut := map[string][]string{}, map[string][]string{}
	behind := map[string][]string{} // doors that opened: the pipes behind them
	for _, id := range model.Strangers() {
		door := key(string(id), Door)
		was, knew := c.known.Pipes[door]
		now := c.Now.Pipes[door]
		switch {
		case now == allowed && knew && was != allowed:
			opened[Door] = append(opened[Door], string(id))
			for _, name := range slices.Sorted(maps.Keys(c.Now.Pipes)) {
				if pipe, ok := strings.CutPrefix(name, string(id)+"/"); ok && pipe != Door &&
					c.Now.Pipes[name] == allowed && !slices.Contains(behind[Door], pipe) {
					behind[Door] = append(behind[Door], pipe)
				}
			}
			continue
		case now == string(model.Denied) && was == allowed:
			shut[Door] = append(shut[Door], string(id))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(c.Now.Pipes)) {
			pipe, ok := strings.CutPrefix(name, string(id)+"/")
			before, knew := c.known.Pipes[name]
			if !ok || pipe == Door || !knew {
				continue
			}
			switch after := c.Now.Pipes[name]; {
			case after == allowed && before != allowed:
				opened[pipe] = append(opened[pipe], string(id))
			case before == allowed && (after == string(model.Denied) || after == string(model.Absent)):
				shut[pipe] = append(shut[pipe], string(id))
			}
		}
	}
	for _, pipe := range slices.Sorted(maps.Keys(opened)) {
		who := list(opened[pipe])
		if pipe == Door {
			more := ""
			if len(behind[Door]) > 0 {
				more = " and may open " + list(behind[Door])
			}
			c.say(store.EventPipeOpened, model.Medium, pipe, "denied", who, "lets %s in to IPC$ now%s", who, more)
			continue
		}
		c.say(store.EventPipeOpened, model.Medium, pipe, "denied", who, "lets %s open the pipe %s now", who, pipe)
	}
	for _, pipe := range slices.Sorted(maps.Keys(shut)) {
		who := list(shut[pipe])
		if pipe == Door {
			c.say(store.EventPipeClosed, model.Info, pipe, who, "denied", "does not let %s in to IPC$ any more", who)
			continue
		}
		c.say(store.EventPipeClosed, model.Info, pipe, who, "denied", "does not let %s open the pipe %s any more",
			who, pipe)
	}
}

// nullPipes are the settings that list the pipes open to strangers.
var nullPipes = []string{"NullSessionPipes"}

// settings compares effective values.
func (c *comparing) settings() {
	for _, id := range slices.Sorted(maps.Keys(c.Now.Settings)) {
		before, knew := c.known.Settings[id]
		after := c.Now.Settings[id]
		if !knew || before == after {
			continue
		}
		if slices.Contains(nullPipes, id) {
			gained, lost := difference(before, after)
			for _, pipe := range gained {
				c.say(store.EventNullPipeGained, model.High, pipe, before, after,
					"opens one more pipe to null sessions: %s was added to %s", pipe, id)
			}
			if len(gained) > 0 && len(lost) == 0 {
				continue
			}
		}
		weak := c.Weak[id]
		severity, judged := model.Low, ""
		if weak {
			severity, judged = model.Medium, ", which is weak"
		}
		if weak && slices.Contains(c.known.Earlier[id], after) {
			c.say(store.EventSettingReverted, model.High, id, before, after,
				"has %s back at %s, as it was before it was mended to %s", id, after, before)
			continue
		}
		c.say(store.EventSettingChanged, severity, id, before, after, "has %s changed from %s to %s%s",
			id, before, after, judged)
	}
}

// difference returns the entries that a list gained and lost.
func difference(before, after string) (gained, lost []string) {
	a, b := entries(before), entries(after)
	has := func(l []string, s string) bool {
		return slices.ContainsFunc(l, func(e string) bool { return strings.EqualFold(e, s) })
	}
	for _, e := range b {
		if !has(a, e) && !has(gained, e) {
			gained = append(gained, e)
		}
	}
	for _, e := range a {
		if !has(b, e) && !has(lost, e) {
			lost = append(lost, e)
		}
	}
	return gained, lost
}

func entries(list string) []string {
	if list == model.Text([]string{}) || list == model.Text(nil) {
		return nil
	}
	return strings.Split(list, ", ")
}

// findings compares the open findings. An unclear look carries over in its snapshot what it did not see again, so that
// it does not end.
func (c *comparing) findings() {
	if !c.known.Seen {
		return
	}
	for _, f := range c.Now.Findings {
		if !slices.Contains(c.known.Findings, f) {
			severity := c.Severity[f]
			if severity == "" {
				severity = model.Info
			}
			c.say(store.EventNewFinding, severity, f, "", f, "has a new finding: %s", c.title(f))
		}
	}
	for _, f := range c.known.Findings {
		if !slices.Contains(c.Now.Findings, f) {
			c.say(store.EventFindingEnded, model.Info, f, f, "", "does not have this finding any more: %s", c.title(f))
		}
	}
}

func (c *comparing) title(id string) string {
	if c.Catalog != nil {
		if f := c.Catalog.Finding(id); f != nil && f.Title != "" {
			return strings.TrimSuffix(f.Title, ".")
		}
	}
	return id
}

// maxListed bounds the names in one sentence.
const maxListed = 8

// list joins names for a sentence.
func list(names []string) string {
	if n := len(names); n > maxListed {
		return strings.Join(names[:maxListed], ", ") + fmt.Sprintf(" and %d more", n-maxListed)
	} else if n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

func orNone(s string) string {
	if s == "" {
		return "never"
	}
	return s
}
