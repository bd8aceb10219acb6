package audit

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/format/sddl"
	"ipcguard/internal/model"
)

// judged is a registry of Windows, with findings that its audit has and has not.
type judged struct {
	name    string
	product string
	role    model.Role
	values  []registry.Value
	want    map[string]model.Severity // "" is any severity
	not     []string
}

func (j judged) check(t *testing.T) *model.Audit {
	t.Helper()
	a := machine(t, j.product, j.role, j.values...)
	for id, severity := range j.want {
		found := false
		for _, f := range a.Findings {
			if f.ID == id && (severity == "" || f.Severity == severity) {
				found = true
				if f.Evidence == "" || f.Fix == "" && id != "weak-setting" {
					t.Errorf("%s has evidence %q and fix %q", id, f.Evidence, f.Fix)
				}
			}
		}
		if !found {
			t.Errorf("no finding %s of severity %q: %v", id, severity, a.Findings)
		}
	}
	got := ids(a)
	for _, id := range j.not {
		if slices.Contains(got, id) {
			if id == "weak-setting" && !mentionsSetting(a, "NullSessionPipes") {
				continue
			}
			t.Errorf("there should be no %s: %+v", id, *finding(a, id))
		}
	}
	return a
}

func checkJudged(t *testing.T, list []judged) {
	t.Helper()
	for _, j := range list {
		t.Run(j.name, func(t *testing.T) { j.check(t) })
	}
}

// pipes is NullSessionPipes with these names.
func pipes(names ...string) registry.Value {
	return registry.NewStrings(serverKey, "NullSessionPipes", names)
}

// listed is pipes with its blank entries.
func listed(names ...string) registry.Value {
	v := pipes()
	v.Data = []byte{}
	for _, n := range append(names, "") {
		v.Data = append(append(v.Data, registry.EncodeUTF16(n)...), 0, 0)
	}
	return v
}

// granting is a descriptor of the Server service that gives strangers a right.
func granting(t *testing.T) registry.Value {
	t.Helper()
	d, err := sddl.Parse("O:SYG:SYD:(A;;0xf0003;;;BA)(A;;0x1;;;AN)")
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Binary()
	if err != nil {
		t.Fatal(err)
	}
	return registry.Value{Key: defaultKey, Name: "SrvsvcShareFileInfo", Type: registry.Binary, Data: b}
}

