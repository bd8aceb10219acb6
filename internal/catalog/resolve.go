package catalog

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/format/sddl"
	"ipcguard/internal/model"
)

// resolved is one setting with its effective value; known is false if nothing settles it.
type resolved struct {
	*Setting
	value      any
	known      bool
	basis      model.Basis
	present    bool
	configured any
	raw        model.Hex
	typ        string // as written, if it is not the setting's
	notRead    bool
	why        string
	said       string // its wording in reasons, cached
	applies    fit
}

// facts holds the settings of a host's system, each resolved on first use.
type facts struct {
	c     *Catalog
	cfg   Config
	p     model.Platform
	may   []*Product               // the products that the platform may be
	named map[*Setting]model.Value // settings that cfg.Settings has by another name than the ID
	known []*resolved              // by the setting's position

	// Set if the host differs from another in some settings: base resolves the rest, once for both.
	base *facts
	over []Override
}

// Override is a setting, by its ID, with a hypothetical value.
type Override struct {
	ID    string
	Value model.Value
}

func (c *Catalog) facts(in Config) *facts {
	f := &facts{
		c: c, cfg: in, p: in.Platform, may: c.candidates(in.Platform),
		known: make([]*resolved, len(c.Settings)),
	}
	for name, v := range in.Settings {
		if c.setting[name] != nil {
			continue
		}
		if s := c.Setting(name); s != nil {
			if f.named == nil {
				f.named = map[*Setting]model.Value{}
			}
			f.named[s] = v
		}
	}
	return f
}

// with returns the facts of the same host with some settings and shares changed.
func (f *facts) with(shares []model.Share, defaults *model.Share, over []Override) *facts {
	cfg := f.cfg
	cfg.Shares, cfg.Defaults = shares, defaults
	return &facts{c: f.c, cfg: cfg, p: f.p, may: f.may, known: make([]*resolved, len(f.known)), base: f, over: over}
}

// configured returns a setting's configured value. read is false if it was not looked for.
func (f *facts) configured(s *Setting) (v model.Value, read bool) {
	if v, read = f.cfg.Settings[s.ID]; !read {
		v, read = f.named[s]
	}
	return v, read || f.cfg.Complete
}

// get resolves a setting by its ID, which must exist; tests check the IDs of all rules.
func (f *facts) get(id string) *resolved {
	s := f.c.setting[id]
	r := f.known[s.position]
	if r == nil {
		r = f.find(s)
		f.known[s.position] = r
	}
	return r
}

func (f *facts) find(s *Setting) *resolved {
	for _, o := range f.over {
		if o.ID == s.ID {
			return f.resolve(s, o.Value, true)
		}
	}
	if f.base != nil {
		return f.base.get(s.ID)
	}
	v, read := f.configured(s)
	return f.resolve(s, v, read)
}

// resolve is the first step of the model: it determines the effective value of one setting and its basis.
func (f *facts) resolve(s *Setting, v model.Value, read bool) *resolved {
	r := &resolved{Setting: s, basis: model.BasisUnknown, applies: f.is(s.Applies), present: v.Present}
	if v.Present {
		r.configured, r.raw = v.Data, v.Raw
		if v.Type != s.Type {
			r.typ = v.Type
		}
	}
	switch {
	case r.applies == no:
		r.why = "this product or role does not read it"
		r.notRead = !read
	case !read:
		r.why, r.notRead = "not read", true
	case v.Present:
		value, ok := normal(s, v)
		if !ok {
			r.why = misfit(s, v)
			break
		}
		written := value
		if value = s.meant(written); !equal(value, written) {
			r.why = fmt.Sprintf("written as %s, which %s takes for %s", model.Text(written), f.p.System, model.Text(value))
		}
		if !f.c.documented(s, value, f.p) {
			r.why = fmt.Sprintf("%s is no value that is documented", model.Text(value))
			break
		}
		r.value, r.known, r.basis, r.why = value, true, model.BasisConfigured, orWord(r.why, "as configured")
		if r.applies == maybe {
			r.known, r.basis, r.why = false, model.BasisUnknown,
				"configured, but whether this product or role reads it depends on what it is"
		}
	default:
		f.byDefault(r)
	}
	return r
}

// misfit says why a value is invalid for its setting.
func misfit(s *Setting, v model.Value) string {
	is := orWord(v.Type, "another type")
	if v.Type == s.Type {
		is = v.String()
	}
	return fmt.Sprintf("it is written as %s and has to be %s; what the system makes of that is not documented", is,
		s.Type)
}

// byDefault uses the first default whose scope fits. If too little is known of the platform, all defaults that may
// apply must agree.
func (f *facts) byDefault(r *resolved) {
	r.why = "no default is documented for this product and role"
	var found *Default
	for i := range r.Defaults {
		d := &r.Defaults[i]
		how := f.is(d.Scope)
		if how == no || !d.holds(f.p.Version) && f.p.System == "samba" {
			continue
		}
		if d.Unknown != "" {
			r.why = "absent; " + lower(d.Unknown)
			return
		}
		if found != nil && !equal(found.Value, d.Value) {
			r.why = "absent; the default depends on the product or role, which is not known"
			return
		}
		if found == nil {
			found = d
		}
		if how == yes {
			value, ok := normal(r.Setting, model.Value{Present: true, Data: found.Value})
			if ok {
				r.value, r.known, r.basis, r.why = value, true, model.BasisDefault, "absent, so the default holds"
				if d.Before+d.From != "" {
					r.why = "absent, so the default of Samba " + f.p.Version + " holds"
				}
			}
			return
		}
	}
}

