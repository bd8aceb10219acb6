package transport

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"ipcguard/internal/smb/nbss"
)

// Options is how a Conn is made.
type Options struct {
	Connect  time.Duration // the wait for the TCP connection
	MaxFrame int           // the longest incoming frame, in bytes
	Counters *Counters
	// Dial makes the TCP connection; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Conn is one connection. Until Start its user asks one question at a time with Ask; then it is safe for concurrent
// use.
type Conn struct {
	wire *wire
	inFlight
	once sync.Once
}

// Dial connects to address (host:port).
func Dial(ctx context.Context, address string, o Options) (*Conn, error) {
	dial := o.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	ctx, cancel := context.WithTimeout(ctx, o.Connect)
	defer cancel()
	nc, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, NetError(LayerConnect, err)
	}
	o.Counters.Connections.Add(1)
	o.Counters.chain(1)
	return &Conn{wire: newWire(nc, o.MaxFrame, o.Counters), inFlight: newInFlight()}, nil
}

// Negotiate runs f, which calls Ask before Start; all requests together end by the deadline or with the context.
func (c *Conn) Negotiate(ctx context.Context, deadline time.Time, f func() error) error {
	nc := c.wire.nc
	if err := nc.SetReadDeadline(deadline); err != nil {
		return NetError(LayerNegotiate, err)
	}
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err := f()
	if err != nil && ctx.Err() != nil {
		return NetError(LayerNegotiate, ctx.Err())
	}
	if err != nil {
		return err
	}
	if !stop() { // the context ended in this moment
		return NetError(LayerNegotiate, ctx.Err())
	}
	return nc.SetReadDeadline(time.Time{})
}

// CallByName opens the NetBIOS session that port 139 wants. A refusal is a nbss.CallError.
func (c *Conn) CallByName(called string, deadline time.Time) error {
	r := nbss.CallRequest{
		Called:  nbss.Name{Name: called, Suffix: nbss.SuffixServer},
		Calling: nbss.Name{Name: "IPCGUARD", Suffix: nbss.SuffixWorkstation},
	}
	depth := c.Depth()
	if err := c.wire.writeRaw(r.AppendMarshal(nil), 1, depth, deadline); err != nil {
		return NetError(LayerConnect, err)
	}
	typ, payload, err := c.wire.read()
	if err != nil {
		return readError(payload, err).At(LayerConnect)
	}
	c.wire.answered(depth)
	if err := nbss.ParseCallResponse(typ, payload); err != nil {
		return &Error{Layer: LayerConnect, Reason: "NetBIOS session refused: " + err.Error(), Err: err}
	}
	return nil
}

// Ask sends a frame, which starts with room for its header, and reads the answer: an SMB message of at least 32 bytes.
func (c *Conn) Ask(frame []byte, deadline time.Time) ([]byte, error) {
	depth := c.Depth()
	if err := c.wire.write(frame, 1, depth, deadline); err != nil {
		return nil, NetError(LayerNegotiate, err)
	}
	answer, terr := c.readSMB(true)
	if terr != nil {
		return nil, terr.At(LayerNegotiate)
	}
	c.wire.answered(depth)
	c.last = LayerNegotiate
	return answer, nil
}

// Start reads frames on a separate goroutine until the connection ends, and passes each to receive, which owns it. An
// error of receive ends the connection.
func (c *Conn) Start(receive func(frame []byte) error) {
	go func() {
		for {
			frame, terr := c.readSMB(false)
			if terr == nil {
				if err := receive(frame); err != nil && !errors.As(err, &terr) {
					terr = &Error{Reason: err.Error(), Err: err}
				}
			}
			if terr != nil {
				c.end(terr)
				return
			}
		}
	}()
}

// readSMB reads the next frame and checks that an SMB message is in it. A refusal of the whole session can come first
// alone.
func (c *Conn) readSMB(first bool) ([]byte, *Error) {
	typ, payload, err := c.wire.read()
	switch {
	case err != nil:
		return nil, readError(payload, err)
	case typ == nbss.NegativeResponse && first:
		return nil, &Error{
			Reason: "the server refuses this address before anything is said, as Samba does where hosts allow or " +
				"hosts deny keeps it out",
			Err: nbss.ParseCallResponse(typ, payload),
		}
	case typ != nbss.SessionMessage:
		return nil, Broken("a NetBIOS frame of type 0x%02X in the middle of a session", typ)
	case len(payload) < 32 || string(payload[1:4]) != "SMB" || payload[0] < 0xFC:
		return nil, foreign(payload)
	}
	return payload, nil
}

// readError describes a failure to read a frame; seen is the part of the header that was read.
func readError(seen []byte, err error) *Error {
	switch {
	case errors.Is(err, nbss.ErrType):
		return foreign(seen)
	case errors.Is(err, nbss.ErrTooLarge):
		return &Error{Reason: err.Error(), Err: err}
	}
	return NetError("", err)
}

// Depth is the depth of a request that is sent now: one more wait than the longest chain of answers read so far.
func (c *Conn) Depth() int64 { return c.wire.depth.Load() + 1 }

// Send writes a frame, which starts with room for its header and holds that many requests, of that depth. A failure
// ends the connection: half a frame may be out.
func (c *Conn) Send(frame []byte, requests int, depth int64, layer string, deadline time.Time) error {
	if err := c.wire.write(frame, requests, depth, deadline); err != nil {
		c.end(NetError("", err))
		return c.Err(layer) // what the reading side saw first tells more
	}
	return nil
}

// Deliver gives a request its answer.
func (c *Conn) Deliver(r *Request, a Reply) {
	c.wire.answered(r.depth)
	c.finish(r, a)
}

// Distrust ends the connection: an attacker on the path answers instead of the server.
func (c *Conn) Distrust(layer, reason string) error {
	err := &Error{Reason: reason, kind: distrusted}
	c.end(err)
	return err.At(layer)
}

func (c *Conn) end(err *Error) {
	c.fail(err)
	c.wire.nc.Close()
}

// Deadline is the end of a wait that starts now.
func (c *Conn) Deadline(ctx context.Context, wait time.Duration) time.Time {
	end := time.Now().Add(wait)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		return d
	}
	return end
}

// Close ends the connection and every request in flight. It may be called more than once.
func (c *Conn) Close() error {
	var err error
	c.once.Do(func() {
		c.fail(NetError("", net.ErrClosed))
		err = c.wire.nc.Close()
		if errors.Is(err, net.ErrClosed) { // the reading goroutine was first
			err = nil
		}
	})
	return err
}
