package web

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/report"
	"ipcguard/internal/store"
)

// auditView is what a host's configuration says.
type auditView struct {
	*model.Audit
	At       time.Time
	Settings []settingView
	Hidden   int // settings that were not read, or do not apply
	Access   []accessView
}

type settingView struct {
	model.Setting
	Known bool // the catalog has a page about it
}

type accessView struct {
	Identity      model.Identity
	Session, Tree model.Outcome
	Given, Open   []string
}

// audit returns the document; nil if there is none.
func (a *auditView) audit() *model.Audit {
	if a == nil {
		return nil
	}
	return a.Audit
}

func (v *visit) auditOf(hostID int64) (*auditView, error) {
	var a model.Audit
	at, err := v.document(v.ctx(), hostID, "audit", &a)
	if err != nil || at.IsZero() {
		return nil, err
	}
	d := &auditView{Audit: &a, At: at}
	for _, s := range a.Settings {
		if s.NotRead || s.State == model.StateNotApplicable {
			d.Hidden++
			continue
		}
		d.Settings = append(d.Settings, settingView{s, v.catalog.Setting(s.ID) != nil})
	}
	order := map[model.State]int{model.StateWeak: 0, model.StateUnknown: 1}
	slices.SortStableFunc(d.Settings, func(a, b settingView) int {
		x, ok := order[a.State]
		if !ok {
			x = 2
		}
		y, ok := order[b.State]
		if !ok {
			y = 2
		}
		return x - y
	})
	for _, id := range model.Identities() {
		a, ok := a.Access[id]
		if !ok {
			continue
		}
		row := accessView{Identity: id, Session: a.Session, Tree: a.Tree}
		for _, kind := range model.Disclosures() {
			switch a.Discloses[kind] {
			case model.Allowed:
				row.Given = append(row.Given, words(kind))
			case model.OutcomeUnknown:
				row.Open = append(row.Open, words(kind))
			}
		}
		d.Access = append(d.Access, row)
	}
	return d, nil
}

// useView shows who really uses a host's IPC$.
type useView struct {
	At       time.Time
	Coverage model.Coverage
	Uses     []model.Use
	More     int
	Says     []string // the total of all of them
	Logons   []model.Logon
	Stronger int // the number of omitted ones, none of them weaker
}

// mostUses is the number of uses that a page shows: strangers first, then the most frequent.
const mostUses = 200

// mostLogons is the number of ways to log on that a page shows, the weakest first.
const mostLogons = 100

