package cli

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/apply/verify"
	"ipcguard/internal/audit"
	"ipcguard/internal/catalog"
	"ipcguard/internal/change"
	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smbtest"
)

// weakSources are configurations with as much that is weak as one file of theirs can hold.
var weakSources = []struct{ system, file, text, profile string }{
	{
		"samba", "smb.conf",
		"[global]\n  map to guest = bad user\n  server min protocol = NT1\n  server signing = disabled\n  ntlm auth " +
			"= ntlmv1-permitted\n  lanman auth = yes\n  raw NTLMv2 auth = yes\n\n[data]\n  path = /srv\n  guest ok " +
			"= yes\n", "samba-2",
	},
	{"windows", "weak.reg", `Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters]
"RestrictNullSessAccess"=dword:00000000
"NullSessionPipes"=hex(7):73,00,61,00,6d,00,72,00,00,00,00,00
"NullSessionShares"=hex(7):64,00,00,00,00,00
"SMB1"=dword:00000001
"RequireSecuritySignature"=dword:00000000

[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa]
"RestrictAnonymousSAM"=dword:00000000
"RestrictAnonymous"=dword:00000000
"EveryoneIncludesAnonymous"=dword:00000001
"LmCompatibilityLevel"=dword:00000002
"LimitBlankPasswordUse"=dword:00000000
`, "win2022"},
}

// TestFindingsWholeWay takes every finding of the catalog the whole way: what an audit writes of it, a plan closes or
// leaves with the reason; what it changes, apply may make; made, the next audit finds it no more; and verify has a word
// on each thing that the plan closes.
func TestFindingsWholeWay(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, x := range weakSources {
		t.Run(x.system, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, x.file)
			if err := os.WriteFile(path, []byte(x.text), 0o600); err != nil {
				t.Fatal(err)
			}
			a := auditOf(t, path)
			raised := slices.Clone(a.Findings)
			if len(raised) < 8 {
				t.Errorf("a weak host has %d findings", len(raised))
			}
			for i := range c.Findings { // what this one file cannot hold
				f := &c.Findings[i]
				if !slices.ContainsFunc(raised, func(o model.Finding) bool { return o.ID == f.ID }) {
					a.Findings = append(a.Findings,
						model.Finding{
							ID: f.ID, Severity: model.Low, Identity: f.Identity, Fix: "See there.",
							Settings: settingsOf(c, f, x.system),
						})
				}
			}
			p, err := plan.Make(plan.Evidence{Audit: a, Policy: plan.Policy{Goal: plan.Findings}})
			if err != nil {
				t.Fatal(err)
			}
			changes, err := change.All(c, p)
			if err != nil || len(changes) != len(p.Changes) || len(changes) == 0 {
				t.Fatalf("apply makes %d of %d changes: %v", len(changes), len(p.Changes), err)
			}
			after := madeReal(t, p, changes, path, x.text)
			for _, f := range a.Findings {
				left := slices.ContainsFunc(p.Left, func(l model.Left) bool {
					return l.Finding == f.ID && l.Identity == f.Identity && len(l.Why) > 10
				})
				still := slices.ContainsFunc(after.Findings, func(o model.Finding) bool {
					return o.ID == f.ID && o.Identity == f.Identity && o.Setting == f.Setting &&
						o.Severity.Rank() > model.Info.Rank()
				})
				if still && !left {
					t.Errorf("%s (%s) is still there after the plan, which does not leave it", f.ID, f.Setting)
				}
				if len(f.Looks) == 0 && slices.ContainsFunc(raised, func(o model.Finding) bool {
					return o.ID == f.ID
				}) {
					t.Errorf("%s has no look", f.ID)
				}
			}
			provedNames(t, p, x.profile)
		})
	}
}

func auditOf(t *testing.T, paths ...string) *model.Audit {
	t.Helper()
	o := audit.Options{Merge: len(paths) > 1}
	if strings.HasSuffix(paths[0], ".reg") {
		o.Product, o.Role = "win2019", model.Member
	}
	var out *model.Audit
	err := o.Run(t.Context(), paths, func(r audit.Result) error {
		for _, a := range r.Audits {
			out = a
		}
		return r.Err
	})
	if err != nil || out == nil {
		t.Fatal("no audit: ", err)
	}
	return out
}

func settingsOf(c *catalog.Catalog, f *catalog.Finding, system string) (out []string) {
	for _, id := range f.Settings {
		if s := c.Setting(id); s != nil && s.System == system {
			out = append(out, s.ID)
		}
	}
	return out
}

// madeReal makes the changes: with apply on the file of Samba, which goes back in the end, and with the exported .reg
// file on Windows, whose registry TestRoundTripWindows applies to. It returns the audit of what is then.
func madeReal(t *testing.T, p *model.Plan, changes []*change.Change, path, text string) (after *model.Audit) {
	t.Helper()
	if strings.HasSuffix(path, ".conf") {
		applySamba(t, p, changes, path, text, func(_ string, now []byte, _ bool) {
			made := filepath.Join(t.TempDir(), "smb.conf")
			if err := os.WriteFile(made, now, 0o600); err != nil {
				t.Fatal(err)
			}
			after = auditOf(t, made)
		})
		return after
	}
	dir := filepath.Dir(path)
	kept := filepath.Join(dir, "plan.json")
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, b, 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, exitOK, "export", kept, "--as", "reg", "-o", filepath.Join(dir, "reg"))
	return auditOf(t, path, filepath.Join(dir, "reg", "apply.reg"))
}

// provedNames lets verify judge everything that a plan closes, on a server that is closed.
func provedNames(t *testing.T, p *model.Plan, profile string) {
	t.Helper()
	host, err := smbtest.NewHost(profile, "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := smbtest.Start("127.53.9.2:0", host)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := &verify.Verification{Target: targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(s.Address())}, Plan: p}
	proof, err := v.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, x := range p.Changes {
		for _, name := range x.Closes {
			at := slices.IndexFunc(proof.Checks, func(k verify.Check) bool { return k.Check == "closed:"+name })
			if at < 0 {
				t.Errorf("verify has no word on %s", name)
				continue
			}
			k := proof.Checks[at]
			if k.Result == verify.Passed {
				passed++
			}
			if k.Result == "" || k.Result == verify.Unchecked && k.Detail == "" ||
				k.Result == verify.Passed && len(k.Looks) == 0 {
				t.Errorf("closed:%s is %q (%q) with %d looks", name, k.Result, k.Detail, len(k.Looks))
			}
		}
	}
	if passed == 0 {
		t.Error("nothing of the plan could be proved")
	}
}
