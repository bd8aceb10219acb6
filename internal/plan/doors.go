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
	shut level = iota
	ajar       // the model cannot tell
	open       // a stranger comes through
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

// door is one thing that a stranger should not get: a kind of data, or a name on a list of things open to strangers
// that neither the role nor a service needs.
type door struct {
	identity model.Identity
	kind     model.Disclosure // or
	pipe     string           // a name on the pipe list, or
	share    string           // one on the share list

	// beside says of files that those of shares which have to stay open do not count. Without such a door nothing would
	// be gained by a change that closes other shares, usershares among them.
	beside bool
}

// work is the making of one plan.
type work struct {
	c        *catalog.Catalog
	e        *Evidence
	cfg      catalog.Config // the host as it is
	now      *catalog.View  // of it, once it was asked for
	platform model.Platform
	needs    needs
	shares   []model.Share          // as the lines that are changed leave them
	defaults *model.Share           // and what new ones then begin with
	settled  map[door]model.Outcome // answers of scans where the model has none
	doors    []door
	memo     map[string][]level // levels by the edits made
	tried    int                // evaluations of the model, for the bound

	openNames, openHard []string // see openNow
	listRead            bool

	rejected []model.Rejected
	warnings []string
}

// findDoors lists everything that may be open: every kind of data for every stranger, then what the lists name.
func (w *work) findDoors() {
	for _, id := range model.Strangers() {
		for _, d := range exposures {
			w.doors = append(w.doors, door{identity: id, kind: d})
		}
		if len(w.needs.shares) > 0 {
			w.doors = append(w.doors, door{identity: id, kind: model.DisclosesFiles, beside: true})
		}
	}
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

// view is the host as it is.
func (w *work) view() *catalog.View {
	if w.now == nil {
		w.now = w.c.View(w.cfg)
	}
	return w.now
}

// levelsAfter says how far each door is open after some edits.
func (w *work) levelsAfter(set []chosen) []level {
	out := make([]catalog.Override, 0, len(set))
	listed := w.list(w.cfg, "NullSessionShares")
	for _, ch := range set {
		switch s := ch.edit.setting; {
		case ch.edit.share != "": // those that are made are in w.shares
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
		case d.pipe != "":
			if !read {
				pipes, _, _ = v.AnonymousPipes()
				read = true
			}
			if v.Tree(model.Anonymous) != model.Denied && holds(pipes, d.pipe) {
				out[i] = ajar
			}
		case holds(shares, d.share):
			out[i] = ajar
		}
	}
	return out
}

// openDoors keeps the doors that are not shut, and says how far they are open. No edit opens one that is shut, so the rest
// need not be asked for again.
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

// openNow are the pipes that are open to anonymous callers by list before anything is changed.
func (w *work) openNow() (names, hard []string) {
	if !w.listRead {
		w.openNames, w.openHard, _ = w.view().AnonymousPipes()
		w.listRead = true
	}
	return w.openNames, w.openHard
}

// list is the effective list of a setting of names, as far as it is configured.
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

// byRole is the list that the role itself needs, such as the three pipes of a domain controller. Where the role is not
// known it is the longest list that may be meant.
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

// holds tells whether a list names this pipe or share.
func holds(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return catalog.PipeName(n) == catalog.PipeName(name) })
}

// with is a configuration after some edits.
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
		}
	}
	out.AccountLines = withAccounts(out.AccountLines, accounts)
	out.Shares, out.Defaults = withLines(out.Shares, lines), defaultsWith(out.Defaults, lines)
	return out
}
