package catalog

import "ipcguard/internal/model"

// Fit says whether a statement holds on a platform: certainly, or possibly where the platform is not known well enough.
func (c *Catalog) Fit(s Scope, p model.Platform) (certain, possible bool) {
	how := c.fits(s, p)
	return how == yes, how != no
}

// Effect says when a change of this setting counts on this platform. When is empty where nothing is documented.
func (c *Catalog) Effect(s *Setting, p model.Platform) Effect {
	for _, e := range s.TakesEffect {
		if c.fits(e.Scope, p) != no {
			return e
		}
	}
	return Effect{How: "not documented"}
}

// ConfigOf is the configuration that an audit judged: what it read, what it looked for and did not find, and nothing
// about what it did not look for.
func ConfigOf(a *model.Audit) Config {
	in := Config{Platform: a.Platform, Settings: make(map[string]model.Value, len(a.Settings)), Shares: a.Shares, Unread: a.Unread, EveryShare: a.EveryShare, Defaults: a.Defaults, AccountLines: a.AccountLines}
	for i := range a.Settings {
		s := &a.Settings[i]
		if s.NotRead {
			continue
		}
		in.Settings[s.ID] = s.Value()
	}
	return in
}

// AnonymousPipes are the pipes that a Windows host opens to anonymous callers by list: those of NullSessionPipes or, where
// it is absent, those of the release. hard are the names that the release opens whatever the list says. known is false
// where neither is settled. It does not look at RestrictNullSessAccess, which can open every pipe.
func (v *View) AnonymousPipes() (names, hard []string, known bool) {
	w, ok := v.rules.(*windows)
	if !ok {
		return nil, nil, true
	}
	for i, t := range w.tables {
		if i == 0 {
			hard = t.Hard
		} else if !sameSet(hard, t.Hard) {
			hard = nil
		}
	}
	names, known = w.openPipes()
	return names, hard, known
}

// Value is a configured value in the shape that its setting has: int, []string, bool or string. ok is false where the
// value does not fit the type.
func (s *Setting) Value(v model.Value) (data any, ok bool) {
	if !v.Present {
		return nil, false
	}
	return normal(s, v)
}

// Same compares two values of this setting as the system would: lists as sets of names without regard to case.
func (s *Setting) Same(a, b any) bool { return equal(a, b) }
