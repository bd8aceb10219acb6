package catalog

import (
	"slices"
	"strings"
	"unicode"

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
	words := s.Words()
	return words == nil || slices.ContainsFunc(words, func(w string) bool {
		return strings.EqualFold(blanks.Replace(w), blanks.Replace(model.Text(data)))
	})
}

// blanks takes white space out, which Samba does not look at where it compares names and words.
var blanks = strings.NewReplacer(" ", "", "\t", "")

// perAccount ends the place of a setting that has a line of its own for each computer account, whose name stands there.
const perAccount = ":ACCOUNT"

// PerAccount tells whether each computer account has a line of its own for this setting. The first of its values is the
// exception that the line makes.
func (s *Setting) PerAccount() bool { return strings.HasSuffix(s.Where, perAccount) }

// LineFor is the place of an account's line.
func (s *Setting) LineFor(account string) string {
	return strings.TrimSuffix(s.Where, perAccount) + ":" + account
}

// maxAccount bounds the name of a computer account: [MS-SAMR] 3.1.1.6 lets a computer's name have 20 characters; the names of trusts,
// which sign in to Netlogon, too, are those of domains, of which a part has 63. One more is the $ behind it.
const maxAccount = 64

// IsAccount tells whether a name is one of a computer account that may stand in a line of smb.conf: letters, digits and what
// names of hosts have beside them, and a $ at its end.
func IsAccount(name string) bool {
	bare, ok := strings.CutSuffix(name, "$")
	return ok && bare != "" && len(name) <= maxAccount && !strings.ContainsFunc(bare, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	})
}

// Account is the account whose line a parameter of [global] is.
func (s *Setting) Account(parameter string) (account string, ok bool) {
	kind := strings.TrimSuffix(s.parameter(), perAccount)
	name, account, ok := strings.Cut(parameter, ":")
	account = strings.TrimSpace(account)
	return account, ok && s.PerAccount() && account != "" && strings.EqualFold(blanks.Replace(name), blanks.Replace(kind))
}

// Excepts tells whether the line of an account makes the exception.
func (s *Setting) Excepts(l *model.AccountLine, account string) bool {
	if l.Setting != s.ID || !strings.EqualFold(l.Account, account) || len(s.Values) == 0 {
		return false
	}
	data, ok := s.Value(l.Value)
	return ok && s.Same(data, s.Values[0].Value)
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
