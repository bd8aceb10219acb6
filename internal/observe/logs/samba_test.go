package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/observe"
	"ipcguard/internal/peer"
)

// A real server's own log tells who connected, as often as they did.
func TestRealSambaAudit(t *testing.T) {
	for _, tt := range []struct {
		level string
		rows  []string
		note  string
	}{
		{"1 auth_json_audit:5", []string{
			`127.0.0.1 > 127.48.0.2 anonymous [] session allowed STATUS_SUCCESS x3`,
			`127.0.0.1 > 127.48.0.2 guest [LABHOST\nobody] session allowed STATUS_SUCCESS x1`,
			`127.0.0.1 > 127.48.0.2 unknown-user [WORKGROUP\ghost] session denied STATUS_NO_SUCH_USER x1`,
			`127.0.0.1 > 127.48.0.2 user [LABHOST\alice] session allowed STATUS_SUCCESS x2`,
			`127.0.0.1 > 127.48.0.2 user [WORKGROUP\alice] session denied STATUS_WRONG_PASSWORD x1`,
		}, "no log names pipes or calls"},
		// At 4 null sessions have no Authorization; their Authentication is there.
		{"1 auth_json_audit:4", []string{
			`127.0.0.1 > 127.48.0.2 anonymous [] session allowed STATUS_SUCCESS x3`,
			`127.0.0.1 > 127.48.0.2 guest [LABHOST\nobody] session allowed STATUS_SUCCESS x1`,
			`127.0.0.1 > 127.48.0.2 unknown-user [WORKGROUP\ghost] session denied STATUS_NO_SUCH_USER x1`,
			`127.0.0.1 > 127.48.0.2 user [LABHOST\alice] session allowed STATUS_SUCCESS x2`,
			`127.0.0.1 > 127.48.0.2 user [WORKGROUP\alice] session denied STATUS_WRONG_PASSWORD x1`,
		}, "no log names pipes or calls"},
		// At 3 a success is told once, as Authentication.
		{"1 auth_json_audit:3", []string{
			`127.0.0.1 > 127.48.0.2 anonymous [] session allowed STATUS_SUCCESS x3`,
			`127.0.0.1 > 127.48.0.2 unknown-user [WORKGROUP\ghost] session denied STATUS_NO_SUCH_USER x1`,
			`127.0.0.1 > 127.48.0.2 user [WORKGROUP\alice] session allowed STATUS_SUCCESS x2`,
			`127.0.0.1 > 127.48.0.2 user [WORKGROUP\alice] session denied STATUS_WRONG_PASSWORD x1`,
		}, "level 4 of auth_json_audit adds them"},
		// At 2 there are failures alone, and what that hides is said.
		{"1 auth_json_audit:2", []string{
			`127.0.0.1 > 127.48.0.2 unknown-user [WORKGROUP\ghost] session denied STATUS_NO_SUCH_USER x1`,
			`127.0.0.1 > 127.48.0.2 user [WORKGROUP\alice] session denied STATUS_WRONG_PASSWORD x1`,
		}, "only if auth_json_audit was at 5"},
	} {
		t.Run(tt.level, func(t *testing.T) {
			s := peer.StartSamba(t, peer.Config{Address: "127.48.0.2", Global: []string{"log level = " + tt.level, "map to guest = bad user"}})
			begin := time.Now()
			peer.Client{}.Share(t, s.Addr(), "IPC$", "exit")
			peer.Client{}.RPC(t, s.Addr(), "enumdomusers")
			peer.Client{}.RPC(t, s.Addr(), "lsaquery")
			alice := peer.Client{User: "alice", Password: peer.Password, Domain: "WORKGROUP"}
			alice.Share(t, s.Addr(), "finance", "ls")
			alice.Share(t, s.Addr(), "finance", "ls")
			alice.Password = "wrong"
			alice.Share(t, s.Addr(), "finance", "ls")
			peer.Client{User: "ghost", Password: "x", Domain: "WORKGROUP"}.Share(t, s.Addr(), "public", "ls")

			rows, cov := readLogs(t, Options{}, "@"+filepath.Join(s.Dir, "log"))
			wantRows(t, rows, tt.rows...)
			if !strings.Contains(strings.Join(cov.Notes, "\n"), tt.note) {
				t.Errorf("notes %q", cov.Notes)
			}
			for _, u := range rows {
				if u.First.Before(begin.Add(-time.Minute)) || u.Last.After(time.Now().Add(time.Minute)) {
					t.Errorf("times %v to %v, now %v", u.First, u.Last, begin)
				}
			}
		})
	}
}

