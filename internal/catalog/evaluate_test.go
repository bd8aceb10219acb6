package catalog

import (
	"fmt"
	"net/netip"
	"testing"

	"ipcguard/internal/model"
)

// set builds the settings of a test from pairs.
func set(pairs ...any) map[string]model.Value {
	out := map[string]model.Value{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i].(string)] = model.Value{Present: true, Data: pairs[i+1]}
	}
	return out
}

func host(system, product string, role model.Role, pairs ...any) Config {
	return Config{
		Platform: model.Platform{System: system, Product: product, Role: role}, Settings: set(pairs...),
		Complete: true,
	}
}

// ask returns one cell: session, tree, pipe:NAME or a kind of disclosure.
func ask(a model.Access, what string) model.Outcome {
	switch {
	case what == "session":
		return a.Session
	case what == "tree":
		return a.Tree
	case len(what) > 5 && what[:5] == "pipe:":
		return a.Pipes[what[5:]]
	}
	return a.Discloses[model.Disclosure(what)]
}

type expectation struct {
	fact     string // where it is written or how it was measured
	config   Config
	identity model.Identity
	want     want
}

// want is an outcome for each thing that is asked for: "session", "tree", "pipe:samr", "accounts".
type want map[string]model.Outcome

const (
	member = model.Member
	wks    = model.Workstation
	alone  = model.Standalone
	dc     = model.DomainController
)

const (
	yesO = model.Allowed
	noO  = model.Denied
	gone = model.Absent
	open = model.OutcomeUnknown
)

func check(t *testing.T, tests []expectation) {
	c := mustLoad(t)
	for _, tt := range tests {
		got := c.Evaluate(tt.config)[tt.identity]
		for what, want := range tt.want {
			if o := ask(got, what); o != want {
				key := what
				if what != "session" && what != "tree" && what[:4] != "pipe" {
					key = "discloses:" + what
				}
				t.Errorf("%s: %s %s is %s, want %s (%v)", tt.fact, tt.identity, what, o, want, got.Why[key])
			}
		}
	}
}

// TestWindowsReleases: what each release gives to strangers out of the box, and what is left of it at other values.
func TestWindowsReleases(t *testing.T) {
	vista := func(build int) Config {
		c := host("windows", "vista", wks)
		c.Platform.Build = build
		return c
	}
	check(t, []expectation{
		{
			"MS-SRVS <38>, Q143474: NT 4.0 out of the box", host("windows", "nt4", member), model.Anonymous,
			want{
				"session": yesO, "tree": yesO, "pipe:samr": yesO, "pipe:srvsvc": yesO, "pipe:LLSRPC": open,
				"pipe:winreg": noO, "accounts": yesO, "shares": yesO, "sids": yesO, "identity": yesO,
			},
		},
		{
			"Q143474: RestrictAnonymous 1 on NT 4.0 leaves name lookup",
			host("windows", "nt4", member, "RestrictAnonymous", 1),
			model.Anonymous,
			want{
				"tree": yesO, "accounts": noO, "shares": noO, "sids": yesO, "groups": open,
				"password-policy": open,
			},
		},
		{
			"2 is not a value of NT 4.0, which does not say what it makes of it; IPC$ connects",
			host("windows", "nt4", member, "RestrictAnonymous", 2), model.Anonymous,
			want{"tree": yesO, "accounts": open},
		},
		{
			"hard-coded hint: emptying the list leaves samr open on NT 4.0",
			host("windows", "nt4", member, "NullSessionPipes", []string{}), model.Anonymous,
			want{"pipe:samr": yesO, "pipe:srvsvc": yesO, "pipe:spoolss": noO, "pipe:COMNAP": noO},
		},
		{
			"MS-SRVS <38>: Windows 2000", host("windows", "win2000", member), model.Anonymous,
			want{"tree": yesO, "pipe:samr": yesO, "accounts": yesO, "shares": yesO},
		},
		{
			"KB3034016, cc963223: Windows 2000 with RestrictAnonymous 2",
			host("windows", "win2000", member, "RestrictAnonymous", 2), model.Anonymous,
			want{"tree": noO, "pipe:samr": noO, "accounts": noO, "shares": noO, "identity": noO},
		},
		{
			"KB3034016: 2003 no longer closes IPC$ at 2", host("windows", "win2003", member, "RestrictAnonymous", 2),
			model.Anonymous,
			want{"session": yesO, "tree": yesO},
		},
		{
			"MS-SRVS <38>, SPS: Windows Server 2003", host("windows", "win2003", member), model.Anonymous,
			want{
				"tree": yesO, "pipe:samr": yesO, "pipe:lsarpc": yesO, "identity": yesO, "accounts": noO, "sids": noO,
				"pipe:srvsvc": open, "pipe:spoolss": yesO, "pipe:COMNAP": open, "pipe:winreg": noO,
			},
		},
		{
			"2003: which names are hard-coded is not documented",
			host("windows", "win2003", member, "NullSessionPipes", []string{"spoolss"}), model.Anonymous,
			want{"pipe:spoolss": yesO, "pipe:samr": open, "pipe:winreg": noO},
		},
		{
			"MS-SRVS <38> against MS-SAMR <9>: samr on XP is contradictory", host("windows", "winxp", wks),
			model.Anonymous,
			want{"tree": yesO, "pipe:samr": open, "pipe:srvsvc": noO, "accounts": noO},
		},
		{
			"MS-SAMR <9>: Vista before SP1 is contradictory", vista(6000), model.Anonymous,
			want{"pipe:samr": open, "pipe:srvsvc": noO},
		},
		{
			"MS-SAMR <9>: Vista SP1 dropped samr", vista(6001), model.Anonymous,
			want{"pipe:samr": noO, "pipe:lsarpc": noO, "accounts": noO, "tree": yesO},
		},
		{
			"MS-SRVS <38>: Windows 7 opens nothing, IPC$ still connects", host("windows", "win7", wks), model.Anonymous,
			want{
				"session": yesO, "tree": yesO, "pipe:samr": noO, "pipe:lsarpc": noO, "pipe:srvsvc": noO,
				"pipe:browser": noO, "accounts": noO, "shares": noO, "identity": noO, "files": noO,
			},
		},
		{
			"KB3034016: 2012 and later refuse the session when nothing is marked", host("windows", "win2019", member),
			model.Anonymous,
			want{"session": noO, "tree": noO, "pipe:samr": noO, "accounts": noO, "files": noO},
		},
		{
			"KB3034016: a marked pipe lets the session in",
			host("windows", "win2019", member, "NullSessionPipes", []string{"SRVSVC"}), model.Anonymous,
			want{"session": yesO, "tree": yesO, "pipe:srvsvc": yesO, "pipe:samr": noO, "shares": yesO},
		},
	})
}

