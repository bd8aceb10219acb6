package peer

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

//go:embed mail_server.py
var mailServer string

// Mailer is a running mail server: Python's aiosmtpd. Its user is alice, with Password.
type Mailer struct {
	Addr string

	mu   sync.Mutex
	mail []Mail
	rest []byte
}

// Mail is one message as parsed by the server and Python's email package.
type Mail struct {
	From    string            `json:"from"`
	To      []string          `json:"to"`
	TLS     bool              `json:"tls"`
	User    string            `json:"user"`
	Headers map[string]string `json:"headers"`
	Names   []string          `json:"names"` // of the headers, in order
	Parts   map[string]string `json:"parts"` // by content type
	Defects []string          `json:"defects"`
	Longest int               `json:"longest"` // the longest line, in bytes
}

// MailOptions configure a mail server.
type MailOptions struct {
	Security  string // starttls, tls or none
	Login     bool   // require a password
	LoginOnly bool   // offer only LOGIN, not PLAIN
	Cert, Key []byte // PEM
}

var importsMail = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, python, "-I", "-c",
		"import aiosmtpd.controller").CombinedOutput(); err != nil {
		return fmt.Errorf("%s cannot import aiosmtpd: %w: %s", python, err, lastLine(out))
	}
	return nil
})

// StartMailer starts a mail server on a free port of a loopback address.
func StartMailer(t testing.TB, address string, o MailOptions) *Mailer {
	t.Helper()
	Need(t, "aiosmtpd")
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, content := range map[string][]byte{cert: o.Cert, key: o.Key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := FreePort(t, address)
	s := &Mailer{Addr: net.JoinHostPort(address, strconv.Itoa(port))}
	cmd := (*Machine)(nil).Command(context.WithoutCancel(t.Context()), python, "-I", "-c", mailServer, address,
		strconv.Itoa(port), o.Security, cert, key)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if o.Login {
		cmd.Env = append(cmd.Env, "MAIL_PASSWORD="+Password)
	}
	if o.LoginOnly {
		cmd.Env = append(cmd.Env, "MAIL_LOGIN_ONLY=1")
	}
	words := &tail{}
	cmd.Stdout, cmd.Stderr = s, words
	leash, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("peer: starting a mail server: %v", err)
	}
	t.Cleanup(func() {
		_ = leash.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the mail server's last words:\n%s", words)
		}
	})
	err = within(t.Context(), time.Minute, func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", s.Addr)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		t.Fatalf("peer: starting a mail server: %v: %s", err, words)
	}
	return s
}

// Write receives the server's output.
func (s *Mailer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest = append(s.rest, p...)
	for {
		line, rest, whole := bytes.Cut(s.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		s.rest = rest
		var m Mail
		if err := json.Unmarshal(line, &m); err != nil {
			return 0, err
		}
		s.mail = append(s.mail, m)
	}
}

// Mail waits until the server has received a number of messages, and returns them.
func (s *Mailer) Mail(t testing.TB, atLeast int) []Mail {
	t.Helper()
	var out []Mail
	err := within(t.Context(), time.Minute, func(context.Context) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if out = s.mail; len(out) < atLeast {
			return fmt.Errorf("%d messages of %d", len(out), atLeast)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("peer: mail server: %v", err)
	}
	return out
}
