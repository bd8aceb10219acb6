//go:build unix

package gateway

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// TestFlood refuses ten thousand null sessions, on one connection and on many at once, and then serves a user.
func TestFlood(t *testing.T) {
	g, address := local(t, Options{Limits: Limits{PerClient: 200, Logon: time.Hour}}, Route{})
	token := nullToken(t)
	const each, onOne = 2500, 5000
	done := make(chan int)
	for range 2 {
		go func() {
			refused := 0
			for range each {
				nc, err := net.Dial("tcp", address)
				if err != nil {
					break
				}
				w := &wire{t: t, nc: nc}
				w.negotiate(smb2.Dialect210)
				if st, _ := w.setup(token); st == status.AccessDenied {
					refused++
				}
				reset(nc)
			}
			done <- refused
		}()
	}
	w := dialWith(t, new(net.Dialer).DialContext, address)
	if err := w.nc.SetDeadline(time.Time{}); err != nil { // a busy machine needs long for so many
		t.Fatal(err)
	}
	w.negotiate(smb2.Dialect210)
	for i := range onOne {
		if st, _ := w.setup(token); st != status.AccessDenied {
			t.Fatalf("null session %d: %v", i, st)
		}
	}
	if a, b := <-done, <-done; a+b != 2*each {
		t.Errorf("%d of %d null sessions were refused", a+b, 2*each)
	}
	w.users = true
	if st, _ := w.setup(userToken(t)); st != status.Success {
		t.Errorf("the user on the same connection: %v", st)
	}
	comeIn(t, address)
	if n := g.Stats().Refused[ReasonAnonymous]; n != 2*each+onOne {
		t.Errorf("%d refusals were counted", n)
	}
}

// TestLimits checks the limits of connections: too many from one address, and one without a logon. A user's connection
// has no such timeout.
func TestLimits(t *testing.T) {
	g, address := local(t, Options{Limits: Limits{PerClient: 2}}, Route{})
	comeIn(t, address)
	comeIn(t, address)
	third, err := net.Dial("tcp", address)
	if err == nil { // else the reset came before the end of the handshake
		_, err = third.Read(make([]byte, 1))
		third.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a third connection of one address ends with %v, not with a reset", err)
	}
	if n := g.Stats().Refused[ReasonClients]; n != 1 {
		t.Errorf("%s was counted %d times", ReasonClients, n)
	}

	const logon = 3 * time.Second // enough for a user on a busy machine; a stranger waits for it here
	g, address = local(t, Options{Limits: Limits{Logon: logon}}, Route{})
	user := comeIn(t, address)
	idle := dialWith(t, new(net.Dialer).DialContext, address)
	idle.negotiate(smb2.Dialect210)
	if _, _, err := idle.receive(); err == nil {
		t.Error("a connection without a user goes on")
	}
	if st, _ := user.ask(user.message(smb2.Echo, new(smb2.Empty))); st != status.Success {
		t.Errorf("the user's connection: %v", st)
	}
	if n := g.Stats().Refused[ReasonIdle]; n != 1 {
		t.Errorf("%s was counted %d times", ReasonIdle, n)
	}
}

// TestUserIdle ends a user's idle connection if the limits say so, and not if refusals are only counted.
func TestUserIdle(t *testing.T) {
	limits := Options{Limits: Limits{User: 3 * time.Second}}
	_, address := local(t, limits, Route{ObserveOnly: true})
	watched := comeIn(t, address)
	g, address := local(t, limits, Route{})
	user := comeIn(t, address)
	// From here on the connection is between two requests.
	if st, _ := user.ask(user.message(smb2.Echo, new(smb2.Empty))); st != status.Success {
		t.Fatalf("the user: %v", st)
	}
	if _, _, err := user.receive(); err == nil {
		t.Error("a silent user's connection goes on")
	}
	if n := g.Stats().Refused[ReasonIdle]; n != 1 {
		t.Errorf("%s was counted %d times", ReasonIdle, n)
	}
	if st, _ := watched.ask(watched.message(smb2.Echo, new(smb2.Empty))); st != status.Success {
		t.Errorf("a silent user where nothing is enforced: %v", st)
	}
}

// TestIdleObserved ends no idle connection if refusals are only counted.
func TestIdleObserved(t *testing.T) {
	g, address := local(t, Options{Limits: Limits{Logon: 50 * time.Millisecond}}, Route{ObserveOnly: true})
	w := dialWith(t, new(net.Dialer).DialContext, address)
	w.negotiate(smb2.Dialect210)
	for end := time.Now().Add(time.Minute); g.Stats().Refused[ReasonIdle] == 0 &&
		time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	w.users = true
	if st, _ := w.setup(userToken(t)); st != status.Success {
		t.Errorf("the user after that: %v", st)
	}
	if n := g.Stats().Refused[ReasonIdle]; n != 1 {
		t.Errorf("it was counted %d times", n)
	}
}

// TestServerDown resets the client's connection while the server is down, and serves when it is back.
func TestServerDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.21.3.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := l.Addr().String()
	l.Close()
	g, address := local(t, Options{}, Route{To: to})
	if nc, err := net.Dial("tcp", address); err == nil { // the reset may come before the connection is established
		defer nc.Close()
		if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("without a server: %v", err)
		}
	}
	if g.Stats().Refused[ReasonServer] != 1 {
		t.Errorf("counted: %v", g.Stats().Refused)
	}
	filler(t, to)
	comeIn(t, address)
}

