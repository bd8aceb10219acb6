package catalog

import "ipcguard/internal/model"

// Fit reports whether a statement applies on a platform: certainly, or possibly if too little is known of the platform.
func (c *Catalog) Fit(s Scope, p model.Platform) (certain, possible bool) {
	how := c.fits(s, p)
	return how == yes, how != no
}

// Effect says when a change of this setting takes effect on this platform. When is empty if that is not documented.
func (c *Catalog) Effect(s *Setting, p model.Platform) Effect {
	for _, e := range s.TakesEffect {
		if c.fits(e.Scope, p) != no {
			return e
		}
	}
	return Effect{How: "not documented"}
}

// ConfigOf returns the configuration that an audit judged: what it read, and what it looked for and did not find, but
// nothing that it did not look for.
func ConfigOf(a *model.Audit) Config {
	in := Config{
		Platform: a.Platform, Settings: make(map[string]model.Value, len(a.Settings)), Shares: a.Shares,
		Unread: a.Unread, EveryShare: a.EveryShare, Defaults: a.Defaults, AccountLines: a.AccountLines,
	}
	for i := range a.Settings {
		s := &a.Settings[i]
		if s.NotRead {
			continue
		}
		in.Settings[s.ID] = s.Value()
	}
	return in
}

// AnonymousPipes returns the pipes that a Windows host opens to anonymous callers by list: those of NullSessionPipes
// or, if it is absent, those of the release. hard are the names that the release opens regardless of the list. known is
// false if neither is settled. It ignores RestrictNullSessAccess, which can open every pipe.
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

// Unlisted reports whether anonymous callers may open pipes that no list opens to them, as they may while Unrestricted.
// A pipe firewall that is known to let nothing through shuts these too.
func (v *View) Unlisted() model.Outcome {
	w, ok := v.rules.(*windows)
	if !ok {
		return model.Absent
	}
	return all(v.gate(model.Anonymous).open, w.anyThrough(), w.unrestricted()).outcome
}

// Unrestricted reports whether the lists of pipes and shares count for nothing, because RestrictNullSessAccess is 0.
func (v *View) Unrestricted() model.Outcome {
	w, ok := v.rules.(*windows)
	if !ok {
		return model.Absent
	}
	return w.unrestricted().outcome
}

// Value converts a configured value to the type of its setting: int, []string, bool or string. ok is false if the value
// does not fit.
func (s *Setting) Value(v model.Value) (data any, ok bool) {
	if !v.Present {
		return nil, false
	}
	return normal(s, v)
}

// Same compares two values of this setting as the system would: lists as sets of names without regard to case.
func (s *Setting) Same(a, b any) bool { return equal(a, b) }
