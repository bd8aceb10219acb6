package dcerpc

import (
	"context"
	"errors"
	"fmt"

	"ipcguard/internal/status"
)

// Handler executes one call of an interface: it gets the stub of the request (little endian, NDR20) and returns the
// stub of the response. An error that wraps a status.Fault becomes that fault, ErrTruncated and ErrMalformed become
// status.FaultNDR, and any other error becomes status.FaultCantPerform, the Windows form of nca_s_fault_unspec. The
// handler must not use the stub after it returns.
type Handler func(opnum uint16, stub []byte) ([]byte, error)

// Endpoint describes the server behind a pipe. It may serve several pipes concurrently if its handlers are safe for
// concurrent use.
type Endpoint struct {
	Secondary string               // the name in the bind_ack, such as \PIPE\lsass
	Handlers  map[SyntaxID]Handler // the interfaces
	// Accept decides about an offered interface that has a handler; nil accepts. A refusal has ContextResult's Result
	// and Reason.
	Accept func(SyntaxID) ContextResult
	// Group joins the association group that a bind asks for, 0 for a new one, and returns the group that it is in; nil
	// leaves every bind in one.
	Group func(asked uint32) uint32
	// Refuse, if not nil, is the response to every bind.
	Refuse *BindNak
	// MaxFragment bounds the fragments of responses, besides the client's limit; 0 means 4,280, as in Windows over
	// pipes.
	MaxFragment int
	Limits      Limits
}

// Server is the server's end of one open pipe: it consumes the client's bytes and produces packets. It is not safe for
// concurrent use.
type Server struct {
	e        *Endpoint
	in       *Reassembler
	contexts map[uint16]SyntaxID
	bound    bool
	group    uint32
	maxXmit  int
	out      [][]byte // complete packets, each a message of the pipe
	queued   int
	dead     error
}

const (
	serverFragment = 4280
	// maxContexts bounds the presentation contexts of a pipe: far more than any client uses.
	maxContexts = 64
	// maxQueued bounds responses that a client requests and never reads.
	maxQueued = 16 << 20
)

// NewServer returns the server's end of a new pipe.
func (e *Endpoint) NewServer() *Server {
	return &Server{e: e, in: NewReassembler(e.Limits), contexts: map[uint16]SyntaxID{}, maxXmit: serverFragment}
}

// Write processes bytes from the client. An error means that the client broke the protocol and the pipe should be
// closed; queued responses can still be read.
func (s *Server) Write(b []byte) error {
	if s.dead != nil {
		return s.dead
	}
	s.in.Push(b)
	for s.dead == nil {
		call, ok, err := s.in.Next()
		if err != nil {
			s.dead = err
			break
		}
		if !ok {
			return nil
		}
		s.dead = s.serve(call)
	}
	return s.dead
}

// Read returns at most max bytes of the first message; more reports whether it continues. No bytes means that there is
// no response (yet).
func (s *Server) Read(max int) (b []byte, more bool) {
	if len(s.out) == 0 || max <= 0 {
		return nil, false
	}
	first := s.out[0]
	if len(first) > max {
		s.out[0] = first[max:]
		s.queued -= max
		return first[:max:max], true
	}
	s.out = s.out[1:]
	s.queued -= len(first)
	return first, false
}

// Pending returns how many bytes can be read.
func (s *Server) Pending() int { return s.queued }

func (s *Server) reply(h Header, body Body) error {
	packet, err := AppendPDU(nil, h, body, nil)
	if err != nil {
		return err
	}
	if s.queued += len(packet); s.queued > maxQueued {
		return fmt.Errorf("%w: %d bytes of answers unread", ErrLimit, s.queued)
	}
	s.out = append(s.out, packet)
	return nil
}

func (s *Server) serve(call Call) error {
	switch call.PDU.Type {
	case TypeBind, TypeAlterContext:
		return s.bind(call.PDU)
	case TypeRequest:
		return s.request(call)
	case TypeAuth3, TypeCancel, TypeOrphaned:
		return nil // these have no response
	}
	return fmt.Errorf("%w: a client sent %v", ErrMalformed, call.PDU.Type)
}

