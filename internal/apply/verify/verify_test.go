package verify

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smbtest"
)

// practice starts a practice server that behaves like a product.
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
	if p.Result != Unchecked || p.Passed || !p.Proves() {
		t.Errorf("a server that does not say whether ADMIN$ is there: %s, %+v", p.Result, p.Checks)
	}
	shutServer.Plan = closing("anonymous-lists-accounts", "anonymous-pipe:samr", "ipc")
	if p, err = shutServer.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !p.Passed {
		t.Errorf("a closed server does not pass: %+v", p.Checks)
	}
	if len(p.Scans) < 2 {
		t.Errorf("%d scans: one for each family of dialects is wanted", len(p.Scans))
	}
}

// TestVerifySilence: a host that does not answer is never closed.
func TestVerifySilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.53.3.2:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	v := &Verification{
		Target: targets.Target{Name: "gone", Addr: addr},
		Plan:   closing("anonymous-lists-accounts", "ipc"),
	}
	p, err := v.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p.Passed || resultOf(p, "closed:anonymous-lists-accounts") != Inconclusive ||
		resultOf(p, "control:answers") != Inconclusive || p.Result != Inconclusive {
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
	if resultOf(p, "closed:") != Waiting || !p.Proves() {
		t.Errorf("%+v", p.Checks)
	}
}