// TestWindowsAccounts: who may list accounts, on a member and on a domain controller.
func TestWindowsAccounts(t *testing.T) {
	check(t, []expectation{
		{
			"SPS: RestrictAnonymous 1 closes share lists on a member",
			host("windows", "win2019", member, "NullSessionPipes", []string{"srvsvc"}, "RestrictAnonymous", 1),
			model.Anonymous,
			want{"pipe:srvsvc": yesO, "shares": noO},
		},
		{
			"MS-SRVS 3.1.6.17: names count without \\pipe\\ and case",
			host("windows", "win2019", member, "NullSessionPipes", []string{`\PIPE\SamR`}), model.Anonymous,
			want{"pipe:samr": yesO},
		},
		{
			"SPS: RestrictAnonymousSAM is 1 by default and holds on a member",
			host("windows", "win2012r2", member, "NullSessionPipes", []string{"samr"}), model.Anonymous,
			want{"pipe:samr": yesO, "accounts": noO},
		},
		{
			"SPS: 0 does not restrict (the reversed claim)",
			host("windows", "win2012r2", member, "NullSessionPipes", []string{"samr"}, "RestrictAnonymousSAM", 0),
			model.Anonymous,
			want{"accounts": yesO},
		},
		{
			"SPS remote calls to SAM: 2016 members let administrators in alone",
			host("windows", "win2016", member, "NullSessionPipes", []string{"samr"}, "RestrictAnonymousSAM", 0),
			model.Anonymous,
			want{"pipe:samr": yesO, "accounts": noO},
		},
		{
			"SPS: 2016 members refuse ordinary users too", host("windows", "win2016", member), model.User,
			want{"tree": yesO, "pipe:samr": yesO, "accounts": noO, "shares": yesO, "identity": yesO},
		},
		{"SPS: before 1607 there is no check", host("windows", "win2012r2", member), model.User, want{"accounts": yesO}},
		{
			"SPS: audit mode refuses nobody", host("windows", "win2016", member, "RestrictRemoteSamAuditOnlyMode", 1),
			model.User,
			want{"accounts": yesO},
		},
		{
			"SPS, MS-SAMR <42>: a 2022 domain controller opens three pipes and gives no accounts",
			host("windows", "win2022", dc), model.Anonymous,
			want{
				"session": yesO, "tree": yesO, "pipe:netlogon": yesO, "pipe:samr": yesO, "pipe:lsarpc": yesO,
				"pipe:srvsvc": noO, "accounts": noO, "shares": noO, "identity": yesO,
			},
		},
		{
			"MS-SAMR <42>: Anonymous Logon in the legacy group",
			host("windows", "win2022", dc, "PreWindows2000Members", []string{"S-1-5-7", "S-1-5-11"}), model.Anonymous,
			want{"accounts": yesO, "groups": yesO},
		},
		{
			"MS-SAMR <42>: Everyone alone is not settled while he excludes anonymous",
			host("windows", "win2022", dc, "PreWindows2000Members", []string{"S-1-1-0"}), model.Anonymous,
			want{"accounts": open},
		},
		{
			"SPS: Everyone with EveryoneIncludesAnonymous",
			host("windows", "win2022", dc, "PreWindows2000Members", []string{"S-1-1-0"}, "EveryoneIncludesAnonymous",
				1), model.Anonymous,
			want{"accounts": yesO},
		},
		{
			"SPS: RestrictAnonymous has no effect on a domain controller",
			host("windows", "win2022", dc, "PreWindows2000Members", []string{"S-1-5-7"}, "RestrictAnonymous", 1,
				"RestrictAnonymousSAM", 1), model.Anonymous,
			want{"accounts": yesO},
		},
		{
			"MS-SAMR <42>: a 2003 domain controller asks at promotion", host("windows", "win2003", dc), model.Anonymous,
			want{"accounts": open},
		},
	})
}

