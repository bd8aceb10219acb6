package catalog

import (
	"slices"
	"strings"

	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
)

// Words are the values that a setting takes, where they are a list that is known as a whole: an enumeration of Samba as its own
// table spells it, or every value of the registry that has a meaning. It is nil where other values may have one, too.
func (s *Setting) Words() (out []string) {
	switch {
	case s.System == "samba" && s.Type == "enum":
		return smbconf.Words(s.parameter())
	case s.Closed:
		for _, m := range s.Values {
			if text := model.Text(m.Value); !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	return out
}

// Takes tells whether a value is one of those that the setting has.
func (s *Setting) Takes(data any) bool {
	words, blank := s.Words(), strings.NewReplacer(" ", "")
	return words == nil || slices.ContainsFunc(words, func(w string) bool {
		return strings.EqualFold(blank.Replace(w), blank.Replace(model.Text(data)))
	})
}

// parameter is the name of a parameter of smb.conf: what stands behind the section.
func (s *Setting) parameter() string {
	_, name, _ := strings.Cut(s.Where, "]")
	return strings.TrimSpace(name)
}

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
