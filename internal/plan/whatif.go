package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// SchemaWhatIf names the document of WhatIf.
const SchemaWhatIf = "ipcguard.what-if/1"

// Answer says who would be refused.
type Answer struct {
	Schema    string         `json:"schema"`
	Target    string         `json:"target"`
	Platform  model.Platform `json:"platform"`
	Changes   []model.Change `json:"changes"`
	Refused   []Replay       `json:"refused"`   // was allowed, or tried with an unknown result, and would not be
	Possible  []Replay       `json:"possible"`  // likewise, and may not be
	Unjudged  []Replay       `json:"unjudged"`  // the logon was not seen
	NotKnown  []Replay       `json:"not_known"` // by signed-in users; what the settings do to them is unknown
	Unchanged int            `json:"unchanged"`
	Breaks    []model.Break  `json:"breaks"` // what documents say, beside what was seen
	Coverage  Weight         `json:"coverage"`
	Warnings  []string       `json:"warnings"`
}

// WhatIf evaluates every observed use again under other settings. The changes are settings with values, such as
// RestrictAnonymous and 1; an empty value of a list is an empty list, and "absent" removes the value.
func WhatIf(e Evidence, settings []Setting) (*Answer, error) {
	w, err := begin(&e)
	if err != nil {
		return nil, err
	}
	after := w.cfg
	after.Settings = maps.Clone(w.cfg.Settings)
	a := &Answer{
		Schema: SchemaWhatIf, Target: w.target(), Platform: w.platform, Changes: []model.Change{},
		Refused: []Replay{}, Possible: []Replay{}, Unjudged: []Replay{}, NotKnown: []Replay{}, Breaks: []model.Break{},
		Warnings: []string{},
	}
	var changed []*catalog.Setting
	for _, x := range settings {
		s, err := w.try(a, &after, x, changed)
		if err != nil {
			return nil, err
		}
		if s != nil {
			changed = append(changed, s)
		}
	}
	for _, s := range changed {
		if to, ok := s.Value(after.Settings[s.ID]); ok {
			a.Breaks = append(a.Breaks, w.weakNetlogon(s, to, &after)...)
		}
	}
	a.Coverage = w.weighFor(changed)
	a.Warnings = append(a.Warnings, w.otherServer()...)
	r := replay(w.c, w.cfg, after, w.uses(), w.unmodelled(after, changed))
	a.NotKnown = append(a.NotKnown, r.NotKnown...)
	a.Refused, a.Possible, a.Unjudged, a.Unchanged = append(a.Refused, r.Refused...), append(a.Possible, r.Possible...),
		append(a.Unjudged, r.Unjudged...), r.Unchanged
	w.shareUses(a, after)
	if len(a.Possible)+len(a.Unjudged)+len(a.NotKnown) > 0 || !a.Coverage.Enough {
		a.Warnings = append(a.Warnings, w.listen(changed)...)
	}
	if e.Observed != nil {
		a.Warnings = append(a.Warnings, slices.Clone(e.Observed.Notes)...)
	}
	return a, nil
}

// try makes a change in after, and adds it to the answer. It returns the setting, or nil for a line of a share or of an
// account. changed are the settings that were tried before.
func (w *work) try(a *Answer, after *catalog.Config, x Setting, changed []*catalog.Setting) (*catalog.Setting, error) {
	if line, ok := w.shareLine(x.Name + "=" + x.Value); ok {
		return nil, w.shareChange(a, after, line)
	}
	if account, s := w.accountSetting(x.Name); s != nil {
		return nil, w.accountChange(a, after, account, s, x.Value)
	}
	s, err := w.settable(x)
	if err != nil {
		return nil, err
	}
	if _, possible := w.c.Fit(s.Applies, w.platform); !possible {
		a.Warnings = append(a.Warnings, s.ID+" is not read by this product or role, so it changes nothing")
	}
	if slices.Contains(changed, s) {
		return nil, &InputError{s.ID + " is set twice", "one value for each setting"}
	}
	to := model.Value{}
	ed := &edit{setting: s, where: w.where(s), from: w.cfg.Settings[s.ID]}
	if !strings.EqualFold(x.Value, "absent") {
		data, ok := s.Value(model.Value{Present: true, Data: parse(s, x.Value)})
		if !ok || !s.Takes(data) {
			return nil, cannotBe(s, x.Value)
		}
		to = model.Value{Present: true, Type: s.Type, Data: data}
		ed.options = []option{{data: data}}
		for _, b := range w.breakage(ed, data) {
			a.Breaks = append(a.Breaks, b.Break)
		}
	}
	after.Settings[s.ID] = to
	ch := model.Change{
		ID: fmt.Sprint(len(a.Changes) + 1), Setting: s.ID, Where: ed.where, From: exact(s, ed.from), To: to,
		Closes: []string{}, Reach: s.Reach,
	}
	effect := w.c.Effect(s, w.platform)
	ch.When, ch.TakesEffect = effect.When, effect.How
	if v, ok := w.effective(s.ID); ok {
		ch.Effective = v
	}
	a.Changes = append(a.Changes, ch)
	return s, nil
}

// settable returns the setting of a whole host that a name is of.
func (w *work) settable(x Setting) (*catalog.Setting, error) {
	s := w.c.Setting(x.Name)
	switch {
	case s == nil:
		return nil, &InputError{
			fmt.Sprintf("%q is no setting of the catalog", x.Name), "ipcguard explain NAME finds what it may be called",
		}
	case s.PerAccount():
		return nil, &InputError{
			s.ID + " is a line of each account",
			"name the account, as in " + strings.TrimSuffix(s.ID, "ACCOUNT") + "NAS2$=no",
		}
	case s.ID == guestOK, s.ID == guestOnly:
		return nil, &InputError{
			s.ID + " is a line of a share", "name the share, as in public:" + s.ID + "=" + x.Value,
		}
	case s.System != w.platform.System:
		return nil, &InputError{
			fmt.Sprintf("%s is a setting of %s, and the audit is of %s", s.ID, s.System, w.platform.System), "",
		}
	}
	return s, nil
}

// cannotBe refuses a value that a setting does not have.
func cannotBe(s *catalog.Setting, value string) error {
	hint := ""
	if words := s.Words(); words != nil {
		hint = "it is one of " + strings.Join(words, ", ")
	}
	return &InputError{fmt.Sprintf("%s cannot be %q: it is of type %s", s.ID, value, s.Type), hint}
}

// listen returns what would log whom settings refuse, if it is not on yet.
func (w *work) listen(settings []*catalog.Setting) []string {
	var out []string
	for _, s := range settings {
		for _, x := range s.Audits {
			a := w.c.Setting(x.Setting)
			if _, possible := w.c.Fit(a.Applies, w.platform); !possible {
				continue
			}
			if now, known := w.effective(a.ID); known && a.Same(now, x.Value) {
				continue
			}
			out = append(out, fmt.Sprintf("%s: with %s=%s first, %s", s.ID, a.ID, model.Text(x.Value), x.Tells))
		}
	}
	return out
}

// Setting is one value to try, as written on a command line.
type Setting struct{ Name, Value string }

// parse parses a value as people write it: names of a list are separated by commas or semicolons.
func parse(s *catalog.Setting, text string) any {
	switch s.Type {
	case "REG_MULTI_SZ", "list", "members":
		out := []string{}
		for _, n := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' }) {
			if n = strings.TrimSpace(n); n != "" {
				out = append(out, n)
			}
		}
		return out
	}
	return text
}
