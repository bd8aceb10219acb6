package peer_test

import (
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

func TestImpacket(t *testing.T) {
	t.Parallel()
	alice := peer.Client{User: "alice", Password: peer.Password}
	t.Run("open", func(t *testing.T) {
		s := peer.StartImpacket(t, "127.46.0.5")
		if a := (peer.Client{}).List(t, s.Addr()); !a.OK() || !strings.Contains(a.Text, "FILES") {
			t.Errorf("anonymous cannot list shares: %v", a)
		}
	})
	t.Run("with users", func(t *testing.T) {
		s := peer.StartImpacket(t, "127.46.0.5", "alice")
		if a := (peer.Client{}).List(t, s.Addr()); a.Status != "STATUS_LOGON_FAILURE" {
			t.Errorf("anonymous is not refused: %v", a)
		}
		if a := alice.List(t, s.Addr()); !a.OK() || !strings.Contains(a.Text, "FILES") {
			t.Errorf("alice cannot list shares: %v", a)
		}
	})
}

func TestPython(t *testing.T) {
	a := peer.Python(t, "import sys; print(sys.argv[1]); sys.exit(3)", "STATUS_LOGON_FAILURE")
	if a.Exit != 3 || a.Status != "STATUS_LOGON_FAILURE" {
		t.Error(a)
	}
}
