package peer_test

import (
	"strings"
	"testing"

	"ipcguard/internal/peer"
)

func TestDomainController(t *testing.T) {
	t.Parallel()
	dc := peer.StartDC(t)
	anonymous := peer.Client{From: dc.Client}
	alice := peer.Client{From: dc.Client, User: "alice", Password: peer.Password, Domain: peer.Domain}
	lists := func() {
		t.Helper()
		if a := alice.RPC(t, dc.Addr(), "enumdomusers"); !a.OK() || !strings.Contains(a.Text, "user:[krbtgt]") {
			t.Fatalf("alice cannot list accounts: %v", a)
		}
	}
	if a := anonymous.RPC(t, dc.Addr(), "enumdomusers"); !a.OK() || !strings.Contains(a.Text, "user:[alice]") {
		t.Fatalf("by default, anonymous cannot list accounts: %v", a)
	}
	lists()
	dc.Restart(t, "restrict anonymous = 2")
	if a := anonymous.Share(t, dc.Addr(), "IPC$", "exit"); a.Status != "STATUS_ACCESS_DENIED" {
		t.Fatalf("restrict anonymous = 2: anonymous connects to IPC$: %v", a)
	}
	lists()
}
