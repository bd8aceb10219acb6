package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// TestWhatIfShare asks for a line of one share: nobody is seen to use a disk share, so that nobody is refused for
// certain, and silence never counts.
func TestWhatIfShare(t *testing.T) {
	h := host{
		system: "samba", product: "samba", role: model.Standalone, settings: map[string]any{"map to guest": "bad user"},
	}
	audit := h.audit(t)
	audit.Shares = []model.Share{{Name: "public", Guest: true}, {Name: "finance"}}
	o := month()
	for _, u := range []model.Use{
		{
			Client: "guest", Identity: model.Guest, Package: model.PackageNTLMv2, Dialect: "3.1.1",
			CanEncrypt: model.True,
		},
		{
			Client: "old", Identity: model.User, Account: "bob", Package: model.PackageNTLMv2, Dialect: "2.1",
			CanEncrypt: model.False,
		},
		{
			Client: "new", Identity: model.User, Account: "ann", Package: model.PackageNTLMv2, Dialect: "3.1.1",
			CanEncrypt: model.True,
		},
	} {
		u.Layer, u.Outcome, u.Count = model.LayerSession, model.Allowed, 1
		o.Uses = append(o.Uses, u)
	}
	for setting, want := range map[string]string{
		"public:guest ok=no":                     "guest",
		"PUBLIC:guest ok=no":                     "guest",
		"public:guest ok=yes":                    "",
		"finance:guest ok=no":                    "",
		"public:server smb encrypt=required":     "guest old",
		"public:server smb encrypt=desired":      "guest",
		"finance:server smb encrypt=desired":     "",
		"finance:server smb encrypt=required":    "old",
		"finance:server smb encrypt=if_required": "",
	} {
		name, value, _ := strings.Cut(setting, "=")
		a, err := WhatIf(Evidence{Audit: audit, Observed: o}, []Setting{{name, value}})
		if err != nil {
			t.Errorf("%s: %v", setting, err)
			continue
		}
		var got []string
		for _, r := range a.Possible {
			if slices.Contains([]string{"guest", "old", "new"}, r.Use.Client) {
				got = append(got, r.Use.Client)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want || len(a.Refused) > 0 || want != "" && a.Coverage.Enough {
			t.Errorf("%s: possible %q, want %q; refused %+v, silence counts: %t", setting, got, want, a.Refused,
				a.Coverage.Enough)
		}
	}
	off := h
	off.settings = map[string]any{"map to guest": "bad user", smbEncrypt: "off"}
	none := off.audit(t)
	none.Shares = audit.Shares
	for value, want := range map[string]int{"required": 3, "desired": 0} {
		a, err := WhatIf(Evidence{Audit: none, Observed: o}, []Setting{{"public:server smb encrypt", value}})
		if err != nil || len(a.Possible) != want {
			t.Errorf("%s where the server encrypts nothing: %v, %+v", value, err, a)
		}
	}
	both, err := WhatIf(Evidence{Audit: audit, Observed: o},
		[]Setting{{"public:guest ok", "no"}, {"finance:server smb encrypt", "required"}})
	if err != nil || len(both.Possible) != 2 || !strings.Contains(both.Coverage.Why, "shares public, finance") {
		t.Errorf("two shares at once: %v, %+v", err, both)
	}
	for _, setting := range []string{"guest ok", "nobody:guest ok", "public:restrict anonymous", "public:"} {
		var wrong *InputError
		if _, err := WhatIf(Evidence{Audit: audit, Observed: o}, []Setting{{setting, "no"}}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

// TestValuesThatAreNone refuses values that a setting does not have, wherever one may be asked for, and names those
// that it has.
func TestValuesThatAreNone(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for system, h := range map[string]host{
		"samba":   {system: "samba", product: "samba", role: model.DomainController},
		"windows": {system: "windows", product: "win2025", role: model.DomainController},
	} {
		audit := h.audit(t)
		audit.Shares = []model.Share{{Name: "public"}}
		asked := 0
		for _, s := range c.Settings {
			words := s.Words()
			if s.System != system || words == nil {
				continue
			}
			if asked++; s.Takes("rubbish") || s.Takes("") {
				t.Errorf("%s takes anything", s.ID)
			}
			name := s.ID
			if s.PerShare() {
				name = "public:" + s.ID
			}
			for _, value := range []string{"rubbish", "99"} {
				_, err := WhatIf(Evidence{Audit: audit}, []Setting{{name, value}})
				var wrong *InputError
				if !errors.As(err, &wrong) ||
					value == "rubbish" && s.Type == "enum" && !strings.Contains(wrong.Hint, words[0]) {
					t.Errorf("what if %s=%s: %v", name, value, err)
				}
				if _, err := Make(Evidence{
					Audit: audit, Policy: Policy{Want: []string{name + "=" + value}},
				}); err == nil {
					t.Errorf("want %s=%s: no error", name, value)
				}
			}
			for _, value := range words {
				if _, err := WhatIf(Evidence{Audit: audit}, []Setting{{name, value}}); err != nil {
					t.Errorf("what if %s=%s: %v", name, value, err)
				}
			}
		}
		if asked < 10 {
			t.Errorf("%s has %d settings whose values are a list", system, asked)
		}
	}
}
