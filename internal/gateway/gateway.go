package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ipcguard/internal/model"
)

// Route is the server behind a listener, and what may pass to it.
type Route struct {
	To          string // host:port of the server; empty if Transparent
	Policy      Policy
	ObserveOnly bool // refuse nothing, and count what would be refused

	// NetBIOS expects a session request first, as port 139 does.
	NetBIOS bool

	// Transparent connects each client to the server that it dialled, from the client's own address. The listener is
	// one of ListenTransparent.
	Transparent bool
}

// Way is a Route that can be changed while connections use it. Open connections keep their server; the new policy
// applies to new logons.
type Way struct{ route atomic.Pointer[Route] }

// NewWay returns a way. It fails if the route cannot be enforced.
func NewWay(r Route) (*Way, error) {
	w := new(Way)
	return w, w.Set(r)
}

// Set changes the route. On an error the way stays unchanged.
func (w *Way) Set(r Route) error {
	if err := r.Policy.Check(); err != nil {
		return err
	}
	w.route.Store(&r)
	return nil
}

// Route returns the current route.
func (w *Way) Route() *Route { return w.route.Load() }

// Options configure a Gateway.
type Options struct {
	Limits Limits
	Log    *slog.Logger    // nil: no log
	Use    func(model.Use) // gets every logon as a row, from many goroutines; may be nil
	// Dial connects to a server; nil is a net.Dialer without keep-alive probes, which start when a user logs on.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Gateway accepts connections and forwards them to servers.
type Gateway struct {
	Options
	stats       stats
	connections connections
	rooms       rooms
	lines       pace

	watches watches

	mu    sync.Mutex
	conns map[*conn]struct{}
	wait  sync.WaitGroup
	over  bool
}

// New returns a gateway.
func New(o Options) *Gateway {
	o.Limits = o.Limits.withDefaults()
	if o.Dial == nil {
		o.Dial = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	g := &Gateway{Options: o, conns: map[*conn]struct{}{}}
	g.stats.init()
	return g
}

// Stats returns the counters.
func (g *Gateway) Stats() Stats { return g.stats.snapshot() }

// Listen listens for clients. It disables TCP's keep-alive probes, which the gateway starts itself.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	l := net.ListenConfig{KeepAlive: -1}
	return l.Listen(ctx, "tcp", address)
}

// Serve accepts connections until the context ends or the listener is closed, and closes the listener; open connections
// continue.
func (g *Gateway) Serve(ctx context.Context, l net.Listener, way *Way) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			g.take(ctx, nc, way, l.Addr())
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			// Probably out of file descriptors: waiting clients are accepted when other connections have ended.
			g.log(slog.LevelError, "accepting", "error", err.Error())
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// take starts a connection of a listener if the limits allow it.
func (g *Gateway) take(ctx context.Context, nc net.Conn, way *Way, listener net.Addr) {
	client := addressOf(nc.RemoteAddr())
	if !g.connections.take(client, g.Limits) {
		g.stats.refused(ReasonClients)
		g.log(slog.LevelWarn, "refused", "client", client, "reason", string(ReasonClients))
		reset(nc)
		return
	}
	g.stats.opened()
	// The end of the listener must not cancel a connection to the server that is being made.
	ctx = context.WithoutCancel(ctx)
	g.wait.Go(func() {
		defer g.stats.closed()
		defer g.connections.leave(client)
		g.lead(ctx, nc, way, listener)
	})
}

// lead connects to the server and runs the connection. If the server cannot be reached, the client sees a reset, as
// without a gateway.
func (g *Gateway) lead(ctx context.Context, nc net.Conn, way *Way, listener net.Addr) {
	back, to, err := g.connect(ctx, nc, way.Route(), listener)
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

// connect connects to a client's server and returns the server's name.
func (g *Gateway) connect(
	ctx context.Context, nc net.Conn, r *Route, listener net.Addr,
) (back net.Conn, to string, err error) {
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
	if isOwn(server, listener) {
		return nil, server.String(), errors.New("gateway: a transparent listener was dialled itself, and not a server")
	}
	back, err = dialTransparent(ctx, addressOf(nc.RemoteAddr()), server)
	return back, server.String(), err
}

// isOwn reports whether an address is that of a listener: the gateway would connect to itself, and that connection
// again, until a limit ends it.
func isOwn(a netip.AddrPort, listener net.Addr) bool {
	own, ok := listener.(*net.TCPAddr)
	if !ok || own.Port != int(a.Port()) {
		return false
	}
	if !own.IP.IsUnspecified() {
		return addressOf(own) == a.Addr()
	}
	local, err := IsLocal(a.Addr().WithZone(""))
	return local || err != nil
}

// IsLocal reports whether an address is one of this machine. After an error it knows of loopback only.
func IsLocal(a netip.Addr) (bool, error) {
	all, err := net.InterfaceAddrs()
	return a.IsLoopback() || slices.ContainsFunc(all, func(n net.Addr) bool {
		p, err := netip.ParsePrefix(n.String())
		return err == nil && p.Addr().Unmap() == a
	}), err
}

// reset closes a connection with a TCP reset.
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

// Shutdown waits until all connections have ended or the context ends, and then closes the rest. Serve must have
// returned.
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

// log writes a line unless the current second already had too many.
func (g *Gateway) log(level slog.Level, what string, args ...any) {
	if g.Log == nil || !g.Log.Enabled(context.Background(), level) {
		return
	}
	if level < slog.LevelInfo { // debug logs everything
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

// linesASecond bounds the log: a flood of strangers must not fill the disk. Every refusal is still counted.
const linesASecond = 20

// pace limits the lines of a second.
type pace struct {
	mu     sync.Mutex
	second int64
	n, out int
}

// take reports whether a line may be written, and how many were dropped before the current second.
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
