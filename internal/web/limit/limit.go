// Package limit keeps slow and many clients from excluding others.
//
//	connection ─► too many of its address? closed ─► too many strangers? the oldest of them is closed ─► served
//	body ───────► no bytes for a while, or too slow on average? the request ends
//
// The rules of this package:
//
//   - A connection is a stranger's until a request on it is authenticated. Strangers have few, and a new one closes the
//     oldest: whoever holds many open loses them, and a newcomer gets in.
//   - Authenticated connections are never closed for others, up to a bound of their own.
//   - Connections of trusted proxies do not count for an address.
package limit

import (
	"container/list"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a listener. The zero value has the bounds below.
type Options struct {
	Strangers int            // unauthenticated connections
	Address   int            // those of one address
	Known     int            // authenticated connections
	Proxies   []netip.Prefix // whose connections belong to many people
}

// The default bounds: there are a few thousand file descriptors, of which scans have their own share; a browser opens
// six connections; a load balancer that is not a trusted proxy a hundred.
const (
	Strangers = 512
	Address   = 128
	Known     = 2048
)

// Listener is a net.Listener that bounds its connections.
type Listener struct {
	net.Listener
	o Options

	lock      sync.Mutex
	strangers *list.List // of *conn, oldest first
	address   map[netip.Addr]int
	known     int
}

// Listen bounds the connections of a listener. The server must use [Context] as its ConnContext.
func Listen(l net.Listener, o Options) *Listener {
	if o.Strangers <= 0 {
		o.Strangers = Strangers
	}
	if o.Address <= 0 {
		o.Address = Address
	}
	if o.Known <= 0 {
		o.Known = Known
	}
	return &Listener{Listener: l, o: o, strangers: list.New(), address: map[netip.Addr]int{}}
}

// conn is one connection.
type conn struct {
	net.Conn
	l      *Listener
	from   netip.Addr    // not valid for a proxy
	place  *list.Element // among the strangers; nil for authenticated ones. Under the listener's lock
	known  bool
	closed atomic.Bool
}

// Accept waits for a connection within the bounds.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		x := &conn{Conn: c, l: l, from: l.addressOf(c)}
		evicted, ok := l.enter(x)
		if evicted != nil {
			_ = evicted.Close()
		}
		if ok {
			return x, nil
		}
		_ = c.Close()
	}
}

func (l *Listener) addressOf(c net.Conn) netip.Addr {
	a, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	from := a.Addr().Unmap().WithZone("")
	if slices.ContainsFunc(l.o.Proxies, func(p netip.Prefix) bool { return p.Contains(from) }) {
		return netip.Addr{}
	}
	if from.Is6() { // whoever has one IPv6 address has a whole network
		if p, err := from.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return from
}

// enter counts a connection, and returns the stranger that must be closed for it.
func (l *Listener) enter(c *conn) (evicted *conn, ok bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if c.from.IsValid() && l.address[c.from] >= l.o.Address {
		// The oldest of the same address is closed: whoever holds many open cannot exclude a neighbour behind the same
		// router.
		for e := l.strangers.Front(); e != nil && evicted == nil; e = e.Next() {
			if x := e.Value.(*conn); x.from == c.from {
				evicted = x
			}
		}
		if evicted == nil {
			return nil, false
		}
	} else if l.strangers.Len() >= l.o.Strangers {
		evicted = l.strangers.Front().Value.(*conn)
	}
	if evicted != nil {
		l.forget(evicted)
	}
	c.place = l.strangers.PushBack(c)
	if c.from.IsValid() {
		l.address[c.from]++
	}
	return evicted, true
}

// forget removes a connection from the counts. The caller holds the lock.
func (l *Listener) forget(c *conn) {
	switch {
	case c.place != nil:
		l.strangers.Remove(c.place)
		c.place = nil
		if c.from.IsValid() {
			if l.address[c.from]--; l.address[c.from] <= 0 {
				delete(l.address, c.from)
			}
		}
	case c.known:
		c.known = false
		l.known--
	}
}

// Close closes a connection.
func (c *conn) Close() error {
	if !c.closed.Swap(true) {
		c.l.lock.Lock()
		c.l.forget(c)
		c.l.lock.Unlock()
	}
	return c.Conn.Close()
}

type key struct{}

// Context is for http.Server's ConnContext: it stores the connection of a request.
func Context(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // of TLS
		c = t.NetConn()
	}
	if x, ok := c.(*conn); ok {
		return context.WithValue(ctx, key{}, x)
	}
	return ctx
}

// Come marks a request as authenticated: its connection is not closed for others any more.
func Come(ctx context.Context) {
	c, _ := ctx.Value(key{}).(*conn)
	if c == nil {
		return
	}
	c.l.lock.Lock()
	defer c.l.lock.Unlock()
	if c.place != nil && c.l.known < c.l.o.Known {
		c.l.forget(c)
		c.known = true
		c.l.known++
	}
}

// The least rate of a body: the longest time without a byte, and the average rate.
const (
	bodyQuiet = 20 * time.Second
	bodyGrace = 20 * time.Second
	bodyRate  = 4 << 10 // bytes a second
)

// ErrSlow means that a body arrived too slowly.
var ErrSlow = errors.New("the body of the request came too slowly")

// Bodies sets a least rate for every body. Before it answers, net/http itself reads what a handler has left of a body:
// that has a deadline, too.
func Bodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			control := http.NewResponseController(w)
			_ = control.SetReadDeadline(time.Now().Add(bodyQuiet)) // not every server supports it
			r.Body = &body{ReadCloser: r.Body, control: control}
		}
		next.ServeHTTP(w, r)
	})
}

// body is read at least at a rate.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	began   time.Time // the first read: the time before does not count, because the handler did not read
	read    int64
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	now := time.Now()
	if b.began.IsZero() {
		b.began = now
	}
	end := b.began.Add(bodyGrace + time.Duration(b.read)*time.Second/bodyRate)
	if end.Before(now) {
		_ = b.control.SetReadDeadline(now) // nothing more is read
		return 0, ErrSlow
	}
	if quiet := now.Add(bodyQuiet); quiet.Before(end) {
		end = quiet
	}
	_ = b.control.SetReadDeadline(end)
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	var slow net.Error
	switch {
	case errors.Is(err, io.EOF):
		_ = b.control.SetReadDeadline(time.Time{}) // the body is also read during a long answer
	case errors.As(err, &slow) && slow.Timeout():
		_ = b.control.SetReadDeadline(now) // nothing more is read
		err = ErrSlow
	}
	return n, err
}
