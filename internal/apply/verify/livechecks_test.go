package verify

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/engine"
	"ipcguard/internal/apply/target"
	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
	"ipcguard/internal/smbtest"
)

// as logs on with a user's password.
func as(user, password string) func(targets.Target) (smb.Authenticator, error) {
	return func(targets.Target) (smb.Authenticator, error) {
		return ntlm.NewUser(user, "", password, ntlm.Options{}), nil
	}
}

// checks runs must-work checks and compares their results.
func checks(t *testing.T, v *Verification, want map[string]Result) {
	t.Helper()
	for check, r := range want {
		if c := v.check(t.Context(), check, true); c.Result != r {
			t.Errorf("%s: %s %s, want %s", check, c.Result, c.Detail, r)
		}
	}
}

// TestChecks runs every kind of must-work check against a real server with a printer, also as the wrong user and
// without one; a check that fails after the change undoes everything.
func TestChecks(t *testing.T) {
	s := peer.StartSamba(t, peer.Config{
		Address: "127.42.1.1", Global: []string{"restrict anonymous = 2"},
		Shares: []peer.Share{{Name: "labprinter", Lines: []string{"printable = yes", "print command = true"}}},
	})
	v := &Verification{
		Target: targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(s.Addr())}, Dial: s.Dial,
		User:     as("alice", peer.Password),
		Timeouts: unhurried, hostTime: long, checkTime: long,
	}
	_, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	checks(t, v, map[string]Result{
		"logon:": Passed, "logon:user": Passed, "share:finance": Passed, "share:nowhere": Failed, "pipe:srvsvc": Passed,
		"pipe:nowhere":      Failed,
		`pipe:\pipe\srvsvc`: Passed, `pipe:sql\query`: Failed, "tcp::" + port: Passed, "tcp:127.42.1.2:1": Failed,
		"command:exit 0": Passed, "command:exit 3": Failed, "print:labprinter": Passed, "print:nowhere": Failed,
		"nonsense:x": Failed, "tcp:x": Failed,
	})
	v.User = as("alice", "wrong")
	checks(t, v, map[string]Result{
		"logon:": Failed, "share:finance": Failed, "pipe:srvsvc": Failed,
		"print:labprinter": Failed, "tcp::" + port: Passed,
	})
	v.User = nil
	for _, check := range []string{"logon:", "command:exit 0", "print:labprinter"} {
		if c := v.check(t.Context(), check, false); c.Result != Unchecked {
			t.Errorf("a plan's check without credentials or leave: %+v", c)
		}
	}
	v.Checks = []string{"share:nowhere"}
	if err := v.Baseline(t.Context()); err == nil {
		t.Error("a check that never worked is taken for a baseline")
	}

	t.Run("takes back what stops a user", func(t *testing.T) {
		before := applytest.Read(t, s.ConfigFile)
		plan := model.Plan{Changes: []model.Change{
			applytest.Parameter("IPC$", "hosts deny", applytest.Absent, applytest.Value([]string{"ALL"})),
		}}
		v := &Verification{
			Target: v.Target, Dial: s.Dial, User: as("alice", peer.Password), Plan: &plan,
			Checks:   []string{"pipe:srvsvc", "print:labprinter", "share:finance"},
			Timeouts: unhurried, hostTime: long, checkTime: long,
		}
		if err := v.Baseline(t.Context()); err != nil {
			t.Fatal(err)
		}
		host, seen := target.OpenSambaOn(s.ConfigFile, applytest.Machine{Samba: s}), &Proof{}
		_, err := engineFor(t, host).Apply(t.Context(),
			engine.Request{
				Plan: plan, Changes: applytest.Changes("samba", plan.Changes), Bytes: []byte("{}"),
				Target: host, Verify: func(ctx context.Context) (apply.Evidence, error) {
					p, err := v.Run(ctx)
					seen = p
					return p, err
				},
			})
		var back *engine.RolledBackError
		if !errors.As(err, &back) {
			t.Errorf("%v", err)
		}
		for check, want := range map[string]Result{
			"pipe:srvsvc": Failed, "print:labprinter": Failed,
			"share:finance": Passed,
		} {
			if got := resultOf(seen, check); got != want {
				t.Errorf("%s is %s, want %s: %+v", check, got, want, seen.Checks)
			}
		}
		if got := applytest.Read(t, s.ConfigFile); got != before {
			t.Errorf("rolled back to\n%s\nfrom\n%s", got, before)
		}
		checks(t, v, map[string]Result{"pipe:srvsvc": Passed, "print:labprinter": Passed})
	})
}

