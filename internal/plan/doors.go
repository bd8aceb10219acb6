package plan

import (
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// level is how far a door is open. A plan may only lower levels.
type level uint8

const (
	shut  level = iota
	chink       // off the list that opened it; whether the list counts at all is not known
	ajar        // the model does not know
	open        // a stranger comes through
)

func levelOf(o model.Outcome) level {
	switch o {
	case model.Allowed:
		return open
	case model.Denied, model.Absent:
		return shut
	}
	return ajar
}

// door is one thing that strangers should not get: a kind of data, or a name on a list of objects open to strangers
// that neither the role nor a service needs.
type door struct {
	identity model.Identity
	kind     model.Disclosure // or
	pipe     string           // a name on the list of pipes, or
	share    string           // one on the list of shares, or
	unlisted bool             // every pipe that is on no list

	// beside means that files of the shares that must stay open do not count. Without such a door, a change that closes
	// other shares, usershares among them, would gain nothing.
	beside bool
}

// called names a door in a sentence.
func (d door) called() string {
	switch {
	case d.unlisted:
		return "the pipes that are on no list"
	case d.pipe != "":
		return "the pipe " + d.pipe
	case d.share != "":
		return "the share " + d.share
	}
	return d.kind.Noun()
}

// work is the state of making one plan.
type work struct {
	c        *catalog.Catalog
	e        *Evidence
	cfg      catalog.Config // the host as it is
	now      *catalog.View  // of cfg; nil until needed
	platform model.Platform
	needs    needs
	shares   []model.Share          // after the changed lines
	defaults *model.Share           // what new shares then begin with
	settled  map[door]model.Outcome // answers of scans that the model does not have
	doors    []door
	memo     map[string][]level // levels by the edits made
	tried    int                // evaluations of the model, which are bounded

	openNames, openHard []string // see openNow
	listRead            bool

	named    map[opener]bool // lines of shares that the policy names
	rejected []model.Rejected
	warnings []string
}

// findDoors lists everything that may be open: every kind of data for every stranger, then the names on the lists.
func (w *work) findDoors() {
	for _, id := range model.Strangers() {
		for _, d := range exposures {
			w.doors = append(w.doors, door{identity: id, kind: d})
		}
		if len(w.needs.shares) > 0 {
			w.doors = append(w.doors, door{identity: id, kind: model.DisclosesFiles, beside: true})
		}
	}
	w.doors = append(w.doors, door{identity: model.Anonymous, unlisted: true})
	names, hard := w.openNow()
	for _, n := range names {
		if !holds(hard, n) && !holds(w.byRole("NullSessionPipes"), n) && !w.needs.pipe(n) {
			w.doors = append(w.doors, door{identity: model.Anonymous, pipe: n})
		}
	}
	for _, n := range w.list(w.cfg, "NullSessionShares") {
		if !strings.EqualFold(n, "IPC$") && !w.needs.share(n) {
			w.doors = append(w.doors, door{identity: model.Anonymous, share: n})
		}
	}
}

// view returns the host as it is.
func (w *work) view() *catalog.View {
	if w.now == nil {
		w.now = w.c.View(w.cfg)
	}
	return w.now
}

// levelsAfter returns how far each door is open after some edits.
func (w *work) levelsAfter(set []chosen) []level {
	out := make([]catalog.Override, 0, len(set))
	listed := w.list(w.cfg, "NullSessionShares")
	for _, ch := range set {
		switch s := ch.edit.setting; {
		case ch.edit.share != "": // w.shares has them already
		case s.ID == "NullSessionShares":
			listed = listOf(s, ch.value())
			fallthrough
		default:
			out = append(out, catalog.Override{ID: s.ID, Value: ch.value()})
		}
	}
	return w.levelsIn(w.view().With(w.shares, w.defaults, out...), listed)
}

func (w *work) levelsIn(v *catalog.View, shares []string) []level {
	w.tried++
	out := make([]level, len(w.doors))
	var pipes []string
	var rest *catalog.View
	read := false
	for i, d := range w.doors {
		switch {
		case d.beside:
			if rest == nil {
				rest = v.Without(w.needs.share)
			}
			out[i] = levelOf(rest.Discloses(d.identity, d.kind))
		case d.kind != "":
			out[i] = levelOf(v.Discloses(d.identity, d.kind))
			if out[i] == ajar {
				if o, ok := w.settled[d]; ok && levelOf(o) == shut {
					out[i] = shut
				}
			}
		case v.Session(model.Anonymous) == model.Denied:
		case d.unlisted:
			out[i] = offTheList(v, v.Unlisted())
		case d.pipe != "":
			if !read {
				pipes, _, _ = v.AnonymousPipes()
				read = true
			}
			if v.Tree(model.Anonymous) != model.Denied && holds(pipes, d.pipe) {
				out[i] = ajar
			} else {
				out[i] = offTheList(v, v.Unlisted())
			}
		case holds(shares, d.share):
			out[i] = ajar
		default:
			out[i] = offTheList(v, v.Unrestricted())
		}
	}
	return out
}

// offTheList returns how far a door is open that no list opens: as far as one that a list opens if the lists count for
// nothing. o is the model's answer for all such doors.
func offTheList(v *catalog.View, o model.Outcome) level {
	switch {
	case levelOf(o) == shut:
		return shut
	case v.Unrestricted() == model.OutcomeUnknown:
		return chink
	}
	return ajar
}

// openDoors keeps only the doors that are not shut, and returns how far they are open. No edit opens a door that is
// shut, so the others need no second look.
func (w *work) openDoors() []level {
	all, doors := w.levelsAfter(nil), w.doors
	w.doors = nil
	var out []level
	for i, l := range all {
		if l > shut {
			w.doors, out = append(w.doors, doors[i]), append(out, l)
		}
	}
	return out
}

// openNow returns the pipes that a list opens to anonymous callers before any change.
func (w *work) openNow() (names, hard []string) {
	if !w.listRead {
		w.openNames, w.openHard, _ = w.view().AnonymousPipes()
		w.listRead = true
	}
	return w.openNames, w.openHard
}

// list returns the effective list of a setting that holds names, as far as it is configured.
func (w *work) list(cfg catalog.Config, id string) []string {
	if s := w.c.Setting(id); s != nil {
		return listOf(s, cfg.Settings[id])
	}
	return nil
}

func listOf(s *catalog.Setting, v model.Value) []string {
	data, _ := s.Value(v)
	names, _ := data.([]string)
	return names
}

// byRole returns the list that the role itself needs, such as the three pipes of a domain controller. If the role is
// unknown, it is the longest possible list.
func (w *work) byRole(id string) []string {
	s := w.c.Setting(id)
	if s == nil {
		return nil
	}
	var out []string
	for _, want := range s.Wanted {
		certain, possible := w.c.Fit(want.Scope, w.platform)
		if !possible {
			continue
		}
		if data, ok := s.Value(model.Value{Present: true, Data: want.Value}); ok {
			if names, _ := data.([]string); len(names) > len(out) {
				out = names
			}
		}
		if certain {
			break
		}
	}
	return out
}

// holds reports whether a list has this pipe or share.
func holds(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return catalog.PipeName(n) == catalog.PipeName(name) })
}

// with returns a configuration after some edits.
func (w *work) with(cfg catalog.Config, changes ...chosen) catalog.Config {
	if len(changes) == 0 {
		return cfg
	}
	out := cfg
	out.Settings = maps.Clone(cfg.Settings)
	var lines, accounts []chosen
	for _, ch := range changes {
		switch {
		case ch.edit.share != "":
			lines = append(lines, ch)
		case ch.edit.account != "":
			accounts = append(accounts, ch)
		default:
			out.Settings[ch.edit.setting.ID] = ch.value()
			if len(ch.edit.setting.InShares) > 0 && len(ch.edit.options) > 0 {
				lines = append(lines, ch) // shares take it over
			}
		}
	}
	out.AccountLines = withAccounts(out.AccountLines, accounts)
	out.Shares, out.Defaults = withLines(out.Shares, lines), defaultsWith(out.Defaults, lines)
	return out
}
