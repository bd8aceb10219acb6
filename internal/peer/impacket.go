package peer

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

//go:embed impacket_server.py
var impacketServer string

// Impacket is a running server of the impacket library: an independent implementation of the protocol. It has only
// srvsvc and wkssvc, and the disk share FILES.
type Impacket struct {
	*Machine
	Address string
	Port    int

	daemon *daemon
}

// StartImpacket starts impacket's server on a free port of a loopback address and waits until it answers. Without users
// it admits everybody; otherwise only them (each with Password).
func StartImpacket(t testing.TB, address string, users ...string) *Impacket {
	t.Helper()
	return startImpacket(t, address, nil, users)
}

// StartImpacketPipe is StartImpacket with one more pipe, which it connects to a TCP address.
func StartImpacketPipe(t testing.TB, address, pipe, to string, users ...string) *Impacket {
	t.Helper()
	return startImpacket(t, address, []string{"IMPACKET_PIPE=" + pipe, "IMPACKET_PIPE_TO=" + to}, users)
}

func startImpacket(t testing.TB, address string, env, users []string) *Impacket {
	t.Helper()
	Need(t, "impacket")
	s := &Impacket{Machine: NewMachine(t, MachineOptions{}), Address: address, Port: FreePort(t, address)}
	files := filepath.Join(s.Dir, "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		t.Fatal(err)
	}
	// -I: a file in the test's directory must not be imported as a module.
	args := append([]string{"-I", "-c", impacketServer, address, strconv.Itoa(s.Port), files}, users...)
	cmd := s.Command(context.WithoutCancel(t.Context()), python, args...)
	cmd.Env = slices.Concat(os.Environ(), env, []string{"IMPACKET_PASSWORD=" + Password, "PYTHONDONTWRITEBYTECODE=1"})
	var err error
	if s.daemon, err = startDaemon(cmd); err != nil {
		t.Fatalf("peer: starting impacket: %v", err)
	}
	t.Cleanup(func() { // without namespaces, closing the pipe stops it
		_ = s.daemon.leash.Close()
		<-s.daemon.ended
		if t.Failed() {
			t.Logf("impacket's last words:\n%s", s.daemon.lastWords())
		}
	})
	err = s.daemon.await(t.Context(), func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", s.Addr())
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		t.Fatalf("peer: starting impacket: %v", err)
	}
	return s
}

// Addr returns host:port of the server.
func (s *Impacket) Addr() string { return net.JoinHostPort(s.Address, strconv.Itoa(s.Port)) }

// Python runs a Python program with the interpreter that has impacket.
func Python(t testing.TB, script string, args ...string) Answer {
	t.Helper()
	Need(t, "impacket")
	cmd := (*Machine)(nil).Command(t.Context(), python, append([]string{"-I", "-c", script}, args...)...)
	answer, err := Run(cmd)
	if err != nil {
		t.Fatal(fmt.Errorf("peer: running python: %w", err))
	}
	return answer
}
