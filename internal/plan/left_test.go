package plan

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// weakHosts are hosts with everything that an audit calls weak in reach.
var weakHosts = []host{
	{system: "windows", product: "win2019", role: model.Member, services: []string{"spoolss"}, settings: map[string]any{
		"RestrictAnonymous": 0, "RestrictAnonymousSAM": 0, "EveryoneIncludesAnonymous": 1, "RestrictNullSessAccess": 0,
		"NullSessionPipes":  []string{"samr", "evil"},
		"NullSessionShares": []string{"data"}, "EnableGuestAccount": 1, "LSAAnonymousNameLookup": 1, "SMB1": 1,
		"RequireSecuritySignature": 0, "LmCompatibilityLevel": 2,
		"ForceGuest": 1, "AllowInsecureGuestAuth": 1, "LimitBlankPasswordUse": 0, "SmbServerNameHardeningLevel": 0,
		"MrxSmb10.Start": 2,
	}},
	{
		system: "samba", product: "samba", role: model.Standalone, shares: []model.Share{{Name: "data", Guest: true}},
		settings: map[string]any{
			"server min protocol": "NT1", "server signing": "disabled", "ntlm auth": "ntlmv1-permitted",
			"map to guest": "bad user", "lanman auth": true, "raw NTLMv2 auth": true,
		},
	},
}

// everyFinding are all findings of the catalog, as an audit and a scan of a host may write them.
func everyFinding(c *catalog.Catalog, system string) (out []model.Finding) {
	for i := range c.Findings {
		f := &c.Findings[i]
		x := model.Finding{ID: f.ID, Severity: model.Low, Identity: f.Identity, Fix: "See there."}
		for _, id := range f.Settings {
			if s := c.Setting(id); s != nil && s.System == system {
				x.Settings = append(x.Settings, s.ID)
			}
		}
		out = append(out, x)
		for _, id := range x.Settings {
			x.Setting = id
			out = append(out, x)
		}
	}
	return out
}

// TestEveryFindingIsAnswered: whatever the goal, each finding of the catalog has a change that closes it, or is left
// with a reason. What is not left is held against the host as it would be after the plan.
func TestEveryFindingIsAnswered(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range weakHosts {
		for _, goal := range Goals() {
			a := h.audit(t)
			a.Findings = everyFinding(c, h.system)
			p := make1(t, Evidence{Audit: a, Policy: Policy{Goal: goal}})
			after := h.planned(p).audit(t)
			closed, left := 0, 0
			for _, f := range a.Findings {
				if at := slices.IndexFunc(p.Left, func(l model.Left) bool {
					return l.Finding == f.ID && l.Setting == f.Setting && l.Identity == f.Identity
				}); at >= 0 {
					if left++; len(p.Left[at].Why) < 10 || p.Left[at].Severity == "" {
						t.Errorf("%s, %s: %s is left without a reason: %+v", h.system, goal, f.ID, p.Left[at])
					}
					continue
				}
				closed++
				changed := slices.ContainsFunc(p.Changes, func(ch model.Change) bool {
					return ch.Setting == f.Setting || slices.Contains(ch.Closes, f.ID)
				})
				kind := c.Finding(f.ID).Discloses
				refused := kind.IsExposure() && levelOf(after.Access[f.Identity].Discloses[kind]) == shut
				if !changed && !refused {
					t.Errorf("%s, %s: %s (%s) is neither closed nor left: %v", h.system, goal, f.ID, f.Setting,
						changes(p))
				}
			}
			if closed == 0 || left == 0 {
				t.Errorf("%s, %s: %d closed and %d left", h.system, goal, closed, left)
			}
		}
	}
}

