package tlscert_test

import (
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/peer"
	"ipcguard/internal/web/tlscert"
)

func open(t *testing.T, o tlscert.Options) *tlscert.Source {
	t.Helper()
	s, err := tlscert.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMadeHereIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	first := open(t, tlscert.Options{Dir: dir})
	if !first.SelfSigned() || len(first.Fingerprint()) != 32*3-1 {
		t.Fatalf("self-signed %v, fingerprint %q", first.SelfSigned(), first.Fingerprint())
	}
	if again := open(t, tlscert.Options{Dir: dir}); again.Fingerprint() != first.Fingerprint() {
		t.Error("a second start made another certificate")
	}
	if runtime.GOOS != "windows" {
		for _, name := range []string{"key.pem", "cert.pem"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	late := func() time.Time { return time.Now().Add(380 * 24 * time.Hour) }
	if renewed := open(t, tlscert.Options{Dir: dir, Clock: late}); renewed.Fingerprint() == first.Fingerprint() {
		t.Error("a certificate that ends soon was kept")
	}
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tlscert.Open(tlscert.Options{Dir: dir}); err == nil {
		t.Error("what somebody put there was overwritten")
	}
}

// TestHandshake shows the certificate to clients of Go and of OpenSSL, and changes it under way.
func TestHandshake(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	mine, other := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	open(t, tlscert.Options{Dir: mine})
	second := open(t, tlscert.Options{Dir: other})
	s := open(t, tlscert.Options{
		Cert: filepath.Join(mine, "cert.pem"), Key: filepath.Join(mine, "key.pem"),
		Clock: clock,
	})
	if s.SelfSigned() {
		t.Error("files that were named count as made here")
	}
	l, err := tls.Listen("tcp", "127.45.9.1:0", s.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = c.(*tls.Conn).Handshake()
				c.Close()
			}()
		}
	}()
	shown := func() string {
		t.Helper()
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.ConnectionState().PeerCertificates[0].VerifyHostname("localhost"); err != nil {
			t.Error(err)
		}
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := shown()
	if got := openssl(t, l.Addr()); got != s.Fingerprint() {
		t.Errorf("OpenSSL sees %s, the fingerprint is %s", got, s.Fingerprint())
	}
	for _, name := range []string{"cert.pem", "key.pem"} { // between the two the pair does not fit
		b, err := os.ReadFile(filepath.Join(other, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(mine, name), append(b, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		if changed := shown() != before; changed != (name == "key.pem") {
			t.Errorf("after %s: changed %v", name, changed)
		}
	}
	if s.Fingerprint() != second.Fingerprint() {
		t.Error("the fingerprint is not that of the new certificate")
	}
}

// openssl returns the fingerprint that OpenSSL's client sees.
func openssl(t *testing.T, addr net.Addr) string {
	t.Helper()
	peer.Need(t, "openssl")
	script := `openssl s_client -connect "$1" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256`
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", addr.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, print, _ := strings.Cut(strings.TrimSpace(string(out)), "=")
	return print
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, tlscert.Options{Dir: dir})
	for name, o := range map[string]tlscert.Options{
		"nothing":     {},
		"no such key": {Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "gone.pem")},
		"swapped":     {Cert: filepath.Join(dir, "key.pem"), Key: filepath.Join(dir, "cert.pem")},
	} {
		if _, err := tlscert.Open(o); err == nil || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