// TestWindowsPipes: what the lists of pipes and the switches beside them open and close.
func TestWindowsPipes(t *testing.T) {
	check(t, []expectation{
		{
			"cc957461: RestrictNullSessAccess 0 opens every pipe",
			host("windows", "win7", wks, "RestrictNullSessAccess", 0),
			model.Anonymous,
			want{
				"pipe:samr": yesO, "pipe:svcctl": yesO, "shares": yesO, "accounts": noO,
				"files": open,
			},
		},
		{
			"cc957461: what 2 does is not documented", host("windows", "win7", wks, "RestrictNullSessAccess", 2),
			model.Anonymous,
			want{"pipe:svcctl": open, "files": open},
		},
		{
			"the same, with a pipe that is listed",
			host("windows", "win7", wks, "RestrictNullSessAccess", 2, "NullSessionPipes", []string{"svcctl"}),
			model.Anonymous,
			want{"pipe:svcctl": yesO, "session": yesO},
		},
		{
			"whether Everyone takes strangers in is not known at 2",
			host("windows", "win2016", member, "NullSessionPipes", []string{"samr"}, "RestrictAnonymousSAM", 0,
				"EveryoneIncludesAnonymous", 2, "RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;WD)"), model.Anonymous,
			want{"pipe:samr": yesO, "accounts": open},
		},
		{
			"MS-LSAD <55>: the block is on by default and holds off domain controllers",
			host("windows", "win7", wks, "NullSessionPipes", []string{"lsarpc"}), model.Anonymous,
			want{"pipe:lsarpc": yesO, "sids": noO, "trusts": noO, "identity": yesO},
		},
		{
			"MS-LSAD <55>: any other value turns the block off",
			host("windows", "win7", wks, "NullSessionPipes", []string{"lsarpc"}, "TurnOffAnonymousBlock", 1,
				"LSAAnonymousNameLookup", 1), model.Anonymous,
			want{"sids": yesO},
		},
		{
			"SPS against MS-LSAD: lookup on, block on",
			host("windows", "win7", wks, "NullSessionPipes", []string{"lsarpc"}, "LSAAnonymousNameLookup", 1),
			model.Anonymous,
			want{"sids": open},
		},
		{
			"HSC 4.7.8: the pipe firewall of XP refuses users too",
			host("windows", "winxp", wks, "PipeFirewallActive", 1),
			model.User,
			want{"tree": yesO, "pipe:samr": noO, "pipe:srvsvc": noO},
		},
		{
			"KB925890: support on Vista and later is not known",
			host("windows", "win10-22H2", wks, "PipeFirewallActive", 1, "AllowedPipes", []string{"srvsvc"}), model.User,
			want{"pipe:samr": open, "pipe:srvsvc": yesO},
		},
		{
			"KB3034016: no Server service, no IPC$", host("windows", "win2022", member, "LanmanServer.Start", 4), model.User,
			want{"session": noO, "tree": noO, "pipe:samr": noO},
		},
		{
			"KB954422: AutoShareServer does not remove IPC$", host("windows", "win2022", member, "AutoShareServer", 0),
			model.User,
			want{"tree": yesO, "pipe:srvsvc": yesO},
		},
	})
}

