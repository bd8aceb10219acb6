package catalog

import (
	"slices"
	"strings"
	"unicode"

	"ipcguard/internal/format/smbconf"
	"ipcguard/internal/model"
)

// Words returns the values of a setting if they are a complete list: an enumeration of Samba as its own table spells
// it, or every registry value that has a meaning. It is nil if other values may have a meaning, too.
func (s *Setting) Words() (out []string) {
	switch {
	case s.System == "samba" && s.Type == "enum":
		return smbconf.Words(s.parameter())
	case s.Closed, s.System == "ksmbd" && s.Type == "enum": // what ksmbd does with another word depends on its release
		for _, m := range s.Values {
			if text := model.Text(m.Value); !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	return out
}

// Takes reports whether a setting has a value.
func (s *Setting) Takes(data any) bool {
	words := s.Words()
	return words == nil || slices.ContainsFunc(words, func(w string) bool {
		return strings.EqualFold(blanks.Replace(w), blanks.Replace(model.Text(data)))
	})
}

// blanks removes white space, which Samba ignores when it compares names and words.
var blanks = strings.NewReplacer(" ", "", "\t", "")

// meant returns the value that the server takes a written one for, if it looks at its beginning only.
func (s *Setting) meant(value any) any {
	word, ok := value.(string)
	if s.Otherwise == nil || !ok {
		return value
	}
	for i := range s.Values {
		if known := model.Text(s.Values[i].Value); strings.HasPrefix(word, known) {
			return known
		}
	}
	return s.Otherwise
}

// perShare is the section in the place of a setting that every share has a line of.
const perShare = "[SHARE]"

// PerShare reports whether the setting is a line of each share. In [global] it is the default of shares.
func (s *Setting) PerShare() bool { return strings.Contains(s.Where, perShare) }

// OfShares reports whether a disk share may have the line.
func (s *Setting) OfShares() bool { return s.PerShare() || len(s.InShares) > 0 }

// LineOfShare returns the share whose line a place of this setting is; false if it is [global]'s or no such place.
func (s *Setting) LineOfShare(where string) (share string, ok bool) {
	ahead, _, _ := strings.Cut(s.Where, "[")
	share, front := strings.CutPrefix(where, ahead+"[")
	share, behind := strings.CutSuffix(share, "] "+s.parameter())
	return share, front && behind && s.OfShares() && !strings.EqualFold(share, "global")
}

// InShare returns what a value means as the line of one share; nil if the catalog has no meaning for it.
func (s *Setting) InShare(data any) *Meaning {
	for i := range s.InShares {
		if v, ok := s.Value(model.Value{Present: true, Data: s.InShares[i].Value}); ok && s.Same(v, data) {
			return &s.InShares[i]
		}
	}
	return nil
}

// perAccount ends the place of a setting that has one line for each computer account, with the account's name there.
const perAccount = ":ACCOUNT"

// PerAccount reports whether each computer account has a line of its own for this setting. The first of its values is
// the exception that the line makes.
func (s *Setting) PerAccount() bool { return strings.HasSuffix(s.Where, perAccount) }

// LineFor returns the place of an account's line.
func (s *Setting) LineFor(account string) string {
	return strings.TrimSuffix(s.Where, perAccount) + ":" + account
}

// maxAccount bounds the name of a computer account: [MS-SAMR] 3.1.1.6 allows 20 characters for a computer's name;
// trusts, which also sign in to Netlogon, have the names of domains, whose labels have up to 63. One more is the final
// $.
const maxAccount = 64

// IsAccount reports whether a name is one of a computer account that a line of smb.conf may contain: letters, digits,
// the other characters of host names, and a final $.
func IsAccount(name string) bool {
	bare, ok := strings.CutSuffix(name, "$")
	return ok && bare != "" && len(name) <= maxAccount && !strings.ContainsFunc(bare, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	})
}

// Account returns the account whose line a parameter of [global] is.
func (s *Setting) Account(parameter string) (account string, ok bool) {
	kind := strings.TrimSuffix(s.parameter(), perAccount)
	name, account, ok := strings.Cut(parameter, ":")
	account = strings.TrimSpace(account)
	return account, ok && s.PerAccount() && account != "" &&
		strings.EqualFold(blanks.Replace(name), blanks.Replace(kind))
}

// Excepts reports whether the line of an account makes the exception.
func (s *Setting) Excepts(l *model.AccountLine, account string) bool {
	if l.Setting != s.ID || !strings.EqualFold(l.Account, account) || len(s.Values) == 0 {
		return false
	}
	data, ok := s.Value(l.Value)
	return ok && s.Same(data, s.Values[0].Value)
}

// parameter returns the name of the smb.conf parameter, after the section.
func (s *Setting) parameter() string {
	_, name, _ := strings.Cut(s.Where, "]")
	return strings.TrimSpace(name)
}

// Known returns the values that the catalog knows of a setting: those with a meaning, the wanted ones, the defaults,
// those that break something, and those that ways to block set. No plan sets another.
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

// ExportOnly reports whether every way to block that sets this setting can only be exported. A setting with a wanted
// value of its own is never export-only.
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
