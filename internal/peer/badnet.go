package peer

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Badnet is an unreliable network between a client and a server. Unlike a practice server with faults it does not know
// messages: it cuts connections anywhere. The zero value passes everything on.
type Badnet struct {
	Delay time.Duration // of everything, each way
	Rate  int           // bytes a second in each direction of each connection; 0 is no limit
	// Each connection ends when the server has sent more bytes than these, which still arrive; 0 is never.
	CutAfter int
	Reset    bool // it ends with a reset instead of a close
	// A connection's responses are held when the server has sent more bytes than these, until Release; 0 is never.
	Hold    int
	MaxOpen int  // more concurrent connections are accepted and closed at once; 0 is no limit
	Mute    bool // connections are accepted and never answered

	// After so many connections the next ones are banned, as by fail2ban, and all are reset; 0 is never.
	BanAfter     int
	BanOnFailure bool // the first STATUS_LOGON_FAILURE causes the ban and is itself lost
	Ban          BanMode

	listener *net.TCPListener
	upstream string
	wg       sync.WaitGroup
	mu       sync.Mutex
	count    int
	open     int
	banned   bool
	released bool
	held     chan struct{}
	conns    map[*net.TCPConn]bool
}

// BanMode is what happens to connections after a ban.
type BanMode int

// The modes.
const (
	BanRefuses BanMode = iota // the port is closed
	BanResets                 // accepted, and reset
	BanIsMute                 // accepted, and never answered
)

// logonFailure is STATUS_LOGON_FAILURE as encoded in a response.
var logonFailure = []byte{0x6D, 0, 0, 0xC0}

// Start listens on a free port of a loopback address in front of a server, and returns host:port. It stops with the
// test.
func (b *Badnet) Start(t testing.TB, address, upstream string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatalf("peer: a bad network: %v", err)
	}
	b.listener, b.upstream, b.conns = l.(*net.TCPListener), upstream, map[*net.TCPConn]bool{}
	b.held = make(chan struct{})
	b.wg.Go(b.accept)
	t.Cleanup(func() {
		l.Close()
		b.mu.Lock()
		for c := range b.conns {
			c.Close()
		}
		b.mu.Unlock()
		b.wg.Wait()
	})
	return l.Addr().String()
}

// Connections returns the number of connections so far.
func (b *Badnet) Connections() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}

// Held is closed when responses are held for the first time.
func (b *Badnet) Held() <-chan struct{} { return b.held }

// Release stops holding responses.
func (b *Badnet) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.released = true
}

// hold reports whether responses are held from here on.
func (b *Badnet) hold(sent int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Hold == 0 || b.released || sent <= b.Hold {
		return false
	}
	select {
	case <-b.held:
	default:
		close(b.held)
	}
	return true
}

func (b *Badnet) accept() {
	for {
		c, err := b.listener.AcceptTCP()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.count++
		b.conns[c] = true
		if b.BanAfter > 0 && b.count > b.BanAfter {
			b.ban()
		}
		banned, full := b.banned, b.MaxOpen > 0 && b.open >= b.MaxOpen
		passes := !banned && !full && !b.Mute
		if passes {
			b.open++
		}
		b.mu.Unlock()
		b.wg.Go(func() {
			switch {
			case banned && b.Ban != BanIsMute:
				reset(c)
			case b.Mute || banned:
				_, _ = io.Copy(io.Discard, c)
			case passes:
				b.serve(c)
			}
			c.Close()
			b.mu.Lock()
			defer b.mu.Unlock()
			delete(b.conns, c)
			if passes {
				b.open--
			}
		})
	}
}

// ban bans all clients. The lock must be held.
func (b *Badnet) ban() {
	if b.banned {
		return
	}
	b.banned = true
	for c := range b.conns {
		reset(c)
	}
	if b.Ban == BanRefuses {
		b.listener.Close()
	}
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	c.Close()
}

func (b *Badnet) serve(c *net.TCPConn) {
	up, err := net.Dial("tcp", b.upstream)
	if err != nil {
		return
	}
	s := up.(*net.TCPConn)
	defer s.Close()
	var wg sync.WaitGroup
	left := make(chan struct{}) // closed when the client has gone
	wg.Go(func() {
		b.pass(c, s, nil)
		s.Close()
		close(left)
	})
	b.pass(s, c, left)
	if b.Reset {
		reset(c)
	}
	c.Close()
	s.Close()
	wg.Wait()
}

// chunk is the data of one read, and when it is forwarded.
type chunk struct {
	due  time.Time
	data []byte
}

// pass forwards one direction until either end is closed, or the connection's limit is reached. left is nil for
// requests; for responses it is closed when the client has gone.
func (b *Badnet) pass(from, to *net.TCPConn, left <-chan struct{}) {
	answers := left != nil
	way := make(chan chunk, 1024) // more than a sender sends within a delay; a full one only blocks the sender
	gone := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(way)
		for {
			buf := make([]byte, 64<<10)
			n, err := from.Read(buf)
			if n > 0 {
				if answers && b.BanOnFailure && bytes.Contains(buf[:n], logonFailure) {
					b.mu.Lock()
					b.ban()
					b.mu.Unlock()
					return
				}
				select {
				case way <- chunk{time.Now().Add(b.Delay), buf[:n]}:
				case <-gone:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	sent := 0
	for k := range way {
		time.Sleep(time.Until(k.due))
		if answers && b.hold(sent+len(k.data)) {
			<-left
			break
		}
		d, cut := k.data, false
		if left := b.CutAfter - sent; answers && b.CutAfter > 0 && len(d) > left {
			d, cut = d[:left], true
		}
		if b.Rate > 0 {
			time.Sleep(time.Duration(len(d)) * time.Second / time.Duration(b.Rate))
		}
		n, err := to.Write(d)
		if sent += n; err != nil || cut {
			break
		}
	}
	if answers && b.Reset {
		reset(to)
	} else {
		to.Close()
	}
	from.Close()
	close(gone)
	wg.Wait()
}