// TestFindingsOfPipes: the list of pipes that strangers may open.
func TestFindingsOfPipes(t *testing.T) {
	const dc, member, wks = model.DomainController, model.Member, model.Workstation
	checkJudged(t, []judged{
		{
			"the three pipes of a domain controller, in another order and case", "win2022", dc,
			[]registry.Value{pipes("LSARPC", "NETLOGON", "SAMR")},
			nil,
			[]string{"unexpected-anonymous-pipe", "weak-setting"},
		},
		{
			"a blank entry first, as controllers ship it", "win2022", dc,
			[]registry.Value{listed("", "netlogon", "samr", "lsarpc")},
			map[string]model.Severity{"wrong-type": model.Info},
			[]string{"unexpected-anonymous-pipe", "weak-setting"},
		},
		{
			"a blank entry first on a member", "win2022", member,
			[]registry.Value{listed("", "netlogon", "samr", "lsarpc")},
			map[string]model.Severity{"unexpected-anonymous-pipe": ""},
			nil,
		},
		{
			"three names in one entry", "win2022", dc,
			[]registry.Value{pipes("netlogon samr lsarpc")},
			map[string]model.Severity{"names-joined": model.Medium},
			[]string{"unexpected-anonymous-pipe"},
		},
		{
			"three names in one entry, one of them unknown", "win2022", dc,
			[]registry.Value{pipes("netlogon samr evil")},
			map[string]model.Severity{"unexpected-anonymous-pipe": model.High},
			[]string{"names-joined"},
		},
		{
			"the controller's pipes on who knows what", "win2022", "",
			[]registry.Value{pipes("netlogon", "samr", "lsarpc")},
			map[string]model.Severity{"role-decides-pipes": model.Low},
			[]string{"unexpected-anonymous-pipe"},
		},
		{
			"evilpipe among them", "win2022", dc,
			[]registry.Value{pipes("lsarpc", "netlogon", "samr", "evilpipe")},
			map[string]model.Severity{"unexpected-anonymous-pipe": model.High},
			nil,
		},
		{
			"evilpipe on a member beside BROWSER and others", "win2022", member,
			[]registry.Value{pipes("BROWSER", "evilpipe", "srvsvc", "spoolss")},
			map[string]model.Severity{"unexpected-anonymous-pipe": model.High, "anonymous-lists-shares": ""},
			nil,
		},
		{
			"an empty list", "win2022", member,
			[]registry.Value{pipes()},
			nil,
			[]string{"unexpected-anonymous-pipe", "anonymous-lists-shares", "anonymous-lists-accounts"},
		},
		{
			"samr on a member where accounts stay closed", "win2012r2", member,
			[]registry.Value{pipes("samr"), dword(lsaKey, "RestrictAnonymous", 1)},
			map[string]model.Severity{"unexpected-anonymous-pipe": model.Medium},
			[]string{"anonymous-lists-accounts"},
		},
		{
			"samr on a member with accounts open", "win2012r2", member,
			[]registry.Value{pipes("samr"), dword(lsaKey, "RestrictAnonymousSAM", 0)},
			map[string]model.Severity{"anonymous-lists-accounts": model.High, "unexpected-anonymous-pipe": model.High},
			nil,
		},
		{
			"the licensing service's pipe where that service is", "win2022", member,
			[]registry.Value{pipes("HydraLsPipe"), dword(keyServices+`\TermServLicensing`, "Start", 2)},
			map[string]model.Severity{"unexpected-anonymous-pipe": model.Low},
			nil,
		},
		{
			"the licensing service's pipe without that service", "win2022", member,
			[]registry.Value{pipes("HydraLsPipe")},
			map[string]model.Severity{"unexpected-anonymous-pipe": ""},
			nil,
		},
		{
			"a list that does not matter", "win10-22H2", wks,
			[]registry.Value{pipes("browser"), dword(serverKey, "RestrictNullSessAccess", 0)},
			map[string]model.Severity{"null-session-unrestricted": model.High, "pipe-list-irrelevant": ""},
			nil,
		},
		{
			"the pipe firewall lets nothing through", "winxp", wks,
			[]registry.Value{dword(serverKey, "PipeFirewallActive", 1)},
			map[string]model.Severity{"pipe-firewall-empty": ""},
			[]string{"pipe-firewall-active"},
		},
	})
}

// TestFindingsOfShares: the list of shares that strangers may open.
func TestFindingsOfShares(t *testing.T) {
	const member, wks = model.Member, model.Workstation
	checkJudged(t, []judged{
		{
			"the shares that XP shipped", "winxp", model.Workstation,
			[]registry.Value{registry.NewStrings(serverKey, "NullSessionShares", []string{"COMCFG", "DFS$"})},
			map[string]model.Severity{"unexpected-anonymous-share": model.Low},
			nil,
		},
		{
			"the same where nobody knows the release", "", member,
			[]registry.Value{registry.NewStrings(serverKey, "NullSessionShares", []string{"COMCFG", "DFS$"})},
			map[string]model.Severity{"unexpected-anonymous-share": model.Medium},
			nil,
		},
		{
			"both in one entry", "winxp", model.Workstation,
			[]registry.Value{registry.NewStrings(serverKey, "NullSessionShares", []string{"COMCFG DFS$"})},
			map[string]model.Severity{"names-joined": model.Medium},
			[]string{"unexpected-anonymous-share"},
		},
		{
			"a share whose name has a blank", "win2022", member,
			[]registry.Value{registry.NewStrings(serverKey, "NullSessionShares", []string{"My Files"})},
			map[string]model.Severity{"unexpected-anonymous-share": model.High},
			[]string{"names-joined"},
		},
		{
			"a shared folder for strangers", "win10-22H2", wks,
			[]registry.Value{registry.NewStrings(serverKey, "NullSessionShares", []string{"public"})},
			map[string]model.Severity{"unexpected-anonymous-share": model.High},
			nil,
		},
	})
}