// TestCheckSQL tests for SQL Server over its pipe as a user: on the practice server over every family of dialects, and
// on impacket's server, which forwards the pipe to a server that speaks TDS or to one that does not.
func TestCheckSQL(t *testing.T) {
	host, err := smbtest.NewHost("win2022", "SQL1")
	if err != nil {
		t.Fatal(err)
	}
	host.Profile.Pipes = append(slices.Clone(host.Profile.Pipes), `sql\query`)
	host.Profile.SMB1, host.Profile.OS, host.Profile.LanMan = true, "Windows Server 2022", "Windows Server 2022"
	s, err := smbtest.Start("127.42.1.3:0", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	target := targets.Target{Name: "sql1", Addr: netip.MustParseAddrPort(s.Address())}
	v := &Verification{Target: target, User: as("anna", "Passw0rd!"), Timeouts: unhurried, checkTime: long}
	checks(t, v, map[string]Result{`pipe:sql\query`: Passed, `pipe:\pipe\SQL\Query`: Passed})
	if c := v.check(t.Context(), `pipe:sql\query`, true); !strings.Contains(c.Detail, "SQL Server 15.0.2000") {
		t.Errorf("%+v", c)
	}
	for _, family := range families() {
		c, err := smb.Dial(t.Context(), s.Address(), smb.Options{Dialects: family})
		if err != nil {
			t.Fatal(err)
		}
		ses, err := c.SessionSetup(t.Context(), ntlm.NewUser("anna", "", "Passw0rd!", ntlm.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		ipc, err := ses.TreeConnect(t.Context(), "IPC$")
		if err != nil {
			t.Fatal(err)
		}
		pipe, err := ipc.OpenPipe(t.Context(), `sql\query`)
		if err != nil {
			t.Fatal(err)
		}
		if version, err := prelogin(t.Context(), pipe); err != nil || version != "15.0.2000" {
			t.Errorf("over %s: %q, %v", c.Negotiated().Dialect, version, err)
		}
		if _, err := pipe.Transact(t.Context(), []byte("GET / HTTP/1.1\r\n\r\n"), tdsMost); err == nil {
			t.Errorf("over %s: nonsense has an answer", c.Negotiated().Dialect)
		}
		c.Close()
	}
	v.User = as("anna", "wrong")
	checks(t, v, map[string]Result{`pipe:sql\query`: Failed})

	for want, serve := range map[Result]func(net.Conn){
		Passed: func(c net.Conn) { _ = smbtest.ServeSQL(c) },
		Failed: func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) },
	} {
		l, err := net.Listen("tcp", "127.42.1.4:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				serve(c)
				c.Close()
			}
		}()
		s := peer.StartImpacketPipe(t, "127.42.1.5", `sql\query`, l.Addr().String(), "alice")
		v := &Verification{
			Target: targets.Target{Name: "impacket", Addr: netip.MustParseAddrPort(s.Addr())}, Dial: s.Dial,
			User: as("alice", peer.Password), Timeouts: unhurried, checkTime: long,
		}
		checks(t, v, map[string]Result{`pipe:sql\query`: want})
	}
}

// TestVerifySMB1: a server that still speaks SMB1 is tested over SMB1, 2 and 3, on separate connections, and is closed
// over all of them after the plan; a configuration that leaves only SMB1 open is detected.
func TestVerifySMB1(t *testing.T) {
	s := peer.StartSamba(t, peer.Config{Address: "127.42.1.6", Global: []string{"server min protocol = NT1"}})
	plan := &model.Plan{
		Strategy: "restrict",
		Changes: []model.Change{applytest.Parameter("global", "restrict anonymous", applytest.Absent,
			applytest.Value(2))},
	}
	plan.Changes[0].When, plan.Changes[0].Closes = "now", []string{"anonymous-lists-accounts", "ipc"}
	v := &Verification{
		Target: targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(s.Addr())}, Dial: s.Dial,
		User: as("alice", peer.Password), Plan: plan,
		Timeouts: unhurried, hostTime: long, checkTime: long,
	}
	if err := v.Baseline(t.Context()); err != nil {
		t.Fatal(err)
	}
	host := target.OpenSambaOn(s.ConfigFile, applytest.Machine{Samba: s})
	e := engineFor(t, host)
	var proof *Proof
	_, err := e.Apply(t.Context(), engine.Request{
		Plan: *plan, Changes: applytest.Changes("samba", plan.Changes),
		Bytes: []byte("{}"), Target: host, Verify: func(ctx context.Context) (_ apply.Evidence, err error) {
			proof, err = v.Run(ctx)
			return proof, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []string{
		"control:answers SMB NT LM 0.12", "control:answers SMB 2.1", "control:answers SMB 3.1.1", "control:seen-before",
		"control:user",
		"closed:anonymous-lists-accounts", "closed:ipc",
	} {
		if resultOf(proof, check) != Passed {
			t.Errorf("%s is %s: %+v", check, resultOf(proof, check), proof.Checks)
		}
	}
	connections := int64(0)
	for _, x := range proof.Scans {
		connections += int64(x.Stats.Connections)
	}
	if len(proof.Scans) != 3 || connections < 3 {
		t.Errorf("%d scans on %d connections", len(proof.Scans), connections)
	}

	// Samba reads a file named by the dialect: %R is NT1 for SMB1.
	include := filepath.Join(filepath.Dir(s.ConfigFile), "only-NT1.conf")
	if err := os.WriteFile(include, []byte("[global]\n\trestrict anonymous = 0\n[IPC$]\n\tguest ok = yes\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	s.Edit(t, func(c *peer.Config) {
		c.Global = append(c.Global, "restrict anonymous = 2", "include = "+strings.Replace(include, "NT1", "%R", 1))
	})
	s.Reload(t)
	p, err := v.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.Passed {
		t.Errorf("SMB1 alone is open, and it passes: %+v", p.Checks)
	}
	for _, c := range p.Checks {
		if c.Check == "closed:ipc" && (c.Result != Failed || !strings.Contains(c.Detail, "NT LM 0.12")) {
			t.Errorf("%+v", c)
		}
	}
	k, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	weakens(t, k, p.Scans, opened{count: 1, names: []string{"public"}}, promises(k), 100, rand.IntN)
	for i, x := range p.Scans {
		if closed := x.Identities[0].Tree.Outcome == model.Denied; closed != (spoke(x) != "SMB NT LM 0.12") {
			t.Errorf("scan %d over %q: %s", i, spoke(x), x.Verdict)
		}
	}
}
