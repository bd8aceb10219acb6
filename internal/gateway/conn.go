package gateway

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

const (
	// lingerFor is how long a refused connection stays open for the client to read the reason, and lingerMost how many
	// bytes from the client are discarded meanwhile.
	lingerFor  = 2 * time.Second
	lingerMost = 1 << 20

	// halfFor is how long one direction stays open after the other has ended. SMB does not use half-open connections.
	halfFor = 30 * time.Second

	// later is how much later than the deadline of reading that of writing is: the first finds out whether a user has
	// come.
	later = time.Second
)

// conn is a client's connection, and the connection to the server that belongs to it.
type conn struct {
	g      *Gateway
	way    *Way
	to     string // the server, as named by the route
	client netip.Addr
	server netip.Addr
	table  *table

	up, down         stream
	toClient, toBack side

	joined map[watchKey]*watch // watched sessions; used by the direction of responses only

	half   atomic.Bool // one direction has ended
	once   sync.Once
	cause  error // the error that ended it; nil if both sides closed
	noUser time.Time
	idled  bool // it would have ended for that, were refusals enforced
	timed  bool // users have an idle timeout
	probed bool // keep-alive probes run on both ends

	writeBy time.Time // what both ends must have taken, as long as there is no user
}

func newConn(g *Gateway, way *Way, to string, client, server net.Conn) *conn {
	c := &conn{
		g: g, way: way, to: to, client: addressOf(client.RemoteAddr()), server: addressOf(server.RemoteAddr()),
		table: newTable(),
	}
	c.toClient.Conn, c.toBack.Conn = client, server
	c.up.from, c.up.to = client, &c.toBack
	c.down.from, c.down.to = server, &c.toClient
	c.up.rooms, c.down.rooms = &g.rooms, &g.rooms
	c.up.added, c.down.added = &g.stats.added, &g.stats.added
	c.up.release()
	c.down.release()
	if way.Route().NetBIOS {
		c.up.calls = []byte{nbss.SessionRequest}
		c.down.calls = []byte{nbss.PositiveResponse, nbss.NegativeResponse, nbss.Retarget}
	}
	c.noUser = time.Now()
	return c
}

func addressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// run moves frames both ways until both sides have closed, or an error ends the connection.
func (c *conn) run() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := c.pump(&c.down, c.reply)
		for _, r := range c.table.unanswered() { // the server closed instead of answering
			_ = c.toClient.send(r.answer(1))
		}
		c.ended(err, &c.toClient, c.up.from)
	}()
	err := c.pump(&c.up, c.request)
	c.ended(err, &c.toBack, c.down.from)
	<-done
	for k, v := range c.joined {
		c.g.watches.leave(k, v)
	}
	c.finish(nil)
	if c.graceful() {
		c.linger()
	}
	c.toClient.Close()
	c.toBack.Close()
	c.up.release()
	c.down.release()
}

// pump moves the frames of one direction. If a refusal is not enforced, the frame passes.
func (c *conn) pump(s *stream, step func() error) error {
	for {
		err := step()
		if err == nil {
			continue
		}
		if s == &c.up && c.late() && errors.Is(err, os.ErrDeadlineExceeded) { // in the middle of a frame
			err = refusal{ReasonIdle, noUserCame}
		}
		var no refusal
		if !errors.As(err, &no) || no.reason == ReasonIdle || !c.observing() {
			return err
		}
		c.report(no)
		if no.reason == ReasonProtocol {
			return s.through(c.observing)
		}
		if err := s.passRest(); err != nil {
			return err
		}
	}
}

// observing reports whether refusals are only counted.
func (c *conn) observing() bool { return c.way.Route().ObserveOnly }

// ended passes on the end of one direction; the other continues for a while. Any other error ends both.
func (c *conn) ended(err error, to *side, other net.Conn) {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op != "read" && op.Timeout() {
			err = refusal{ReasonIdle, "a client without a user read no response within the time"}
		}
		c.finish(err)
		return
	}
	c.half.Store(true)
	switch {
	case to == &c.toClient || !c.nobody():
		closeWrite(to.Conn)
	case !c.table.waits():
		c.finish(errNobody)
		return
	}
	_ = other.SetReadDeadline(time.Now().Add(halfFor))
}

