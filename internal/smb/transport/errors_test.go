package transport

import (
	"net"
	"testing"
)

// A refused and a reset connection are told apart on every system.
func TestNetError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			accepted <- c
		}
		close(accepted)
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server, ok := <-accepted
	if !ok {
		t.Fatal("nothing was accepted")
	}
	if err := server.(*net.TCPConn).SetLinger(0); err != nil { // closing resets
		t.Fatal(err)
	}
	server.Close()
	_, err = c.Read(make([]byte, 1))
	if e := NetError(LayerCall, err); !e.Dropped() || e.Reason != "connection dropped" {
		t.Errorf("a reset connection: %q, dropped %v (%v)", e.Reason, e.Dropped(), err)
	}
	l.Close()
	_, err = net.Dial("tcp", l.Addr().String())
	if e := NetError(LayerConnect, err); e.Reason != "connection refused" || e.Dropped() {
		t.Errorf("a refused connection: %q (%v)", e.Reason, err)
	}
}

// Only if the system knows no route is it said of this machine: a router on the way may have said the same.
func TestNoRoute(t *testing.T) {
	err := &net.OpError{
		Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 445}, Err: netUnreachable[0],
	}
	for want, routeless := range map[string]bool{
		"this machine has no route to 192.0.2.1": true, "network unreachable": false,
	} {
		if e := netError(LayerConnect, err, func(string) bool { return routeless }); e.Reason != want {
			t.Errorf("without a route %v: %q, want %q", routeless, e.Reason, want)
		}
	}
	if Routeless("127.0.0.1:445") {
		t.Error("this machine has no route to itself")
	}
}
