package dcerpc

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"ipcguard/internal/status"
)

// Transport is an open pipe in message mode. smb.Pipe satisfies it.
type Transport interface {
	// Transact writes in and reads the response, at most max bytes of it.
	Transact(ctx context.Context, in []byte, max int) ([]byte, error)
	Write(ctx context.Context, b []byte) (int, error)
	// Read reads at most max bytes; more reports whether the message continues.
	Read(ctx context.Context, max int) (b []byte, more bool, err error)
}

// fragmentSize is the limit that the client offers for both directions and never exceeds: what Windows clients offer
// over TCP, and more than the 4,280 that Windows servers then choose over pipes.
const fragmentSize = 5840

// minFragment is the minimum that a peer may require: [C706] 12.6.3.1 MustRecvFragSize.
const minFragment = 1432

// maxEmptyReads bounds consecutive empty reads from a pipe: an honest server blocks instead.
const maxEmptyReads = 3

var errNoSignature = errors.New("dcerpc: answer without a signature on a signed association")

// Client is the client end of one pipe. It is safe for concurrent use; calls are serialized, because a pipe carries one
// call at a time.
type Client struct {
	mu       sync.Mutex
	t        Transport
	in       *Reassembler
	contexts map[SyntaxID]uint16 // accepted interfaces
	nextID   uint16              // next context
	callID   uint32
	maxXmit  int
	group    uint32
	endpoint string
	bound    bool
	broken   error
	security Security
	secured  bool
}

// NewClient returns a client that handles call IDs, fragmentation and bounded reassembly on t.
func NewClient(t Transport) *Client {
	c := &Client{t: t, contexts: map[SyntaxID]uint16{}, maxXmit: fragmentSize}
	c.in = NewReassembler(Limits{Calls: 1})
	return c
}

// SetLimits bounds responses; call it before Bind.
func (c *Client) SetLimits(l Limits) {
	l.Calls = 1
	c.in = NewReassembler(l)
}

// SetSecurity enables packet security; call it before Bind.
func (c *Client) SetSecurity(s Security) {
	c.security = s
	c.in.unwrap = c.open
}

// Endpoint returns the server's own name for the pipe from the bind_ack, such as \PIPE\lsass.
func (c *Client) Endpoint() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endpoint
}

// Join makes Bind join an association group, in which a handle is good on every pipe; call it before Bind. 0 begins a
// group. See [C706] 12.6.3.1.
func (c *Client) Join(group uint32) { c.group = group }

// Number makes the IDs of calls begin after that number. With numbers of their own for each pipe, an answer that a
// server gives on the wrong one is told by its ID.
func (c *Client) Number(after uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.callID = after
}

// Group returns the association group of the bind_ack.
func (c *Client) Group() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.group
}

// Bind opens the association and offers each interface in a separate context, with NDR20. The results are in the order
// of ifaces. A refusal of the whole bind is a *BindNak.
func (c *Client) Bind(ctx context.Context, ifaces ...SyntaxID) ([]ContextResult, error) {
	return c.negotiate(ctx, TypeBind, TypeBindAck, ifaces)
}

// AlterContext offers further interfaces on an open association.
func (c *Client) AlterContext(ctx context.Context, ifaces ...SyntaxID) ([]ContextResult, error) {
	return c.negotiate(ctx, TypeAlterContext, TypeAlterContextReply, ifaces)
}