func (v *visit) useOf(hostID int64) (*useView, error) {
	var o model.Observation
	at, err := v.document(v.ctx(), hostID, "observe", &o)
	if err != nil || at.IsZero() {
		return nil, err
	}
	says, logons := report.UseAnswer(&o), model.Logons(o.Uses)
	shown := min(len(logons), mostLogons)
	stranger := func(u model.Use) int {
		if u.Identity.IsStranger() {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(o.Uses, func(a, b model.Use) int {
		if x := stranger(a) - stranger(b); x != 0 {
			return x
		}
		return int(max(-1, min(1, b.Count-a.Count)))
	})
	n := min(len(o.Uses), mostUses)
	return &useView{at, o.Coverage, o.Uses[:n], len(o.Uses) - n, says, logons[:shown], len(logons) - shown}, nil
}

// journalView is what was applied on a host, from "ipcguard history --format json".
type journalView struct {
	At      time.Time
	Applies []applyView
}

type applyView struct {
	ID      string       `json:"id"`
	Started time.Time    `json:"started"`
	Ended   time.Time    `json:"ended"`
	Who     string       `json:"who"`
	Phase   string       `json:"phase"`
	Target  string       `json:"target"`
	Plan    string       `json:"plan_hash"`
	Records []recordView `json:"records"`
	Written []written    `json:"-"`
}

type recordView struct {
	Action  string         `json:"action"`
	Time    time.Time      `json:"time"`
	Who     string         `json:"who"`
	Why     string         `json:"why"`
	Passed  bool           `json:"proof_passed"`
	Changes []recordChange `json:"changes"`
}

type recordChange struct {
	Where string `json:"where"`
	From  string `json:"from"`
	To    string `json:"to"`
	Diff  string `json:"diff"` // of a file: lines that begin with - and +
}

// written is one setting that an apply wrote, by its name in the catalog if it has one.
type written struct {
	Setting  string
	Known    bool
	From, To string
}

// mostApplies is the number of a journal's entries that a page shows, the newest.
const mostApplies = 30

func (v *visit) journalOf(hostID int64) (*journalView, error) {
	var raw json.RawMessage
	at, err := v.document(v.ctx(), hostID, "journal", &raw)
	if err != nil || at.IsZero() {
		return nil, err
	}
	d := &journalView{At: at}
	if d.Applies, err = readJournal(raw); err != nil {
		v.log.Warn("a stored journal cannot be read", "host", hostID, "error", err)
		return nil, nil
	}
	slices.SortStableFunc(d.Applies, func(a, b applyView) int { return b.Started.Compare(a.Started) })
	d.Applies = d.Applies[:min(len(d.Applies), mostApplies)]
	for i := range d.Applies {
		if r := d.Applies[i].Records; len(r) > 0 {
			d.Applies[i].Written = v.writtenBy(r[0].Changes)
		}
	}
	return d, nil
}

// mostWritten is the number of settings that a page shows of one apply.
const mostWritten = 20

// writtenBy names the settings of an apply's changes: a registry value or a parameter is a setting, and in a
// configuration file each changed line is one.
func (v *visit) writtenBy(changes []recordChange) []written {
	var out []written
	for _, c := range changes {
		_, parameter, section := strings.Cut(c.Where, "] ")
		switch {
		case section && strings.HasPrefix(c.Where, "["):
			out = append(out, v.writtenTo(parameter, c.From, c.To))
		case c.Diff != "":
			lines := parameters(c.Diff)
			for i := range lines {
				if lines[i] = v.writtenTo(lines[i].Setting, lines[i].From, lines[i].To); !lines[i].Known {
					lines[i].From, lines[i].To = "", "" // only operators see the rest of a configuration
				}
			}
			if lines == nil { // its owner or mode, or a file that was created or deleted
				lines = []written{{Setting: c.Where, From: c.From, To: c.To}}
			}
			out = append(out, lines...)
		default:
			out = append(out, v.writtenTo(v.valueAt(c.Where), untyped(c.From), untyped(c.To)))
		}
	}
	return out[:min(len(out), mostWritten)]
}

func (v *visit) writtenTo(setting, from, to string) written {
	w := written{Setting: setting, From: from, To: to}
	if s := v.catalog.Setting(setting); s != nil {
		w.Setting, w.Known = s.ID, true
	}
	return w
}

// valueAt returns the setting of a registry value; other values keep their path.
func (v *visit) valueAt(where string) string {
	for i := range v.catalog.Settings {
		if s := &v.catalog.Settings[i]; strings.EqualFold(s.Where, where) {
			return s.ID
		}
	}
	return where
}

// untyped removes the type from a registry value: REG_DWORD 1 is 1. Bytes keep theirs.
func untyped(s string) string {
	kind, value, ok := strings.Cut(s, " ")
	switch {
	case !ok || !strings.HasPrefix(kind, "REG_"):
		return s
	case kind == "REG_BINARY" || kind == "REG_NONE":
		return plural(len(strings.Fields(value)), "byte", "bytes")
	}
	return value
}

// parameters parses the lines of a file's difference that set a parameter of smb.conf. A parameter that is removed and
// added is one row.
func parameters(diff string) []written {
	var out []written
	for line := range strings.Lines(diff) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "+") {
			continue
		}
		name, value, ok := strings.Cut(line[1:], "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || strings.HasPrefix(name, "#") || strings.HasPrefix(name, ";") {
			continue
		}
		at := slices.IndexFunc(out, func(w written) bool { return strings.EqualFold(w.Setting, name) })
		if at < 0 {
			at, out = len(out), append(out, written{Setting: name, From: "absent", To: "absent"})
		}
		if line[0] == '-' {
			out[at].From = value
		} else {
			out[at].To = value
		}
	}
	return out
}

