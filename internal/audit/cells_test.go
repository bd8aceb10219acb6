package audit

import (
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestCellsOfAnonymousBlock: where the block of anonymous lookups exists.
func TestCellsOfAnonymousBlock(t *testing.T) {
	checkJudged(t, []judged{
		{
			"MS-LSAD <55>: no block to turn off on Windows 2000", "win2000", model.Member, nil, nil,
			[]string{"anonymous-block-off"},
		},
		{"MS-LSAD <55>: nor on XP", "winxp", model.Workstation, nil, nil, []string{"anonymous-block-off"}},
		{
			"MS-LSAD <55>: a value there does nothing", "win2000", model.Member,
			[]registry.Value{dword(lsaKey, "TurnOffAnonymousBlock", 0)},
			map[string]model.Severity{"setting-without-effect": "", "anonymous-lists-sids": ""},
			nil,
		},
		{
			"MS-LSAD <55>: it counts from Server 2003 on", "win2003", model.Member,
			[]registry.Value{dword(lsaKey, "TurnOffAnonymousBlock", 1)},
			map[string]model.Severity{"anonymous-block-off": model.High},
			nil,
		},
	})
}

// TestCellsOfAutoShare: which family reads which of the two values.
func TestCellsOfAutoShare(t *testing.T) {
	checkJudged(t, []judged{
		{
			"Q185590: a server of 2000 does not read AutoShareWks", "win2000", model.Member,
			[]registry.Value{dword(serverKey, "AutoShareWks", 0)},
			map[string]model.Severity{"autoshare-wrong-product": ""},
			[]string{"autoshare-does-not-remove-ipc"},
		},
		{
			"Q185590: nor Professional AutoShareServer", "win2000", model.Workstation,
			[]registry.Value{dword(serverKey, "AutoShareServer", 0)},
			map[string]model.Severity{"autoshare-wrong-product": ""},
			[]string{"autoshare-does-not-remove-ipc"},
		},
		{
			"Q185590: a server of NT 4.0 reads AutoShareServer", "nt4", model.Standalone,
			[]registry.Value{dword(serverKey, "AutoShareServer", 0)},
			map[string]model.Severity{"autoshare-does-not-remove-ipc": ""},
			[]string{"autoshare-wrong-product"},
		},
		{
			"Q185590: the family tells where the role is not known", "win2019", model.UnknownRole,
			[]registry.Value{dword(serverKey, "AutoShareWks", 0)},
			map[string]model.Severity{"autoshare-wrong-product": ""},
			[]string{"autoshare-does-not-remove-ipc"},
		},
	})
}

// TestCellsOfRestrictAnonymous: which controllers and releases read it.
func TestCellsOfRestrictAnonymous(t *testing.T) {
	checkJudged(t, []judged{
		{
			"Q296405: a controller of 2000 reads RestrictAnonymous", "win2000", model.DomainController,
			[]registry.Value{dword(lsaKey, "RestrictAnonymous", 1)},
			nil,
			[]string{"restrict-anonymous-on-dc", "anonymous-lists-accounts"},
		},
		{
			"Q296405: at 0 it lists accounts", "win2000", model.DomainController,
			[]registry.Value{dword(lsaKey, "RestrictAnonymous", 0)},
			map[string]model.Severity{"anonymous-lists-accounts": model.Critical},
			nil,
		},
		{
			"SPS: from 2003 on it does not", "win2003", model.DomainController,
			[]registry.Value{dword(lsaKey, "RestrictAnonymous", 1)},
			map[string]model.Severity{"restrict-anonymous-on-dc": ""},
			nil,
		},
		{
			"SPS: RestrictAnonymousSAM does nothing on 2000, and contradicts nothing there", "win2000", model.Member,
			[]registry.Value{dword(lsaKey, "RestrictAnonymous", 1), dword(lsaKey, "RestrictAnonymousSAM", 0)},
			map[string]model.Severity{"setting-without-effect": ""},
			[]string{"contradictory-settings"},
		},
	})
}

// TestCellsOfLists: what each release shipped on its lists.
func TestCellsOfLists(t *testing.T) {
	for _, j := range []judged{
		{
			"MS-SRVS <38>: XP ships COMNAP", "winxp", model.Workstation,
			[]registry.Value{pipes("COMNAP")},
			map[string]model.Severity{"unexpected-anonymous-pipe": model.Low},
			nil,
		},
		{
			"MS-SRVS <38>: Server 2003 ships netlogon", "win2003", model.Member,
			[]registry.Value{pipes("netlogon")},
			map[string]model.Severity{"unexpected-anonymous-pipe": model.Low},
			nil,
		},
		{
			"Q175529: NT 4.0 shipped LLSRPC, and an upgrade may keep it", "win2003", model.Member,
			[]registry.Value{pipes("LLSRPC")},
			map[string]model.Severity{"unexpected-anonymous-pipe": model.Low},
			nil,
		},
		{
			"MS-SRVS <38>: and no evilpipe", "win2003", model.Member,
			[]registry.Value{pipes("evilpipe")},
			map[string]model.Severity{"unexpected-anonymous-pipe": model.High},
			nil,
		},
		{
			"HSC: XP ships COMCFG", "winxp", model.Workstation,
			[]registry.Value{registry.NewStrings(serverKey, "NullSessionShares", []string{"COMCFG", "DFS$"})},
			map[string]model.Severity{"unexpected-anonymous-share": model.Low},
			nil,
		},
		{
			"HSC: and no public", "winxp", model.Workstation,
			[]registry.Value{registry.NewStrings(serverKey, "NullSessionShares", []string{"public"})},
			map[string]model.Severity{"unexpected-anonymous-share": model.High},
			nil,
		},
	} {
		t.Run(j.name, func(t *testing.T) {
			f := finding(j.check(t), "unexpected-anonymous-pipe")
			if f != nil && f.Severity == model.Low && strings.Contains(f.Fix, "who added it") {
				t.Errorf("Microsoft shipped it: %+v", *f)
			}
		})
	}
}

// TestCellsOfOthers: settings that a release does not have, or reads in another way.
func TestCellsOfOthers(t *testing.T) {
	signing := dword(serverKey, "EnableSecuritySignature", 1)
	remote := dword(keyServices+`\RemoteRegistry`, "Start", 2)
	checkJudged(t, []judged{
		{
			"Q281770: Windows 2000 has a remote registry service", "win2000", model.Member,
			[]registry.Value{remote},
			nil,
			[]string{"setting-without-effect"},
		},
		{
			"Q161372: SMB1 alone until 2003, and its signing counts", "win2003", model.Member,
			[]registry.Value{signing},
			nil,
			[]string{"smb1-enabled", "signature-switch-ignored"},
		},
		{
			"WSD smb-signing: later it is ignored", "win2019", model.Member,
			[]registry.Value{signing},
			map[string]model.Severity{"signature-switch-ignored": ""},
			nil,
		},
		{
			"SPS: RestrictRemoteSAM is not for Server 2008", "win2008", model.Member,
			[]registry.Value{registry.NewText(lsaKey, "RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;BA)")},
			map[string]model.Severity{"setting-without-effect": ""},
			nil,
		},
		{
			"SPS blank passwords", "win2019", model.Member,
			[]registry.Value{dword(lsaKey, "LimitBlankPasswordUse", 0)},
			map[string]model.Severity{"weak-setting": ""},
			nil,
		},
	})
}

// TestAdviceFits: advice names only what works on the product: nothing of later releases on Windows 2000.
func TestAdviceFits(t *testing.T) {
	a := machine(t, "win2000", model.Member)
	for _, f := range a.Findings {
		for _, later := range []string{"RestrictAnonymousSAM", "TurnOffAnonymousBlock", "SMB1 to 0"} {
			if strings.Contains(f.Fix, later) {
				t.Errorf("%s: %q names %s", f.ID, f.Fix, later)
			}
		}
		for _, s := range f.Settings {
			c := load(t).Setting(s)
			if _, possible := load(t).Fit(c.Applies, a.Platform); !possible && s != f.Setting {
				t.Errorf("%s names %s, which this product does not read", f.ID, s)
			}
		}
	}
}

// TestXPx64: the 64-bit edition of XP is Server 2003 with a workstation's role.
func TestXPx64(t *testing.T) {
	dir := filepath.Join(peer.Shared(t, "cases"), "windows", "hives", "xp64")
	a := source(t, Options{}, dir)
	if a.Platform.Product != "winxp-x64" || a.Platform.Role != model.Workstation {
		t.Errorf("%+v", a.Platform)
	}
}

// TestWantedOnSomeReleases: a value that only some releases should have is no finding if the release is unknown.
func TestWantedOnSomeReleases(t *testing.T) {
	for product, want := range map[string]model.State{
		"": model.StateUnknown, "win2003": model.StateWeak,
		"win2019": model.StateOK,
	} {
		a := machine(t, product, model.Member, dword(serverKey, "EnableSecuritySignature", 0))
		if got := settingOf(t, a, "EnableSecuritySignature").State; got != want {
			t.Errorf("product %q: %s, want %s", product, got, want)
		}
	}
}