// TestWindowsGuests: the guest account, and what signing does to it and to null sessions.
func TestWindowsGuests(t *testing.T) {
	check(t, []expectation{
		{
			"SPS: the guest account is disabled by default", host("windows", "win2019", member), model.Guest,
			want{"session": noO, "tree": noO},
		},
		{
			"SPS: an enabled guest account", host("windows", "win2012r2", member, "EnableGuestAccount", 1), model.Guest,
			want{"session": yesO, "tree": yesO, "pipe:samr": yesO, "accounts": open},
		},
		{
			"WSD smb-signing: required signing refuses guests",
			host("windows", "win2012r2", member, "EnableGuestAccount", 1, "RequireSecuritySignature", 1), model.Guest,
			want{"session": noO},
		},
		{
			"MS-SMB2 3.3.5.5.3: signing does not stop null sessions",
			host("windows", "win2012r2", member, "NullSessionPipes", []string{"lsarpc"}, "RequireSecuritySignature", 1),
			model.Anonymous,
			want{"session": yesO, "pipe:lsarpc": yesO},
		},
	})
}

// TestWindowsServices: logs, the print spooler and RPC keep to rules of their own.
func TestWindowsServices(t *testing.T) {
	check(t, []expectation{
		{
			"MS-EVEN 3.1.1: logs keep strangers out by default",
			host("windows", "win7", wks, "RestrictNullSessAccess", 0),
			model.Anonymous,
			want{"pipe:eventlog": yesO, "logs": noO},
		},
		{
			"print-rpc: the spooler of 11 22H2 listens on TCP", host("windows", "win11-22H2", wks), model.User,
			want{"pipe:spoolss": gone, "printers": gone},
		},
		{
			"print-rpc: 7 brings the pipe back", host("windows", "win11-22H2", wks, "RpcProtocols", 7), model.User,
			want{"pipe:spoolss": yesO},
		},
		{
			"print-rpc: Windows 10 22H2 is older", host("windows", "win10-22H2", wks), model.User,
			want{"pipe:spoolss": yesO},
		},
		{
			"rpc-interface-restrict: RestrictRemoteClients 1 does not protect pipes",
			host("windows", "win2012r2", member, "NullSessionPipes", []string{"srvsvc", "epmapper"}, "RestrictRemoteClients",
				1), model.Anonymous,
			want{"pipe:srvsvc": yesO, "shares": yesO, "endpoints": yesO},
		},
		{
			"rpc-interface-restrict against MS-RPCE: nor does 2, as far as is counted",
			host("windows", "win2012r2", member, "NullSessionPipes", []string{"srvsvc", "epmapper"}, "RestrictRemoteClients",
				2), model.Anonymous,
			want{"pipe:srvsvc": yesO, "shares": yesO, "endpoints": yesO},
		},
	})
}

// TestUnreadIsUnknown: what was not read never counts as absent.
func TestUnreadIsUnknown(t *testing.T) {
	in := host("windows", "win2019", model.Member, "RestrictAnonymous", 1)
	in.Complete = false
	a := mustLoad(t).Evaluate(in)[model.Anonymous]
	if a.Session != open || a.Pipes["samr"] != open || a.Discloses["accounts"] != open {
		t.Errorf("got session %s, samr %s, accounts %s; want unknown", a.Session, a.Pipes["samr"],
			a.Discloses["accounts"])
	}
}

// TestUnknownRole: the answer is unknown if roles differ and known if they agree.
func TestUnknownRole(t *testing.T) {
	a := mustLoad(t).Evaluate(host("windows", "win2022", model.UnknownRole))[model.Anonymous]
	if a.Pipes["samr"] != open || a.Session != open {
		t.Errorf("samr %s, session %s; want unknown", a.Pipes["samr"], a.Session)
	}
	a = mustLoad(t).Evaluate(host("windows", "win2022", model.UnknownRole, "NullSessionPipes",
		[]string{}))[model.Anonymous]
	if a.Session != noO {
		t.Errorf("session %s, want denied: an empty list closes it in every role", a.Session)
	}
	b := mustLoad(t).Evaluate(host("samba", "samba", model.UnknownRole, "restrict anonymous", 1))[model.Anonymous]
	if b.Discloses["accounts"] != open || b.Discloses["shares"] != noO || b.Discloses["services"] != yesO {
		t.Errorf("samba of unknown role: %v", b.Discloses)
	}
}

// measured begins a fact that was measured.
const measured = "measured on Samba 4.17.12: "

// public are a share for guests and one for users.
func public() []model.Share { return []model.Share{{Name: "public", Guest: true}, {Name: "finance"}} }

// smbd is a Samba server with these settings.
func smbd(role model.Role, settings ...any) Config { return host("samba", "samba", role, settings...) }

func withShares(c Config, s []model.Share) Config { c.Shares = s; return c }

func from(c Config, address string) Config { c.Client = netip.MustParseAddr(address); return c }

