package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestRealClients runs Samba's own clients directly and through the gateway: strangers are refused, and users get the
// same results, byte for byte.
func TestRealClients(t *testing.T) {
	peer.Need(t, "smbd", "namespaces", "rpcclient", "smbclient")
	l := startLab(t, peer.Config{Global: []string{
		"map to guest = bad user", "server signing = mandatory", "server min protocol = NT1", "ntlm auth = yes",
	}}, Route{})
	direct, through := l.direct, l.through

	for _, dialect := range []string{"NT1", "SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"} {
		t.Run(dialect, func(t *testing.T) {
			null := peer.Client{From: l.samba.Machine, MaxProtocol: dialect}
			if a := null.RPC(t, direct, "enumdomusers"); !a.OK() {
				t.Fatalf("the control failed: a null session of %s directly: %v", dialect, a)
			}
			before := l.rows.count(model.Anonymous, model.Denied)
			if a := null.RPC(t, through, "enumdomusers"); a.Status != "STATUS_ACCESS_DENIED" {
				t.Errorf("a null session through the gateway: %v", a)
			}
			if n := l.rows.count(model.Anonymous, model.Denied); n == before {
				t.Error("the refusal gave no row")
			}
			user := peer.Client{From: l.samba.Machine, User: "labadmin", Password: peer.Password, MaxProtocol: dialect}
			if want, got := user.RPC(t, direct, "enumdomusers"), user.RPC(t, through, "enumdomusers"); !want.OK() ||
				got.Text != want.Text {
				t.Errorf("a user directly: %v\nthrough the gateway: %v", want, got)
			}
		})
	}
	t.Run("guest", func(t *testing.T) {
		made := peer.Client{
			From:     l.samba.Machine,
			User:     "nosuchuser",
			Password: "x",
			Options:  []string{"client signing = disabled"},
		}
		if a := made.Share(t, direct, "public", "ls"); !a.OK() {
			t.Fatalf("the control failed: a made-up user directly: %v", a)
		}
		if a := made.Share(t, through, "public", "ls"); a.Status != "STATUS_ACCESS_DENIED" {
			t.Errorf("a made-up user through the gateway: %v", a)
		}
		if l.rows.count(model.Guest, model.Denied) == 0 || l.rows.count(model.Guest, model.Allowed) != 0 {
			t.Error("no row says that a guest was refused, or one says that a guest came in")
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		user := peer.Client{From: l.samba.Machine, User: "labadmin", Password: "wrong"}
		if want, got := user.RPC(t, direct,
			"enumdomusers"), user.RPC(t, through, "enumdomusers"); got.Status != want.Status {
			t.Errorf("directly: %v\nthrough the gateway: %v", want, got)
		}
	})
	t.Run("SMB1 without extended security", func(t *testing.T) {
		old := peer.Client{
			From:        l.samba.Machine,
			MaxProtocol: "NT1",
			Options:     []string{"client use spnego = no", "client NTLMv2 auth = no"},
		}
		if a := old.RPC(t, direct, "srvinfo"); !a.OK() {
			t.Fatalf("the control failed: a null session directly: %v", a)
		}
		if a := old.RPC(t, through, "srvinfo"); a.Status != "STATUS_ACCESS_DENIED" {
			t.Errorf("a null session through the gateway: %v", a)
		}
		old.User, old.Password = "labadmin", peer.Password
		if want, got := old.RPC(t, direct, "srvinfo"), old.RPC(t, through, "srvinfo"); got.Text != want.Text {
			t.Errorf("a user directly: %v\nthrough the gateway: %v", want, got)
		}
		old.User, old.Password = "nosuchuser", "x"
		old.Options = append(old.Options, "client signing = disabled")
		if a := old.Share(t, through, "public", "ls"); a.OK() {
			t.Errorf("a made-up user through the gateway: %v", a)
		}
	})
	for name, options := range map[string][]string{"signed": nil, "encrypted": {"client smb encrypt = required"}} {
		for _, protocol := range []string{"NT1", "SMB3_11"} {
			t.Run(name+" "+protocol, func(t *testing.T) { copyFile(t, l, protocol, options) })
		}
	}
}

// copyFile writes a file through the gateway and reads it back: the server must see the same content.
func copyFile(t *testing.T, l *lab, protocol string, options []string) {
	t.Helper()
	dir := t.TempDir()
	data := make([]byte, 19<<20+17) // several WRITEs of the largest size, and one of an odd size
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	source, back := filepath.Join(dir, "source"), filepath.Join(dir, "back")
	if err := os.WriteFile(source, data, 0o600); err != nil {
		t.Fatal(err)
	}
	c := peer.Client{
		From: l.samba.Machine, User: "labadmin", Password: peer.Password, MaxProtocol: protocol, Options: options,
	}
	if a := c.Share(t, l.through, "finance", "put "+source+" copy", "get copy "+back, "ls"); !a.OK() {
		t.Fatalf("copying: %v", a)
	}
	for _, path := range []string{back, filepath.Join(l.samba.Dir, "share-finance", "copy")} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if sha256.Sum256(b) != sha256.Sum256(data) {
			t.Errorf("%s differs from what was written", filepath.Base(path))
		}
	}
}
