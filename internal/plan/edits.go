package plan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// edit is one setting that may be changed, with the values worth trying.
type edit struct {
	setting *catalog.Setting
	share   string   // for a setting of a share: the section of the line
	wanted  bool     // the policy names this line of a share
	now     any      // what that line is in effect, nil if there is none
	account string   // for a setting with a line for each account: the account
	closes  []string // the shares that the line opens
	where   string
	from    model.Value
	options []option // weakest first
	order   int
	why     string // instead of the catalog's reason
}

// option is one value of an edit, with its cost.
type option struct {
	data any
	cost cost
}

// cost orders ways to the same end: what breaks matters more than the number of changes.
type cost [6]int

const (
	costNeeded     = iota // documented breakage of something that was found here
	costDocumented        // documented breakage of other things
	costEveryone          // signed-in users are affected
	costUnusual           // not what the catalog asks for
	// possible breakage; other ways to the same end usually have it too, and are only described less
	costPossible
	costChanges
)

func (a cost) plus(b cost) cost {
	for i := range a {
		a[i] += b[i]
	}
	return a
}

func (a cost) less(b cost) bool { return slices.Compare(a[:], b[:]) < 0 }

// chosen is an edit with one of its options.
type chosen struct {
	edit   *edit
	option int
}

func (ch chosen) data() any { return ch.edit.options[ch.option].data }

func (ch chosen) value() model.Value {
	return model.Value{Present: true, Type: ch.edit.setting.Type, Data: ch.data()}
}

// edits lists what restrict may change: settings that affect only strangers, that were read, and that govern something
// that is open.
func (w *work) edits(before []level) []*edit {
	kinds, doors := map[model.Disclosure]bool{}, false
	for i, d := range w.doors {
		if before[i] > shut {
			if d.kind == "" {
				doors = true
			} else {
				kinds[d.kind] = true
			}
		}
	}
	var out []*edit
	for i := range w.c.Settings {
		s := &w.c.Settings[i]
		if s.System != w.platform.System || s.Side == "client" || s.Reach != "anonymous" ||
			!governs(s, kinds, doors) && !w.opensNew(s) {
			continue
		}
		if _, possible := w.c.Fit(s.Applies, w.platform); !possible {
			continue
		}
		if w.avoids(s) {
			w.reject(s.ID, "the policy says not to touch it")
			continue
		}
		if why := w.idle(s); why != "" {
			w.reject(s.ID, why)
			continue
		}
		if s.PerShare() {
			out = append(out, w.shareEdits(s)...)
			continue
		}
		from, read := w.cfg.Settings[s.ID]
		if !read || !from.Present && (s.Type == "policy" || s.Type == "members") {
			continue // residual reports it: without the value before there is no way back, and these always have one
		}
		e := &edit{setting: s, where: w.where(s), from: from}
		for _, data := range w.values(s, from) {
			e.options = append(e.options, option{data: data})
		}
		if e.options != nil {
			out = append(out, e)
		}
	}
	for i, e := range out {
		e.order = i
		e.options = w.priced(e)
	}
	return slices.DeleteFunc(out, func(e *edit) bool { return len(e.options) == 0 })
}

// governs reports whether a setting can close anything that is open.
func governs(s *catalog.Setting, kinds map[model.Disclosure]bool, doors bool) bool {
	g := s.Governs
	if g.Session || g.Tree || slices.Contains(g.Pipes, "*") {
		return len(kinds) > 0 || doors
	}
	return slices.ContainsFunc(g.Discloses, func(d model.Disclosure) bool { return kinds[d] })
}

func (w *work) avoids(s *catalog.Setting) bool {
	is := func(name string) bool { return w.c.Setting(name) == s }
	return slices.ContainsFunc(w.e.Policy.Avoid, is) ||
		len(w.e.Policy.Only) > 0 && !slices.ContainsFunc(w.e.Policy.Only, is)
}