// TestFindingsOfNames: values that are misspelt, at the wrong place or of the wrong type.
func TestFindingsOfNames(t *testing.T) {
	const wks = model.Workstation
	checkJudged(t, []judged{
		{
			"the Resource Kit's slip", "win10-22H2", wks,
			[]registry.Value{dword(serverKey, "RestrictNullSessionAccess", 1)},
			map[string]model.Severity{"misspelt-setting": ""},
			nil,
		},
		{
			"a slip of one letter", "win10-22H2", wks,
			[]registry.Value{dword(lsaKey, "RestrictAnonymus", 1)},
			map[string]model.Severity{"misspelt-setting": ""},
			nil,
		},
		{
			"the right name under the wrong key", "win10-22H2", wks,
			[]registry.Value{dword(serverKey, "RestrictAnonymous", 1)},
			map[string]model.Severity{"misspelt-setting": ""},
			nil,
		},
		{
			"usual neighbours are no slips", "win10-22H2", wks,
			[]registry.Value{
				dword(lsaKey, "LimitBlankPasswordUse", 1), dword(lsaKey, "NoLmHash", 1),
				dword(serverKey, "EnableForcedLogoff", 1), dword(serverKey, "Size", 1),
				dword(serverKey, "Lmannounce", 0),
			},
			nil,
			[]string{"misspelt-setting"},
		},
		{
			"a list written as text", "win10-22H2", wks,
			[]registry.Value{registry.NewText(serverKey, "NullSessionShares", "share")},
			map[string]model.Severity{"wrong-type": model.Medium},
			nil,
		},
		{
			"a number written as text", "win10-22H2", wks,
			[]registry.Value{registry.NewText(lsaKey, "RestrictAnonymous", "1")},
			map[string]model.Severity{"wrong-type": model.Medium},
			nil,
		},
	})
}

// TestFindingsOfReleases: values that have another effect on this release or role, or none.
func TestFindingsOfReleases(t *testing.T) {
	const dc, member, wks = model.DomainController, model.Member, model.Workstation
	checkJudged(t, []judged{
		{
			"2 after Windows 2000", "win2019", member,
			[]registry.Value{dword(lsaKey, "RestrictAnonymous", 2)},
			map[string]model.Severity{"ra2-after-2000": ""},
			nil,
		},
		{
			"2 on NT 4.0, which has none", "nt4", member,
			[]registry.Value{dword(lsaKey, "RestrictAnonymous", 2)},
			map[string]model.Severity{"ra2-after-2000": ""},
			nil,
		},
		{
			"2 on Windows 2000", "win2000", member,
			[]registry.Value{dword(lsaKey, "RestrictAnonymous", 2)},
			nil,
			[]string{"ra2-after-2000", "anonymous-lists-accounts"},
		},
		{
			"RestrictAnonymous on a domain controller", "win2019", dc,
			[]registry.Value{dword(lsaKey, "RestrictAnonymous", 1)},
			map[string]model.Severity{"restrict-anonymous-on-dc": model.Info},
			nil,
		},
		{
			"AutoShareWks on a server", "win2019", member,
			[]registry.Value{dword(serverKey, "AutoShareWks", 0)},
			map[string]model.Severity{"autoshare-wrong-product": ""},
			[]string{"autoshare-does-not-remove-ipc"},
		},
		{
			"AutoShareServer on a server", "win2019", member,
			[]registry.Value{dword(serverKey, "AutoShareServer", 0)},
			map[string]model.Severity{"autoshare-does-not-remove-ipc": model.Info},
			[]string{"autoshare-wrong-product"},
		},
		{
			"AutoShareServer on a client", "win10-22H2", wks,
			[]registry.Value{dword(serverKey, "AutoShareServer", 0)},
			map[string]model.Severity{"autoshare-wrong-product": ""},
			nil,
		},
		{
			"EnableSecuritySignature alone", "win10-22H2", wks,
			[]registry.Value{dword(serverKey, "EnableSecuritySignature", 1)},
			map[string]model.Severity{"signature-switch-ignored": ""},
			nil,
		},
		{
			"an absent list means something else on NT 4.0", "nt4", member, nil,
			map[string]model.Severity{"anonymous-lists-accounts": model.High, "weak-setting": ""},
			nil,
		},
	})
}