// Resolve is the first step of the model: it returns every setting of the host's system with its effective value, its
// basis, and its state compared with the wanted value.
func (c *Catalog) Resolve(in Config) []model.Setting {
	f := c.facts(in)
	var out []model.Setting
	for i := range c.Settings {
		if c.Settings[i].System != in.Platform.System || c.Settings[i].PerAccount() {
			continue
		}
		r := f.get(c.Settings[i].ID)
		m := model.Setting{
			ID: r.ID, Where: r.Where, Type: r.Type, Present: r.present, Configured: r.configured, ConfiguredType: r.typ,
			Raw: r.raw, NotRead: r.notRead,
			Effective: r.value, Basis: r.basis, Why: r.why, TakesEffect: c.TakesEffect(r.Setting, in.Platform),
		}
		m.State, m.Why = f.judge(r)
		out = append(out, m)
	}
	return out
}

// judge compares the effective value with the wanted one.
func (f *facts) judge(r *resolved) (model.State, string) {
	if r.applies == no {
		return model.StateNotApplicable, r.why
	}
	good, bad, said := "", "", ""
	sure := false // a wanted value certainly applies to this platform
	for _, cover := range r.CoveredBy {
		if by := f.get(cover.Setting); by.known &&
			slices.ContainsFunc(cover.Values, func(v any) bool { return equal(by.value, v) }) {
			return model.StateOK, r.why + "; " + f.why(cover.Setting) + ", and " + cover.Why
		}
	}
	for i := range r.Wanted {
		w := &r.Wanted[i]
		how := f.is(w.Scope)
		if how == no {
			continue
		}
		if !r.known && w.Compare != "any" {
			return model.StateUnknown, r.why
		}
		if r.applies == maybe && r.basis == model.BasisDefault && r.Governs.empty() {
			return model.StateUnknown, r.why + "; whether this product reads it depends on what it is"
		}
		if w.Compare == "sddl" || w.Compare == "no-filter" {
			said = whoMay(r.value)
		}
		if meets(r.value, w) {
			good = "fine"
		} else {
			bad = w.Why
		}
		if how == yes {
			sure = true
			break
		}
	}
	switch {
	case bad != "" && !sure:
		return model.StateUnknown, r.why + "; whether another value is wanted depends on the product or role"
	case good != "" && bad != "":
		return model.StateUnknown, r.why + "; whether that is enough depends on the product or role"
	case bad != "":
		return model.StateWeak, r.why + said + ". " + bad
	case !r.known && len(r.Wanted) > 0 && good == "":
		return model.StateUnknown, r.why
	}
	return model.StateOK, r.why + said
}

// whoMay says in words whom a descriptor admits.
func whoMay(value any) string {
	t, _ := model.Word(value)
	if t == "" {
		return ""
	}
	d, err := sddl.Parse(t)
	if err != nil {
		return ""
	}
	return "; it lets in " + d.Who()
}

func meets(value any, w *Wanted) bool {
	switch w.Compare {
	case "any":
		return true
	case "at-least", "at-most":
		have, ok1 := model.Whole(value)
		want, ok2 := model.Whole(w.Value)
		if w.Compare == "at-least" {
			return ok1 && ok2 && have >= want
		}
		return ok1 && ok2 && have <= want
	case "subset":
		have, ok1 := list(value)
		want, ok2 := list(w.Value)
		return ok1 && (ok2 || w.Value == nil) && subset(have, want)
	case "one-of":
		all, _ := w.Value.([]any)
		return slices.ContainsFunc(all, func(want any) bool { return equal(value, want) })
	case "sddl":
		t, _ := model.Word(value)
		d, err := sddl.Parse(t)
		return err == nil && t != "" && len(broad(d)) == 0
	case "no-filter":
		t, _ := model.Word(value)
		return t == ""
	case "not-root":
		t, _ := model.Word(value)
		return fold(t) != "root"
	}
	return equal(value, w.Value)
}

// TakesEffect says when a change of this setting takes effect on this platform.
func (c *Catalog) TakesEffect(s *Setting, p model.Platform) string {
	for _, e := range s.TakesEffect {
		if c.fits(e.Scope, p) != no {
			return e.How
		}
	}
	return "not documented"
}

func orWord(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// lower makes a sentence a clause.
func lower(s string) string {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

// documented reports whether a value is one that the setting may have on this platform.
func (c *Catalog) documented(s *Setting, value any, p model.Platform) bool {
	if s.System == "ksmbd" && len(s.Values) > 0 { // which ignores no white space inside a word
		return slices.ContainsFunc(s.Values, func(m Meaning) bool {
			return strings.EqualFold(model.Text(m.Value), model.Text(value))
		})
	}
	return !s.Closed || slices.ContainsFunc(s.Values, func(m Meaning) bool {
		return equal(value, m.Value) && c.fits(m.Scope, p) != no
	})
}