func (s *Server) bind(p PDU) error {
	h := Header{Type: TypeBindAck, Flags: FlagFirst | FlagLast, CallID: p.CallID}
	b, err := p.Bind()
	if err != nil {
		return err
	}
	if p.Type == TypeBind {
		if s.bound {
			return fmt.Errorf("%w: second bind", ErrMalformed)
		}
		if s.e.Refuse != nil {
			h.Type = TypeBindNak
			return s.reply(h, s.e.Refuse)
		}
		s.bound = true
		s.maxXmit = serverFragment
		if s.e.MaxFragment > 0 {
			s.maxXmit = s.e.MaxFragment
		}
		s.maxXmit = min(s.maxXmit, max(minFragment, int(b.MaxRecv)))
		if s.group = 0x53F0; s.e.Group != nil {
			s.group = s.e.Group(b.AssocGroup)
		}
	} else {
		h.Type = TypeAlterContextReply
		if !s.bound {
			return fmt.Errorf("%w: alter_context before bind", ErrMalformed)
		}
	}
	ack := BindAck{
		MaxXmit: uint16(s.maxXmit), MaxRecv: uint16(s.maxXmit), AssocGroup: s.group,
		Secondary: s.e.Secondary,
	}
	if p.Type == TypeAlterContext {
		ack.Secondary = ""
	}
	for _, x := range b.Contexts {
		ack.Results = append(ack.Results, s.consider(x))
	}
	return s.reply(h, &ack)
}

// consider answers one offered context. See [C706] 12.6.3.1 and [MS-RPCE] 3.3.1.5.3 (bind-time features).
func (s *Server) consider(x Context) ContextResult {
	if len(x.Transfer) == 1 {
		if _, ok := x.Transfer[0].Features(); ok {
			return ContextResult{Result: ResultNegotiateAck} // the granted bits: none
		}
	}
	_, known := s.e.Handlers[x.Abstract]
	if !known {
		return ContextResult{Result: ResultProviderRejection, Reason: ReasonAbstractNotSupported}
	}
	found := false
	for _, t := range x.Transfer {
		found = found || t == NDR20
	}
	if !found {
		return ContextResult{Result: ResultProviderRejection, Reason: ReasonTransferNotSupported}
	}
	if _, old := s.contexts[x.ID]; !old && len(s.contexts) >= maxContexts {
		return ContextResult{Result: ResultProviderRejection, Reason: ReasonLocalLimitExceeded}
	}
	if s.e.Accept != nil {
		if r := s.e.Accept(x.Abstract); r.Result != ResultAcceptance {
			return r
		}
	}
	s.contexts[x.ID] = x.Abstract
	return ContextResult{Accepted: true, Transfer: NDR20}
}

func (s *Server) request(call Call) error {
	iface, ok := s.contexts[call.ContextID]
	if !ok {
		return s.fault(call, status.FaultInvalidPresContext, FlagDidNotExecute)
	}
	if call.PDU.BigEndian() {
		// Handlers read little endian, as all current clients write.
		return s.fault(call, status.FaultNDR, FlagDidNotExecute)
	}
	stub, err := s.e.Handlers[iface](call.Opnum, call.Stub)
	if err != nil {
		code := status.FaultCantPerform
		if !errors.As(err, &code) && (errors.Is(err, ErrTruncated) || errors.Is(err, ErrMalformed)) {
			code = status.FaultNDR
		}
		return s.fault(call, code, 0)
	}
	// [C706] 12.6.4.10: fragments of a multiple of eight, save the last.
	room := (s.maxXmit - headerSize - requestHead) &^ 7
	for first := FlagFirst; ; first = 0 {
		n := min(room, len(stub))
		h := Header{Type: TypeResponse, Flags: first, CallID: call.PDU.CallID}
		if n == len(stub) {
			h.Flags |= FlagLast
		}
		if err := s.reply(h, &Response{
			AllocHint: uint32(len(stub)), ContextID: call.ContextID,
			Stub: stub[:n],
		}); err != nil {
			return err
		}
		if stub = stub[n:]; len(stub) == 0 {
			return nil
		}
	}
}

func (s *Server) fault(call Call, code status.Fault, extra Flags) error {
	h := Header{Type: TypeFault, Flags: FlagFirst | FlagLast | extra, CallID: call.PDU.CallID}
	return s.reply(h, &FaultBody{AllocHint: 32, ContextID: call.ContextID, Status: code})
}

// Pipe connects a Client to a Server without a network: a Transport for tests and the practice server.
func (e *Endpoint) Pipe() Transport { return &localPipe{e.NewServer()} }

type localPipe struct{ s *Server }

func (p *localPipe) Transact(ctx context.Context, in []byte, max int) ([]byte, error) {
	if _, err := p.Write(ctx, in); err != nil {
		return nil, err
	}
	b, _ := p.s.Read(max)
	return b, nil
}

func (p *localPipe) Write(ctx context.Context, b []byte) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return len(b), p.s.Write(b)
}

func (p *localPipe) Read(ctx context.Context, max int) ([]byte, bool, error) {
	b, more := p.s.Read(max)
	return b, more, ctx.Err()
}