// TestFindingsOfValues: values that let strangers in, and the secure ones beside them.
func TestFindingsOfValues(t *testing.T) {
	const wks = model.Workstation
	checkJudged(t, []judged{
		{
			"the reversed block", "win10-22H2", wks,
			[]registry.Value{dword(lsaKey, "TurnOffAnonymousBlock", 1)},
			map[string]model.Severity{"anonymous-block-off": model.High},
			nil,
		},
		{
			"the block as it should be", "win10-22H2", wks,
			[]registry.Value{dword(lsaKey, "TurnOffAnonymousBlock", 0)},
			nil,
			[]string{"anonymous-block-off"},
		},
		{
			"dev-sec's rule demands the insecure value", "win10-22H2", wks,
			[]registry.Value{dword(lsaKey, "EveryoneIncludesAnonymous", 1)},
			map[string]model.Severity{"everyone-includes-anonymous": ""},
			nil,
		},
		{
			"the secure value is fine", "win10-22H2", wks,
			[]registry.Value{dword(lsaKey, "EveryoneIncludesAnonymous", 0)},
			nil,
			[]string{"everyone-includes-anonymous"},
		},
		{
			"the second layer", "win10-22H2", wks,
			[]registry.Value{granting(t)},
			map[string]model.Severity{"second-layer-grants-anonymous": model.Low},
			nil,
		},
		{
			"one takes back what the other gives", "win10-22H2", wks,
			[]registry.Value{dword(lsaKey, "RestrictAnonymous", 1), dword(lsaKey, "RestrictAnonymousSAM", 0)},
			map[string]model.Severity{"contradictory-settings": ""},
			nil,
		},
	})
}

// TestFindingsOfRestarts: a change that waits for a restart.
func TestFindingsOfRestarts(t *testing.T) {
	const wks = model.Workstation
	checkJudged(t, []judged{
		{
			"a change that waits", "win10-22H2", wks,
			[]registry.Value{
				dword(lsaKey, "RestrictAnonymous", 1),
				dword(defaultKey, "PreviousAnonymousRestriction", 0),
			},
			map[string]model.Severity{"pending-restart": ""},
			nil,
		},
		{
			"nothing waits", "win10-22H2", wks,
			[]registry.Value{
				dword(lsaKey, "RestrictAnonymous", 1),
				dword(defaultKey, "PreviousAnonymousRestriction", 1),
			},
			nil,
			[]string{"pending-restart"},
		},
		{
			"absent is 0: nothing waits", "win10-22H2", wks,
			[]registry.Value{dword(defaultKey, "PreviousAnonymousRestriction", 0)},
			nil,
			[]string{"pending-restart"},
		},
	})
}

// TestFindingsOfCalls: filters on calls, and what they leave open.
func TestFindingsOfCalls(t *testing.T) {
	const dc, member, wks = model.DomainController, model.Member, model.Workstation
	checkJudged(t, []judged{
		{
			"RestrictRemoteClients does not cover pipes", "win10-22H2", wks,
			[]registry.Value{dword(`HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Rpc`, "RestrictRemoteClients", 1)},
			map[string]model.Severity{"rpc-clients-not-ipc": model.Info},
			nil,
		},
		{
			"nor does it at 2", "win10-22H2", wks,
			[]registry.Value{dword(`HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Rpc`, "RestrictRemoteClients", 2)},
			map[string]model.Severity{"rpc-clients-not-ipc": model.Info},
			nil,
		},
		{
			"a filter on account calls on a domain controller", "win2019", dc,
			[]registry.Value{registry.NewText(lsaKey, "RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;BA)")},
			map[string]model.Severity{"remote-sam-filter-on-dc": model.Medium},
			[]string{"weak-setting:RestrictRemoteSAM"},
		},
		{"no filter there", "win2019", dc, nil, nil, []string{"remote-sam-filter-on-dc"}},
		{
			"the same filter on a member", "win2019", member,
			[]registry.Value{registry.NewText(lsaKey, "RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;BA)")},
			nil,
			[]string{"remote-sam-filter-on-dc"},
		},
	})
}

func mentionsSetting(a *model.Audit, id string) bool {
	return slices.ContainsFunc(a.Findings, func(f model.Finding) bool {
		return f.ID == "weak-setting" && f.Setting == id
	})
}

