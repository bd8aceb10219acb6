package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// TestApplyFindingsOnSamba takes the widest goal and a wish the whole way on a real server: signing, SMB1 and NTLMv1 are
// set, seen from outside as far as they show, leave a signed-in user his share, and go back to the byte.
func TestApplyFindingsOnSamba(t *testing.T) {
	peer.Long(t, "a minute over what TestFindings of plan and TestApplyOnSamba prove apart")
	s := peer.StartSamba(t, peer.Config{Address: "127.53.4.3", Global: []string{"map to guest = Bad User", "server min protocol = NT1", "ntlm auth = yes"}})
	program := buildProgram(t, s.Dir)
	dir := filepath.Join(s.Dir, "work")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	secret := at("alice")
	if err := os.WriteFile(secret, []byte("username = alice\npassword = "+peer.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		cmd := s.Command(t.Context(), program, args...)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
			t.Fatalf("ipcguard %s: %v, want %d\n%s", strings.Join(args, " "), err, want, out)
		}
		return string(out)
	}
	before, err := os.ReadFile(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	target, state := "samba:"+s.ConfigFile, at("state")
	run(3, "audit", s.ConfigFile, "--format", "json", "-o", at("audit.json"))
	run(0, "plan", "--audit", at("audit.json"), "--goal", "findings", "--want", "server min protocol=SMB3_00", "--format", "json", "-o", at("plan.json"))
	out := run(0, "apply", at("plan.json"), "--yes", "--target", target, "--state", state,
		"--credentials-file", secret, "--allow-unsigned-ntlm", "--check", "share:finance")
	for _, want := range []string{"passed       share:finance", "passed       closed:smb1-enabled", "passed       closed:signing-not-required"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	after, err := os.ReadFile(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"smb3_00", "server signing = mandatory", "ntlm auth = ntlmv2-only"} {
		if !strings.Contains(string(after), want) {
			t.Errorf("no %q in\n%s", want, after)
		}
	}
	run(0, "verify", s.Addr(), "--plan", at("plan.json"), "--credentials-file", secret, "--allow-unsigned-ntlm")
	run(0, "rollback", applied(t, out), "--state", state)
	if got, err := os.ReadFile(s.ConfigFile); err != nil || string(got) != string(before) {
		t.Errorf("rolled back to\n%s\nfrom\n%s (%v)", got, before, err)
	}
	if out := run(3, "verify", s.Addr(), "--plan", at("plan.json")); !strings.Contains(out, "failed       closed:smb1-enabled") {
		t.Errorf("SMB1 is back, and not seen:\n%s", out)
	}
}