// TestPortsOfStrangers: the server's end of a connection without a user is reset. The end that closes first keeps its
// port for a minute, so short connections would take all ports that the gateway has towards the server.
func TestPortsOfStrangers(t *testing.T) {
	null, user := nullFrames(t), userFrames(t)
	null = null[:frameAt(null, 2)] // no request whose answer would be waited for
	for _, c := range []struct {
		name           string
		client, server []byte
		route          Route
		reset          bool
	}{
		{"nothing", nil, nil, Route{}, true},
		{"a null session", null, answers(status.AccessDenied, 0), Route{}, true},
		{"what is no SMB", []byte("GET / HTTP/1.1"), nil, Route{}, true},
		{"a guest", user, answers(status.Success, smb2.SessionIsGuest), Route{}, true},
		{"a user", user, answers(status.Success, 0), Route{}, false},
		{"what is no SMB, observed", []byte("GET / HTTP/1.1"), nil, Route{ObserveOnly: true}, false},
		{"a null session with an exception", null, answers(status.Success, 0), Route{Policy: somePolicy()}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.21.3.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			c.route.To = l.Addr().String()
			_, address := local(t, Options{}, c.route)
			nc, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			back, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer back.Close()
			if _, err := nc.Write(c.client); err != nil {
				t.Fatal(err)
			}
			for _, end := range []net.Conn{nc, back} {
				if err := end.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			for answers := c.server; len(answers) > 0; {
				if _, _, err := nbss.ReadFrame(back, nil, nbss.MaxLen); err != nil {
					t.Fatal(err)
				}
				n := frameAt(answers, 1)
				if _, err := back.Write(answers[:n]); err != nil {
					t.Fatal(err)
				}
				answers = answers[n:]
				if _, _, err := nbss.ReadFrame(nc, nil, nbss.MaxLen); err != nil {
					t.Fatal(err)
				}
			}
			if err := nc.Close(); err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, back)
			if c.reset && !errors.Is(err, syscall.ECONNRESET) || !c.reset && err != nil {
				t.Errorf("at the server: %v", err)
			}
		})
	}
}

// frameAt returns where a frame begins, by its number.
func frameAt(frames []byte, number int) (at int) {
	for range number {
		at += nbss.HeaderLen + int(frames[at+2])<<8 + int(frames[at+3])
	}
	return at
}

// TestHalfClosed: a client without a user that closes its direction still gets the answer that is due.
func TestHalfClosed(t *testing.T) {
	_, address := local(t, Options{}, Route{})
	w := dialWith(t, new(net.Dialer).DialContext, address)
	w.send(w.message(smb2.Negotiate, &smb2.NegotiateRequest{Dialects: []uint16{smb2.Dialect210}}))
	closeWrite(w.nc)
	if h, _, err := w.receive(); err != nil || h.Command != smb2.Negotiate {
		t.Errorf("the answer: %v %v", h.Command, err)
	}
	if _, _, err := w.receive(); err == nil {
		t.Error("the connection goes on")
	}
}

// TestKeepAliveIsEmpty refuses keep-alives with data on a NetBIOS listener: RFC 1002 gives them none, and a server that
// does not skip it reads it as frames.
func TestKeepAliveIsEmpty(t *testing.T) {
	l, err := net.Listen("tcp", "127.21.3.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g, address := local(t, Options{}, Route{To: l.Addr().String(), NetBIOS: true})
	w := dialWith(t, new(net.Dialer).DialContext, address)
	back, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	null := nullFrames(t)
	w.raw([]byte{nbss.KeepAlive, 0, 0, 0})
	w.raw(append([]byte{nbss.KeepAlive, 0, 0, byte(frameAt(null, 1))}, null[:frameAt(null, 1)]...))
	if err := back.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(back)
	if len(b) > nbss.HeaderLen || g.Stats().Refused[ReasonProtocol] != 1 {
		t.Errorf("the server got %d bytes: % X; refused: %v", len(b), b, g.Stats().Refused)
	}
}

// TestListenerDialled refuses a client that dials a transparent listener itself: the gateway does not connect to itself
// until it has no more connections.
func TestListenerDialled(t *testing.T) {
	for _, address := range []string{"127.21.3.9:0", "0.0.0.0:0"} {
		l, err := Listen(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		g := New(Options{Log: testLog(t), Limits: Limits{PerClient: 8}})
		serve(t, g, l, Route{Transparent: true})
		port := uint16(l.Addr().(*net.TCPAddr).Port)
		at := netip.AddrPortFrom(netip.MustParseAddr("127.21.3.9"), port)
		nc, err := net.Dial("tcp", at.String())
		if err == nil {
			defer nc.Close()
			if err := nc.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			_, err = nc.Read(make([]byte, 1))
		}
		if !errors.Is(err, syscall.ECONNRESET) { // perhaps before Dial looks
			t.Errorf("%s: %v", address, err)
		}
		if s := g.Stats(); s.Connections != 1 || s.Refused[ReasonServer] != 1 {
			t.Errorf("%s: %+v", address, s)
		}
		if !isOwn(at, l.Addr()) {
			t.Errorf("%s: %v is not its own", address, at)
		}
		for _, other := range []netip.AddrPort{
			netip.AddrPortFrom(at.Addr(), port-1), netip.AddrPortFrom(netip.MustParseAddr("192.0.2.20"), port),
		} {
			if isOwn(other, l.Addr()) {
				t.Errorf("%s: %v is its own", address, other)
			}
		}
	}
}