// TestSeverityFollowsDisclosure: the severity of RestrictAnonymous 0 depends on what strangers get because of it, not
// on the number.
func TestSeverityFollowsDisclosure(t *testing.T) {
	zero := dword(lsaKey, "RestrictAnonymous", 0)
	open := machine(t, "win2012r2", model.Member, zero,
		registry.NewStrings(serverKey, "NullSessionPipes", []string{"srvsvc"}))
	shut := machine(t, "win2012r2", model.Member, zero, registry.NewStrings(serverKey, "NullSessionPipes", nil))
	find := func(a *model.Audit) model.Finding {
		for _, f := range a.Findings {
			if f.Setting == "RestrictAnonymous" {
				return f
			}
		}
		t.Fatal("RestrictAnonymous 0 has no finding")
		return model.Finding{}
	}
	if a, b := find(open), find(shut); a.Severity.Rank() <= b.Severity.Rank() || b.Severity != model.Info ||
		!strings.Contains(b.Fix, "--goal harden") {
		t.Errorf("with srvsvc open %s (%s), with nothing open %s (%s)", a.Severity, a.Evidence, b.Severity, b.Evidence)
	}
}

// TestControls: controls have benchmark and version, and only those of this product and role are given.
func TestControls(t *testing.T) {
	a := machine(t, "win2022", model.Member, dword(lsaKey, "RestrictAnonymous", 0))
	for _, f := range a.Findings {
		if f.Setting != "RestrictAnonymous" {
			continue
		}
		var text []string
		for _, c := range f.Controls {
			text = append(text, c.Benchmark+" "+c.Version+" "+c.ID)
		}
		all := strings.Join(text, "\n")
		if !strings.Contains(all, "Server 2022 3.0.0 2.3.10.3") || !strings.Contains(all, "V-254467") ||
			strings.Contains(all, "Server 2019") {
			t.Errorf("controls:\n%s", all)
		}
		return
	}
	t.Error("RestrictAnonymous 0 has no finding")
}

// TestDescriptorByMeaning: descriptors are compared by meaning. One that begins like the recommended one and then
// grants others access is weak; one that is equivalent is fine.
func TestDescriptorByMeaning(t *testing.T) {
	for text, want := range map[string]model.State{
		"O:BAG:BAD:(A;;RC;;;BA)":                    model.StateOK,
		"O:SYG:SYD:(A;;RC;;;BA)":                    model.StateOK,
		"O:BAG:BAD:P(A;;RC;;;S-1-5-32-544)":         model.StateOK,
		"O:BAG:BAD:(A;;RC;;;BA)(A;;RC;;;WD)":        model.StateWeak,
		"O:BAG:BAD:(A;;RC;;;BA)(A;;RC;;;S-1-1-0)":   model.StateWeak,
		"O:BAG:BAD:(A;;RC;;;BA)(A;;RC;;;S-1-5-7)":   model.StateWeak,
		"O:BAG:BAD:(A;;RC;;;BA)(A;;RC;;;AU)(A;;;;;": model.StateWeak,
	} {
		a := machine(t, "win2022", model.Member, registry.NewText(lsaKey, "RestrictRemoteSAM", text))
		if s := settingOf(t, a, "RestrictRemoteSAM"); s.State != want {
			t.Errorf("%s is %s (%s), want %s", text, s.State, s.Why, want)
		}
	}
}