// What a stranger gets from Samba at each value of restrict anonymous.
var (
	samba0 = want{
		"session": yesO, "tree": yesO, "pipe:lsarpc": yesO, "pipe:netlogon": gone, "pipe:atsvc": gone,
		"pipe:winreg": yesO, "identity": yesO, "accounts": yesO, "groups": yesO, "password-policy": yesO, "sids": yesO,
		"trusts": gone, "shares": yesO, "services": yesO, "registry": yesO, "printers": yesO, "dfs": yesO,
		"endpoints": yesO, "host-info": yesO, "sessions": noO, "jobs": gone, "logs": gone,
	}
	samba1 = want{
		"tree": yesO, "identity": yesO, "accounts": noO, "groups": noO, "password-policy": noO, "shares": noO,
		"sids": yesO, "trusts": gone, "services": yesO, "registry": yesO, "printers": yesO, "dfs": yesO,
		"endpoints": yesO, "host-info": yesO, "sessions": noO,
	}
	samba2 = want{
		"session": yesO, "tree": noO, "pipe:samr": noO, "accounts": noO, "services": noO, "identity": noO,
	}
)

// TestSambaRestrictAnonymous: what restrict anonymous leaves to strangers and to users, and what of [IPC$] is ignored.
func TestSambaRestrictAnonymous(t *testing.T) {
	check(t, []expectation{
		{measured + "defaults", smbd(alone), model.Anonymous, samba0},
		{measured + "member server", smbd(member), model.Anonymous, samba0},
		{measured + "restrict anonymous 1", smbd(alone, "restrict anonymous", 1), model.Anonymous, samba1},
		{measured + "restrict anonymous 2", smbd(alone, "restrict anonymous", "2"), model.Anonymous, samba2},
		{
			measured + "2 keeps users", smbd(alone, "restrict anonymous", 2), model.User,
			want{"tree": yesO, "accounts": yesO, "shares": yesO, "sessions": noO},
		},
		{
			measured + "a guest share beside 2 stays readable, IPC$ closed",
			withShares(smbd(alone, "restrict anonymous", 2, "IPC$:guest ok", true), public()),
			model.Anonymous,
			want{"tree": noO, "files": yesO},
		},
		{
			measured + "no guest share", withShares(smbd(alone), []model.Share{{Name: "finance"}}),
			model.Anonymous,
			want{"files": noO},
		},
		{
			measured + "guest ok = no in [IPC$] is ignored", smbd(alone, "IPC$:guest ok", false),
			model.Anonymous,
			want{"tree": yesO, "accounts": yesO},
		},
		{
			measured + "available = no in [IPC$] is ignored", smbd(alone, "IPC$:available", false),
			model.Anonymous,
			want{"tree": yesO},
		},
		{
			measured + "signing mandatory changes nothing", smbd(alone, "server signing", "mandatory"),
			model.Anonymous, samba0,
		},
	})
}

// TestSambaHosts: the lists of hosts, of [IPC$] and of [global].
func TestSambaHosts(t *testing.T) {
	check(t, []expectation{
		{
			measured + "hosts deny ALL in [IPC$]", withShares(smbd(alone, "IPC$:hosts deny", "ALL"), public()),
			model.Anonymous,
			want{"session": yesO, "tree": noO, "files": yesO},
		},
		{
			measured + "hosts deny ALL in [IPC$], user", smbd(alone, "IPC$:hosts deny", "ALL"), model.User,
			want{"tree": noO},
		},
		{
			measured + "hosts allow elsewhere, from loopback",
			from(smbd(alone, "IPC$:hosts allow", "10.0.0.0/8"), "127.0.0.1"), model.Anonymous,
			want{"tree": yesO},
		},
		{
			measured + "hosts allow elsewhere and deny ALL, from loopback",
			from(smbd(alone, "IPC$:hosts allow", "10.0.0.0/8", "IPC$:hosts deny", "ALL"),
				"127.0.0.1"), model.Anonymous,
			want{"tree": noO},
		},
		{
			"access.c: hosts allow alone, from elsewhere",
			from(smbd(alone, "IPC$:hosts allow", "10.0.0.0/255.0.0.0 192.168."), "172.16.0.1"),
			model.Anonymous,
			want{"tree": noO},
		},
		{
			"access.c: hosts allow, from inside",
			from(smbd(alone, "IPC$:hosts allow", "10.0.0.0/255.0.0.0 192.168."), "192.168.3.4"),
			model.Anonymous,
			want{"tree": yesO},
		},
		{
			"hosts allow with the caller's address not known", smbd(alone, "IPC$:hosts allow", "10."),
			model.Anonymous,
			want{"tree": open, "accounts": open},
		},
		{
			measured + "hosts deny ALL in [global]", smbd(alone, "hosts deny", "ALL"), model.User,
			want{"session": noO},
		},
	})
}

