package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestApplyOnDomainController goes the whole way on a real domain controller, with the program itself: what closes it,
// and what a plan that must keep NT 4.0 trusts leaves open. Members joined before and joining afterwards are the proof
// that the domain goes on.
func TestApplyOnDomainController(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: a domain controller takes half a minute")
	}
	peer.Need(t, "samba-dc", "net")
	dc := peer.StartDC(t)
	program := buildProgram(t, dc.Dir)
	dir := filepath.Join(dc.Dir, "work")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	on := func(m *peer.Machine, want int, args ...string) string {
		t.Helper()
		cmd := m.Command(t.Context(), program, args...)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
			t.Fatalf("ipcguard %s: %v, want %d\n%s", strings.Join(args, " "), err, want, out)
		}
		return string(out)
	}
	outside, here := dc.Client, dc.Machine
	before, err := os.ReadFile(dc.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	same := func(when string) {
		t.Helper()
		if now, err := os.ReadFile(dc.ConfigFile); err != nil || string(now) != string(before) {
			t.Errorf("%s: %v\n%s\nwant\n%s", when, err, now, before)
		}
	}
	member := newMember(t, dc, "MEMBER1")
	member.join(t)

	on(outside, exitExposed, "scan", dc.Addr(), "--format", "json", "-o", at("scan.json"))
	on(here, exitExposed, "audit", "local", "--format", "json", "-o", at("audit.json"))
	evidence := []string{"plan", "--audit", at("audit.json"), "--scan", at("scan.json"), "--format", "json", "-o"}
	state := []string{"--state", at("state")}

	t.Run("what trusts with NT 4.0 need stays open, and is told", func(t *testing.T) {
		on(here, exitOK, append(evidence, at("trust.json"), "--needs", "nt4-trust")...)
		var p model.Plan
		b, err := os.ReadFile(at("trust.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Changes) != 1 || fmt.Sprint(p.Changes[0].To.Data) != "1" {
			t.Fatalf("changes %+v", p.Changes)
		}
		told := fmt.Sprint(p.Residual)
		for _, want := range []string{"accounts", "domain controller", "registry", "security identifiers"} {
			if !strings.Contains(told, want) {
				t.Errorf("what stays open does not tell of %q: %s", want, told)
			}
		}
		id := applied(t, on(here, exitOK, append([]string{"apply", at("trust.json"), "--yes"}, state...)...))
		out := on(outside, exitExposed, "scan", dc.Addr())
		if !strings.Contains(out, "accounts through samr") || strings.Contains(out, "srvsvc") {
			t.Errorf("after restrict anonymous = 1, samr stays open and srvsvc is shut:\n%s", out)
		}
		on(here, exitOK, append([]string{"rollback", id}, state...)...)
		same("rolled back")
	})

	t.Run("closed", func(t *testing.T) {
		secret := at("alice")
		if err := os.WriteFile(secret,
			[]byte("username = alice\npassword = "+peer.Password+"\ndomain = "+peer.Domain+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		on(here, exitOK, append(evidence, at("plan.json"))...)
		out := on(here, exitOK, append([]string{
			"apply", at("plan.json"), "--yes", "--confirm-within", "10m", "--credentials-file", secret,
			"--check", "pipe:samr", "--check", "pipe:lsarpc", "--check", "pipe:netlogon",
		}, state...)...)
		for _, want := range []string{
			"passed       closed:anonymous-lists-accounts", "passed       closed:anonymous-reads-registry",
			"passed       control:user",
			"passed       pipe:samr", "passed       pipe:lsarpc", "passed       pipe:netlogon",
			"passed       share:sysvol",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
		if strings.Contains(out, "restart") {
			t.Errorf("a restart is asked for, and strangers are refused without one:\n%s", out)
		}
		id := applied(t, out)
		on(outside, exitOK, "scan", dc.Addr())
		on(outside, exitOK, "verify", dc.Addr(), "--plan", at("plan.json"), "--credentials-file", secret)
		member.works(t)
		late := newMember(t, dc, "MEMBER2")
		late.join(t)
		late.works(t)
		alice := peer.Client{From: outside, User: "alice", Password: peer.Password, Domain: peer.Domain}
		if a := alice.RPC(t, dc.Addr(), "enumdomusers", "lookupnames alice", "dsr_getdcname lab.example"); !a.OK() {
			t.Errorf("alice no longer works: %v", a)
		}
		on(here, exitOK, append([]string{"confirm", id}, state...)...)
		on(here, exitOK, append([]string{"rollback", id}, state...)...)
		same("rolled back")
		on(outside, exitExposed, "scan", dc.Addr())
	})
}

// member is a machine of the domain: Samba's net with a configuration and an account of its own.
type member struct {
	dc   *peer.DC
	conf string
}

func newMember(t *testing.T, dc *peer.DC, name string) member {
	t.Helper()
	dir := filepath.Join(dc.Client.Dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lines := []string{
		"[global]", "netbios name = " + name, "realm = " + peer.Realm, "workgroup = " + peer.Domain, "security = ads",
		"server role = member server",
	}
	for _, d := range []string{"private dir", "lock directory", "state directory", "cache directory", "pid directory"} {
		lines = append(lines, d+" = "+dir)
	}
	m := member{dc, filepath.Join(dir, "smb.conf")}
	if err := os.WriteFile(m.conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m member) net(t *testing.T, args ...string) {
	t.Helper()
	cmd := m.dc.Client.Command(t.Context(), "net", append(args, "--configfile="+m.conf)...)
	cmd.Env = append(os.Environ(), "PASSWD="+peer.AdminPassword)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("net %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func (m member) join(t *testing.T) {
	t.Helper()
	m.net(t, "ads", "join", "-U", "Administrator", "--no-dns-updates")
}

// works holds the machine's secure channel to netlogon, and its logon by Kerberos.
func (m member) works(t *testing.T) {
	t.Helper()
	m.net(t, "rpc", "testjoin", "-S", peer.DCName)
	m.net(t, "ads", "testjoin")
}
