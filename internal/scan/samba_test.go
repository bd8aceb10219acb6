package scan

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

// question is one row of the table "what an anonymous client gets from a real server": a call of the scan, and the
// command of Samba's own client that asks the same.
type question struct {
	pipe, call string
	rpcclient  string
}

// questions are asked of a standalone server. Samba's client cannot ask for services alone, so that row has no command.
var questions = []question{
	{"lsarpc", "LsarGetUserName", "getusername"},
	{"lsarpc", "LsarQueryInformationPolicy", "lsaquery"},
	{"lsarpc", "LsarEnumerateAccounts", "lsaenumsid"},
	{"lsarpc", "LsarLookupSids", "lookupsids S-1-1-0"},
	{"lsarpc", "DsRolerGetPrimaryDomainInformation", "dsroledominfo"},
	{"samr", "SamrEnumerateUsersInDomain", "enumdomusers"},
	{"samr", "SamrQueryDisplayInformation", "querydispinfo"},
	{"samr", "SamrGetDomainPasswordInformation", "getdompwinfo"},
	{"samr", "SamrQueryInformationDomain", "querydominfo 1"},
	{"srvsvc", "NetrShareEnum", "netshareenum"},
	{"srvsvc", "NetrServerGetInfo", "srvinfo"},
	{"srvsvc", "NetrSessionEnum", "netsessenum"},
	{"wkssvc", "NetrWkstaGetInfo", "wkssvc_wkstagetinfo"},
	{"wkssvc", "NetrWkstaUserEnum", "wkssvc_enumerateusers"},
	{"spoolss", "RpcEnumPrinters", "enumprinters"},
	{"winreg", "OpenLocalMachine", `winreg_enumkey HKLM\SOFTWARE`},
	{"netdfs", "NetrDfsManagerGetVersion", "dfsversion"},
	{"ntsvcs", "PNP_GetVersion", "ntsvcs_getversion"},
	{"epmapper", "ept_lookup", "epmlookup"},
	{"netlogon", "DsrGetDcNameEx2", "dsr_getdcname LABHOST"},
	{"svcctl", "REnumServicesStatusW", ""},
}

// reached returns the outcome of a question in a ladder: that of its own layer, or of the layer where the way ended.
func reached(r model.IdentityResult, q question) model.Outcome {
	for _, s := range []model.Step{r.Session, r.Tree} {
		if s.Outcome != model.Allowed {
			return s.Outcome
		}
	}
	for _, p := range r.Pipes {
		if p.Pipe != q.pipe {
			continue
		}
		if p.Open.Outcome != model.Allowed {
			return p.Open.Outcome
		}
		// The last call that was asked for decides: one of these opens the door to the next.
		last := model.NotTested
		for _, i := range p.Interfaces {
			if i.Bind.Outcome != model.Allowed {
				continue
			}
			for _, c := range i.Calls {
				if c.Call == q.call {
					return c.Outcome
				}
				if i.Interface == q.pipe && c.Outcome != model.Allowed && c.Outcome != model.Absent {
					last = c.Outcome
				}
			}
		}
		return last
	}
	return model.NotTested
}

// told returns the outcome that Samba's client met.
func told(a peer.Answer) model.Outcome {
	switch a.Status {
	case "":
		if strings.Contains(a.Text, "DOS code 0x0000002e") { // how rpcclient prints nca_s_op_rng_error
			return model.Absent
		}
		if a.Exit != 0 {
			return model.Inconclusive
		}
		return model.Allowed
	case "STATUS_ACCESS_DENIED", "WERR_ACCESS_DENIED", "STATUS_LOGON_FAILURE":
		return model.Denied
	case "STATUS_OBJECT_NAME_NOT_FOUND", "STATUS_NO_SUCH_FILE":
		return model.Absent
	case "WERR_INVALID_PARAMETER":
		return model.Allowed // winreg_enumkey of 4.17 opens the key and then offers Samba too small a buffer
	}
	return model.Inconclusive
}

var protocols = map[smb.Dialect]string{
	smb.SMB1: "NT1", smb.SMB202: "SMB2_02", smb.SMB210: "SMB2_10", smb.SMB300: "SMB3_00", smb.SMB302: "SMB3_02",
	smb.SMB311: "SMB3_11",
}

