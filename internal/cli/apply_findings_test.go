package cli

import (
	"os"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// TestApplyFindingsOnSamba takes the widest goal and a wish the whole way on a real server: signing, SMB1 and NTLMv1
// are set, seen from outside as far as they show, leave a signed-in user his share, and go back to the byte.
func TestApplyFindingsOnSamba(t *testing.T) {
	t.Parallel()
	peer.Long(t, "a minute over what TestFindings of plan and TestApplyOnSamba prove apart")
	s := peer.StartSamba(t,
		peer.Config{
			Address: "127.53.4.3",
			Global:  []string{"map to guest = Bad User", "server min protocol = NT1", "ntlm auth = yes"},
		})
	here := programOn(t, s)
	at, secret := here.at, here.credentials(t, "alice")
	run := func(want int, args ...string) string {
		t.Helper()
		return here.run(t, want, args...)
	}
	before, err := os.ReadFile(s.ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	target, state := "samba:"+s.ConfigFile, at("state")
	run(3, "audit", s.ConfigFile, "--format", "json", "-o", at("audit.json"))
	run(0, "plan", "--audit", at("audit.json"), "--goal", "findings", "--want", "server min protocol=SMB3_00",
		"--format", "json", "-o", at("plan.json"))
	out := run(0, "apply", at("plan.json"), "--yes", "--target", target, "--state", state,
		"--credentials-file", secret, "--allow-unsigned-ntlm", "--check", "share:finance", "--probe-weak-logons")
	for _, want := range []string{
		"passed       share:finance", "passed       closed:smb1-enabled", "passed       closed:signing-not-required",
		"passed       weak:smb1", "passed       weak:unsigned", "passed       weak:ntlmv1", "passed       control:user",
	} {
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
	if out := run(3, "verify", s.Addr(), "--plan", at("plan.json")); !strings.Contains(out,
		"failed       closed:smb1-enabled") {
		t.Errorf("SMB1 is back, and not seen:\n%s", out)
	}
}
