package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// TestVerifyWeakLogonOnce verifies several addresses of one real server, which must refuse one NTLMv1 logon in all:
// each counts as a wrong password.
func TestVerifyWeakLogonOnce(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd")
	s := peer.StartSamba(t, peer.Config{Address: "127.53.4.11", Global: []string{
		"interfaces = 127.53.4.11/8 127.53.4.12/8 127.53.4.13/8", "log level = 1 auth_json_audit:3",
		"restrict anonymous = 2",
	}})
	here := programOn(t, s)
	at, secret := here.at, here.credentials(t, "alice")
	weak := "[global]\nnetbios name = LABHOST\nntlm auth = ntlmv1-permitted\n"
	if err := os.WriteFile(at("smb.conf"), []byte(weak), 0o600); err != nil {
		t.Fatal(err)
	}
	here.run(t, 3, "audit", at("smb.conf"), "--format", "json", "-o", at("audit.json"))
	here.run(t, 0, "plan", "--audit", at("audit.json"), "--want", "ntlm auth=ntlmv2-only", "--format", "json", "-o",
		at("plan.json"))
	port := strings.TrimPrefix(s.Addr(), "127.53.4.11:")
	verify := []string{"verify"}
	for _, address := range []string{"127.53.4.11", "127.53.4.12", "127.53.4.13"} {
		verify = append(verify, address+":"+port)
	}
	out := here.run(t, 4, append(verify, "--plan", at("plan.json"), "--credentials-file", secret,
		"--allow-unsigned-ntlm", "--probe-weak-logons")...)
	if strings.Count(out, "passed       weak:ntlmv1") != 1 ||
		strings.Count(out, "the same server was asked at "+s.Addr()+" in this run") != 2 {
		t.Errorf("%s", out)
	}
	logs, err := filepath.Glob(filepath.Join(s.Dir, "log", "*log*"))
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, name := range logs {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, `"clientAccount": "alice"`) && !strings.Contains(line, `"NT_STATUS_OK"`) {
				refused++
			}
		}
	}
	if refused != 1 {
		t.Errorf("the server refused %d logons of the account", refused)
	}
}