// readJournal parses a list of applies, or one.
func readJournal(b []byte) ([]applyView, error) {
	var list []applyView
	if json.Unmarshal(b, &list) != nil {
		var one applyView
		if err := json.Unmarshal(b, &one); err != nil {
			return nil, err
		}
		list = []applyView{one}
	}
	return slices.DeleteFunc(list, func(a applyView) bool { return a.ID == "" }), nil
}

// spanRow is a period without changes, and what differs from the previous one.
type spanRow struct {
	store.Span
	Changed []string
}

// spansOf lists the latest periods, and shows the scans' verdicts by day.
func (v *visit) spansOf(hostID int64) ([]spanRow, *days, error) {
	var out []spanRow
	var byDay *days
	for _, kind := range []store.RunKind{store.RunScan, store.RunAudit} {
		spans, err := v.store.Spans(v.ctx(), hostID, kind)
		if err != nil {
			return nil, nil, err
		}
		if kind == store.RunScan {
			byDay = newDays(spans, v.now())
		}
		for i := range spans {
			row := spanRow{Span: spans[i]}
			if i > 0 {
				row.Changed = differences(&spans[i-1].Snapshot, &spans[i].Snapshot)
			}
			out = append(out, row)
		}
	}
	slices.SortStableFunc(out, func(a, b spanRow) int { return b.From.Compare(a.From) })
	return out[:min(len(out), mostSpans)], byDay, nil
}

// mostDifferences bounds the listed differences of one step.
const mostDifferences = 12

// differences describes what differs between two snapshots.
func differences(a, b *store.Snapshot) []string {
	switch {
	case a.Verdict == "":
		return []string{"first seen: " + orNone(string(b.Verdict))}
	case b.Verdict == "":
		return []string{"not there any more"}
	}
	var out []string
	say := func(s string) { out = append(out, s) }
	if a.Verdict != b.Verdict {
		say(orNone(string(a.Verdict)) + " → " + orNone(string(b.Verdict)))
	}
	was, is := cellsOf(a.Cells), cellsOf(b.Cells)
	for i, kind := range model.Disclosures() {
		// A question that was not asked, or not answered, is not a change; what opens or closes is.
		if was[i].Mark != is[i].Mark && (was[i].Mark == "open" || is[i].Mark == "open") && a.Cells != "" &&
			b.Cells != "" {
			say(words(kind) + ": " + was[i].Mark + " → " + is[i].Mark)
		}
	}
	if a.SMB1 != b.SMB1 {
		say(map[bool]string{true: "SMB1 is back", false: "SMB1 is gone"}[b.SMB1])
	}
	if a.Signing != b.Signing {
		say("signing: " + orNone(a.Signing) + " → " + orNone(b.Signing))
	}
	for _, part := range []struct {
		name string
		a, b map[string]string
	}{{"pipe ", a.Pipes, b.Pipes}, {"", a.Settings, b.Settings}} {
		for _, key := range keys(part.a, part.b) {
			if x, y := part.a[key], part.b[key]; x != y {
				say(part.name + brief(key) + ": " + brief(orNone(x)) + " → " + brief(orNone(y)))
			}
		}
	}
	for _, f := range b.Findings {
		if !slices.Contains(a.Findings, f) {
			say("new: " + brief(f))
		}
	}
	for _, f := range a.Findings {
		if !slices.Contains(b.Findings, f) {
			say("ended: " + brief(f))
		}
	}
	if len(out) > mostDifferences {
		out = append(out[:mostDifferences], "and "+plural(len(out)-mostDifferences, "thing", "things")+" more")
	}
	return out
}

func orNone(s string) string {
	if strings.TrimSpace(s) == "" {
		return "none"
	}
	return s
}

// keys returns the sorted keys of both.
func keys(a, b map[string]string) []string {
	var out []string
	for k := range a {
		out = append(out, k)
	}
	for k := range b {
		out = append(out, k)
	}
	return sorted(out)
}
