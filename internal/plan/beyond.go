package plan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// afterEdits is the order of the first wish. No host has that many edits.
const afterEdits = 1 << 20

// wishes returns what the policy asks for, each an edit with one value: single settings of the host, and lines of
// shares.
func (w *work) wishes() (host, lines []chosen, err error) {
	named := map[string]bool{}
	for _, want := range w.e.Policy.Want {
		ch, err := w.wishOf(want)
		if err != nil {
			return nil, nil, err
		}
		if place := strings.ToLower(ch.edit.name()); named[place] {
			return nil, nil, &InputError{ch.edit.name() + " is wanted twice", ""}
		} else {
			named[place] = true
		}
		ch.edit.order = afterEdits + len(host) + len(lines)
		switch {
		case ch.edit.share == "" && !w.holdsAlready(ch):
			host = append(host, ch)
		case ch.edit.share != "" && !w.hasAlready(ch):
			lines = append(lines, ch)
		}
	}
	return host, lines, w.takesOnly(host, lines)
}

// wishOf returns the edit for one wish.
func (w *work) wishOf(want string) (chosen, error) {
	if line, ok := w.shareLine(want); ok {
		return w.wishLine(line)
	}
	name, value, ok := strings.Cut(want, "=")
	s := w.c.Setting(strings.TrimSpace(name))
	if !ok || s == nil {
		return chosen{}, &InputError{
			fmt.Sprintf("%q is no setting of the catalog with a value", want),
			"NAME=VALUE, or SHARE:NAME=VALUE for a line of one share; ipcguard explain NAME finds what it may be called",
		}
	}
	return w.wish(s, strings.TrimSpace(value))
}

// wished reports whether the policy names the value of a setting, so that nothing else may choose one.
func (w *work) wished(s *catalog.Setting) bool {
	return slices.ContainsFunc(w.e.Policy.Want, func(want string) bool {
		name, _, _ := strings.Cut(want, "=")
		return w.c.Setting(strings.TrimSpace(name)) == s
	})
}

// wish returns the edit for one setting and the requested value. It fails if the value before is unknown, if the host
// would not read the setting, or if the value has no documented meaning.
func (w *work) wish(s *catalog.Setting, value string) (chosen, error) {
	refuse := func(why, hint string) (chosen, error) { return chosen{}, &InputError{s.ID + " " + why, hint} }
	data, ok := s.Value(model.Value{Present: true, Data: parse(s, value)})
	from, read := w.cfg.Settings[s.ID]
	_, possible := w.c.Fit(s.Applies, w.platform)
	switch {
	case s.System != w.platform.System:
		return refuse("is a setting of "+s.System+", and the audit is of "+w.platform.System, "")
	case s.PerShare():
		return refuse("is a line of a share", "name the share, as in public:"+s.ID+"="+value)
	case s.PerAccount():
		return refuse("is a line of each account, and not one of the host", "")
	case w.avoids(s):
		return refuse("is wanted and to be avoided", "")
	case !possible:
		return refuse("is not read by this product or role, so it would change nothing", "")
	case w.c.Effect(s, w.platform).How == "never":
		return refuse("would do nothing: "+s.Summary, "")
	case !ok:
		return chosen{}, cannotBe(s, value)
	case w.c.ExportOnly(s):
		return refuse("is exported for a trial, and never set by a wish", "--strategy block has it")
	case !w.known(s, data):
		return refuse(fmt.Sprintf("at %s is not known to work: the catalog has no such value", model.Text(data)),
			"ipcguard explain \""+s.ID+"\" lists those that it has")
	case !read || !from.Present && (s.Type == "policy" || s.Type == "members"):
		return refuse("was not read, so there would be no way back",
			"audit a source that has it: the host itself, or its policies")
	}
	if why := w.idle(s); why != "" {
		return refuse("would do nothing: "+why, "")
	}
	ch := chosen{edit: &edit{setting: s, where: w.where(s), from: from, options: []option{{data: data}}}}
	switch now, then := w.judged(), w.judged(ch); {
	case then[s.ID].Basis == model.BasisUnknown:
		return refuse("would not be known to work: "+then[s.ID].Why, "")
	case then[s.ID].State == model.StateWeak && now[s.ID].State == model.StateOK:
		return refuse(fmt.Sprintf("at %s is weak, and it is not so now", model.Text(data)), "a plan only takes away")
	}
	if why := w.shutsOut(ch); why != "" {
		return refuse(why, "")
	}
	for _, b := range w.breakage(ch.edit, data) {
		if b.declared && b.Certainty == "documented" {
			return refuse(fmt.Sprintf("at %s would stop what is declared as needed: %s: %s", model.Text(data), b.Who,
				b.What), "")
		}
	}
	return ch, nil
}

