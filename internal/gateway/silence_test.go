package gateway

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/smb/nbss"
)

// timed is a connection that knows its deadline of reading.
type timed struct {
	net.Conn

	mu sync.Mutex
	by time.Time
}

func (c *timed) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by = t
	return c.Conn.SetReadDeadline(t)
}

// TestSilenceAfterLongAnswer: the limit of a long answer, which is forwarded piece by piece, does not end a user's
// connection on which nothing is said afterwards.
func TestSilenceAfterLongAnswer(t *testing.T) {
	var server *timed
	e := betweenWith(t, New(Options{Log: testLog(t)}), Route{To: "192.0.2.20:445"}, func(nc net.Conn) net.Conn {
		server = &timed{Conn: nc}
		return server
	})
	e.negotiate1(false)
	e.user1(100)
	for _, n := range []int{roomLen + 1, 1} { // the second is read when the first has been forwarded
		frame := rawFrame(make([]byte, n))
		sent := make(chan error, 1)
		go func() {
			_, err := e.server.Write(frame)
			sent <- err
		}()
		_, got, err := nbss.ReadFrame(e.client, nil, nbss.MaxLen)
		if err != nil || !bytes.Equal(got, frame[nbss.HeaderLen:]) {
			t.Fatalf("the client gets %d of %d bytes: %v", len(got), n, err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	if !server.by.IsZero() {
		t.Errorf("the server must speak again within %v", time.Until(server.by))
	}
}
