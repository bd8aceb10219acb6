package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"ipcguard/internal/model"
)

// Route is where a listener leads, and what may pass on the way.
type Route struct {
	To          string // host:port of the server; empty where Transparent
	Policy      Policy
	ObserveOnly bool // nothing is refused, and what would be is counted

	// NetBIOS expects a session request first, as port 139 does.
	NetBIOS bool

	// Transparent leads each connection to the server that the client meant, in the client's own name. The listener is
	// one of ListenTransparent.
	Transparent bool
}

// Way is a Route that can be changed while connections take it. Open connections keep their server; whoever logs on
// next is judged by the new policy.
type Way struct{ route atomic.Pointer[Route] }

// NewWay makes a way, if the route can be enforced.
func NewWay(r Route) (*Way, error) {
	w := new(Way)
	return w, w.Set(r)
}

// Set changes the route. On an error the way stays as it was.
func (w *Way) Set(r Route) error {
	if err := r.Policy.Check(); err != nil {
		return err
	}
	w.route.Store(&r)
	return nil
}

// Route is the present route.
func (w *Way) Route() *Route { return w.route.Load() }

// Options is how a Gateway is made.
type Options struct {
	Limits Limits
	Log    *slog.Logger    // nil: nothing is logged
	Use    func(model.Use) // takes every logon as a row, from many goroutines; nil: nobody does
	// Dial makes the connection to a server; nil is a net.Dialer without keep-alive probes, which begin with a user.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Gateway takes connections and leads them to servers.
type Gateway struct {
	Options
	stats  stats
	places places
	rooms  rooms
	lines  pace

	watches watches

	mu    sync.Mutex
	conns map[*conn]struct{}
	wait  sync.WaitGroup
	over  bool
}

// New makes a gateway.
func New(o Options) *Gateway {
	o.Limits = o.Limits.withDefaults()
	if o.Dial == nil {
		o.Dial = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	g := &Gateway{Options: o, conns: map[*conn]struct{}{}}
	g.stats.init()
	return g
}

// Stats is what was counted so far.
func (g *Gateway) Stats() Stats { return g.stats.snapshot() }

// Listen listens for clients. The gateway itself begins TCP's keep-alive probes.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	l := net.ListenConfig{KeepAlive: -1}
	return l.Listen(ctx, "tcp", address)
}

// Serve takes the connections of a listener until the context ends or the listener does, and closes it; connections go
// on.
func (g *Gateway) Serve(ctx context.Context, l net.Listener, way *Way) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			g.take(ctx, nc, way)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			// Out of file descriptors, most likely: those that wait are taken when others have ended.
			g.log(slog.LevelError, "accepting", "error", err.Error())
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// take begins a connection, if there is a place for it.
func (g *Gateway) take(ctx context.Context, nc net.Conn, way *Way) {
	client := addressOf(nc.RemoteAddr())
	if !g.places.take(client, g.Limits) {
		g.stats.refused(ReasonClients)
		g.log(slog.LevelWarn, "refused", "client", client, "reason", string(ReasonClients))
		reset(nc)
		return
	}
	g.stats.opened()
	ctx = context.WithoutCancel(ctx) // the end of the listener is not that of a connection which is on its way to the server
	g.wait.Go(func() {
		defer g.stats.closed()
		defer g.places.leave(client)
		g.lead(ctx, nc, way)
	})
}

// lead connects to the server and runs the connection. A server that cannot be reached is a reset to the client, as if
// there were no gateway.
func (g *Gateway) lead(ctx context.Context, nc net.Conn, way *Way) {
	back, to, err := g.connect(ctx, nc, way.Route())
	if err != nil {
		g.stats.refused(ReasonServer)
		g.log(slog.LevelError, "the server cannot be reached", "server", to, "client", addressOf(nc.RemoteAddr()),
			"error", err.Error())
		reset(nc)
		return
	}
	c := newConn(g, way, to, nc, back)
	if !g.add(c) {
		reset(nc)
		back.Close()
		return
	}
	defer g.remove(c)
	c.run()
}

// connect makes the connection to the server of a client, and says what the server is called.
func (g *Gateway) connect(ctx context.Context, nc net.Conn, r *Route) (back net.Conn, to string, err error) {
	ctx, cancel := context.WithTimeout(ctx, g.Limits.Dial)
	defer cancel()
	if !r.Transparent {
		back, err = g.Dial(ctx, "tcp", r.To)
		return back, r.To, err
	}
	meant, ok := nc.LocalAddr().(*net.TCPAddr)
	if !ok {
		return nil, "", errors.New("gateway: a transparent connection that is not TCP")
	}
	server := netip.AddrPortFrom(addressOf(meant), uint16(meant.Port))
	back, err = dialTransparent(ctx, addressOf(nc.RemoteAddr()), server)
	return back, server.String(), err
}

// reset ends a connection at once.
func reset(nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	nc.Close()
}

func (g *Gateway) add(c *conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.over {
		g.conns[c] = struct{}{}
	}
	return !g.over
}

func (g *Gateway) remove(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
}

// Shutdown waits until every connection has ended, or the context has, and then ends those that are left. Serve must
// have ended before.
func (g *Gateway) Shutdown(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		g.wait.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	g.mu.Lock()
	g.over = true
	left := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		left = append(left, c)
	}
	g.mu.Unlock()
	for _, c := range left {
		c.finish(net.ErrClosed)
	}
	<-done
}

// log writes a line, unless there were too many in the present second.
func (g *Gateway) log(level slog.Level, what string, args ...any) {
	if g.Log == nil || !g.Log.Enabled(context.Background(), level) {
		return
	}
	if level < slog.LevelInfo { // whoever asks for everything gets it
		g.Log.Log(context.Background(), level, what, args...)
		return
	}
	ok, left := g.lines.take(time.Now())
	if left > 0 {
		g.Log.Warn("lines left out", "count", left)
	}
	if ok {
		g.Log.Log(context.Background(), level, what, args...)
	}
}

// linesASecond bounds the log: a flood of strangers is to fill no disk. Every refusal is counted all the same.
const linesASecond = 20

// pace lets so many lines through in a second.
type pace struct {
	mu     sync.Mutex
	second int64
	n, out int
}

// take tells whether a line may be written, and how many were left out before the present second.
func (p *pace) take(now time.Time) (ok bool, left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := now.Unix(); s != p.second {
		left, p.out = p.out, 0
		p.second, p.n = s, 0
	}
	if p.n++; p.n > linesASecond {
		p.out++
		return false, left
	}
	return true, left
}
