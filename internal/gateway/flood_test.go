//go:build unix

package gateway

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

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
