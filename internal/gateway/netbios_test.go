package gateway

import (
	"testing"

	"ipcguard/internal/smb/nbss"
)

// TestCallRequests: only a session request may begin a connection of port 139, and only once.
func TestCallRequests(t *testing.T) {
	for _, c := range []struct {
		name  string
		first []byte
		pass  bool
	}{
		{"a session request", []byte{nbss.SessionRequest, 0, 0, 1, 'x'}, true},
		{"a positive response", []byte{nbss.PositiveResponse, 0, 0, 0}, false},
		{"a negative response", []byte{nbss.NegativeResponse, 0, 0, 1, 0x8F}, false},
		{"a retarget", []byte{nbss.Retarget, 0, 0, 6, 192, 0, 2, 1, 0, 139}, false},
	} {
		e := between(t, New(Options{Log: testLog(t)}), Route{To: "server:139", NetBIOS: true})
		if got := e.asks(c.first); (got != nil) != c.pass {
			t.Errorf("%s reaches the server: % X", c.name, got)
		}
		if c.pass && e.asks(c.first) != nil {
			t.Errorf("%s reaches the server again", c.name)
		}
	}
}