// where returns the exact place: the audit's, which may be more precise than the catalog's.
func (w *work) where(s *catalog.Setting) string {
	for i := range w.e.Audit.Settings {
		if a := &w.e.Audit.Settings[i]; a.ID == s.ID && a.Where != "" {
			return a.Where
		}
	}
	return s.Where
}

// values returns the values worth trying for a setting, weakest first, without the one in effect.
func (w *work) values(s *catalog.Setting, from model.Value) []any {
	switch s.ID {
	case "NullSessionPipes":
		return w.pipeList(s)
	case "NullSessionShares":
		return w.shareList(s, from)
	case "PreWindows2000Members":
		return members(s, from)
	case "IPC$:invalid users":
		return w.invalidUsers(s, from)
	}
	now, known := s.Value(from)
	if !known {
		now, known = w.effective(s.ID)
	}
	var out []any
	add := func(v any) {
		data, ok := s.Value(model.Value{Present: true, Data: v})
		if !ok || known && s.Same(now, data) || slices.ContainsFunc(out, func(o any) bool { return s.Same(o, data) }) {
			return
		}
		if a, ok := now.(int); ok && known {
			if b, ok := data.(int); ok && atLeast(s) && b < a {
				return
			}
		}
		out = append(out, data)
	}
	wanted := false
	for _, want := range s.Wanted {
		certain, possible := w.c.Fit(want.Scope, w.platform)
		if !possible {
			continue
		}
		switch want.Compare {
		case "equal", "at-least", "not-root":
			wanted = true
			if want.Compare == "at-least" {
				for _, m := range s.Values {
					if ok, _ := w.c.Fit(m.Scope, w.platform); ok && w.mayTry(s, m) {
						add(m.Value)
					}
				}
			}
			add(want.Value)
		}
		if certain {
			break
		}
	}
	if !wanted {
		for _, b := range s.Breaks {
			if _, possible := w.c.Fit(b.Scope, w.platform); possible && b.Value != nil {
				add(b.Value)
			}
		}
	}
	if atLeast(s) {
		slices.SortFunc(out, func(a, b any) int { x, _ := a.(int); y, _ := b.(int); return x - y })
	}
	return out
}

// mayTry reports whether a plan may set a documented value: some have no effect here, and some are set only on request.
func (w *work) mayTry(s *catalog.Setting, m catalog.Meaning) bool {
	if m.NotHere {
		return false
	}
	if m.OnRequest == "" {
		return true
	}
	for _, a := range w.e.Policy.Allow {
		name, value, _ := strings.Cut(a, "=")
		if w.c.Setting(strings.TrimSpace(name)) == s && strings.TrimSpace(value) == model.Text(m.Value) {
			return true
		}
	}
	w.reject(s.ID, fmt.Sprintf("%s is set only when it is asked for (--allow %s=%s): %s", model.Text(m.Value), s.ID,
		model.Text(m.Value), m.OnRequest))
	return false
}

func atLeast(s *catalog.Setting) bool {
	return slices.ContainsFunc(s.Wanted, func(w catalog.Wanted) bool { return w.Compare == "at-least" })
}

// effective returns a setting's value in effect, as the audit resolved it.
func (w *work) effective(id string) (any, bool) {
	for i := range w.e.Audit.Settings {
		if a := &w.e.Audit.Settings[i]; a.ID == id && a.Basis != model.BasisUnknown {
			return w.c.Setting(id).Value(model.Value{Present: true, Data: a.Effective})
		}
	}
	return nil, false
}

// pipeList returns the list with only what the role and the needs require. Names that are on it now keep their order;
// names that a need has because every pipe is open are added.
func (w *work) pipeList(s *catalog.Setting) []any {
	now, hard := w.openNow()
	var out []string
	for _, n := range now {
		if (holds(w.byRole(s.ID), n) || w.needs.pipe(n)) && !holds(out, n) && !(holds(hard, n) && !w.from(s).Present) {
			out = append(out, n)
		}
	}
	if w.everyPipe(w.cfg) {
		v := w.view()
		for _, n := range sortedKeys(w.needs.pipes) {
			if !holds(out, n) && !holds(hard, n) && w.opens(v, w.cfg, n) {
				out = append(out, n)
			}
		}
	}
	if out == nil {
		out = []string{}
	}
	if from := w.from(s); from.Present {
		if data, ok := s.Value(from); ok && s.Same(data, out) {
			return nil
		}
	} else if data, ok := w.effective(s.ID); ok && s.Same(data, out) {
		return nil
	}
	return []any{out}
}