// errNobody ends a connection on which no user has logged on, when the client has closed it and has its answers.
var errNobody = errors.New("gateway: nobody logged on")

// over reports whether errNobody is due.
func (c *conn) over() bool { return c.half.Load() && c.nobody() && !c.table.waits() }

// nobody reports whether neither a user nor a stranger with an exception is logged on. A gateway that only observes
// does not know.
func (c *conn) nobody() bool { return !c.table.used() && !c.table.some() && !c.observing() }

// closeBack closes the server's end. Without a user it is reset: the end that closes a TCP connection first keeps its
// port for a minute, and a stranger's short connections would take all ports that the gateway has towards a server.
func (c *conn) closeBack() {
	if c.nobody() {
		reset(c.toBack.Conn)
		return
	}
	c.toBack.Close()
}

// finish ends the connection, once. After a refusal the client's end stays open, so that the last response arrives; a
// network error is passed on as a reset.
func (c *conn) finish(err error) {
	c.once.Do(func() {
		c.cause = err
		var no refusal
		switch {
		case err == nil:
		case errors.Is(err, errNobody):
			c.closeBack()
		case errors.As(err, &no):
			if !errors.As(err, new(reported)) {
				c.report(no)
			}
			c.half.Store(true)
			c.closeBack()
			closeWrite(c.toClient.Conn)
			_ = c.toClient.SetReadDeadline(time.Now().Add(lingerFor))
		default:
			for _, s := range []*side{&c.toClient, &c.toBack} {
				if tcp, ok := s.Conn.(*net.TCPConn); ok {
					_ = tcp.SetLinger(0)
				}
				s.Close()
			}
		}
	})
}

