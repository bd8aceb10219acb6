// Package peer starts real servers and clients for tests, benchmarks and nothing else: Samba standalone servers and
// domain controllers, impacket's server, a booted systemd, rpcclient, smbclient and tshark; rsyslog
// and a mail server, which take notifications.
//
// Rules of the room:
//
//   - Only tests import it, and it imports nothing of the product.
//   - Every peer lives in a [Machine] of its own: a process table, mounts, accounts and, when asked for, a network that
//     nobody else sees. When the test ends, or dies, the kernel ends everything in it. Nothing outside is changed.
//   - Readiness is found by asking the peer, never by waiting a fixed time.
//   - A peer that cannot be had fails the test when CI=true and skips it, with the reason, elsewhere: see [Need].
package peer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Need ends the test unless every named peer can be had here: with t.Skip and the reason, or with t.Fatal when CI=true.
//
// Names are "smbd" (a Samba server may be started), "samba-dc" (a domain controller may), "namespaces" (machines of
// their own network may be made), "systemd" (a machine may boot it), "impacket", "ntlmrelayx", "aiosmtpd" (Python's mail
// server), "rsyslog-gnutls" (rsyslog with TLS), or any program's name.
func Need(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if reason := missing(name); reason != "" {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is needed in CI: %s", name, reason)
			}
			t.Skipf("needs %s: %s", name, reason)
		}
	}
}

// Long skips a variant of a test whose first variant always runs, unless IPCGUARD_LONG is set: real servers take their
// time, and all of it together must end while somebody waits. `make test-long` sets it.
func Long(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("IPCGUARD_LONG") == "" {
		t.Skipf("set IPCGUARD_LONG=1 to run it: %s", why)
	}
}

// missing says in plain words why a peer cannot be had, or nothing when it can.
func missing(name string) string {
	switch name {
	case "smbd":
		if os.Geteuid() != 0 {
			return "smbd serves other accounts, which only root may"
		}
		return firstMissing("smbd", "smbpasswd", "smbcontrol")
	case "samba-dc":
		if reason := missing("namespaces"); reason != "" {
			return reason
		}
		return firstMissing("samba", "samba-tool", "rpcclient")
	case "namespaces":
		if reason := firstMissing("nsenter", "ip"); reason != "" {
			return reason
		}
		if err := canIsolate(); err != nil {
			return "no namespaces: " + err.Error()
		}
		return ""
	case "systemd":
		if reason := firstMissing("systemctl", "unshare"); reason != "" {
			return reason
		}
		if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
			return "no systemd on this system"
		}
		return ""
	case "impacket":
		if err := importsImpacket(); err != nil {
			return err.Error()
		}
		return ""
	case "ntlmrelayx":
		if _, err := os.Stat(relayProgram); err != nil {
			return "impacket's ntlmrelayx.py is not where Debian has it"
		}
		return missing("impacket")
	case "aiosmtpd":
		if err := importsMail(); err != nil {
			return err.Error()
		}
		return ""
	case "rsyslog-gnutls":
		if found, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_gtls.so"); len(found) == 0 {
			return "rsyslog's module for TLS is not here"
		}
		return firstMissing("rsyslogd")
	default:
		return firstMissing(name)
	}
}

func firstMissing(programs ...string) string {
	if runtime.GOOS != "linux" {
		return "peers are started on Linux only"
	}
	for _, program := range programs {
		if _, err := findProgram(program); err != nil {
			return err.Error()
		}
	}
	return ""
}

// findProgram looks where a login shell of root would look, whatever PATH the test was given.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("no program %s on this system", name)
}

// python is the distribution's interpreter: impacket is a package of the distribution, and another python3 that comes
// first in PATH would not see it.
const python = "/usr/bin/python3"

var importsImpacket = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, python, "-I", "-c", "import impacket.smbserver").CombinedOutput(); err != nil {
		return fmt.Errorf("%s cannot import impacket.smbserver: %w: %s", python, err, lastLine(out))
	}
	return nil
})

// eventually asks until the answer is nil, the context ends or three minutes have passed: a domain controller starts in
// five seconds alone, and was seen to take more than a minute on two cores that twenty others wanted.
func eventually(ctx context.Context, ask func(context.Context) error) error {
	return within(ctx, 3*time.Minute, ask)
}

func within(ctx context.Context, limit time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("still not so after %v: %w", limit, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
