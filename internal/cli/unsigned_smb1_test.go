package cli

import (
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

// TestUnsignedSMB1 reads the registry of a server that speaks SMB1 alone and signs nothing, as Windows before 2008 does
// unless it is told to: only on request, and the result says what that is worth.
func TestUnsignedSMB1(t *testing.T) {
	t.Parallel()
	server := peer.StartSamba(t, peer.Config{Address: "127.14.1.1", Users: []string{"root"}, Global: []string{
		"server min protocol = NT1", "server max protocol = NT1", "server signing = disabled", "ntlm auth = yes",
	}})
	here := programOn(t, server)
	args := []string{
		"audit", "winreg://" + server.Addr(), "--product", "win2003", "--role", "member", "--credentials-file",
		here.credentials(t, "root"),
	}
	if out := here.run(t, exitFailed, args...); !strings.Contains(out, "the server speaks SMB1") ||
		!strings.Contains(out, "--allow-unsigned-ntlm") {
		t.Errorf("an NTLM answer was given: %s", out)
	}
	args = append(args, "--allow-unsigned-ntlm")
	if out := here.run(t, exitFailed, args...); !strings.Contains(out, "the server does not sign") ||
		!strings.Contains(out, "--allow-unsigned-smb1") {
		t.Errorf("what is not signed was read: %s", out)
	}
	args = append(args, "--allow-unsigned-smb1", "--format", "json")
	if out := here.run(t, exitExposed, args...); !strings.Contains(out,
		`neither signed nor encrypted: whoever is on the way can have changed what was read, SMB NT LM 0.12`) {
		t.Errorf("what it is worth is not told: %.2000s", out)
	}
}