func TestSambaFindings(t *testing.T) {
	for _, c := range []struct {
		name, conf string
		want       map[string]model.Severity
		not        []string
	}{
		{"defaults", "[global]\n", map[string]model.Severity{
			"anonymous-lists-accounts": model.High,
			"weak-setting":             model.High,
		}, nil},
		{
			"closed", "[global]\nrestrict anonymous = 2\nserver signing = mandatory\n", nil,
			[]string{"anonymous-lists-accounts", "weak-setting", "signing-not-required"},
		},
		{
			"1", "[global]\nrestrict anonymous = 1\n",
			map[string]model.Severity{"restrict-anonymous-one": model.Medium, "anonymous-reads-registry": ""},
			[]string{"anonymous-lists-accounts"},
		},
		{
			"1 on a domain controller",
			"[global]\nserver role = active directory domain controller\nrestrict anonymous = 1\n",
			map[string]model.Severity{"restrict-anonymous-one": model.High, "anonymous-lists-accounts": model.Critical},
			nil,
		},
		{
			"guest ok = no in [IPC$]", "[global]\n[IPC$]\nguest ok = no\n",
			map[string]model.Severity{"ipc-section-ignored": model.Medium, "anonymous-lists-accounts": ""},
			nil,
		},
		{
			"public = no is a synonym", "[global]\n[ipc$]\npublic = no\n",
			map[string]model.Severity{"ipc-section-ignored": ""},
			nil,
		},
		{
			"2 beside a guest share", "[global]\nrestrict anonymous = 2\n[pub]\npath=/tmp\nguest ok = yes\n",
			map[string]model.Severity{"guest-share-beside-restrict": model.Medium, "anonymous-reads-files": model.High},
			[]string{"anonymous-lists-accounts"},
		},
		{
			"a share that is not available",
			"[global]\nrestrict anonymous = 2\n[pub]\npath=/tmp\nguest ok = yes\navailable = no\n", nil,
			[]string{"anonymous-reads-files", "guest-share-beside-restrict"},
		},
		{
			"encryption required beside a guest share",
			"[global]\nsmb encrypt = required\n[pub]\npath=/tmp\nguest ok = yes\n",
			map[string]model.Severity{"contradictory-settings": ""},
			[]string{"anonymous-reads-files"},
		},
		{
			"a slip", "[global]\nrestrict anonymus = 2\n",
			map[string]model.Severity{"misspelt-setting": "", "anonymous-lists-accounts": ""},
			nil,
		},
		{
			"a global line in a share", "[global]\n[IPC$]\nrestrict anonymous = 2\n",
			map[string]model.Severity{"setting-without-effect": "", "anonymous-lists-accounts": ""},
			nil,
		},
		{
			"guests", "[global]\nmap to guest = bad user\n",
			map[string]model.Severity{"guest-lists-accounts": model.High},
			nil,
		},
		{
			"guest only opens by itself", "[global]\nmap to guest = bad user\n[pub]\npath=/tmp\nguest only = yes\n",
			map[string]model.Severity{"anonymous-reads-files": model.High},
			nil,
		},
		{
			"SMB1 as scan sees it", "[global]\nrestrict anonymous = 2\nserver min protocol = NT1\n",
			map[string]model.Severity{"smb1-enabled": ""},
			nil,
		},
		{"SMB2 alone", "[global]\nrestrict anonymous = 2\nserver min protocol = SMB2\n", nil, []string{"smb1-enabled"}},
		{
			"encryption does what signing is for", "[global]\nserver smb encrypt = required\n", nil,
			[]string{"signing-not-required"},
		},
		{
			"NTLMv1", "[global]\nrestrict anonymous = 2\nntlm auth = yes\n",
			map[string]model.Severity{"weak-setting": ""},
			nil,
		},
		{
			"shares of users for strangers",
			"[global]\nrestrict anonymous = 2\nserver signing = mandatory\nusershare allow guests = yes\n",
			map[string]model.Severity{"weak-setting": ""},
			nil,
		},
		{
			"RPC without signatures on one interface",
			"[global]\nrestrict anonymous = 2\nserver signing = mandatory\nallow dcerpc auth level connect:lsarpc = yes\n",
			map[string]model.Severity{"weak-setting": ""},
			nil,
		},
		{
			"Netlogon without its channel",
			"[global]\nserver role = active directory domain controller\nrestrict anonymous = 2\nserver schannel = auto\n",
			map[string]model.Severity{"weak-setting": ""},
			nil,
		},
		{
			"strangers work as root", "[global]\nguest account = root\n",
			map[string]model.Severity{"guest-account-root": model.Critical},
			nil,
		},
		{
			"and nobody comes in without a password", "[global]\nguest account = root\nserver smb encrypt = required\n",
			map[string]model.Severity{"guest-account-root": model.Medium},
			nil,
		},
		{"strangers work as another", "[global]\nguest account = ftp\n", nil, []string{"guest-account-root"}},
		{
			"the guest account kept off IPC$", "[global]\ninvalid users = nobody\n", nil,
			[]string{"anonymous-lists-accounts"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := source(t, Options{}, write(t, map[string]string{"smb.conf": c.conf})+"/smb.conf")
			for id, severity := range c.want {
				f := finding(a, id)
				if f == nil || severity != "" && f.Severity != severity {
					t.Errorf("want %s of severity %q: %+v", id, severity, a.Findings)
				}
			}
			for _, id := range c.not {
				if f := finding(a, id); f != nil {
					t.Errorf("there should be no %s: %+v", id, *f)
				}
			}
		})
	}
}
