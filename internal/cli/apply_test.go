package cli

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ipcguard/internal/peer"
)

// TestApplyOnSamba goes the whole way with the program itself, on the machine of a real server: scan, audit, plan,
// apply, verify, confirm, roll back; and a second time without a confirmation.
func TestApplyOnSamba(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config peer.Config
		source string // of the audit, smb.conf when empty
	}{
		{"smb.conf", peer.Config{Address: "127.53.4.1", Global: []string{"map to guest = Bad User"}}, ""},
		// A value that is written down and equals the default is one that is there.
		{
			"registry", peer.Config{
				Address: "127.53.4.2", Registry: true,
				Global: []string{"map to guest = Bad User", "restrict anonymous = 0"},
			}, "local",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.config.Registry {
				peer.Long(t, "half a minute more for the command line over what TestSambaRegistry of apply proves")
			}
			s := peer.StartSamba(t, c.config)
			here := programOn(t, s)
			at, secret := here.at, here.credentials(t, "alice")
			run := func(want int, args ...string) string {
				t.Helper()
				return here.run(t, want, args...)
			}
			configuration := func() string {
				t.Helper()
				b, err := os.ReadFile(s.ConfigFile)
				if err != nil {
					t.Fatal(err)
				}
				stored, err := s.Command(t.Context(), "net", "--configfile="+s.ConfigFile, "conf",
					"list").CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s", err, stored)
				}
				return string(b) + string(stored)
			}
			before := configuration()
			target, state := "samba:"+s.ConfigFile, at("state")
			run(3, "scan", s.Addr(), "--format", "json", "-o", at("scan.json"))
			run(3, "audit", cmp.Or(c.source, s.ConfigFile), "--format", "json", "-o", at("audit.json"))
			run(0, "plan", "--audit", at("audit.json"), "--format", "json", "-o", at("plan.json"))
			run(0, "apply", at("plan.json"), "--yes", "--target", target, "--state", state, "--dry-run")
			if configuration() != before {
				t.Fatal("a dry run has written")
			}
			out := run(0, "apply", at("plan.json"), "--yes", "--target", target, "--state", state, "--confirm-within",
				"10m",
				"--credentials-file", secret, "--allow-unsigned-ntlm", "--check", "share:finance", "--check",
				"pipe:srvsvc")
			for _, want := range []string{
				"passed       share:finance", "passed       control:user",
				"passed       closed:anonymous-lists-accounts",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			id := applied(t, out)
			if out := run(1, "apply", at("plan.json"), "--yes", "--target", target, "--state",
				state); !strings.Contains(out, "applied already, as "+id) || !strings.Contains(out, "confirm "+id) {
				t.Errorf("a second apply while the first waits:\n%s", out)
			}
			run(0, "verify", s.Addr(), "--plan", at("plan.json"), "--credentials-file", secret, "--allow-unsigned-ntlm")
			if out := run(4, "verify", s.Addr(), "--scan", at("scan.json")); !strings.Contains(out,
				"unchecked    closed:anonymous-reads-files") {
				t.Errorf("which share stood open is not known:\n%s", out)
			}
			run(0, "verify", s.Addr(), "--scan", at("scan.json"), "--share", "public")
			run(0, "confirm", id, "--state", state)
			if out := run(1, "apply", at("plan.json"), "--yes", "--target", target, "--state",
				state); !strings.Contains(out, "applied already, as "+id) {
				t.Errorf("a second apply:\n%s", out)
			}
			run(0, "rollback", id, "--state", state)
			if got := configuration(); got != before {
				t.Errorf("rolled back to\n%s\nfrom\n%s", got, before)
			}
			run(3, "scan", s.Addr())
			// never works
			run(1, "apply", at("plan.json"), "--yes", "--target", target, "--state", state, "--check",
				"tcp:127.53.4.9:1")
			if out := run(0, "history", id, "--state", state); strings.Count(out, "signature good") != 3 {
				t.Errorf("history:\n%s", out)
			}
		})
	}
}

func applied(t *testing.T, out string) string {
	t.Helper()
	_, rest, ok := strings.Cut(out, "Applied and verified as ")
	if !ok { // kept, with something that waits or could not be asked
		_, rest, ok = strings.Cut(out, "It is known as ")
	}
	id, _, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 {
		t.Fatalf("no id in\n%s", out)
	}
	return id
}

// builtIn is where builtProgram has put the program, if it has.
var builtIn string

// builtProgram is the program itself, linked once for all tests.
var builtProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ipcguard-built")
	if err != nil {
		return "", err
	}
	builtIn = dir
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", dir, "ipcguard/cmd/ipcguard")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return filepath.Join(dir, "ipcguard"), nil
})

// buildProgram puts the program into a directory, of a machine that sees nothing else, for one.
func buildProgram(t *testing.T, dir string) string {
	t.Helper()
	from, err := builtProgram()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "ipcguard")
	if err := os.Link(from, program); err != nil { // another file system
		if out, err := exec.Command("cp", from, program).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return program
}

// tests are all tests of the package, after which the program goes.
type tests struct{ m *testing.M }

func (t tests) Run() int {
	code := t.m.Run()
	if builtIn != "" {
		os.RemoveAll(builtIn)
	}
	return code
}