func (c *Client) negotiate(ctx context.Context, ask, answer PacketType, ifaces []SyntaxID) ([]ContextResult, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(ifaces) == 0 || len(ifaces) > 255 {
		return nil, fmt.Errorf("dcerpc: %v with %d interfaces", ask, len(ifaces))
	}
	if c.bound != (ask == TypeAlterContext) {
		return nil, fmt.Errorf("dcerpc: %v on an association in the wrong state", ask)
	}
	first := c.nextID
	body := Bind{MaxXmit: fragmentSize, MaxRecv: fragmentSize, AssocGroup: c.group}
	for i, s := range ifaces {
		body.Contexts = append(body.Contexts, Context{ID: first + uint16(i), Abstract: s, Transfer: []SyntaxID{NDR20}})
	}
	ack, token, err := c.exchangeBind(ctx, ask, answer, &body, nil)
	if err != nil {
		return nil, err
	}
	if len(ack.Results) != len(ifaces) {
		return nil, c.fail(fmt.Errorf("%w: %d results for %d contexts", ErrMalformed, len(ack.Results), len(ifaces)))
	}
	c.nextID += uint16(len(ifaces))
	if ask == TypeBind {
		c.bound, c.group, c.endpoint = true, ack.AssocGroup, ack.Secondary
		c.maxXmit = min(fragmentSize, max(minFragment, int(ack.MaxRecv)))
	}
	for i := range ack.Results {
		r := &ack.Results[i]
		if r.Accepted && r.Transfer != NDR20 {
			return nil, c.fail(fmt.Errorf("%w: server chose transfer syntax %v", ErrMalformed, r.Transfer))
		}
		if r.Accepted {
			c.contexts[ifaces[i]] = first + uint16(i)
		}
	}
	if c.security != nil && !c.secured {
		if err := c.finishSecurity(ctx, body, token); err != nil {
			return nil, err
		}
	}
	return ack.Results, nil
}

// exchangeBind sends a bind or alter_context with the next security token and reads the response.
func (c *Client) exchangeBind(ctx context.Context, ask, answer PacketType, body *Bind, challenge []byte) (BindAck,
	[]byte, error,
) {
	var auth *Auth
	h := Header{Type: ask, Flags: FlagFirst | FlagLast, CallID: c.id()}
	if c.security != nil && !c.secured {
		token, err := c.security.Token(ctx, challenge)
		if err != nil {
			return BindAck{}, nil, err
		}
		auth = &Auth{Type: c.security.Type(), Level: c.security.Level(), ContextID: securityContext, Token: token}
		h.Flags |= FlagHeaderSign
	}
	packet, err := AppendPDU(nil, h, body, auth)
	if err != nil {
		return BindAck{}, nil, err
	}
	reply, err := c.roundTrip(ctx, packet, h.CallID)
	if err != nil {
		return BindAck{}, nil, err
	}
	switch reply.PDU.Type {
	case answer:
		ack, err := reply.PDU.BindAck()
		if err != nil {
			return ack, nil, c.fail(err)
		}
		return ack, append([]byte(nil), reply.PDU.Auth.Token...), nil
	case TypeBindNak:
		nak, err := reply.PDU.BindNak()
		if err != nil {
			return BindAck{}, nil, c.fail(err)
		}
		return BindAck{}, nil, &nak
	case TypeFault:
		return BindAck{}, nil, c.fault(reply)
	}
	return BindAck{}, nil, c.fail(fmt.Errorf("%w: %v answers %v", ErrMalformed, reply.PDU.Type, ask))
}

// maxSecurityRounds is enough for every mechanism: NTLM takes one more token, Kerberos with SPNEGO two.
const maxSecurityRounds = 4

// finishSecurity completes the token exchange: NTLM with an auth3, which has no response, longer exchanges with
// alter_context. See [MS-RPCE] 3.3.1.5.2.2.
func (c *Client) finishSecurity(ctx context.Context, body Bind, challenge []byte) error {
	if c.security.Type() == AuthNTLM {
		token, err := c.security.Token(ctx, challenge)
		if err != nil {
			return err
		}
		auth := &Auth{Type: AuthNTLM, Level: c.security.Level(), ContextID: securityContext, Token: token}
		packet, err := AppendPDU(nil, Header{Type: TypeAuth3, Flags: FlagFirst | FlagLast, CallID: c.callID},
			&Padding{}, auth)
		if err != nil {
			return err
		}
		if _, err := c.t.Write(ctx, packet); err != nil {
			return c.fail(err)
		}
		c.secured = true
		return nil
	}
	for range maxSecurityRounds {
		if len(challenge) == 0 {
			c.secured = true
			return nil
		}
		_, next, err := c.exchangeBind(ctx, TypeAlterContext, TypeAlterContextReply, &body, challenge)
		if err != nil {
			return err
		}
		challenge = next
	}
	return c.fail(fmt.Errorf("%w: the server's security tokens do not end", ErrLimit))
}

