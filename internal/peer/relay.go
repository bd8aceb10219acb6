package peer

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
)

// relayProgram is the path of impacket's program on Debian.
const relayProgram = "/usr/share/doc/python3-impacket/examples/ntlmrelayx.py"

// relayStart runs the program without the library of its LDAP attack, which Debian does not have.
const relayStart = `
import runpy, sys
from unittest.mock import MagicMock
for name in ("system.Guid", "system.DateTime", "common.data.DNWithBinary", "common.data.hello.KeyCredential",
             "common.cryptography.X509Certificate2"):
    parts = ("dsinternals." + name).split(".")
    for n in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:n]), MagicMock())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
`

// Relay is impacket's ntlmrelayx: it answers SMB clients and tries to log on to a target with what they send.
type Relay struct {
	*Machine
	Address string
	Port    int

	daemon *daemon
}

// StartRelay starts a relay on a free port of a loopback address; target is the address of a server with its port, such
// as 127.0.0.1:1445.
func StartRelay(t testing.TB, address, target string) *Relay {
	t.Helper()
	Need(t, "ntlmrelayx")
	r := &Relay{Machine: NewMachine(t, MachineOptions{}), Address: address, Port: FreePort(t, address)}
	// -I: a file in the test's directory must not be imported as a module. The program ends with its standard input.
	cmd := r.Command(context.WithoutCancel(t.Context()), python, "-I", "-c", relayStart, relayProgram, "-t",
		"smb://"+target, "-smb2support",
		"-ip", address, "--smb-port", strconv.Itoa(r.Port), "--no-http-server", "--no-wcf-server", "--no-raw-server",
		"-socks", "-debug")
	cmd.Dir = r.Dir
	var err error
	if r.daemon, err = startDaemon(cmd); err != nil {
		t.Fatalf("peer: starting ntlmrelayx: %v", err)
	}
	t.Cleanup(func() {
		_ = r.daemon.leash.Close()
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill() // the socks thread outlives its input; this is the test's own process
		}
		<-r.daemon.ended
	})
	err = r.daemon.await(t.Context(), func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", r.Addr())
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		t.Fatalf("peer: starting ntlmrelayx: %v", err)
	}
	return r
}

// Addr returns host:port of the relay.
func (r *Relay) Addr() string { return net.JoinHostPort(r.Address, strconv.Itoa(r.Port)) }

// Said returns the relay's output so far.
func (r *Relay) Said() string { return r.daemon.lastWords() }

// Relayed reports whether the relay logged on to its target as an account.
func (r *Relay) Relayed(account string) bool {
	for line := range strings.Lines(r.Said()) {
		l := strings.ToLower(line)
		if strings.Contains(l, strings.ToLower(account)) &&
			(strings.Contains(l, "succeed") || strings.Contains(l, "adding")) {
			return true
		}
	}
	return false
}
