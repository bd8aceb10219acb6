package peer

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Password is the password of every account of a standalone server.
const Password = "Passw0rd!"

// Config says how a Samba server differs from its defaults. The zero value is an unmodified Samba, which admits
// anonymous.
type Config struct {
	// Address is the address to listen on, such as 127.46.0.1; empty is 127.0.0.1. "0.0.0.0" is every address of the
	// machine.
	Address string
	// Ports are the ports; the default is 445 and 139 in a network of the server's own, and one free port otherwise.
	Ports []int
	// Network gives the server a network of its own.
	Network bool
	// Global and IPC are additional lines of [global] and of [IPC$].
	Global, IPC []string
	// Shares are shares in addition to finance (requires a password) and public (allows guests).
	Shares []Share
	// Users are the accounts; nil is labadmin, alice and bob.
	Users []string
	// Registry stores the whole configuration in Samba's registry, and smb.conf only says so. It requires namespaces,
	// because the registry is then at the default path of Samba's programs.
	Registry bool
}

// Share is a section of smb.conf. Its directory is created unless a line gives a path.
type Share struct {
	Name  string
	Lines []string
}

// Samba is a running standalone server.
type Samba struct {
	*Machine
	Address    string // without the port
	Port       int    // the first one
	ConfigFile string

	config Config
	daemon *daemon
}

// StartSamba starts a standalone server, waits until it answers, and ends it and its helpers with the test.
func StartSamba(t testing.TB, c Config) *Samba {
	t.Helper()
	Need(t, "smbd")
	if c.Users == nil {
		c.Users = []string{"labadmin", "alice", "bob"}
	}
	if c.Address == "" {
		c.Address = "127.0.0.1"
	}
	if len(c.Ports) == 0 {
		c.Ports = []int{445, 139}
		if !c.Network {
			c.Ports = []int{FreePort(t, c.Address)}
		}
	}
	s := &Samba{
		Machine: NewMachine(t, MachineOptions{Network: c.Network, Accounts: c.Users}),
		Address: c.Address, Port: c.Ports[0], config: c,
	}
	s.ConfigFile = filepath.Join(s.Dir, "etc", "smb.conf")
	if c.Registry {
		Need(t, "namespaces", "net")
	}
	if err := s.prepare(t.Context()); err != nil {
		t.Fatalf("peer: preparing smbd: %v", err)
	}
	if err := s.start(t.Context()); err != nil {
		t.Fatalf("peer: starting smbd: %v", err)
	}
	t.Cleanup(func() { // before the machine ends, so that a failed test's log can be read
		if t.Failed() {
			t.Logf("smbd's last words:\n%s", s.daemon.lastWords())
		}
	})
	return s
}

// StartManyHosts starts one server that answers on port 445 of every address 127.x.y.z of its own network: to a client
// each address is a real host. Reach it through Dial or Command.
func StartManyHosts(t testing.TB, c Config) *Samba {
	t.Helper()
	c.Network, c.Address = true, "0.0.0.0"
	return StartSamba(t, c)
}

