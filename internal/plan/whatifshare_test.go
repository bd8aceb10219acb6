package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// TestWhatIfShare asks for a line of one share: nobody is seen to use a disk share, so that nobody is refused for certain, and silence
// never counts.
func TestWhatIfShare(t *testing.T) {
	h := host{system: "samba", product: "samba", role: model.Standalone, settings: map[string]any{"map to guest": "bad user"}}
	audit := h.audit(t)
	audit.Shares = []model.Share{{Name: "public", Guest: true}, {Name: "finance"}}
	o := month()
	for _, u := range []model.Use{
		{Client: "guest", Identity: model.Guest, Package: model.PackageNTLMv2},
		{Client: "old", Identity: model.User, Account: "bob", Package: model.PackageNTLMv2, Dialect: "2.1", CanEncrypt: model.False},
		{Client: "new", Identity: model.User, Account: "ann", Package: model.PackageNTLMv2, Dialect: "3.1.1", CanEncrypt: model.True},
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
			t.Errorf("%s: possible %q, want %q; refused %+v, silence counts: %t", setting, got, want, a.Refused, a.Coverage.Enough)
		}
	}
	for _, setting := range []string{"guest ok", "nobody:guest ok", "public:restrict anonymous", "public:"} {
		var wrong *InputError
		if _, err := WhatIf(Evidence{Audit: audit, Observed: o}, []Setting{{setting, "no"}}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
