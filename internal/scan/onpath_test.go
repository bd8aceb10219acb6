package scan

import (
	"bufio"
	"net"
	"sync"
	"testing"

	"ipcguard/internal/smb/nbss"
)

// onPath stands between a client and a server as somebody on the network can: it sees every message, changes it, or
// ends the connection.
type onPath struct {
	upstream string
	// accept is asked for every connection, by its number from 0; false closes it at once.
	accept func(n int) bool
	closed func() // for every connection that has ended
	// answer sees every message of the server, request every one of the client, without the frame's header. What they
	// return goes on; nil ends the connection.
	answer, request func(n int, message []byte) []byte

	mu    sync.Mutex
	count int
	open  map[net.Conn]bool
	most  int // connections at a time
}

// start begins to listen and returns the address.
func (p *onPath) start(t testing.TB, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p.open = map[net.Conn]bool{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			n := p.count
			p.count++
			p.open[c] = true
			p.most = max(p.most, len(p.open))
			p.mu.Unlock()
			wg.Go(func() {
				p.serve(c, n)
				c.Close()
				p.mu.Lock()
				delete(p.open, c)
				p.mu.Unlock()
				if p.closed != nil {
					p.closed()
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.drop()
		wg.Wait()
	})
	return l.Addr().String()
}

// drop ends every connection.
func (p *onPath) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

func (p *onPath) serve(c net.Conn, n int) {
	if p.accept != nil && !p.accept(n) {
		return
	}
	s, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	defer s.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		relay(s, c, func(m []byte) []byte { return through(p.answer, n, m) })
		c.Close()
	})
	relay(c, s, func(m []byte) []byte { return through(p.request, n, m) })
	s.Close()
	wg.Wait()
}

func through(change func(int, []byte) []byte, n int, message []byte) []byte {
	if change == nil {
		return message
	}
	return change(n, message)
}

func relay(from, to net.Conn, change func([]byte) []byte) {
	r := bufio.NewReader(from)
	for {
		typ, message, err := nbss.ReadFrame(r, nil, 1<<20)
		if err != nil {
			return
		}
		if message = change(message); message == nil {
			return
		}
		frame := append(make([]byte, nbss.HeaderLen), message...)
		nbss.PutHeader(frame)
		frame[0] = typ
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}