func closeWrite(nc net.Conn) {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

func (c *conn) graceful() bool {
	var no refusal
	return errors.As(c.cause, &no)
}

// linger gives the client time to read the last response: closing with unread bytes would reset the connection and lose
// it.
func (c *conn) linger() {
	_ = c.toClient.SetReadDeadline(time.Now().Add(lingerFor))
	_, _ = io.CopyN(io.Discard, c.toClient.Conn, lingerMost)
}

// report counts and logs a refusal.
func (c *conn) report(no refusal) {
	c.g.stats.refused(no.reason)
	c.g.log(slog.LevelWarn, "refused", "client", c.client, "server", c.server, "reason", string(no.reason),
		"detail", no.detail, "enforced", !c.observing())
}

// row reports a logon as a row and logs it.
func (c *conn) row(who caller, outcome model.Outcome, st status.NTStatus) {
	c.logon(who, outcome, st)
	if c.g.Use == nil {
		return
	}
	u := c.use(who)
	u.Layer, u.Outcome, u.Status = model.LayerSession, outcome, st.String()
	c.g.Use(u)
}

// logon logs a logon at level debug.
func (c *conn) logon(who caller, outcome model.Outcome, st status.NTStatus) {
	dialect, _ := c.table.state()
	c.g.log(slog.LevelDebug, "logon", "client", c.client, "server", c.server, "identity", string(who.who), "account",
		who.account,
		"outcome", string(outcome), "status", st.String(), "dialect", dialect, "package", who.with, "encrypted",
		who.encrypted, "basis", who.basis)
}

// rowAt reports what a stranger was refused after the logon.
func (c *conn) rowAt(who caller, why *denial) {
	if c.g.Use == nil {
		return
	}
	u := c.use(who)
	u.Layer, u.Outcome, u.Status = why.layer, model.Denied, status.AccessDenied.String()
	u.Share, u.Pipe, u.UUID = "IPC$", why.pipe, why.uuid
	if id, err := dcerpc.ParseUUID(why.uuid); err == nil {
		u.Interface = nameOf(dcerpc.SyntaxID{UUID: id})
	}
	c.g.Use(u)
}

// use returns a row with what is known of the connection and the caller.
func (c *conn) use(who caller) model.Use {
	now := time.Now().UTC()
	dialect, _ := c.table.state()
	return model.Use{
		Schema: model.SchemaUse, Client: c.client.String(), Server: c.server.String(),
		Identity: who.who, Basis: who.basis,
		Account: who.account, Opnum: -1, Count: 1, First: now, Last: now, Source: model.SourceGateway,
		Dialect: dialect, Package: who.with,
	}
}

// patience sets the deadline for the start of the client's next frame: the limit for users once a user has logged on,
// which may be none.
func (c *conn) patience() error {
	if err := c.patient(); err != nil || !c.half.Load() {
		return err
	}
	return c.up.deadline(time.Now().Add(halfFor)) // the other direction may have ended just now
}

func (c *conn) patient() error {
	if c.table.known() || c.idled {
		c.probe()
		c.takeBy(time.Time{})
	}
	switch {
	case c.idled && c.observing():
		return c.up.deadline(time.Time{})
	case c.table.known() && c.g.Limits.User > 0 && !c.observing():
		c.timed, c.noUser = true, time.Time{}
		return c.up.deadline(time.Now().Add(c.g.Limits.User))
	case c.table.known():
		c.timed, c.noUser = false, time.Time{}
		return c.up.deadline(time.Time{})
	case c.table.some():
		c.noUser = time.Time{}
		by := time.Now().Add(c.g.Limits.Stranger)
		c.takeBy(by.Add(later))
		return c.up.deadline(by)
	case c.noUser.IsZero():
		c.noUser = time.Now()
	}
	by := c.noUser.Add(c.g.Limits.Logon)
	c.takeBy(by.Add(later))
	return c.up.deadline(by)
}

// takeBy sets the time by which both ends must have taken what is written to them; zero is none. Without a user a
// client that sends requests and reads no response would otherwise keep its connection: its requests are not read any
// more, and no deadline of reading ends it.
func (c *conn) takeBy(t time.Time) {
	if c.observing() {
		t = time.Time{}
	}
	if t.Equal(c.writeBy) {
		return
	}
	c.writeBy = t
	for _, s := range []*side{&c.toClient, &c.toBack} {
		_ = s.SetWriteDeadline(t) // fails only if the connection has ended, which shows by itself
	}
}

// probe starts TCP's keep-alive probes on both ends, once: from now on there is no idle timeout. Connections of
// strangers have one and need no probes, which take four system calls for each end, a sixth of the cost of a refusal.
func (c *conn) probe() {
	if c.probed {
		return
	}
	c.probed = true
	for _, s := range []*side{&c.toClient, &c.toBack} {
		if tcp, ok := s.Conn.(*net.TCPConn); ok {
			// Fails only if the connection has ended, which shows by itself.
			_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true})
		}
	}
}

const noUserCame = "no user came in within the time, or a stranger said nothing"

// late reports whether the time for a logon has passed without a user.
func (c *conn) late() bool {
	return !c.table.known() && !c.noUser.IsZero() && !time.Now().Before(c.noUser.Add(c.g.Limits.Logon))
}

// begin reads the header of the client's next frame and returns the number of bytes that follow.
func (c *conn) begin() (int, error) {
	for {
		if err := c.patience(); err != nil {
			return 0, err
		}
		n, err := c.up.frame()
		if err == nil && c.table.known() { // since the frame was waited for
			c.takeBy(time.Time{})
		}
		switch {
		// Once a frame has begun, the timeout of every frame applies.
		case err == nil && (c.observing() || c.timed):
			return n, c.up.deadline(time.Time{})
		case !errors.Is(err, os.ErrDeadlineExceeded), c.half.Load():
			return n, err
		case c.table.known() && !c.timed:
			continue
		case c.timed:
			return 0, refusal{ReasonIdle, "a user said nothing within the time"}
		}
		why := refusal{ReasonIdle, noUserCame}
		if !c.observing() {
			return 0, why
		}
		if !c.idled {
			c.report(why)
		}
		c.idled = true
	}
}

// kindOf returns the kind of message in a frame.
func kindOf(s *stream, n int) (smb2.Kind, []byte, error) {
	if err := s.fill(min(n, smb2.HeaderLen) + 4); err != nil {
		return 0, nil, unexpected(err)
	}
	b := s.unread()[4:]
	b = b[:min(n, len(b))]
	return smb2.KindOf(b), b, nil
}