// known reports whether the catalog has a value; apply refuses any other. Lists and switches take every value.
func (w *work) known(s *catalog.Setting, data any) bool {
	switch data.(type) {
	case []string, bool:
		return true
	}
	return slices.ContainsFunc(w.c.Known(s), func(v any) bool {
		k, ok := s.Value(model.Value{Present: true, Data: v})
		return ok && s.Same(k, data)
	})
}

// takesOnly refuses wishes that would give strangers more than they get now, or take what they must keep.
func (w *work) takesOnly(host, lines []chosen) error {
	all := slices.Concat(host, lines)
	if len(all) == 0 {
		return nil
	}
	now := w.levelsAfter(nil)
	w.take(all)
	defer w.take(nil)
	if !w.keeping(host) {
		return &InputError{"what is wanted would take from strangers what they must keep: " + w.mustKeep(), ""}
	}
	then := w.levelsAfter(host)
	for i, d := range w.doors {
		if then[i] > now[i] {
			return &InputError{
				"what is wanted would open to strangers what is closed: " + w.doorName(d), "a plan only takes away",
			}
		}
	}
	return w.takesFromShares(all)
}

// holdsAlready reports whether a wish is already in effect.
func (w *work) holdsAlready(ch chosen) bool {
	now, known := w.effective(ch.edit.setting.ID)
	if !known || !ch.edit.setting.Same(now, ch.data()) {
		return false
	}
	w.reject(ch.edit.setting.ID, "it is "+model.Text(now)+", as wanted")
	return true
}

// spared removes the changes that are no longer needed beside the wishes.
func (w *work) spared(found, wishes []chosen) []chosen {
	if len(wishes) == 0 {
		return found
	}
	best := w.after(slices.Concat(found, wishes))
	return w.without(found, func(less []chosen) bool {
		all := slices.Concat(less, wishes)
		return !higher(w.after(all), best) && w.keeping(all)
	})
}

// judged returns the settings as an audit would find them after some edits.
func (w *work) judged(set ...chosen) map[string]model.Setting {
	out := map[string]model.Setting{}
	for _, s := range w.c.Resolve(w.with(w.cfg, set...)) {
		out[s.ID] = s
	}
	return out
}

// enough returns the options after which an audit would no longer call the setting weak.
func (w *work) enough(e *edit) []option {
	return slices.DeleteFunc(e.options, func(o option) bool {
		return w.judged(chosen{edit: &edit{
			setting: e.setting, from: e.from,
			options: []option{o},
		}})[e.setting.ID].State == model.StateWeak
	})
}

// oneOf returns the value to use if several would do: the product's default if it is among them, because other hosts
// run with it, else the first in the catalog.
func (w *work) oneOf(s *catalog.Setting) []any {
	for _, want := range s.Wanted {
		list, _ := want.Value.([]any)
		if _, possible := w.c.Fit(want.Scope, w.platform); !possible || want.Compare != "one-of" || len(list) == 0 {
			continue
		}
		take := list[0]
		for _, d := range s.Defaults {
			if certain, _ := w.c.Fit(d.Scope, w.platform); certain && slices.ContainsFunc(list, func(v any) bool {
				return s.Same(v, d.Value)
			}) {
				take = d.Value
				break
			}
		}
		if data, ok := s.Value(model.Value{Present: true, Data: take}); ok {
			return []any{data}
		}
	}
	return nil
}

// shutsOut returns why a minimum dialect leaves clients no dialect at all: the maximum is lower. Samba accepts both
// lines and then refuses every client. [M] samba-4.17.12
func (w *work) shutsOut(ch chosen) string {
	if ch.edit.setting.ID != "server min protocol" {
		return ""
	}
	top, known := w.effective("server max protocol")
	if known && catalog.Dialect(top) < catalog.Dialect(ch.data()) {
		return fmt.Sprintf("at %s would refuse everybody: server max protocol is %s", model.Text(ch.data()),
			model.Text(top))
	}
	return ""
}