// scanServer scans with the credentials of alice beside. A real server may share this machine with much else: waits are
// long, so that what is compared are answers.
func scanServer(t *testing.T, address string, o Options) (*model.Scan, map[model.Identity]model.IdentityResult) {
	t.Helper()
	if o.User == nil {
		o.User = func(targets.Target) (smb.Authenticator, error) {
			return ntlm.NewUser("alice", "", peer.Password, ntlm.Options{}), nil
		}
	}
	o.Host, o.Timeouts = 5*time.Minute, smb.Timeouts{
		Session: time.Minute, Tree: time.Minute, Open: 2 * time.Minute,
		Call: 2 * time.Minute,
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Host(context.Background(), at(t, address))
	byID := map[model.Identity]model.IdentityResult{}
	for _, i := range r.Identities {
		byID[i.Identity] = i
	}
	return r, byID
}

// alice must get in before and after: otherwise what anonymous is refused proves nothing.
func positiveControl(t *testing.T, client peer.Client, address string) {
	t.Helper()
	client.User, client.Password = "alice", peer.Password
	if a := client.RPC(t, address, "getusername"); !a.OK() {
		t.Fatalf("the positive control fails: %v", a)
	}
}

// few is enough where the point is elsewhere.
var few = []string{"LsarGetUserName", "SamrEnumerateUsersInDomain", "NetrShareEnum"}

// compare holds cells against what Samba's own client is told: all of them, or the calls named.
func compare(t *testing.T, address string, client peer.Client, got model.IdentityResult, calls ...string) {
	t.Helper()
	tree := got.Session.Outcome
	if tree == model.Allowed {
		tree = got.Tree.Outcome
	}
	if want := told(client.Share(t, address, "IPC$", "exit")); tree != want {
		t.Errorf("tree connect IPC$: %s, smbclient says %s", tree, want)
	}
	for _, q := range questions {
		if q.rpcclient == "" || len(calls) > 0 && !slices.Contains(calls, q.call) {
			continue
		}
		answer := client.RPC(t, address, q.rpcclient)
		if outcome, want := reached(got, q), told(answer); outcome != want {
			t.Errorf("%s on %s: %s, rpcclient %s says %s (%s)", q.call, q.pipe, outcome, q.rpcclient, want,
				answer.Status)
		}
	}
}

func expect(t *testing.T, got model.IdentityResult, want map[string]model.Outcome) {
	t.Helper()
	for _, q := range questions {
		if w, ok := want[q.call]; ok && reached(got, q) != w {
			t.Errorf("%s on %s: %s, want %s", q.call, q.pipe, reached(got, q), w)
		}
	}
}

func findingIDs(r *model.Scan) []string {
	var ids []string
	for _, f := range r.Findings {
		ids = append(ids, f.ID)
	}
	return ids
}

// The table of what an anonymous client gets from a standalone server, cell by cell, over three dialects.
func TestStandaloneTable(t *testing.T) {
	t.Parallel()
	allowed, denied, absent := model.Allowed, model.Denied, model.Absent
	still := map[string]model.Outcome{ // what restrict anonymous = 1 leaves open
		"LsarGetUserName": allowed, "LsarQueryInformationPolicy": allowed, "LsarEnumerateAccounts": allowed,
		"LsarLookupSids":   allowed,
		"OpenLocalMachine": allowed, "REnumServicesStatusW": allowed, "NetrWkstaGetInfo": allowed,
		"RpcEnumPrinters": allowed,
		"ept_lookup":      allowed, "NetrDfsManagerGetVersion": allowed, "DsRolerGetPrimaryDomainInformation": allowed,
		"PNP_GetVersion":  allowed,
		"NetrSessionEnum": denied, "NetrWkstaUserEnum": denied, "DsrGetDcNameEx2": absent,
	}
	with := func(o model.Outcome) map[string]model.Outcome {
		m := map[string]model.Outcome{}
		for k, v := range still {
			m[k] = v
		}
		for _, call := range []string{
			"NetrShareEnum", "NetrServerGetInfo", "SamrEnumerateUsersInDomain", "SamrQueryDisplayInformation",
			"SamrGetDomainPasswordInformation", "SamrQueryInformationDomain",
		} {
			m[call] = o
		}
		return m
	}
	closed := map[string]model.Outcome{}
	for _, q := range questions {
		closed[q.call] = denied
	}
	for _, c := range []struct {
		level   string
		verdict model.Verdict
		want    map[string]model.Outcome
	}{{"0", model.Exposed, with(allowed)}, {"1", model.Exposed, with(denied)}, {"2", model.Exposed, closed}} {
		t.Run("restrict anonymous "+c.level, func(t *testing.T) {
			server := peer.StartSamba(t, peer.Config{
				Address: "127.47.1.1", Global: []string{"restrict anonymous = " + c.level, "server min protocol = NT1"},
			})
			for _, d := range []smb.Dialect{smb.SMB1, smb.SMB210, smb.SMB311} {
				t.Run(d.String(), func(t *testing.T) {
					client := peer.Client{MaxProtocol: protocols[d]}
					positiveControl(t, client, server.Addr())
					r, by := scanServer(t, server.Addr(), Options{Dialects: []smb.Dialect{d}})
					if r.Verdict != c.verdict {
						t.Errorf("verdict %s (%s), want %s", r.Verdict, r.Reason, c.verdict)
					}
					if ids := findingIDs(r); c.level == "2" && (ids[0] != "anonymous-reads-files" || slices.Contains(ids, "anonymous-lists-accounts")) {
						t.Errorf("the guest share that alice lists is open to anonymous, and nothing else is: %v", ids)
					}
					expect(t, by[model.Anonymous], c.want)
					var cells []string // all
					if c.level == "2" {
						cells = few // refused before any of them
					}
					compare(t, server.Addr(), client, by[model.Anonymous], cells...)
					alice := client
					alice.User, alice.Password = "alice", peer.Password
					if d != smb.SMB311 {
						cells = few
					}
					compare(t, server.Addr(), alice, by[model.User], cells...)
					for _, id := range []model.Identity{model.Guest, model.UnknownUser} {
						if by[id].Session.Outcome != denied {
							t.Errorf("%s: %+v", id, by[id].Session)
						}
					}
					if c.level == "0" && !slices.ContainsFunc(by[model.Anonymous].Shares,
						func(s model.ShareResult) bool { return s.Open.Outcome == allowed }) {
						t.Errorf("the guest share was not found: %+v", by[model.Anonymous].Shares)
					}
					positiveControl(t, client, server.Addr())
				})
			}
		})
	}
}

// Other ways in which a real server opens or closes the door.
func TestStandaloneSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		config      peer.Config
		dialect     smb.Dialect
		verdict     model.Verdict
		check       func(t *testing.T, r *model.Scan, by map[model.Identity]model.IdentityResult)
		noUserCells bool
		options     Options
	}{
		{
			name: "encryption required", config: peer.Config{Global: []string{"server smb encrypt = required"}},
			dialect: smb.SMB311, verdict: model.Closed,
			check: func(t *testing.T, r *model.Scan, by map[model.Identity]model.IdentityResult) {
				if s := by[model.Anonymous].Session; s.Status != "STATUS_ACCESS_DENIED" {
					t.Errorf("session %+v", s)
				}
				if r.Server.EncryptionRequired || !r.MayRequireEncryption() {
					t.Error("a gateway in front of it refuses so, too")
				}
				if !by[model.User].Encrypted {
					t.Error("alice's session is not encrypted")
				}
			},
		},
		{
			name: "hosts deny on IPC$", config: peer.Config{IPC: []string{"hosts deny = ALL"}}, dialect: smb.SMB311,
			verdict: model.Closed, noUserCells: true,
			check: func(t *testing.T, _ *model.Scan, by map[model.Identity]model.IdentityResult) {
				if s := by[model.Anonymous].Tree; s.Status != "STATUS_ACCESS_DENIED" {
					t.Errorf("tree %+v", s)
				}
			},
		},
		{
			name: "no helpers", config: peer.Config{Global: []string{"rpc start on demand helpers = no"}},
			dialect: smb.SMB311, verdict: model.Closed, noUserCells: true,
			options: Options{AllPipes: true},
			check: func(t *testing.T, _ *model.Scan, by map[model.Identity]model.IdentityResult) {
				for _, p := range by[model.Anonymous].Pipes {
					if p.Open.Outcome != model.Absent {
						t.Errorf("pipe %s: %+v", p.Pipe, p.Open)
					}
				}
			},
		},
		{
			name: "signing mandatory", config: peer.Config{Global: []string{"server signing = mandatory"}},
			dialect: smb.SMB311, verdict: model.Exposed,
			check: func(t *testing.T, r *model.Scan, by map[model.Identity]model.IdentityResult) {
				if r.Server.Signing != "required" || slices.Contains(findingIDs(r), "signing-not-required") {
					t.Errorf("signing %q, findings %v", r.Server.Signing, findingIDs(r))
				}
			},
		},
		{
			name: "map to guest", config: peer.Config{Global: []string{"map to guest = Bad User"}}, dialect: smb.SMB311,
			verdict: model.Exposed,
			check: func(t *testing.T, _ *model.Scan, by map[model.Identity]model.IdentityResult) {
				for _, id := range []model.Identity{model.Guest, model.UnknownUser} {
					if !by[id].GuestFlag {
						t.Errorf("%s: no guest flag", id)
					}
					for _, q := range questions {
						if a, b := reached(by[model.Anonymous], q), reached(by[id], q); a != b {
							t.Errorf("%s on %s: anonymous %s, %s %s", q.call, q.pipe, a, id, b)
						}
					}
				}
			},
		},
		{
			name: "2.0.2 alone", config: peer.Config{Global: []string{"server max protocol = SMB2_02"}},
			dialect: smb.SMB202, verdict: model.Exposed,
			check: func(t *testing.T, r *model.Scan, _ map[model.Identity]model.IdentityResult) {
				if !slices.Equal(r.Server.Dialects, []string{"2.0.2"}) || len(r.Server.Undecided) > 0 {
					t.Errorf("dialects %v, undecided %v", r.Server.Dialects, r.Server.Undecided)
				}
			},
		},
		{
			name: "3.1.1 alone", config: peer.Config{Global: []string{"server min protocol = SMB3_11"}},
			dialect: smb.SMB311, verdict: model.Exposed,
			check: func(t *testing.T, r *model.Scan, _ map[model.Identity]model.IdentityResult) {
				if !slices.Equal(r.Server.Dialects, []string{"3.1.1"}) || len(r.Server.Undecided) > 0 {
					t.Errorf("dialects %v, undecided %v", r.Server.Dialects, r.Server.Undecided)
				}
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.Address = "127.47.1.2"
			server := peer.StartSamba(t, c.config)
			client := peer.Client{MaxProtocol: protocols[c.dialect]}
			if !c.noUserCells {
				positiveControl(t, client, server.Addr())
			}
			r, by := scanServer(t, server.Addr(), c.options)
			if r.Verdict != c.verdict {
				t.Errorf("verdict %s (%s), want %s", r.Verdict, r.Reason, c.verdict)
			}
			c.check(t, r, by)
			compare(t, server.Addr(), client, by[model.Anonymous], few...)
			if c.noUserCells { // the control is another share: IPC$ is closed for everybody here
				alice := client
				alice.User, alice.Password = "alice", peer.Password
				if a := alice.Share(t, server.Addr(), "finance", "ls"); !a.OK() {
					t.Errorf("the positive control fails: %v", a)
				}
			} else {
				positiveControl(t, client, server.Addr())
			}
		})
	}
}

