// Package limit keeps slow and many clients from keeping others out.
//
//	connection ─► of its address too many? closed ─► too many strangers? the oldest of them is closed ─► served
//	body ───────► nothing for a while, or too slow on the whole? the request ends
//
// The rules of the room:
//
//   - A connection is a stranger's until a request on it was somebody's who has logged in or has a token. Strangers' are
//     few, and a new one closes the oldest: whoever holds many open loses them, and whoever comes gets in.
//   - Those of people who have come in are never closed for others, up to a bound of their own.
//   - Connections of trusted proxies are counted together with nobody's address.
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
	Strangers int            // connections that nobody has logged in on
	Address   int            // of them from one address
	Known     int            // connections that somebody has logged in on
	Proxies   []netip.Prefix // whose connections are many people's
}

// The bounds where nothing is said: descriptors are some thousands, of which scans have their own share; a browser opens
// six connections; a load balancer that is no trusted proxy a hundred.
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
	strangers *list.List // of *conn, the oldest first
	address   map[netip.Addr]int
	known     int
}

// Listen bounds the connections of a listener. The server has to have [Context] for its ConnContext.
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
	from   netip.Addr    // not valid of a proxy
	place  *list.Element // among the strangers; nil of those that are known. Under the listener's lock
	known  bool
	closed atomic.Bool
}

// Accept waits for a connection that may be.
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
	if from.Is6() { // whoever has one address of IPv6 has a whole network of them
		if p, err := from.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return from
}

// enter counts a connection, and says which stranger has to go for it.
func (l *Listener) enter(c *conn) (evicted *conn, ok bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if c.from.IsValid() && l.address[c.from] >= l.o.Address {
		// The oldest of the same address goes: whoever keeps many open cannot keep a neighbour behind the same router out.
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

// forget takes a connection out of the counts; under the lock.
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

// Context is for http.Server's ConnContext: it keeps which connection a request is of.
func Context(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok { // of TLS
		c = t.NetConn()
	}
	if x, ok := c.(*conn); ok {
		return context.WithValue(ctx, key{}, x)
	}
	return ctx
}

// Come says that a request is somebody's who has logged in, or has a token: its connection is not closed for others any more.
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

// How slow a body may be: so long without a byte, and on the whole no slower than a line of the last century.
const (
	bodyQuiet = 20 * time.Second
	bodyGrace = 20 * time.Second
	bodyRate  = 4 << 10 // bytes a second
)

// ErrSlow says that a body came too slowly.
var ErrSlow = errors.New("the body of the request came too slowly")

// Bodies gives every body a lowest rate. Before it answers, net/http reads on its own what a handler has left of a body:
// that has a deadline, too.
func Bodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			control := http.NewResponseController(w)
			_ = control.SetReadDeadline(time.Now().Add(bodyQuiet)) // not every server can
			r.Body = &body{ReadCloser: r.Body, control: control}
		}
		next.ServeHTTP(w, r)
	})
}

// body is read no slower than a rate.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	began   time.Time // the first read: nobody is slow while a handler waits for something else
	read    int64
}

// Read is part of io.Reader.
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
		_ = b.control.SetReadDeadline(time.Time{}) // an answer that goes on for long is read from, too
	case errors.As(err, &slow) && slow.Timeout():
		_ = b.control.SetReadDeadline(now) // nothing more is read
		err = ErrSlow
	}
	return n, err
}
