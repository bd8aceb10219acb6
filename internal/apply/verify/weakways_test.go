package verify

import (
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/scan"
)

// TestWeakWays compares the results of weak ways in with plans that close them, and with some that need not.
func TestWeakWays(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	samba := func(role model.Role) model.Platform {
		return model.Platform{System: "samba", Product: "samba", Role: role}
	}
	windows := func(role model.Role) model.Platform {
		return model.Platform{System: "windows", Product: "win2019", Build: 17763, Role: role}
	}
	text := func(s string) model.Value { return model.Value{Present: true, Type: "enum", Data: s} }
	word := func(n int) model.Value { return model.Value{Present: true, Type: "REG_DWORD", Data: n} }
	for _, x := range []struct {
		name     string
		platform model.Platform
		setting  string
		to       model.Value
		when     string
		outcome  model.Outcome
		probed   bool
		want     string // the check, its result, and whether it is a note; empty is no check
	}{
		{
			"refused", samba(model.Standalone), "ntlm auth", text("ntlmv2-only"), "", model.Denied, true,
			"weak:ntlmv1 passed",
		},
		{
			"accepted", samba(model.Standalone), "ntlm auth", text("ntlmv2-only"), "", model.Allowed, true,
			"weak:ntlmv1 failed",
		},
		{
			"no answer", samba(model.Standalone), "ntlm auth", text("disabled"), "", model.Inconclusive, true,
			"weak:ntlmv1 inconclusive",
		},
		{
			"held back", samba(model.Standalone), "ntlm auth", text("ntlmv2-only"), "", model.NotTested, true,
			"weak:ntlmv1 unchecked",
		},
		{
			"nobody asked", samba(model.Standalone), "ntlm auth", text("ntlmv2-only"), "", model.NotTested, false,
			"weak:ntlmv1 unchecked note",
		},
		{
			"a domain's account", samba(model.Member), "ntlm auth", text("ntlmv2-only"), "", model.Allowed, true,
			"weak:ntlmv1 unchecked note",
		},
		{"weaker", samba(model.Standalone), "ntlm auth", text("ntlmv1-permitted"), "", model.Allowed, true, ""},
		{
			"signing", samba(model.Standalone), "server signing", text("mandatory"), "", model.Denied, true,
			"weak:unsigned passed",
		},
		{
			"SMB1", samba(model.Standalone), "server min protocol", text("smb3_00"), "", model.Allowed, true,
			"weak:smb1 failed",
		},
		{
			"encryption", samba(model.Standalone), "server smb encrypt", text("required"), "", model.Denied, true,
			"weak:clear passed",
		},
		{
			"level 5", windows(model.Standalone), "LmCompatibilityLevel", word(5), "", model.Allowed, true,
			"weak:ntlmv1 failed",
		},
		{"level 4", windows(model.Standalone), "LmCompatibilityLevel", word(4), "", model.Allowed, true, ""},
		{
			"a domain's account on Windows", windows(model.Member), "LmCompatibilityLevel", word(5), "", model.Allowed,
			true, "weak:ntlmv1 unchecked note",
		},
		{
			"signing on Windows", windows(model.Member), "RequireSecuritySignature", word(1), "", model.Denied, true,
			"weak:unsigned passed",
		},
		{
			"before the restart", windows(model.Member), "SMB1", word(0), "reboot", model.Allowed, true,
			"weak:smb1 waiting",
		},
		{"the dialects of SMB2", windows(model.Member), "MinSmb2Dialect", word(785), "", model.Allowed, true, ""},
		{"as a client", windows(model.Member), "RestrictSendingNTLMTraffic", word(2), "", model.Allowed, true, ""},
	} {
		way := map[string]string{
			"ntlm auth": model.WayNTLMv1, "LmCompatibilityLevel": model.WayNTLMv1, "server signing": model.WayUnsigned,
			"RequireSecuritySignature": model.WayUnsigned, "server smb encrypt": model.WayClear,
		}[x.setting]
		if way == "" {
			way = model.WaySMB1
		}
		v := &Verification{Plan: &model.Plan{
			Platform: x.platform, Changes: []model.Change{
				{ID: "1", Setting: x.setting, To: x.to, When: x.when, TakesEffect: "a restart"},
			},
		}}
		if x.probed {
			v.Weak = &scan.WeakLogons{}
		}
		p := &Proof{Scans: []*model.Scan{{WeakWays: []model.WeakWay{{Way: way, Step: model.Step{Outcome: x.outcome}}}}}}
		v.weakWays(p, c)
		got := ""
		for _, check := range p.Checks {
			if got += check.Check + " " + string(check.Result); check.Note {
				got += " note"
			}
		}
		if got != x.want {
			t.Errorf("%s: %q, want %q: %+v", x.name, got, x.want, p.Checks)
		}
	}
}
