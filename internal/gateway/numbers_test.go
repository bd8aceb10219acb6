package gateway

import (
	"testing"

	"ipcguard/internal/smb/smb1"
)

// TestNumbersOfSessions: two connections may have sessions of one number, which in SMB1 is a number of the connection.
// Both are counted as unread, and neither knows the other's trees.
func TestNumbersOfSessions(t *testing.T) {
	g := New(Options{Log: testLog(t)})
	for n := range int64(2) {
		e := between(t, g, Route{To: "server:445", Policy: denyingPolicy()})
		e.negotiate1(false)
		e.user1(1)
		if got := g.Stats().Unread; got != n+1 {
			t.Errorf("%d sessions are counted as unread after %d", got, n+1)
		}
	}
	w, k, d := new(watches), watchKey{"server:445", 1}, new(denials)
	one, two := w.join(k, d, false), w.join(k, d, false)
	if one == two {
		t.Error("two sessions of one number are one")
	}
	w.leave(k, one)
	if bound := w.join(k, d, true); bound != two {
		t.Error("a connection that binds the session does not know it")
	}
}

// TestLogoffInChain: a session that is logged off behind another command is no user's: the server may give its number
// to a guest.
func TestLogoffInChain(t *testing.T) {
	g := New(Options{Log: testLog(t)})
	e := between(t, g, Route{To: "server:445"})
	e.negotiate1(false)
	e.user1(1)
	in := func(h *smb1.Header) { h.UID = 1 }
	e.asks(frame1(t, in, ipc1(), new(smb1.Logoff)))
	e.answers(frame1(t, func(h *smb1.Header) { h.Flags, h.UID = smb1.FlagsReply, 1 },
		&smb1.Generic{Code: smb1.TreeConnectAndX}))
	if got := e.asks(frame1(t, in, ipc1())); got != nil {
		t.Errorf("what is asked after it reaches the server: % X", got)
	}
	if n := g.Stats().Refused[ReasonSession]; n != 1 {
		t.Errorf("%d refusals", n)
	}
}
