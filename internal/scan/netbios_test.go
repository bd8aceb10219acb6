package scan

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
)

// TestNetBIOSPort: a server that listens at 139 alone is asked there; one whose port the user named is asked nowhere
// else.
func TestNetBIOSPort(t *testing.T) {
	server := practice(t, "samba")
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if _, port, _ := net.SplitHostPort(address); port == "139" {
			return (&net.Dialer{}).DialContext(ctx, network, server.Address())
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	s, err := New(Options{Dial: dial})
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddrPort("127.47.2.1:445")
	r := s.Host(t.Context(), targets.Target{Name: "127.47.2.1", Addr: address})
	if r.Verdict != model.Exposed || r.Address != "127.47.2.1:139" || !strings.Contains(r.Reason, "port 445 refuses") {
		t.Errorf("%s at %s: %q", r.Verdict, r.Address, r.Reason)
	}
	if r = s.Host(t.Context(), targets.Target{Name: "127.47.2.1:445", Addr: address}); r.Verdict != model.Unreachable {
		t.Errorf("a named port: %s at %s", r.Verdict, r.Address)
	}
	none, err := New(Options{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r = none.Host(t.Context(), targets.Target{Name: "h", Addr: address}); r.Verdict != model.Unreachable || !strings.Contains(r.Reason, "port 445") || !strings.Contains(r.Reason, "port 139") {
		t.Errorf("nothing there: %s, %q", r.Verdict, r.Reason)
	}
}