// FreePort returns a free TCP port of a loopback address.
func FreePort(t testing.TB, address string) int {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatalf("peer: no free port: %v", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Addr returns host:port of the server. For a server on every address it returns the first one.
func (s *Samba) Addr() string { return net.JoinHostPort(s.host(), strconv.Itoa(s.Port)) }

func (s *Samba) host() string {
	if s.Address == "0.0.0.0" {
		return "127.0.0.1"
	}
	return s.Address
}

func (s *Samba) prepare(ctx context.Context) error {
	for _, sub := range []string{"lock", "ncalrpc", "usershares"} {
		if err := os.Mkdir(filepath.Join(s.Dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(filepath.Join(s.Dir, "lib", "private"), 0o700); err != nil {
		return err
	}
	if err := s.write(ctx); err != nil {
		return err
	}
	for _, user := range s.config.Users {
		cmd := s.Command(ctx, "smbpasswd", "-c", s.ConfigFile, "-s", "-a", user)
		cmd.Stdin = strings.NewReader(Password + "\n" + Password + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("adding user %s: %w: %s", user, err, lastLine(out))
		}
	}
	return nil
}

// write creates the shares' directories and writes smb.conf atomically.
func (s *Samba) write(ctx context.Context) error {
	shares := append([]Share{
		{"finance", []string{"read only = no"}},
		{"public", []string{"guest ok = yes"}},
	}, s.config.Shares...)
	var b strings.Builder
	b.WriteString("[global]\n")
	for _, line := range append(s.globals(), s.config.Global...) {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	if len(s.config.IPC) > 0 {
		shares = append(shares, Share{"IPC$", s.config.IPC})
	}
	for _, share := range shares {
		fmt.Fprintf(&b, "[%s]\n", share.Name)
		hasPath := slices.ContainsFunc(share.Lines, func(line string) bool { return strings.HasPrefix(line, "path") })
		if !hasPath && share.Name != "IPC$" {
			path := filepath.Join(s.Dir, "share-"+share.Name)
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
			if err := os.Chmod(path, 0o777); err != nil {
				return err
			}
			fmt.Fprintf(&b, "  path = %s\n", path)
		}
		for _, line := range share.Lines {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	if s.config.Registry {
		return s.store(ctx, b.String())
	}
	draft := s.ConfigFile + ".new"
	if err := os.WriteFile(draft, []byte(b.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(draft, s.ConfigFile)
}

// store writes a configuration to Samba's registry, and to smb.conf where to find it.
func (s *Samba) store(ctx context.Context, text string) error {
	if err := os.WriteFile(s.ConfigFile, []byte("[global]\n  config backend = registry\n"), 0o644); err != nil {
		return err
	}
	all := filepath.Join(s.Dir, "imported.conf")
	if err := os.WriteFile(all, []byte(text), 0o644); err != nil {
		return err
	}
	if out, err := s.Command(ctx, "net", "--configfile="+s.ConfigFile, "conf", "import",
		all).CombinedOutput(); err != nil {
		return fmt.Errorf("net conf import: %w: %s", err, lastLine(out))
	}
	return os.Remove(all)
}

// globals returns the lines that make the server private. None of them controls access.
func (s *Samba) globals() []string {
	ports := make([]string, len(s.config.Ports))
	for i, port := range s.config.Ports {
		ports[i] = strconv.Itoa(port)
	}
	lines := []string{
		"netbios name = LABHOST",
		"workgroup = LABGRP",
		"server role = standalone server",
		"smb ports = " + strings.Join(ports, " "),
		"disable netbios = yes",
		"passdb backend = tdbsam",
		"load printers = no",
		"printing = bsd",
		"max log size = 0",
		"usershare path = " + filepath.Join(s.Dir, "usershares"),
		"log file = " + filepath.Join(s.Dir, "log", "%m.log"),
	}
	if !s.config.Registry { // Samba must find the registry first; it uses its default paths on the machine
		lines = append(lines,
			"private dir = "+filepath.Join(s.Dir, "lib", "private"),
			"lock directory = "+filepath.Join(s.Dir, "lock"),
			"state directory = "+filepath.Join(s.Dir, "lib"),
			"cache directory = "+filepath.Join(s.Dir, "cache"),
			"pid directory = "+filepath.Join(s.Dir, "run"),
			"ncalrpc dir = "+filepath.Join(s.Dir, "ncalrpc"),
		)
	}
	if s.Address != "0.0.0.0" {
		// The mask matters: with /32 smbd binds 127.0.0.1, without one it finds no interface.
		lines = append(lines, "interfaces = "+s.Address+"/8", "bind interfaces only = yes")
	}
	return lines
}

func (s *Samba) start(ctx context.Context) error {
	cmd := s.Command(context.WithoutCancel(ctx), "smbd", "--foreground", "--no-process-group", "--configfile",
		s.ConfigFile)
	var err error
	if s.daemon, err = startDaemon(cmd); err != nil {
		return err
	}
	return s.daemon.await(ctx, func(ctx context.Context) error {
		conn, err := s.Dial(ctx, "tcp", s.Addr())
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// Edit changes only the configuration file: follow it with Reload or Restart, or watch what happens.
func (s *Samba) Edit(t testing.TB, change func(*Config)) {
	t.Helper()
	change(&s.config)
	if err := s.write(t.Context()); err != nil {
		t.Fatalf("peer: writing smb.conf: %v", err)
	}
}

// Reload makes smbd reload its configuration, as an administrator would, and returns when it has done so. The helpers
// that serve pipes (rpcd_*) keep the old one: see ReloadHelpers.
func (s *Samba) Reload(t testing.TB) {
	t.Helper()
	// smbd processes its messages in order, so the response to the ping follows the reload.
	s.control(t, "reload-config")
	s.control(t, "ping")
}

// Control sends smbd a message with smbcontrol, such as "close-share", "IPC$".
func (s *Samba) Control(t testing.TB, message ...string) {
	t.Helper()
	s.control(t, message...)
}

func (s *Samba) control(t testing.TB, message ...string) {
	t.Helper()
	args := append([]string{"--configfile", s.ConfigFile, "smbd"}, message...)
	if out, err := s.Command(t.Context(), "smbcontrol", args...).CombinedOutput(); err != nil {
		t.Fatalf("peer: smbcontrol smbd %s: %v: %s", strings.Join(message, " "), err, lastLine(out))
	}
}

// ReloadHelpers sends SIGHUP to the rpcd_* helpers, without which some settings never take effect on a running server.
func (s *Samba) ReloadHelpers(t testing.TB) {
	t.Helper()
	if err := s.signal("rpcd_", syscall.SIGHUP); err != nil {
		t.Fatalf("peer: rpcd_*: %v", err)
	}
}

// Stop ends smbd and all its helpers, which otherwise continue and answer the next smbd's clients with the old
// configuration.
func (s *Samba) Stop(t testing.TB) {
	t.Helper()
	if err := s.endAll(); err != nil {
		t.Fatalf("peer: stopping smbd: %v", err)
	}
}

// Restart restarts the server with the current configuration file.
func (s *Samba) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	if err := s.start(t.Context()); err != nil {
		t.Fatalf("peer: restarting smbd: %v", err)
	}
}

// daemon is a server's process and its output.
type daemon struct {
	output *tail
	ended  chan struct{}
	err    error
	leash  io.Closer
}

func startDaemon(cmd *exec.Cmd) (*daemon, error) {
	d := &daemon{output: &tail{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = d.output, d.output
	// A server in the foreground watches its standard input: it ends when the test process does.
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	d.leash = in
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		d.err = cmd.Wait()
		close(d.ended)
	}()
	return d, nil
}

// await calls ask until it returns nil or the daemon has ended.
func (d *daemon) await(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-d.ended:
			cancel(fmt.Errorf("it ended: %w", d.err))
		case <-ctx.Done():
		}
	}()
	if err := eventually(ctx, ask); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("%w\n%s", err, d.lastWords())
	}
	return nil
}

func (d *daemon) lastWords() string { return d.output.String() }