// TestSambaUsers: the lists of users, and the guest account that strangers are.
func TestSambaUsers(t *testing.T) {
	check(t, []expectation{
		{
			measured + "valid users = bob", smbd(alone, "IPC$:valid users", "bob"), model.Anonymous,
			want{"tree": noO},
		},
		{
			measured + "valid users = nobody", smbd(alone, "IPC$:valid users", "nobody"), model.Anonymous,
			want{"tree": yesO},
		},
		{
			measured + "invalid users = nobody", smbd(alone, "IPC$:invalid users", "nobody"),
			model.Anonymous,
			samba2,
		},
		{
			measured + "invalid users = nobody on a domain controller, which knows nobody as a user",
			smbd(dc, "IPC$:invalid users", "nobody"), model.Anonymous,
			want{"tree": yesO},
		},
		{
			measured + "invalid users = alice", smbd(alone, "IPC$:invalid users", "alice"), model.Anonymous,
			want{"tree": yesO},
		},
		{
			measured + "guest account games, invalid users = nobody",
			smbd(alone, "guest account", "games", "IPC$:invalid users", "nobody"), model.Anonymous,
			want{"tree": yesO},
		},
		{
			measured + "guest account bob of the password database: it depends",
			smbd(alone, "guest account", "bob", "IPC$:invalid users", "bob"), model.Anonymous,
			want{"tree": open},
		},
	})
}

// TestSambaEncryption: required encryption, and a server without pipes.
func TestSambaEncryption(t *testing.T) {
	check(t, []expectation{
		{
			measured + "encryption required on [IPC$] alone",
			withShares(smbd(alone, "IPC$:server smb encrypt", "required"), public()), model.Anonymous,
			want{"session": yesO, "tree": noO, "files": yesO},
		},
		{
			measured + "encryption required on [IPC$], user",
			smbd(alone, "IPC$:server smb encrypt", "required"), model.User,
			want{"tree": yesO, "accounts": yesO},
		},
		{
			measured + "encryption required", withShares(smbd(alone, "server smb encrypt", "required"),
				public()),
			model.Anonymous,
			want{"session": noO, "tree": noO, "files": noO},
		},
		{
			measured + "nt pipe support = no", smbd(alone, "nt pipe support", "no"), model.User,
			want{"tree": yesO, "pipe:samr": noO, "pipe:netlogon": noO, "accounts": noO},
		},
		{
			measured + "no helpers", smbd(alone, "rpc start on demand helpers", "no"), model.Anonymous,
			want{"tree": yesO, "pipe:samr": gone, "accounts": gone},
		},
	})
}

// TestSambaGuests: who is made a guest, and what a guest gets.
func TestSambaGuests(t *testing.T) {
	check(t, []expectation{
		{
			measured + "map to guest never", smbd(alone), model.UnknownUser,
			want{"session": noO, "tree": noO, "accounts": noO},
		},
		{
			measured + "map to guest Bad User", smbd(alone, "map to guest", "Bad User"), model.UnknownUser,
			samba0,
		},
		{
			measured + "a domain controller makes nobody a guest", smbd(dc, "map to guest", "Bad User"),
			model.UnknownUser,
			want{"session": noO, "accounts": noO},
		},
		{
			measured + "map to guest Bad Uid", smbd(alone, "map to guest", "bad uid"), model.UnknownUser,
			want{"session": noO},
		},
		{
			measured + "a guest at restrict anonymous 1",
			smbd(alone, "map to guest", "Bad Password", "restrict anonymous", 1), model.Guest, samba1,
		},
		{
			measured + "a guest at restrict anonymous 2",
			smbd(alone, "map to guest", "Bad User", "restrict anonymous", 2), model.Guest, samba2,
		},
	})
}

// TestSambaControllers: domain controllers, and ksmbd.
func TestSambaControllers(t *testing.T) {
	check(t, []expectation{
		{
			measured + "domain controller", smbd(dc), model.Anonymous,
			want{
				"tree": yesO, "pipe:netlogon": yesO, "pipe:protected_storage": yesO, "pipe:dnsserver": yesO,
				"pipe:FssagentRpc": gone, "accounts": yesO, "shares": yesO, "sids": yesO, "identity": yesO,
				"services": yesO, "registry": yesO, "sessions": open,
			},
		},
		{
			measured + "domain controller at 1 still gives accounts", smbd(dc, "restrict anonymous", 1),
			model.Anonymous,
			want{
				"accounts": yesO, "groups": yesO, "password-policy": yesO, "shares": noO,
				"registry": yesO,
			},
		},
		{measured + "domain controller at 2", smbd(dc, "restrict anonymous", 2), model.Anonymous, samba2},
		{"endpoint servers without samr", smbd(dc, "dcerpc endpoint servers",
			"epmapper, wkssvc, netlogon, lsarpc"), model.Anonymous, want{"accounts": open, "shares": yesO}},
		{
			"ksmbd.conf(5): 1 closes IPC$", host("ksmbd", "ksmbd", alone, "ksmbd:restrict anonymous", 1),
			model.Anonymous,
			want{"tree": noO, "accounts": noO},
		},
		{
			"measured: at 0 it depends on the tools' release, and accounts ksmbd has no call for",
			host("ksmbd", "ksmbd", alone), model.Anonymous,
			want{"tree": open, "accounts": gone, "sids": open},
		},
	})
}

