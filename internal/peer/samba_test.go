package peer_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/peer"
)

// TestRestrictAnonymous starts a server with its defaults and restricts it step by step while it runs: each step is
// checked with Samba's own client, with a positive control.
func TestRestrictAnonymous(t *testing.T) {
	t.Parallel()
	s := peer.StartSamba(t, peer.Config{Address: "127.46.0.1"})
	anonymous, alice := peer.Client{}, peer.Client{User: "alice", Password: peer.Password}
	lists := func() {
		t.Helper()
		if a := alice.RPC(t, s.Addr(), "enumdomusers"); !a.OK() || !strings.Contains(a.Text, "user:[alice]") {
			t.Fatalf("alice cannot list accounts: %v", a)
		}
	}

	if a := anonymous.RPC(t, s.Addr(), "enumdomusers"); !a.OK() || !strings.Contains(a.Text, "user:[bob]") {
		t.Fatalf("by default, anonymous cannot list accounts: %v", a)
	}
	if a := anonymous.List(t, s.Addr()); !a.OK() || !strings.Contains(a.Text, "Disk|finance") {
		t.Fatalf("by default, anonymous cannot list shares: %v", a)
	}
	lists()

	s.Edit(t, func(c *peer.Config) { c.Global = append(c.Global, "restrict anonymous = 1") })
	s.Restart(t)
	if a := anonymous.RPC(t, s.Addr(), "enumdomusers"); a.OK() || a.Status != "STATUS_ACCESS_DENIED" {
		t.Fatalf("restrict anonymous = 1: anonymous lists accounts: %v", a)
	}
	if a := anonymous.RPC(t, s.Addr(), "lsaquery"); !a.OK() {
		t.Fatalf("restrict anonymous = 1: anonymous cannot ask for the policy: %v", a)
	}
	lists()

	// Only smbd decides about the tree connect: a reload is enough.
	s.Edit(t, func(c *peer.Config) { c.Global = append(c.Global, "restrict anonymous = 2") })
	s.Reload(t)
	if a := anonymous.Share(t, s.Addr(), "IPC$", "exit"); a.OK() || a.Status != "STATUS_ACCESS_DENIED" ||
		!strings.Contains(a.Text, "tree connect failed") {
		t.Fatalf("restrict anonymous = 2: anonymous connects to IPC$: %v", a)
	}
	if a := anonymous.Share(t, s.Addr(), "public", "ls"); !a.OK() {
		t.Fatalf("restrict anonymous = 2: anonymous cannot read the public share: %v", a)
	}
	lists()
}

// TestLiveHelpers shows on the real server why ReloadHelpers is needed: a running helper keeps the old setting.
func TestLiveHelpers(t *testing.T) {
	t.Parallel()
	s := peer.StartSamba(t, peer.Config{Address: "127.46.0.2"})
	list := func() peer.Answer { return peer.Client{}.RPC(t, s.Addr(), "enumdomusers") }
	if a := list(); !a.OK() {
		t.Fatal(a)
	}
	s.Edit(t, func(c *peer.Config) { c.Global = append(c.Global, "restrict anonymous = 1") })
	s.Reload(t)
	if a := list(); !a.OK() {
		t.Logf("this Samba's helpers follow a reload by themselves: %v", a)
	}
	s.ReloadHelpers(t)
	deadline := time.Now().Add(2 * time.Minute)
	for a := list(); a.Status != "STATUS_ACCESS_DENIED"; a = list() {
		if time.Now().After(deadline) {
			t.Fatalf("still answered: %v", a)
		}
	}
}

func TestClosedForGood(t *testing.T) {
	t.Parallel()
	var addr string
	t.Run("server", func(t *testing.T) {
		s := peer.StartSamba(t, peer.Config{Address: "127.46.0.3"})
		if a := (peer.Client{}).RPC(t, s.Addr(), "srvinfo"); !a.OK() { // starts the helpers that outlive smbd
			t.Fatal(a)
		}
		addr = s.Addr()
	})
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		t.Fatalf("somebody still listens on %s", addr)
	}
}

// TestSettings starts servers in parallel, each with lines of its own.
func TestSettings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, status string
		config       peer.Config
		client       peer.Client
	}{
		{
			name:   "SMB1",
			config: peer.Config{Global: []string{"server min protocol = NT1"}},
			client: peer.Client{MaxProtocol: "NT1"},
		},
		{
			name:   "no SMB1 by default",
			client: peer.Client{MaxProtocol: "NT1"},
			status: "STATUS_INVALID_NETWORK_RESPONSE",
		},
		{
			name:   "encryption required",
			config: peer.Config{Global: []string{"server smb encrypt = required"}},
			status: "STATUS_ACCESS_DENIED",
		},
		{name: "hosts deny", config: peer.Config{IPC: []string{"hosts deny = ALL"}}, status: "STATUS_ACCESS_DENIED"},
		{
			name:   "helpers off",
			config: peer.Config{Global: []string{"rpc start on demand helpers = no"}},
			status: "STATUS_OBJECT_NAME_NOT_FOUND",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.config.Address = "127.46.0.4"
			s := peer.StartSamba(t, test.config)
			a := test.client.RPC(t, s.Addr(), "srvinfo")
			if a.OK() != (test.status == "") || a.Status != test.status {
				t.Fatalf("want status %q, got %v", test.status, a)
			}
		})
	}
}

func TestManyHosts(t *testing.T) {
	t.Parallel()
	s := peer.StartManyHosts(t, peer.Config{})
	client := peer.Client{From: s.Machine}
	for _, host := range []string{"127.0.0.1:445", "127.1.2.3:445", "127.200.0.9:139"} {
		conn, err := s.Dial(t.Context(), "tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.RemoteAddr().String(); got != host {
			t.Errorf("dialled %s, reached %s", host, got)
		}
		_ = conn.Close()
		if a := client.RPC(t, host, "enumdomusers"); !a.OK() || !strings.Contains(a.Text, "user:[alice]") {
			t.Errorf("%s: %v", host, a)
		}
	}
	if conn, err := net.DialTimeout("tcp", "127.1.2.3:445", time.Second); err == nil {
		_ = conn.Close()
		t.Error("the machine's network is open to this system")
	}
}
