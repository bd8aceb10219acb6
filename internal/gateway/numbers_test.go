package gateway

import (
	"net"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
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

// TestLogoff: a session of SMB1 that is logged off, even behind another command, is no user's: the server may give its
// number to a guest before it has answered.
func TestLogoff(t *testing.T) {
	for name, chain := range map[string][]smb1.Body{
		"alone": {new(smb1.Logoff)}, "behind another command": {ipc1(), new(smb1.Logoff)},
	} {
		g := New(Options{Log: testLog(t)})
		e := between(t, g, Route{To: "server:445"})
		e.negotiate1(false)
		e.user1(1)
		in := func(h *smb1.Header) { h.UID = 1 }
		if e.asks(frame1(t, in, chain...)) == nil {
			t.Fatalf("%s: the logoff does not reach the server", name)
		}
		if got := e.asks(frame1(t, in, ipc1())); got != nil {
			t.Errorf("%s: what is asked after it reaches the server: % X", name, got)
		}
		if n := g.Stats().Refused[ReasonSession]; n != 1 {
			t.Errorf("%s: %d refusals", name, n)
		}
	}
}

// TestNumberUsedAgain: a server may give a new logon the number of a session that has ended, whose logoff cannot be
// seen if it is encrypted. It does not renew that session, and may be of another user.
func TestNumberUsedAgain(t *testing.T) {
	e := between(t, New(Options{Log: testLog(t)}), Route{To: "server:445"})
	w := &wire{t: t}
	framed := func(m []byte) []byte { return append(nbss.AppendHeader(nil, nbss.SessionMessage, len(m)), m...) }
	both := answers(status.Success, 0)
	first := nbss.HeaderLen + int(both[2])<<8 + int(both[3])
	e.asks(framed(w.message(smb2.Negotiate, &smb2.NegotiateRequest{Dialects: []uint16{smb2.Dialect210}})))
	e.answers(both[:first])
	e.asks(framed(w.message(smb2.SessionSetup, setupOf(userToken(t))))) // in one message
	e.answers(both[first:])

	other := ntlm.NewUser("somebodyelse", "", "x", ntlm.Options{})
	token, err := other.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e.asks(framed(w.message(smb2.SessionSetup, setupOf(token))))
	more := &smb2.Message{Header: smb2.Header{
		Command: smb2.SessionSetup, Flags: smb2.FlagResponse, MessageID: w.id - 1, SessionID: 7, Credits: 8,
		Status: uint32(status.MoreProcessingRequired),
	}, Body: new(smb2.SessionSetupResponse)}
	e.answers(framed(more.AppendMarshal(nil)))
	proof, err := named("somebodyelse").Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.session = 7
	var h smb2.Header
	got := e.asks(framed(w.treeConnect()))
	if len(got) < nbss.HeaderLen || h.Unmarshal(got[nbss.HeaderLen:]) != nil || h.Command != smb2.Echo {
		t.Errorf("a request in the session that has ended reaches the server: %v", h.Command)
	}
	got = e.asks(framed(w.message(smb2.SessionSetup, setupOf(proof))))
	if len(got) < nbss.HeaderLen || h.Unmarshal(got[nbss.HeaderLen:]) != nil || h.Command != smb2.SessionSetup {
		t.Errorf("the other user's logon does not reach the server: %v", h.Command)
	}
}

// TestNameReadOtherwise: a logon of SMB1 is refused if a server may read an empty name in it.
func TestNameReadOtherwise(t *testing.T) {
	const plain, hashed = 1, 3 // SecurityMode
	response := make([]byte, 24)
	for _, c := range []struct {
		name         string
		mode         uint8
		capabilities uint32
		oem          bool
		account      string
		first        []byte
		second       []byte
		passes       bool
	}{
		{"as clients do", hashed, smb1.CapUnicode, false, "anna", response, response, true},
		{"bytes", hashed, smb1.CapUnicode, true, "anna", response, response, true},
		{"bytes where no Unicode was offered", hashed, 0, true, "anna", response, response, true},
		{"Unicode where none was offered", hashed, 0, false, "anna", response, response, false},
		{"letters of a code page", hashed, smb1.CapUnicode, true, "j\u00fcrg", response, response, false},
		{"letters that a code page may not have", hashed, smb1.CapUnicode, false, "j\u00fcrg", response, response, false},
		{"a password of bytes", plain, smb1.CapUnicode, false, "anna", []byte("password"), nil, true},
		{"a password in Unicode", plain, smb1.CapUnicode, false, "anna", nil, []byte("p\x00w\x00d\x00"), true},
		{"two passwords", plain, smb1.CapUnicode, false, "anna", []byte("pwd"), []byte("p\x00w\x00d\x00"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := between(t, New(Options{Log: testLog(t)}), Route{To: "192.0.2.20:445"})
			e.asks(frame1(t, nil, &smb1.NegotiateRequest{Dialects: []string{"NT LM 0.12"}}))
			e.answers(frame1(t, func(h *smb1.Header) { h.Flags = smb1.FlagsReply }, &smb1.NegotiateResponse{
				SecurityMode: c.mode, Capabilities: c.capabilities, Challenge: make([]byte, 8),
			}))
			user := null1()
			user.AccountName, user.OEMPassword, user.UnicodePassword = c.account, c.first, c.second
			ask := frame1(t, func(h *smb1.Header) {
				if c.oem {
					h.Flags2 &^= smb1.Flags2Unicode
				}
			}, user)
			go func() { _, _ = e.client.Write(ask) }()
			passes := make(chan bool, 2)
			for to, nc := range map[bool]net.Conn{true: e.server, false: e.client} {
				go func() {
					_, _, _ = nbss.ReadFrame(nc, nil, nbss.MaxLen)
					passes <- to
				}()
			}
			if got := <-passes; got != c.passes {
				t.Errorf("passes: %v", got)
			}
		})
	}
}

// TestEncryptedOfNobody: beside a user, the server answers an encrypted frame of a session that is not there. A client
// whose own logoff was encrypted may send one, and is no stranger. Without a user it is refused, and so is a session
// that the connection has and that is no user's.
func TestEncryptedOfNobody(t *testing.T) {
	sealedFor := func(session uint64) []byte {
		b := make([]byte, nbss.HeaderLen+smb2.TransformLen+8)
		copy(b[nbss.HeaderLen:], "\xFDSMB")
		le.PutUint64(b[nbss.HeaderLen+smb2.TransformLen-8:], session)
		nbss.PutHeader(b)
		return b
	}
	for _, c := range []struct {
		name  string
		who   model.Identity
		also  *session // in session 8
		frame uint64
		pass  bool
	}{
		{"of the user", model.User, nil, 7, true},
		{"of none, beside a user", model.User, nil, 0, true},
		{"of none, beside a refused guest", "", &session{refused: ReasonGuest}, 0, false},
		{"of a refused guest, beside a user", model.User, &session{refused: ReasonGuest}, 8, false},
		{"of none", "", nil, 0, false},
	} {
		g := New(Options{Log: testLog(t)})
		way, err := NewWay(Route{To: "server:445"})
		if err != nil {
			t.Fatal(err)
		}
		client, clientSide := net.Pipe()
		server, serverSide := net.Pipe()
		conn := newConn(g, way, "server:445", clientSide, serverSide)
		if c.who != "" {
			err = conn.table.come(7, &session{caller: caller{who: c.who}})
		}
		if err == nil && c.also != nil {
			err = conn.table.come(8, c.also)
		}
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			conn.run()
		}()
		e := &ends{t, client, server, way}
		if got := e.asks(sealedFor(c.frame)); (got != nil) != c.pass {
			t.Errorf("%s: it reaches the server: %v", c.name, got != nil)
		}
		if n := g.Stats().Refused[ReasonEncrypted]; (n == 0) != c.pass {
			t.Errorf("%s: %d refusals", c.name, n)
		}
		client.Close()
		server.Close()
		<-ended
	}
}
