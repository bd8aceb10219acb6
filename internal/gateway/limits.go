package gateway

import (
	"cmp"
	"net/netip"
	"sync"
	"time"
)

// Limits bound the resources of clients. A zero is the default.
type Limits struct {
	Connections int           // in total; 16384
	PerClient   int           // from one address; 1024: a terminal server has one for each of its programs
	Logon       time.Duration // until a user has logged on; 60 s
	Stranger    time.Duration // between two requests of a stranger who may use some pipes; 5 min
	User        time.Duration // between two requests on a connection of users; none
	Dial        time.Duration // until the server accepts a connection; 10 s
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Connections: cmp.Or(l.Connections, 16384),
		PerClient:   cmp.Or(l.PerClient, 1024),
		Logon:       cmp.Or(l.Logon, time.Minute),
		Stranger:    cmp.Or(l.Stranger, 5*time.Minute),
		User:        l.User,
		Dial:        cmp.Or(l.Dial, 10*time.Second),
	}
}

// connections counts connections.
type connections struct {
	mu       sync.Mutex
	total    int
	byClient map[netip.Addr]int
}

// take reserves a connection for a client; false if there is none left.
func (p *connections) take(client netip.Addr, l Limits) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.total >= l.Connections || p.byClient[client] >= l.PerClient {
		return false
	}
	if p.byClient == nil {
		p.byClient = map[netip.Addr]int{}
	}
	p.total++
	p.byClient[client]++
	return true
}

func (p *connections) leave(client netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total--
	if p.byClient[client]--; p.byClient[client] == 0 {
		delete(p.byClient, client)
	}
}
