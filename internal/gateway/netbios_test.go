package gateway

import (
	"testing"

	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
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

// TestLengths refuses a frame before a user has logged on whose length has more than 16 bits: servers that read 16 find
// another frame inside.
func TestLengths(t *testing.T) {
	for _, n := range []int{1<<16 - 1, 1 << 16} {
		e := between(t, New(Options{Log: testLog(t)}), Route{To: "server:445"})
		w := &wire{t: t}
		m := w.message(smb2.Negotiate, &smb2.NegotiateRequest{Dialects: []uint16{smb2.Dialect210}})
		m = append(m, make([]byte, n-len(m))...)
		got := make(chan bool, 1)
		go func() {
			_, _, err := nbss.ReadFrame(e.server, nil, nbss.MaxLen)
			got <- err == nil
		}()
		_, _ = e.client.Write(append(nbss.AppendHeader(nil, nbss.SessionMessage, n), m...)) // it ends if it is refused
		if passes := <-got; passes != (n < 1<<16) {
			t.Errorf("%d bytes: %v", n, passes)
		}
	}
}
