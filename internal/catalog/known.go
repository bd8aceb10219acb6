package catalog

// Known are the values that the catalog knows of a setting: what they mean, what is wanted, the defaults, what breaks
// something, and what ways to block set. No plan sets another.
func (c *Catalog) Known(s *Setting) []any {
	var out []any
	for _, x := range s.Values {
		out = append(out, x.Value)
	}
	for _, x := range s.Wanted {
		if list, ok := x.Value.([]any); ok && x.Compare == "one-of" {
			out = append(out, list...)
			continue
		}
		out = append(out, x.Value)
	}
	for _, x := range s.Defaults {
		if x.Unknown == "" {
			out = append(out, x.Value)
		}
	}
	for _, x := range s.Breaks {
		if x.Value != nil {
			out = append(out, x.Value)
		}
	}
	for _, w := range c.WaysFor(s.System) {
		for _, x := range w.Sets {
			if x.Setting == s.ID {
				out = append(out, x.Value)
			}
		}
	}
	return out
}

// ExportOnly tells whether every way to block that sets this one is for export alone. What a policy wants for a reason of
// its own is no such setting.
func (c *Catalog) ExportOnly(s *Setting) bool {
	only := false
	for _, w := range c.WaysFor(s.System) {
		for _, x := range w.Sets {
			if x.Setting == s.ID {
				if !w.OnlyExport {
					return false
				}
				only = true
			}
		}
	}
	return only
}