// TestResolveHives: the values in three real SYSTEM hives, as reglookup prints them.
func TestResolveHives(t *testing.T) {
	c := mustLoad(t)
	values := set("RestrictAnonymous", 0, "RestrictAnonymousSAM", 1, "EveryoneIncludesAnonymous", 0, "ForceGuest", 0,
		"RestrictNullSessAccess", 1, "NullSessionPipes", []string{""}, "RequireSecuritySignature", 0,
		"PreviousAnonymousRestriction", 0)
	for _, tt := range []struct {
		product string
		build   int
		session model.Outcome
	}{{"win7", 7601, yesO}, {"win10-1709", 16299, noO}} {
		in := Config{Platform: model.Platform{
			System: "windows", Product: tt.product, Build: tt.build,
			Role: model.Workstation,
		}, Settings: values, Complete: true}
		got := map[string]model.Setting{}
		for _, s := range c.Resolve(in) {
			got[s.ID] = s
		}
		for id, want := range map[string]struct {
			effective string
			basis     model.Basis
			state     model.State
		}{
			"RestrictAnonymous":      {"0", model.BasisConfigured, model.StateWeak},
			"RestrictAnonymousSAM":   {"1", model.BasisConfigured, model.StateOK},
			"NullSessionPipes":       {"[]", model.BasisConfigured, model.StateOK},
			"RestrictNullSessAccess": {"1", model.BasisConfigured, model.StateOK},
			"TurnOffAnonymousBlock":  {"0", model.BasisDefault, model.StateOK},
			"AutoShareWks":           {"1", model.BasisDefault, model.StateOK},
			"PreWindows2000Members":  {"<nil>", model.BasisUnknown, model.StateNotApplicable},
			"SrvsvcSessionInfo":      {"<nil>", model.BasisUnknown, model.StateOK},
		} {
			s := got[id]
			if fmt.Sprint(s.Effective) != want.effective || s.Basis != want.basis || s.State != want.state {
				t.Errorf("%s %s: %v %s %s (%s), want %v", tt.product, id, s.Effective, s.Basis, s.State, s.Why, want)
			}
		}
		if a := c.Evaluate(in)[model.Anonymous]; a.Session != tt.session || a.Pipes["samr"] != noO {
			t.Errorf("%s: session %s, samr %s", tt.product, a.Session, a.Pipes["samr"])
		}
	}
}

