package plan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// TestOldProducts: a plan for an old or new product names what that product knows.
func TestOldProducts(t *testing.T) {
	p := make1(t, Evidence{
		Audit:  host{system: "windows", product: "win2000", role: model.Member}.audit(t),
		Policy: Policy{Strategy: Block, Means: "pipe-firewall", AcceptBreakage: true}, Observed: month(),
	})
	if !strings.Contains(p.Refused, "does not read AllowedPipes") || len(p.Changes) > 0 {
		t.Errorf("the pipe firewall on Windows 2000: %q, %v", p.Refused, p.Changes)
	}
	p = make1(t, Evidence{Audit: host{system: "windows", product: "win2000", role: model.Member}.audit(t)})
	said := false
	for _, r := range p.Rejected {
		said = said || r.Setting == "RestrictAnonymous" && strings.Contains(r.Why, "--allow RestrictAnonymous=2") &&
			strings.Contains(r.Why, "SQL Server")
	}
	if !said {
		t.Errorf("RestrictAnonymous 2 is not told as what may be asked for: %v", p.Rejected)
	}
	if !has(p.Residual, "translates names for anonymous callers") {
		t.Errorf("what stays open at 1: %q", p.Residual)
	}
	p = make1(t, Evidence{Audit: host{system: "windows", product: "win2012r2", role: model.Member}.audit(t)})
	for _, r := range p.Rejected {
		if r.Setting == "RestrictAnonymous" && !strings.HasPrefix(r.Why, "the value 1 would close nothing") {
			t.Errorf("2012 R2: %s", r.Why)
		}
	}
	for _, bad := range []string{"RestrictAnonymous", "Nonsense=2"} {
		if _, err := Make(Evidence{
			Audit:  host{system: "windows", product: "win2000", role: model.Member}.audit(t),
			Policy: Policy{Allow: []string{bad}},
		}); err == nil {
			t.Errorf("--allow %s is taken", bad)
		}
	}
}

// TestBlockNamesShares: whatever goes with IPC$ is named, also where the source lists no default share.
func TestBlockNamesShares(t *testing.T) {
	for _, tt := range []struct {
		name   string
		role   model.Role
		shares []model.Share
		auto   any // AutoShareServer; nil is absent
		want   []string
		not    string
	}{
		{"a controller, offline", model.DomainController, nil, nil, []string{"C$", "ADMIN$", "SYSVOL", "NETLOGON"}, ""},
		{
			"a controller with one default share in the hive", model.DomainController,
			[]model.Share{{Name: "ADMIN$", Default: true}, {Name: "data"}},
			nil,
			[]string{"C$", "ADMIN$", "SYSVOL", "NETLOGON", "data"},
			"",
		},
		{
			"a member", model.Member,
			[]model.Share{{Name: "E$", Default: true}},
			nil,
			[]string{"E$", "ADMIN$", "print$"},
			"SYSVOL",
		},
		{
			"a member that makes none", model.Member,
			[]model.Share{{Name: "data"}},
			0,
			[]string{"print$", "data"},
			"ADMIN$",
		},
		{
			"nobody knows which", model.UnknownRole, nil, nil,
			[]string{"C$", "on a domain controller SYSVOL and NETLOGON"},
			"",
		},
	} {
		h := host{system: "windows", product: "win2022", role: tt.role, shares: tt.shares}
		if tt.auto != nil {
			h.settings = map[string]any{"AutoShareServer": tt.auto}
		}
		p := make1(t, Evidence{
			Audit: h.audit(t), Policy: Policy{Strategy: Block, AcceptBreakage: true}, Observed: month(),
		})
		for _, n := range tt.want {
			if !has(p.Warnings, "all other shares go too") || !has(p.Warnings, n) {
				t.Errorf("%s: %q does not name %s", tt.name, p.Warnings, n)
			}
		}
		if tt.not != "" && has(p.Warnings, tt.not) {
			t.Errorf("%s has no %s: %q", tt.name, tt.not, p.Warnings)
		}
	}
}

// TestPolicyTakesItBack: a value that a policy writes comes back, and the plan names the policy.
func TestPolicyTakesItBack(t *testing.T) {
	for origin, want := range map[string]bool{
		"Servers, GptTmpl.inf": true, "Baseline, registry.pol": true,
		`HKLM\SOFTWARE\Policies\Microsoft\Windows\X\Y`: true, "": false, "SYSTEM": false,
	} {
		a := host{
			system: "windows", product: "win2019", role: model.Member,
			settings: map[string]any{"NullSessionPipes": []string{"samr"}},
		}.audit(t)
		for i := range a.Settings {
			if a.Settings[i].ID == "NullSessionPipes" {
				a.Settings[i].Origin = origin
			}
		}
		p := make1(t, Evidence{Audit: a})
		if len(p.Changes) == 0 || has(p.Warnings, "is written by a policy") != want {
			t.Errorf("from %q: changes %v, warnings %q", origin, changes(p), p.Warnings)
		}
		if (p.Changes[0].Policy == origin && origin != "") != want {
			t.Errorf("from %q: the change names the policy %q", origin, p.Changes[0].Policy)
		}
	}
}

// TestPolicyOverrules: what a policy writes in a place of its own is not for a change of the setting's own place to
// mend, and the plan says where it is to be mended.
func TestPolicyOverrules(t *testing.T) {
	const place = `HKLM\SOFTWARE\Policies\Microsoft\Windows\LanmanWorkstation\AllowInsecureGuestAuth`
	for origin, policy := range map[string]bool{
		place: true, "host.reg:4 " + place: true, "host.reg:4": false, "": false,
	} {
		a := host{
			system: "windows", product: "win2019", role: model.Member,
			settings: map[string]any{"AllowInsecureGuestAuth": 1},
		}.audit(t)
		for i := range a.Settings {
			if a.Settings[i].ID == "AllowInsecureGuestAuth" {
				a.Settings[i].Origin = origin
			}
		}
		p := make1(t, Evidence{Audit: a, Policy: Policy{Goal: Findings}})
		changed := slices.ContainsFunc(p.Changes, func(c model.Change) bool {
			return c.Setting == "AllowInsecureGuestAuth"
		})
		told := slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool {
			return r.Setting == "AllowInsecureGuestAuth" && strings.Contains(r.Why, "a policy writes it at "+place)
		})
		if changed == policy || told != policy {
			t.Errorf("from %q: changed %v, told %v: %+v", origin, changed, told, p.Rejected)
		}
		_, err := Make(Evidence{Audit: a, Policy: Policy{Want: []string{"AllowInsecureGuestAuth=0"}}})
		if (err != nil) != policy || policy && !strings.Contains(err.Error(), place) {
			t.Errorf("from %q, wished for: %v", origin, err)
		}
	}
}

// A service without a documented pipe is told as not known, not as safe.
func TestNoDocumentedPipe(t *testing.T) {
	h := host{
		system: "windows", product: "win2019", role: model.Member,
		settings: map[string]any{"NullSessionPipes": []string{"samr"}}, services: []string{"netbackup"},
	}
	p := make1(t, Evidence{Audit: h.audit(t)})
	b, err := json.Marshal(p.Keeps)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "not known, since no document names one") {
		t.Errorf("keeps %s", b)
	}
}