// A second server, which knows little of the protocol, and closes the door at logon once it has users.
func TestImpacket(t *testing.T) {
	t.Parallel()
	open := peer.StartImpacket(t, "127.47.1.3")
	r, by := scanServer(t, open.Addr(), Options{})
	anonymous := by[model.Anonymous]
	if r.Verdict != model.Exposed || reached(anonymous, question{"srvsvc", "NetrShareEnum", ""}) != model.Allowed {
		t.Errorf("open: %s (%s): %+v", r.Verdict, r.Reason, anonymous)
	}
	if a := (peer.Client{}).List(t, open.Addr()); !a.OK() {
		t.Errorf("smbclient does not get the list: %v", a)
	}
	// Over SMB1 it answers a bind of several interfaces with nothing, and each of them alone.
	r, by = scanServer(t, open.Addr(), Options{Dialects: []smb.Dialect{smb.SMB1}})
	anonymous = by[model.Anonymous]
	if r.Verdict != model.Exposed || reached(anonymous, question{"srvsvc", "NetrShareEnum", ""}) != model.Allowed {
		t.Errorf("open, SMB1: %s (%s): %+v", r.Verdict, r.Reason, anonymous)
	}
	users := peer.StartImpacket(t, "127.47.1.3", "alice")
	alice := peer.Client{User: "alice", Password: peer.Password}
	if a := alice.List(t, users.Addr()); !a.OK() {
		t.Fatalf("the positive control fails: %v", a)
	}
	r, by = scanServer(t, users.Addr(), Options{})
	if r.Verdict != model.Closed || by[model.Anonymous].Session.Outcome != model.Denied {
		t.Errorf("with users: %s (%s): %+v", r.Verdict, r.Reason, by[model.Anonymous].Session)
	}
	if by[model.User].Session.Outcome != model.Allowed {
		t.Errorf("alice: %+v", by[model.User].Session)
	}
	if a := alice.List(t, users.Addr()); !a.OK() {
		t.Fatalf("the positive control fails: %v", a)
	}
}
