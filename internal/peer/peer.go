// Package peer starts real servers and clients, only for tests and benchmarks: Samba standalone servers and domain
// controllers, impacket's server, a booted systemd, rpcclient, smbclient and tshark, and rsyslog and a mail server,
// which receive notifications.
//
// Rules of the room:
//
//   - Only tests import it, and it imports nothing of the product.
//   - Every peer runs in a [Machine] of its own: a private process table, mounts, accounts and, if requested, network.
//     When the test ends or dies, the kernel ends everything in it. Nothing outside is changed.
//   - Readiness is determined by asking the peer, never by waiting a fixed time.
//   - A missing peer fails the test when CI=true, and skips it with the reason elsewhere: see [Need].
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

// Need ends the test unless every named peer is available: with t.Skip and the reason, or with t.Fatal when CI=true.
//
// Names are "smbd" (permission to start a Samba server), "samba-dc" (a domain controller), "namespaces" (machines with
// a network of their own), "systemd" (booting systemd in a machine), "impacket", "ntlmrelayx", "aiosmtpd" (Python's
// mail server), "rsyslog-gnutls" (rsyslog with TLS), or any program's name.
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

// Long skips a variant of a test whose first variant always runs, unless IPCGUARD_LONG is set: real servers are slow,
// and the usual test run must stay short. `make test-long` sets it.
func Long(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("IPCGUARD_LONG") == "" {
		t.Skipf("set IPCGUARD_LONG=1 to run it: %s", why)
	}
}

// missing returns why a peer is not available, or an empty string.
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

// findProgram searches where a login shell of root would, whatever PATH the test has.
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

// python is the distribution's interpreter: impacket is a package of the distribution, which another python3 in PATH
// would not find.
const python = "/usr/bin/python3"

var importsImpacket = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, python, "-I", "-c",
		"import impacket.smbserver").CombinedOutput(); err != nil {
		return fmt.Errorf("%s cannot import impacket.smbserver: %w: %s", python, err, lastLine(out))
	}
	return nil
})

// eventually calls ask until it returns nil, the context ends or three minutes have passed: a domain controller starts
// in five seconds on an idle machine, and took more than a minute on two cores shared by twenty others.
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