func (w *work) from(s *catalog.Setting) model.Value { return w.cfg.Settings[s.ID] }

func (w *work) shareList(s *catalog.Setting, from model.Value) []any {
	out := []string{}
	for _, n := range w.list(w.cfg, s.ID) {
		if w.needs.share(n) || strings.EqualFold(n, "IPC$") {
			out = append(out, n)
		}
	}
	data, ok := s.Value(from)
	if !ok {
		data, ok = w.effective(s.ID)
	}
	if ok && s.Same(data, out) {
		return nil
	}
	return []any{out}
}

// members removes strangers from the legacy group. If Everyone was in it, signed-in users keep reading through
// Authenticated Users.
func members(s *catalog.Setting, from model.Value) []any {
	data, ok := s.Value(from)
	if !ok {
		return nil
	}
	names, _ := data.([]string)
	out, everyone, signedIn := []string{}, false, false
	for _, m := range names {
		switch strings.ToLower(m) {
		case "s-1-1-0", "wd", "everyone":
			everyone = true
			continue
		case "s-1-5-7", "an", "anonymous logon", `nt authority\anonymous logon`:
			continue
		case "s-1-5-11", "au", "authenticated users", `nt authority\authenticated users`:
			signedIn = true
		}
		out = append(out, m)
	}
	if everyone && !signedIn {
		out = append(out, "S-1-5-11")
	}
	if s.Same(names, out) {
		return nil
	}
	return []any{out}
}

// invalidUsers adds the guest account to [IPC$] invalid users, which keeps strangers out and lets users in.
func (w *work) invalidUsers(s *catalog.Setting, from model.Value) []any {
	account, ok := w.effective("guest account")
	name, _ := account.(string)
	if !ok || name == "" {
		return nil
	}
	var names []string
	if from.Present {
		data, ok := s.Value(from)
		if !ok {
			return nil
		}
		names, _ = data.([]string)
	}
	if holds(names, name) {
		return nil
	}
	return []any{append(slices.Clone(names), name)}
}

// priced sets the cost of each option, and removes those that a need forbids.
func (w *work) priced(e *edit) []option {
	var out []option
	for _, o := range e.options {
		o.cost[costChanges] = 1
		if e.setting.Reach == "everyone" {
			o.cost[costEveryone]++
		}
		if !w.asked(e.setting) {
			o.cost[costUnusual]++
		}
		forbidden := ""
		for _, b := range w.breakage(e, o.data) {
			switch {
			case b.declared && b.Certainty == "documented":
				forbidden = b.Who + ": " + b.What
			case b.found:
				o.cost[costNeeded]++
			case b.Certainty == "documented":
				o.cost[costDocumented]++
			default:
				o.cost[costPossible]++
			}
		}
		if forbidden != "" {
			w.reject(e.setting.ID,
				fmt.Sprintf("the value %s would stop what is declared as needed: %s", model.Text(o.data), forbidden))
			continue
		}
		out = append(out, o)
	}
	return out
}

// asked reports whether the catalog itself wants a value of this setting here.
func (w *work) asked(s *catalog.Setting) bool {
	return slices.ContainsFunc(s.Wanted, func(x catalog.Wanted) bool {
		_, possible := w.c.Fit(x.Scope, w.platform)
		return possible
	})
}

func (w *work) reject(setting, why string) {
	r := model.Rejected{Setting: setting, Why: why}
	if !slices.Contains(w.rejected, r) {
		w.rejected = append(w.rejected, r)
	}
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
