package gateway

import (
	"testing"

	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// TestReloadBehindNoise enforces refusals on a connection that has sent what is no SMB while they were only counted:
// its logons do not pass for ever.
func TestReloadBehindNoise(t *testing.T) {
	g := New(Options{Log: testLog(t)})
	e := between(t, g, Route{To: "server:445", ObserveOnly: true})
	noise := []byte{nbss.SessionRequest, 0, 0, 1, 'x'}
	for range 2 {
		if e.asks(noise) == nil {
			t.Fatal("the control failed: it does not pass while refusals are only counted")
		}
	}
	if err := e.way.Set(Route{To: "server:445"}); err != nil {
		t.Fatal(err)
	}
	if got := e.asks(nullFrames(t)); got != nil {
		t.Errorf("a logon reaches the server: % X", got)
	}
	if n := g.Stats().Refused[ReasonProtocol]; n != 2 {
		t.Errorf("%d refusals", n)
	}
}

// TestReloadInLogon changes the policy while the server answers a null session that the policy allowed: the new policy
// decides, and the client is told so.
func TestReloadInLogon(t *testing.T) {
	open := Route{To: "server:445", Policy: Policy{Strangers: []Exception{{Allow: everything}}}}
	closed := func(t *testing.T, g *Gateway, e *ends, session, answer []byte) []byte {
		t.Helper()
		if e.asks(session) == nil {
			t.Fatal("the control failed: the null session does not reach the server")
		}
		if err := e.way.Set(Route{To: open.To}); err != nil {
			t.Fatal(err)
		}
		said := e.answers(answer)
		if _, _, err := nbss.ReadFrame(e.server, nil, nbss.MaxLen); err == nil {
			t.Error("the server's connection goes on")
		}
		if n := g.Stats().Refused[ReasonAnonymous]; n != 1 {
			t.Errorf("%d refusals", n)
		}
		return said[nbss.HeaderLen:]
	}
	t.Run("SMB1", func(t *testing.T) {
		g := New(Options{Log: testLog(t)})
		e := between(t, g, open)
		e.negotiate1(false)
		said := closed(t, g, e, frame1(t, nil, null1()), frame1(t, func(h *smb1.Header) {
			h.Flags, h.UID = smb1.FlagsReply, 1
		}, new(smb1.SessionSetupResponse)))
		if h, err := smb1.ParseHeader(said); err != nil || h.NTStatus() != status.AccessDenied {
			t.Errorf("%v %v", h.NTStatus(), err)
		}
	})
	t.Run("SMB2", func(t *testing.T) {
		g := New(Options{Log: testLog(t)})
		e := between(t, g, open)
		w := &wire{t: t}
		framed := func(m []byte) []byte {
			return append(nbss.AppendHeader(nil, nbss.SessionMessage, len(m)), m...)
		}
		e.asks(framed(w.message(smb2.Negotiate, &smb2.NegotiateRequest{Dialects: []uint16{smb2.Dialect210}})))
		both := answers(status.Success, 0)
		first := nbss.HeaderLen + int(both[2])<<8 + int(both[3])
		e.answers(both[:first])
		said := closed(t, g, e, framed(w.message(smb2.SessionSetup, setupOf(nullToken(t)))), both[first:])
		var h smb2.Header
		if err := h.Unmarshal(said); err != nil || status.NTStatus(h.Status) != status.AccessDenied {
			t.Errorf("%v %v", status.NTStatus(h.Status), err)
		}
	})
}
