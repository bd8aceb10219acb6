package gateway

import (
	"net"
	"testing"

	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
)

// ends are the two ends of a connection through a gateway: a test is client and server, and says what comes when.
type ends struct {
	t              testing.TB
	client, server net.Conn
	way            *Way
}

// between runs a connection of a gateway until the test ends.
func between(t testing.TB, g *Gateway, route Route) *ends {
	t.Helper()
	return betweenWith(t, g, route, func(nc net.Conn) net.Conn { return nc })
}

// betweenWith is between with another connection to the server.
func betweenWith(t testing.TB, g *Gateway, route Route, toServer func(net.Conn) net.Conn) *ends {
	t.Helper()
	way, err := NewWay(route)
	if err != nil {
		t.Fatal(err)
	}
	client, clientSide := net.Pipe()
	server, serverSide := net.Pipe()
	back := toServer(serverSide)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		newConn(g, way, route.To, clientSide, back).run()
	}()
	t.Cleanup(func() {
		client.Close()
		server.Close()
		<-ended
	})
	return &ends{t, client, server, way}
}

// asks sends a frame of the client and returns the next that the server gets; nil if the connection ended.
func (e *ends) asks(frame []byte) []byte {
	e.t.Helper()
	return e.pass(e.client, e.server, frame)
}

// answers is asks in the other direction.
func (e *ends) answers(frame []byte) []byte {
	e.t.Helper()
	return e.pass(e.server, e.client, frame)
}

func (e *ends) pass(from, to net.Conn, frame []byte) []byte {
	e.t.Helper()
	if _, err := from.Write(frame); err != nil {
		e.t.Fatal(err)
	}
	typ, got, err := nbss.ReadFrame(to, nil, nbss.MaxLen)
	if err != nil {
		return nil
	}
	return append(nbss.AppendHeader(nil, typ, len(got)), got...)
}

// negotiate1 agrees on SMB1.
func (e *ends) negotiate1(extended bool) {
	e.t.Helper()
	e.asks(frame1(e.t, nil, &smb1.NegotiateRequest{Dialects: []string{"NT LM 0.12"}}))
	r := &smb1.NegotiateResponse{SecurityMode: 3, Capabilities: smb1.CapUnicode, Challenge: make([]byte, 8)}
	if extended {
		r = &smb1.NegotiateResponse{SecurityMode: 3, Capabilities: smb1.CapExtendedSecurity | smb1.CapUnicode}
	}
	e.answers(frame1(e.t, func(h *smb1.Header) { h.Flags = smb1.FlagsReply }, r))
}

// user1 logs a user on.
func (e *ends) user1(uid uint16) {
	e.t.Helper()
	e.comes1(uid, 0)
}

// comes1 is a logon by name; the server's action may say that it is a guest's.
func (e *ends) comes1(uid, action uint16) {
	e.t.Helper()
	user := null1()
	user.AccountName, user.OEMPassword, user.UnicodePassword = "anna", make([]byte, 24), make([]byte, 24)
	e.asks(frame1(e.t, nil, user))
	e.answers(frame1(e.t, func(h *smb1.Header) { h.Flags, h.UID = smb1.FlagsReply, uid },
		&smb1.SessionSetupResponse{Action: action}))
}

// frame1 returns a frame of SMB1.
func frame1(t testing.TB, change func(*smb1.Header), bodies ...smb1.Body) []byte {
	t.Helper()
	h := &smb1.Header{Flags2: smb1.Flags2NTStatus | smb1.Flags2Unicode, MID: 7}
	if change != nil {
		change(h)
	}
	b, err := smb1.Append(make([]byte, nbss.HeaderLen), h, bodies...)
	if err != nil {
		t.Fatal(err)
	}
	nbss.PutHeader(b)
	return b
}