// TestFindings: the widest goal leaves nothing weak but what it names with a reason, sets signing, SMB1 and the kinds
// of answers, and finds nothing more the second time.
func TestFindings(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range [][]string{
		{
			"SMB1=0", "RequireSecuritySignature=1", "LmCompatibilityLevel=5", "AllowInsecureGuestAuth=0",
			"LimitBlankPasswordUse=1",
		},
		{
			"server min protocol=smb2_02", "server signing=mandatory", "ntlm auth=ntlmv2-only", "lanman auth=no",
			"raw NTLMv2 auth=no",
		},
	} {
		h := weakHosts[n]
		a := h.audit(t)
		for i := range a.Settings {
			if s := c.Setting(a.Settings[i].ID); a.Settings[i].State == model.StateWeak && s.Finding != "" {
				a.Findings = append(a.Findings, model.Finding{ID: s.Finding, Severity: model.Medium, Setting: s.ID})
			}
		}
		e := Evidence{Audit: a, Policy: Policy{Goal: Findings}}
		p := make1(t, e)
		for _, x := range want {
			if !slices.Contains(changes(p), x) {
				t.Errorf("%s: %s is missing: %v; rejected %v", h.system, x, changes(p), p.Rejected)
			}
		}
		for _, ch := range p.Changes {
			if ch.Setting == "server signing" || ch.Setting == "RequireSecuritySignature" {
				if !slices.Equal(ch.Closes, []string{"signing-not-required"}) || ch.Reach != "everyone" {
					t.Errorf("%s closes %q and meets %s", ch.Setting, ch.Closes, ch.Reach)
				}
			}
		}
		done := h.planned(p)
		for _, s := range done.audit(t).Settings {
			if s.State == model.StateWeak && !slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool {
				return strings.HasSuffix(r.Setting, s.ID)
			}) {
				t.Errorf("%s: %s is weak still, and nothing says why", h.system, s.ID)
			}
		}
		if again := make1(t, Evidence{Audit: done.audit(t), Policy: Policy{Goal: Findings}}); len(again.Changes) > 0 {
			t.Errorf("%s: a second plan has %v", h.system, changes(again))
		}
		e.Policy.Avoid = []string{"server signing", "RequireSecuritySignature"}
		if p = make1(t, e); has(changes(p), "ign") && !slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool {
			return strings.Contains(r.Why, "not to touch")
		}) {
			t.Errorf("%s: what is to be avoided is set or not named: %v", h.system, changes(p))
		}
	}
}

