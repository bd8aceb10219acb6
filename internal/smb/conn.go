package smb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"ipcguard/internal/smb/nbss"
)

// Conn is one connection to a server, after NEGOTIATE. It is safe for concurrent use.
type Conn struct {
	*wire
	*mux
	o    Options
	host string // as dialled, for \\host\share
	neg  Negotiated
	be   backend
	once sync.Once
}

// Dial connects to address (host:port) and negotiates. A refusal of every dialect is a status.NTStatus, everything
// that is no answer a *TransportError.
func Dial(ctx context.Context, address string, o Options) (*Conn, error) {
	o.Timeouts = o.Timeouts.withDefaults()
	if o.Dialects == nil {
		o.Dialects = AllDialects()
	}
	if o.MaxFrame <= 0 {
		o.MaxFrame = DefaultMaxFrame
	}
	if o.Counters == nil {
		o.Counters = new(Counters)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("smb: %w", err)
	}
	names := []string{""}
	if o.NetBIOS {
		names = calledNames(host, o.CalledName)
	}
	for i, called := range names {
		c := &Conn{o: o, host: host}
		err := c.dial(ctx, address, called)
		if err == nil {
			return c, nil
		}
		var refused nbss.CallError
		if i == len(names)-1 || !errors.As(err, &refused) {
			return nil, err
		}
	}
	panic("unreachable: calledNames gives at least one name")
}

// calledNames lists the NetBIOS names to call a host by, best first.
func calledNames(host, called string) []string {
	if called != "" {
		return []string{called}
	}
	names := []string{nbss.ServerName}
	if net.ParseIP(host) == nil {
		name, _, _ := strings.Cut(host, ".")
		names = append(names, name[:min(len(name), 15)])
	}
	return names
}

// dial makes the connection and negotiates on it; on an error nothing is left open.
func (c *Conn) dial(ctx context.Context, address, called string) error {
	dial := c.o.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	cctx, cancel := context.WithTimeout(ctx, c.o.Timeouts.Connect)
	nc, err := dial(cctx, "tcp", address)
	cancel()
	if err != nil {
		return netError(layerConnect, err)
	}
	c.o.Counters.Connections.Add(1)
	c.o.Counters.chain(1)
	c.wire = newWire(nc, c.o.MaxFrame, c.o.Counters)
	c.mux = newMux()
	if err := c.negotiate(ctx, called); err != nil {
		nc.Close()
		return err
	}
	go c.readLoop()
	return nil
}

// negotiate runs before the reading goroutine exists: one question after the other, all within one wait.
func (c *Conn) negotiate(ctx context.Context, called string) error {
	deadline := c.deadline(ctx, c.o.Timeouts.Negotiate)
	if err := c.nc.SetReadDeadline(deadline); err != nil {
		return netError(layerNegotiate, err)
	}
	stop := context.AfterFunc(ctx, func() { c.nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err := c.negotiateBy(called, deadline)
	if err != nil && ctx.Err() != nil {
		return netError(layerNegotiate, ctx.Err())
	}
	if err != nil {
		return err
	}
	if !stop() { // the context ended in this moment
		return netError(layerNegotiate, ctx.Err())
	}
	return c.nc.SetReadDeadline(time.Time{})
}

func (c *Conn) negotiateBy(called string, deadline time.Time) error {
	if called != "" {
		if err := c.callByName(called, deadline); err != nil {
			return err
		}
	}
	if !slices.Contains(c.o.Dialects, SMB1) {
		return c.negotiate2(0, deadline)
	}
	answer, err := c.ask(appendNegotiate1(make([]byte, nbss.HeaderLen), &c.o), deadline)
	if err != nil {
		return err
	}
	if answer[0] == 0xFF {
		c.be, err = newClient1(c, answer)
		return err
	}
	return c.upgrade2(answer, deadline)
}

// callByName opens the NetBIOS session.
func (c *Conn) callByName(called string, deadline time.Time) error {
	r := nbss.CallRequest{
		Called:  nbss.Name{Name: called, Suffix: nbss.SuffixServer},
		Calling: nbss.Name{Name: "IPCGUARD", Suffix: nbss.SuffixWorkstation},
	}
	depth := c.depthNow()
	if err := c.writeRaw(r.AppendMarshal(nil), 1, depth, deadline); err != nil {
		return netError(layerConnect, err)
	}
	typ, payload, err := c.read()
	if err != nil {
		return readError(payload, err).at(layerConnect)
	}
	c.wire.answered(depth)
	if err := nbss.ParseCallResponse(typ, payload); err != nil {
		return &TransportError{Layer: layerConnect, Reason: "NetBIOS session refused: " + err.Error(), Err: err}
	}
	return nil
}

// ask sends a frame and reads its answer, an SMB message of at least 32 bytes, without the reading goroutine.
func (c *Conn) ask(frame []byte, deadline time.Time) ([]byte, error) {
	depth := c.depthNow()
	if err := c.write(frame, 1, depth, deadline); err != nil {
		return nil, netError(layerNegotiate, err)
	}
	answer, terr := c.readSMB()
	if terr != nil {
		return nil, terr.at(layerNegotiate)
	}
	c.wire.answered(depth)
	c.mux.last = layerNegotiate
	return answer, nil
}

// readSMB reads the next frame and checks that an SMB message is in it.
func (c *Conn) readSMB() ([]byte, *TransportError) {
	typ, payload, err := c.read()
	switch {
	case err != nil:
		return nil, readError(payload, err)
	case typ != nbss.SessionMessage:
		return nil, broken("a NetBIOS frame of type 0x%02X in the middle of a session", typ)
	case len(payload) < 32 || string(payload[1:4]) != "SMB" || payload[0] < 0xFC:
		return nil, foreign(payload)
	}
	return payload, nil
}

// readError puts a failure to read a frame into words; seen is the header as far as it was read.
func readError(seen []byte, err error) *TransportError {
	switch {
	case errors.Is(err, nbss.ErrType):
		return foreign(seen)
	case errors.Is(err, nbss.ErrTooLarge):
		return &TransportError{Reason: err.Error(), Err: err}
	}
	return netError("", err)
}

// readLoop reads answers until the connection ends.
func (c *Conn) readLoop() {
	for {
		frame, terr := c.readSMB()
		if terr == nil {
			if err := c.be.receive(frame); err != nil {
				if !errors.As(err, &terr) {
					terr = &TransportError{Reason: err.Error(), Err: err}
				}
			}
		}
		if terr != nil {
			c.fail(terr)
			c.nc.Close()
			return
		}
	}
}

// deadline is the end of a wait that starts now.
func (c *Conn) deadline(ctx context.Context, wait time.Duration) time.Time {
	end := time.Now().Add(wait)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		return d
	}
	return end
}

// Negotiated is what the server said before any logon.
func (c *Conn) Negotiated() Negotiated { return c.neg }

// SessionSetup logs on. It may be called several times on one Conn, for several sessions. A refusal is a
// status.NTStatus.
func (c *Conn) SessionSetup(ctx context.Context, a Authenticator) (*Session, error) {
	b, err := c.be.sessionSetup(ctx, a)
	if err != nil {
		return nil, err
	}
	return &Session{b}, nil
}

// Close ends the connection and every request in flight. It may be called more than once.
func (c *Conn) Close() error {
	var err error
	c.once.Do(func() {
		c.fail(netError("", net.ErrClosed))
		err = c.nc.Close()
		if errors.Is(err, net.ErrClosed) { // the reading goroutine was first
			err = nil
		}
	})
	return err
}
