package apply

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
	"ipcguard/internal/smbtest"
)

// practice starts a server of the project's own that behaves as a product does.
func practice(t *testing.T, profile string) targets.Target {
	t.Helper()
	host, err := smbtest.NewHost(profile, "PRACTICE1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := smbtest.Start("127.53.3.1:0", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return targets.Target{Name: "practice", Addr: netip.MustParseAddrPort(s.Address())}
}

func closing(names ...string) *model.Plan {
	return &model.Plan{Strategy: "restrict", Changes: []model.Change{{ID: "1", When: "now", Closes: names}}}
}

func resultOf(p *Proof, check string) Result {
	for _, c := range p.Checks {
		if strings.HasPrefix(c.Check, check) {
			return c.Result
		}
	}
	return "none"
}

func TestVerifyPractice(t *testing.T) {
	plan := closing("anonymous-lists-accounts", "anonymous-pipe:samr", "ipc", "default-shares")
	open := &Verification{Target: practice(t, "samba"), Plan: plan}
	p, err := open.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for check, want := range map[string]Result{
		"closed:anonymous-lists-accounts": Failed, "closed:anonymous-pipe:samr": Failed, "closed:ipc": Failed,
		"closed:default-shares": Unchecked, "control:answers SMB 3": Passed,
	} {
		if got := resultOf(p, check); got != want {
			t.Errorf("open server: %s is %s, want %s", check, got, want)
		}
	}
	if p.Passed {
		t.Error("an open server passes")
	}
	shutServer := &Verification{Target: practice(t, "samba-2"), Plan: plan}
	if p, err = shutServer.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !p.Passed {
		t.Errorf("a closed server does not pass: %s", p.Failures())
	}
	if len(p.Scans) < 2 {
		t.Errorf("%d scans: one for each family of dialects is wanted", len(p.Scans))
	}
}

// TestVerifySilence: what does not answer is never closed.
func TestVerifySilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.53.3.2:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	v := &Verification{Target: targets.Target{Name: "gone", Addr: addr}, Plan: closing("anonymous-lists-accounts", "ipc")}
	p, err := v.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.Passed || resultOf(p, "closed:anonymous-lists-accounts") != Inconclusive || resultOf(p, "control:answers") != Failed {
		t.Errorf("a server that is gone: %+v", p.Checks)
	}
	if err := v.Baseline(t.Context()); err == nil {
		t.Error("a server that is gone has a baseline")
	}
}

func TestVerifyRestartIsSaid(t *testing.T) {
	plan := closing("anonymous-lists-accounts")
	plan.Changes[0].When, plan.Changes[0].TakesEffect = "service-restart", "restart the Server service"
	p, err := (&Verification{Target: practice(t, "samba"), Plan: plan}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if resultOf(p, "closed:") != Unchecked {
		t.Errorf("%+v", p.Checks)
	}
}

// TestChecks makes every kind of must-work check against a real server.
func TestChecks(t *testing.T) {
	s := peer.StartSamba(t, peer.Config{Address: "127.53.3.3", Global: []string{"restrict anonymous = 2"}})
	as := func(user, password string) func(targets.Target) (smb.Authenticator, error) {
		return func(targets.Target) (smb.Authenticator, error) {
			return ntlm.NewUser(user, "", password, ntlm.Options{}), nil
		}
	}
	v := &Verification{
		Target: targets.Target{Name: "srv", Addr: netip.MustParseAddrPort(s.Addr())}, Dial: s.Dial, User: as("alice", peer.Password),
	}
	_, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for check, want := range map[string]Result{
		"logon:": Passed, "logon:user": Passed, "share:finance": Passed, "share:nowhere": Failed, "pipe:srvsvc": Passed, "pipe:nowhere": Failed,
		`pipe:sql\query`: Failed, "tcp::" + port: Passed, "tcp:127.53.3.4:1": Failed, "command:exit 0": Passed, "command:exit 3": Failed,
		"print:nowhere": Failed, "nonsense:x": Failed, "tcp:x": Failed,
	} {
		if c := v.check(t.Context(), check, true); c.Result != want {
			t.Errorf("%s: %s %s, want %s", check, c.Result, c.Detail, want)
		}
	}
	v.User = as("alice", "wrong")
	if c := v.check(t.Context(), "logon:", true); c.Result != Failed {
		t.Errorf("a wrong password: %+v", c)
	}
	v.User = nil
	if c := v.check(t.Context(), "logon:", false); c.Result != Unchecked {
		t.Errorf("a plan's check without credentials: %+v", c)
	}
	if c := v.check(t.Context(), "command:exit 0", false); c.Result != Unchecked {
		t.Errorf("a plan's command: %+v", c)
	}
	v.Checks = []string{"share:nowhere"}
	if err := v.Baseline(t.Context()); err == nil {
		t.Error("a check that never worked is taken for a baseline")
	}
}

// answering is a pipe behind which one answer waits.
type answering struct {
	asked  []byte
	answer []byte
}

func (a *answering) Transact(_ context.Context, in []byte, _ int) ([]byte, error) {
	a.asked = in
	return a.answer, nil
}
func (a *answering) Write(context.Context, []byte) (int, error)      { return 0, nil }
func (a *answering) Read(context.Context, int) ([]byte, bool, error) { return nil, false, nil }

// TestPrelogin holds the question to [MS-TDS] 2.2.6.5 and takes its example's kind of answer.
func TestPrelogin(t *testing.T) {
	answer := []byte{0x04, 0x01, 0, 20, 0, 0, 1, 0, 0x00, 0, 6, 0, 6, 0xFF, 9, 0, 0, 0, 0, 0}
	pipe := &answering{answer: answer}
	if err := prelogin(t.Context(), pipe); err != nil {
		t.Error(err)
	}
	q := pipe.asked
	if len(q) < 8 || q[0] != 0x12 || int(binary.BigEndian.Uint16(q[2:])) != len(q) {
		t.Fatalf("question % X", q)
	}
	body := q[8:]
	for i := 0; body[i] != 0xFF; i += 5 {
		offset, length := binary.BigEndian.Uint16(body[i+1:]), binary.BigEndian.Uint16(body[i+3:])
		if int(offset+length) > len(body) {
			t.Errorf("option %d lies outside: % X", body[i], body)
		}
	}
	for _, b := range [][]byte{nil, {0x04}, []byte("HTTP/1.1 400"), {0x12, 1, 0, 9, 0, 0, 0, 0, 0}, {0x04, 1, 0xFF, 0xFF, 0, 0, 0, 0, 0}} {
		if err := prelogin(t.Context(), &answering{answer: b}); err == nil {
			t.Errorf("% X is taken for SQL Server", b)
		}
	}
}