// TestResolveTraps: what common auditors get wrong. See controls.md and complaints.md.
func TestResolveTraps(t *testing.T) {
	c := mustLoad(t)
	for _, tt := range []struct {
		name, id string
		config   Config
		state    model.State
	}{
		{
			"an extra evil pipe on a domain controller is not passed", "NullSessionPipes",
			host("windows", "win2025", model.DomainController, "NullSessionPipes",
				[]string{"lsarpc", "netlogon", "samr", "evilpipe"}), model.StateWeak,
		},
		{
			"an extra pipe on a member is not passed", "NullSessionPipes",
			host("windows", "win2025", model.Member, "NullSessionPipes",
				[]string{"BROWSER", "evilpipe", "srvsvc", "spoolss"}), model.StateWeak,
		},
		{
			"order and case do not matter", "NullSessionPipes",
			host("windows", "win2025", model.DomainController, "NullSessionPipes",
				[]string{"LSARPC", "NETLOGON", "SAMR"}), model.StateOK,
		},
		{
			"EveryoneIncludesAnonymous 1 is weak whatever a profile says", "EveryoneIncludesAnonymous",
			host("windows", "win2019", model.Member, "EveryoneIncludesAnonymous", 1), model.StateWeak,
		},
		{
			"a descriptor that begins as recommended and goes on is not passed", "RestrictRemoteSAM",
			host("windows", "win2019", model.Member, "RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;BA)(A;;RC;;;WD)"),
			model.StateWeak,
		},
		{
			"the recommended descriptor", "RestrictRemoteSAM",
			host("windows", "win2019", model.Member, "RestrictRemoteSAM", "O:BAG:BAD:(A;;RC;;;BA)"), model.StateOK,
		},
		{
			"the default descriptor differs by owner alone", "RestrictRemoteSAM",
			host("windows", "win2019", model.Member),
			model.StateOK,
		},
		{
			"nobody asks it of a domain controller", "RestrictRemoteSAM",
			host("windows", "win2019", model.DomainController), model.StateOK,
		},
		{"SMB1 absent on Windows 7 means on", "SMB1", host("windows", "win7", model.Workstation), model.StateWeak},
		{
			"SMB1 absent on 1709 is not decided without the driver", "SMB1",
			host("windows", "win10-1709", model.Workstation), model.StateUnknown,
		},
		{"SMB1 absent on 2019 means off", "SMB1", host("windows", "win2019", model.Member), model.StateOK},
		{
			"a turned-off block is weak", "TurnOffAnonymousBlock",
			host("windows", "win2019", model.Member, "TurnOffAnonymousBlock", 1), model.StateWeak,
		},
		{
			"RestrictAnonymous is not asked of a domain controller", "RestrictAnonymous",
			host("windows", "win2019", model.DomainController), model.StateOK,
		},
		{
			"RestrictAnonymous 0 on a member", "RestrictAnonymous", host("windows", "win2019", model.Member),
			model.StateWeak,
		},
		{
			"RestrictAnonymousSAM does not exist on Windows 2000", "RestrictAnonymousSAM",
			host("windows", "win2000", model.Member), model.StateNotApplicable,
		},
		{
			"Samba restrict anonymous 1 is weak", "restrict anonymous",
			host("samba", "samba", model.Standalone, "restrict anonymous", "1"), model.StateWeak,
		},
		{
			"ksmbd restrict anonymous 1 is enough", "ksmbd:restrict anonymous",
			host("ksmbd", "ksmbd", model.Standalone, "ksmbd:restrict anonymous", "1"), model.StateOK,
		},
	} {
		for _, s := range c.Resolve(tt.config) {
			if s.ID == tt.id && s.State != tt.state {
				t.Errorf("%s: %s is %s (%s), want %s", tt.name, tt.id, s.State, s.Why, tt.state)
			}
		}
	}
	// A list written as plain text is neither used nor ignored.
	in := host("windows", "win2019", model.Member)
	in.Settings["NullSessionShares"] = model.Value{Present: true, Type: "REG_SZ", Data: "docs"}
	for _, s := range c.Resolve(in) {
		if s.ID == "NullSessionShares" && (s.State != model.StateUnknown || s.Basis != model.BasisUnknown) {
			t.Errorf("a REG_SZ in place of a REG_MULTI_SZ: %s %s", s.State, s.Basis)
		}
	}
}

func TestSamePipe(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"samr", "SAMR", true},
		{"samr", `\PIPE\samr`, true},
		{`\pipe\sql\query`, `SQL\QUERY`, true},
		{"sql/query", `sql\query`, true},
		{" samr ", "samr", true},
		{"samr", "samrx", false},
		{"samr", "lsarpc", false},
		{"pipe", `\pipe\`, true},
	} {
		if samePipe(tt.a, tt.b) != tt.want || samePipe(tt.b, tt.a) != tt.want ||
			tt.want != (PipeName(tt.a) == PipeName(tt.b)) {
			t.Errorf("samePipe(%q, %q) is not %v", tt.a, tt.b, tt.want)
		}
	}
}

// TestRulesNameSettings: every setting that a rule uses is in the catalog.
func TestRulesNameSettings(t *testing.T) {
	c := mustLoad(t)
	for _, p := range everyPlatform(c) {
		c.Evaluate(Config{Platform: p})
		c.Evaluate(Config{Platform: p, Complete: true})
	}
}

// TestCallApart: a call that Samba answers differently than the rest of its kind of data.
func TestCallApart(t *testing.T) {
	c := mustLoad(t)
	for n, want := range map[int]model.Outcome{0: model.Allowed, 1: model.Denied} {
		v := c.View(host("samba", "samba", model.Standalone, "restrict anonymous", n))
		for _, id := range []model.Identity{model.Anonymous, model.Guest} {
			if got, ok := v.Call(id, "srvsvc", "NetrServerGetInfo"); !ok || got != want {
				t.Errorf("%s at %d: %s, %t", id, n, got, ok)
			}
		}
		if got, ok := v.Call(model.User, "srvsvc", "NetrServerGetInfo"); !ok || got != model.Allowed {
			t.Errorf("a user at %d: %s, %t", n, got, ok)
		}
		if _, ok := v.Call(model.Anonymous, "srvsvc", "NetrRemoteTOD"); ok {
			t.Error("NetrRemoteTOD is told apart")
		}
		if v.Discloses(model.Anonymous, model.DisclosesHostInfo) != model.Allowed {
			t.Errorf("at %d nothing of the host is told at all", n)
		}
	}
	if _, ok := c.View(host("windows", "server-2019", model.Member)).Call(model.Anonymous, "srvsvc",
		"NetrServerGetInfo"); ok {
		t.Error("Samba's answer is Windows'")
	}
}