// full_audit and smbstatus see connections to IPC$ and cannot tell a null session from a guest.
func TestRealSambaConnections(t *testing.T) {
	s := peer.StartSamba(t, peer.Config{Address: "127.48.0.3", Global: []string{
		"log level = 1", "vfs objects = full_audit", "full_audit:success = connect", "full_audit:failure = connect", "full_audit:syslog = no",
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// Two clients stay connected while smbstatus looks.
	for _, who := range []string{"%", "alice%" + peer.Password} {
		cmd := s.Command(ctx, "smbclient", "-s", s.ConfigFile, "-p", strconv.Itoa(s.Port), "//"+s.Address+"/IPC$")
		cmd.Args = append(cmd.Args, "-U", who)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			in.Close()
			_ = cmd.Wait()
		}()
	}
	var status []byte
	for {
		out, err := s.Command(ctx, "smbstatus", "-s", s.ConfigFile, "--json").Output()
		var m map[string]any
		if err == nil && json.Unmarshal(out, &m) == nil && len(object(m, "tcons")) == 2 {
			status = out
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("two clients did not connect: %v\n%s", err, out)
		}
		time.Sleep(100 * time.Millisecond)
	}
	want := []string{
		`127.0.0.1 > labhost unknown [nobody] tree IPC$ allowed x1`,
		`127.0.0.1 > labhost user [alice] tree IPC$ allowed x1`,
	}
	rows, cov := readLogs(t, Options{Server: "labhost"}, string(status))
	wantRows(t, rows, want...)
	if !strings.Contains(strings.Join(cov.Notes, "\n"), "auth_json_audit:5") {
		t.Errorf("notes %q", cov.Notes)
	}
	for { // smbd lists a connection before it writes the line
		rows, cov = readLogs(t, Options{Server: "labhost"}, "@"+filepath.Join(s.Dir, "log"))
		if cov.Read["full_audit lines"] >= 2 || ctx.Err() != nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	wantRows(t, rows, want...)
	if cov.Read["full_audit lines"] != 2 {
		t.Errorf("coverage %+v", cov)
	}
}

// TestSambaWeakNetlogon reads what Samba's controllers say of accounts whose Netlogon is too weak. The lines are made
// of the formats in Samba's own program.
func TestSambaWeakNetlogon(t *testing.T) {
	const head = "[2026/11/22 10:59:49.558591,  0] ../../librpc/rpc/server/netlogon/schannel_util.c:302(dcesrv_netr_check_schannel_get_state)\n  "
	const cipher = "[2026/11/22 10:59:50.558591,  0] ../../source4/rpc_server/netlogon/dcerpc_netlogon.c:279(dcesrv_netr_ServerAuthenticate3_check_downgrade)\n  "
	_, cov := readLogs(t, Options{Server: "dc"}, strings.Join([]string{
		head + "CVE-2022-38023: netr_LogonGetDomainInfo request (opnum[21]) WITH schannel from client_account[NAS1$] client_computer_name[NAS1] NT_STATUS_ACCESS_DENIED",
		head + "CVE-2022-38023: Check if option 'server schannel require seal:NAS1$ = no' might be needed for a legacy client.",
		head + "CVE-2022-38023: Please use 'server schannel require seal:NAS2$ = no' for 'NAS2$' to avoid this warning!",
		head + "CVE-2022-38023: Option 'server schannel require seal:NAS3$ = no' still needed for 'NAS3$'!",
		head + "CVE-2020-1472(ZeroLogon): Check if option 'server require schannel:NAS4$ = no' might be needed for a legacy client.",
		head + "CVE-2022-38023: Option 'server schannel require seal:NAS5$ = no' not needed for 'NAS5$'!",
		cipher + "CVE-2022-38023: Check if option 'server reject md5 schannel:NAS6$ = no' might be needed for a legacy client.",
		cipher + "CVE-2022-38023: Check if option 'allow nt4 crypto:NAS6$ = yes' might be needed for a legacy client.",
		cipher + "CVE-2022-38023: Check if option 'allow nt4 crypto:NAS7$ = yes' still needed for a legacy client.",
		cipher + "CVE-2022-38023: Check if option 'server reject md5 schannel:NAS8$ = no' still needed for a legacy client.",
		cipher + "CVE-2022-38023: Check if option 'server reject md5 schannel:NAS9$ = no' not needed!?",
		cipher + "CVE-2022-38023: Check if option 'allow nt4 crypto:NAS9$ = yes' not needed!?",
		head + "CVE-2022-38023: Check if option 'server schannel require seal:" + strings.Repeat("A", 4096) + "$ = no' might be needed for a legacy client.",
	}, "\n"))
	var got []string
	for _, n := range cov.Notices {
		got = append(got, n.ID+" "+n.Client+": "+n.What)
		if setting, _, _ := strings.Cut(n.What[strings.Index(n.What, "'")+1:], ":"); n.Setting != setting {
			t.Errorf("the setting of %s is %q, want %q", n.Client, n.Setting, setting)
		}
	}
	want := []string{
		"samba-weak-netlogon NAS1$: its Netlogon is refused; 'server schannel require seal:NAS1$ = no' would let it go on",
		"samba-weak-netlogon NAS2$: its Netlogon would be refused without 'server schannel require seal:NAS2$ = no'",
		"samba-weak-netlogon NAS3$: its Netlogon goes on by the exception 'server schannel require seal:NAS3$ = no' alone",
		"samba-weak-netlogon NAS4$: its Netlogon is refused; 'server require schannel:NAS4$ = no' would let it go on",
		"samba-weak-netlogon NAS6$: its Netlogon has an old cipher; where that is refused, 'server reject md5 schannel:NAS6$ = no' lets it go on",
		"samba-weak-netlogon NAS6$: its Netlogon has an old cipher; where that is refused, 'allow nt4 crypto:NAS6$ = yes' lets it go on",
		"samba-weak-netlogon NAS7$: its Netlogon goes on by the exception 'allow nt4 crypto:NAS7$ = yes' alone",
		"samba-weak-netlogon NAS8$: its Netlogon goes on by the exception 'server reject md5 schannel:NAS8$ = no' alone",
	}
	if !slices.Equal(got, want) {
		t.Errorf("notices %q, want %q", got, want)
	}
}

func TestSambaLines(t *testing.T) {
	const anonymous = `{"timestamp": "2026-11-22T10:59:49.799077+0000", "type": "Authorization", "Authorization": {"localAddress": "ipv6:fd00::1:445", "remoteAddress": "ipv6:fd00::9:33156", "serviceDescription": "SMB2", "authType": "NTLMSSP", "domain": "NT AUTHORITY", "account": "ANONYMOUS LOGON", "sid": "S-1-5-7"}}`
	rows, cov := readLogs(t, Options{Server: "fs"}, strings.Join([]string{
		"[2026/11/22 10:59:49.558591,  0] ../../source3/smbd/server.c:1741(main)",
		"  smbd version 4.17.12-Debian started.",
		"2026-11-22T10:59:49.799077+00:00 fs smbd[1]: " + anonymous,
		"  " + anonymous,
		"  " + strings.ReplaceAll(anonymous, `"SMB2"`, `"LDAP"`),
		"  " + anonymous[:100],
		"2026-11-22T11:00:00+00:00 fs smbd_audit: bob|10.0.0.1|pc1|connect|ok|IPC$",
		"2026-11-22T11:00:00+00:00 fs smbd_audit: eve|10.0.0.2|pc2|connect|fail (Permission denied)|IPC$",
		"2026-11-22T11:00:00+00:00 fs smbd_audit: bob|10.0.0.1|pc1|openat|ok|r|connect",
		"2026-11-22T11:00:00+00:00 fs smbd_audit: bob|10.0.0.1|pc1|connect|ok|data",
	}, "\n"))
	wantRows(
		t, rows,
		`10.0.0.1 > fs user [bob] tree IPC$ allowed x1`,
		`10.0.0.2 > fs user [eve] tree IPC$ denied x1`,
		`fd00::9 > fd00::1 anonymous [] session allowed STATUS_SUCCESS x2`,
	)
	if cov.Unreadable["damaged JSON records in a text log"] != 1 || cov.Read["full_audit lines"] != 4 {
		t.Errorf("coverage %+v", cov)
	}
}

// TestSambaBothForms: a server that writes its audit in words and as JSON logs each logon twice. It is one logon, in
// one file or in two; logons that are alike and come in one form are as many as there are records.
func TestSambaBothForms(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 21, 42, 10, 543_000_000, time.UTC)
	words := func(at time.Time, port int) string {
		return fmt.Sprintf("  Auth: [SMB2,(null)] user [W]\\[ann] at [%s] with [NTLMv2] status [NT_STATUS_OK] workstation [VM] remote host [ipv4:192.0.2.9:%d] became [VM]\\[ann] [S-1-5-21-1-2-3-1000]. local host [ipv4:192.0.2.1:445] \n",
			at.Format("Mon, 02 Jan 2006 15:04:05.000000 MST"), port)
	}
	asJSON := func(at time.Time, port int) string {
		return fmt.Sprintf(`{"timestamp": %q, "type": "Authentication", "Authentication": {"version": {"major": 1, "minor": 2}, "status": "NT_STATUS_OK", "localAddress": "ipv4:192.0.2.1:445", "remoteAddress": "ipv4:192.0.2.9:%d", "serviceDescription": "SMB2", "clientDomain": "W", "clientAccount": "ann", "becameSid": "S-1-5-21-1-2-3-1000", "passwordType": "NTLMv2"}}`+"\n",
			at.Format("2006-01-02T15:04:05.000000-0700"), port)
	}
	soon, later, last := at.Add(300*time.Microsecond), at.Add(time.Minute), at.Add(time.Hour)
	far := time.FixedZone("AAT", 4*60*60+45*60)
	many := func(form func(time.Time, int) string) string {
		var b strings.Builder
		for i := range 40_000 {
			b.WriteString(form(at, i))
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		files []string
		want  int64
	}{
		"one after the other": {[]string{words(at, 1) + asJSON(soon, 1) + words(later, 2) + asJSON(later, 2)}, 2},
		"in two files":        {[]string{words(at, 1) + words(later, 2), asJSON(soon, 1) + asJSON(later, 2)}, 2},
		"again from a port":   {[]string{words(at, 1) + asJSON(soon, 1) + words(later, 1) + asJSON(later, 1)}, 2},
		"words alone":         {[]string{words(at, 1) + words(at, 1)}, 2},
		"JSON alone":          {[]string{asJSON(at, 1) + asJSON(at, 1)}, 2},
		"other logons":        {[]string{words(at, 1) + asJSON(later, 1)}, 2},
		"alike, in two files": {[]string{words(at, 1) + words(later, 1), asJSON(soon, 1) + asJSON(later, 1)}, 2},
		"alike, in a second":  {[]string{words(at, 1) + words(soon, 1), asJSON(at, 1) + asJSON(soon, 1)}, 2},
		"JSON before words":   {[]string{asJSON(at, 1) + asJSON(later, 1) + asJSON(last, 1), words(at, 1) + words(later, 1) + words(last, 1)}, 3},
		"a zone by letters":   {[]string{words(at.In(far), 1) + words(later.In(far), 1), asJSON(at, 1) + asJSON(later, 1)}, 2},
		"many, in two files":  {[]string{many(words), many(asJSON)}, 40_000},
		"after many as JSON":  {[]string{many(asJSON) + many(asJSON) + many(asJSON) + many(asJSON) + words(last, 1) + asJSON(last, 1)}, 160_001},
	} {
		agg, cov := observe.NewAggregator(0), new(observe.Coverage)
		l := New(agg, cov, Options{})
		for i, f := range c.files {
			if err := l.Read(t.Context(), fmt.Sprint(i), strings.NewReader(f)); err != nil {
				t.Fatal(err)
			}
		}
		l.Close()
		var got int64
		for _, u := range agg.Rows() {
			got += u.Count
		}
		if got != c.want {
			t.Errorf("%s: %d logons, want %d: %v", name, got, c.want, agg.Rows())
		}
	}
}