// Call sends the stub of a request and returns the stub of the response. A fault is an error that wraps status.Fault;
// an interface that was not accepted is ErrNotBound.
func (c *Client) Call(ctx context.Context, iface SyntaxID, opnum uint16, stub []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.contexts[iface]
	if !ok {
		return nil, fmt.Errorf("%w: %v", ErrNotBound, iface)
	}
	if c.broken != nil {
		return nil, c.broken
	}
	callID := c.id()
	last, err := c.send(ctx, callID, id, opnum, stub)
	if err != nil {
		return nil, err
	}
	reply, err := c.roundTrip(ctx, last, callID)
	if err != nil {
		return nil, err
	}
	switch reply.PDU.Type {
	case TypeResponse:
		if reply.ContextID != id {
			return nil, c.fail(fmt.Errorf("%w: answer for context %d, not %d", ErrMalformed, reply.ContextID, id))
		}
		if reply.PDU.BigEndian() {
			return nil, c.fail(fmt.Errorf("%w: big-endian answer to a little-endian call", ErrMalformed))
		}
		return append([]byte(nil), reply.Stub...), nil
	case TypeFault:
		return nil, c.fault(reply)
	}
	return nil, c.fail(fmt.Errorf("%w: %v answers a request", ErrMalformed, reply.PDU.Type))
}

// ErrNotBound means that an interface was not offered or not accepted.
var ErrNotBound = errors.New("dcerpc: interface not bound")

func (c *Client) fault(reply Call) error {
	f, err := reply.PDU.Fault()
	if err != nil {
		return c.fail(err)
	}
	return fmt.Errorf("dcerpc: fault: %w", f.Status)
}

func (c *Client) id() uint32 {
	c.callID++
	return c.callID
}

// fail marks the association as unusable: after an invalid response the state of the stream is unknown.
func (c *Client) fail(err error) error {
	if c.broken == nil {
		c.broken = err
	}
	return err
}

// send writes all fragments but the last, which it returns.
func (c *Client) send(ctx context.Context, callID uint32, context, opnum uint16, stub []byte) ([]byte, error) {
	room := c.maxXmit - headerSize - requestHead
	if c.secured {
		room -= trailerSize + c.security.SignatureSize() + authAlign
		room &^= authAlign - 1
	}
	for first := FlagFirst; ; first = 0 {
		n := min(room, len(stub))
		h := Header{Type: TypeRequest, Flags: first, CallID: callID}
		if n == len(stub) {
			h.Flags |= FlagLast
		}
		auth := c.authFor(n)
		packet, err := AppendPDU(nil, h, &Request{
			AllocHint: uint32(len(stub)), ContextID: context, Opnum: opnum,
			Stub: stub[:n],
		}, auth)
		if err != nil {
			return nil, err
		}
		if err := c.seal(packet, auth); err != nil {
			return nil, c.fail(err)
		}
		if stub = stub[n:]; len(stub) == 0 {
			return packet, nil
		}
		if _, err := c.t.Write(ctx, packet); err != nil {
			return nil, c.fail(err)
		}
	}
}

// roundTrip sends the last or only packet of a message and collects the response to callID.
func (c *Client) roundTrip(ctx context.Context, packet []byte, callID uint32) (Call, error) {
	if c.broken != nil {
		return Call{}, c.broken
	}
	out, err := c.t.Transact(ctx, packet, MaxFragment)
	if nt := status.NTStatus(0); errors.As(err, &nt) && nt == status.NotSupported {
		return Call{}, err // ksmbd sends this instead of a fault for a call that it lacks; the next call may succeed
	}
	if err != nil {
		return Call{}, c.fail(err)
	}
	for empty := 0; ; {
		c.in.Push(out)
		reply, ok, err := c.in.Next()
		if err != nil {
			return Call{}, c.fail(err)
		}
		if ok {
			if reply.PDU.CallID != callID {
				return Call{}, c.fail(fmt.Errorf("%w: answer to call %d, not %d", ErrMalformed, reply.PDU.CallID,
					callID))
			}
			return reply, nil
		}
		if len(out) == 0 {
			if empty++; empty > maxEmptyReads {
				return Call{}, c.fail(fmt.Errorf("%w: the pipe gives nothing", ErrTruncated))
			}
		}
		if out, _, err = c.t.Read(ctx, MaxFragment); err != nil {
			return Call{}, c.fail(err)
		}
	}
}