// TestWant: a wish is set with what it meets, takes the place of a change that it makes needless, and is refused where
// it would open something, change nothing, or lock everybody out.
func TestWant(t *testing.T) {
	samba, windows := weakHosts[1], weakHosts[0]
	for _, tt := range []struct {
		name    string
		host    host
		policy  Policy
		changes []string // nil: refused
		without string
		refused string
	}{
		{
			"signing", sambaOpen,
			Policy{Want: []string{"server signing=mandatory"}},
			[]string{"restrict anonymous=2", "server signing=mandatory"},
			"", "",
		},
		{
			"instead of a change", sambaOpen,
			Policy{Want: []string{"restrict anonymous = 2"}},
			[]string{"restrict anonymous=2"},
			"", "",
		},
		{
			"one that is not wanted by the catalog", sambaOpen,
			Policy{Want: []string{"server smb encrypt=required"}},
			[]string{"server smb encrypt=required"},
			"restrict anonymous=2", "",
		},
		{
			"with a goal", samba,
			Policy{Goal: Findings, Want: []string{"server min protocol=SMB3_00"}},
			[]string{"server min protocol=smb3_00", "ntlm auth=ntlmv2-only"},
			"server min protocol=smb2_02", "",
		},
		{
			"Windows", windows,
			Policy{Want: []string{"RequireSecuritySignature=1", "SMB1=0"}},
			[]string{"RequireSecuritySignature=1", "SMB1=0"},
			"LmCompatibilityLevel=5", "",
		},
		{"no such setting", samba, Policy{Want: []string{"nosuch=1"}}, nil, "", "is no setting"},
		{
			"no value", samba,
			Policy{Want: []string{"server signing"}},
			nil, "",
			"is no setting of the catalog with a value",
		},
		{"another system", samba, Policy{Want: []string{"SMB1=0"}}, nil, "", "a setting of windows"},
		{"what does nothing", samba, Policy{Want: []string{"IPC$:guest ok=no"}}, nil, "", "would do nothing"},
		{"of a share", samba, Policy{Want: []string{"guest ok=no"}}, nil, "", "is a line of a share"},
		{"a word for a number", windows, Policy{Want: []string{"SMB1=off"}}, nil, "", "of type REG_DWORD"},
		{"no such value", samba, Policy{Want: []string{"server signing=perhaps"}}, nil, "", "server signing"},
		{"for export alone", windows, Policy{Want: []string{"PipeFirewallActive=1"}}, nil, "", "exported for a trial"},
		{"no such number", windows, Policy{Want: []string{"SmbServerNameHardeningLevel=7"}}, nil, "", "no such value"},
		{
			"twice", samba,
			Policy{Want: []string{"server signing=mandatory", "server signing=auto"}},
			nil, "",
			"wanted twice",
		},
		{
			"wanted and avoided", samba,
			Policy{Want: []string{"server signing=mandatory"}, Avoid: []string{"server signing"}},
			nil, "",
			"to be avoided",
		},
		{
			"with a block", samba,
			Policy{Want: []string{"server signing=mandatory"}, Strategy: Block},
			nil, "",
			"goes with restrict",
		},
		{"a goal with a block", samba, Policy{Goal: Findings, Strategy: Block}, nil, "", "goes with restrict"},
		{
			"what opens", host{
				system: "samba", product: "samba", role: model.Standalone,
				settings: map[string]any{"server smb encrypt": "required"},
			}, Policy{Want: []string{"server smb encrypt=default"}}, nil, "", "would open to strangers",
		},
		{
			"held where it is", sambaOpen,
			Policy{Goal: Findings, Want: []string{"restrict anonymous=0"}},
			[]string{"server signing=mandatory"},
			"restrict anonymous=2", "",
		},
		{
			"two, one of which holds", sambaOpen,
			Policy{Want: []string{"server min protocol=SMB2_02", "restrict anonymous=2"}},
			[]string{"restrict anonymous=2"},
			"server min protocol=smb2_02", "",
		},
		{
			"what weakens", host{
				system: "samba", product: "samba", role: model.Standalone,
				settings: map[string]any{"server signing": "mandatory"},
			}, Policy{Want: []string{"server signing=disabled"}}, nil, "", "is weak, and it is not so now",
		},
		{
			"everybody out", host{
				system: "samba", product: "samba", role: model.Standalone,
				settings: map[string]any{"server max protocol": "NT1"},
			}, Policy{Want: []string{"server min protocol=SMB2_02"}}, nil, "", "refuse everybody",
		},
		{
			"not read", host{
				system: "samba", product: "samba", role: model.Standalone, unread: []string{"server signing"},
			}, Policy{Want: []string{"server signing=mandatory"}}, nil, "", "no way back",
		},
		{
			"against a need", samba,
			Policy{Want: []string{"restrict anonymous=2"}, Needs: []string{"pipe:spoolss"}},
			nil, "", "must keep",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Make(Evidence{Audit: tt.host.audit(t), Policy: tt.policy})
			if tt.changes == nil {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Fatalf("%v, want %q", err, tt.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range tt.changes {
				if !slices.Contains(changes(p), x) {
					t.Errorf("%s is missing of %q", x, changes(p))
				}
			}
			if slices.Contains(changes(p), tt.without) {
				t.Errorf("%s is too much: %q", tt.without, changes(p))
			}
		})
	}
}

// TestMinProtocolLocksNobodyOut: the advice to drop SMB1 is not taken where the highest dialect is SMB1's.
func TestMinProtocolLocksNobodyOut(t *testing.T) {
	h := host{
		system: "samba", product: "samba", role: model.Standalone,
		settings: map[string]any{"server min protocol": "NT1", "server max protocol": "NT1"},
	}
	p := make1(t, Evidence{Audit: h.audit(t), Policy: Policy{Goal: Findings}})
	if has(changes(p), "server min protocol") || !slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool {
		return strings.Contains(r.Why, "refuse everybody")
	}) {
		t.Errorf("%q, %v", changes(p), p.Rejected)
	}
}
