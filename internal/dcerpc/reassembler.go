package dcerpc

import (
	"errors"
	"fmt"
)

// Limits bound the memory that one peer can make a Reassembler use.
type Limits struct {
	Bytes     int // stub bytes of all unfinished calls together
	Fragments int // fragments of one call
	Calls     int // unfinished calls at a time
}

// DefaultLimits are generous for honest peers: the largest response that ipcguard requests (every share or account of a
// server in pieces of 64 KiB or a few hundred entries) stays far below 4 MiB; 4 MiB in the smallest fragments that
// [C706] 12.6.3.1 lets a peer require (1,432 bytes) are 2,929 fragments; and [MS-RPCE] lets calls interleave only with
// concurrent multiplexing, which clients over pipes do not use.
var DefaultLimits = Limits{Bytes: 4 << 20, Fragments: 4096, Calls: 4}

// ErrLimit is wrapped by every error about an exceeded limit.
var ErrLimit = errors.New("dcerpc: limit exceeded")

// FragmentError is about one call: the reassembler drops the fragment or the call, and continues with the next packet.
// Any other error of Next means that the packet boundaries are lost.
type FragmentError struct {
	CallID uint32
	Err    error
}

// Error names the call and the cause.
func (e *FragmentError) Error() string { return fmt.Sprintf("call %d: %v", e.CallID, e.Err) }

// Unwrap returns the cause.
func (e *FragmentError) Unwrap() error { return e.Err }

// Call is a complete message: a single packet, or the reassembled fragments of a request, response or fault.
type Call struct {
	PDU       PDU    // the packet, or the last of the fragments; its slices are valid until the next Next or Push
	ContextID uint16 // of requests and responses
	Opnum     uint16 // of requests
	Object    *UUID  // of requests, nil for none
	Stub      []byte // of requests and responses, from all fragments; valid as long as PDU unless Fragments > 1
	Fragments int
}

// Reassembler turns the bytes of one direction of a pipe into complete messages. Boundaries of writes and reads do not
// matter: a packet may come in many pieces and one piece may hold many packets. It is used by the client, the server
// and a passive observer (who may also start in the middle: fragments without a beginning are FragmentErrors).
//
//	r.Push(data)
//	for {
//		call, ok, err := r.Next()
//		…
//	}
type Reassembler struct {
	limits Limits
	unwrap func(packet []byte, p *PDU, stub []byte) ([]byte, error) // packet security, nil for none

	pending []byte // the beginning of an incomplete packet
	input   []byte // not processed yet; belongs to the caller
	calls   []partial
	bytes   int // in calls
	dead    error
}

type partial struct {
	id        uint32
	kind      PacketType
	context   uint16
	opnum     uint16
	object    *UUID
	stub      []byte
	fragments int
}

// NewReassembler returns a Reassembler. Zero limits mean the defaults.
func NewReassembler(l Limits) *Reassembler {
	if l.Bytes == 0 {
		l.Bytes = DefaultLimits.Bytes
	}
	if l.Fragments == 0 {
		l.Fragments = DefaultLimits.Fragments
	}
	if l.Calls == 0 {
		l.Calls = DefaultLimits.Calls
	}
	return &Reassembler{limits: l}
}

// Push adds the next bytes. They are not copied unless a packet continues in the next Push, so the caller must call
// Next until it returns false before reusing b.
func (r *Reassembler) Push(b []byte) {
	if len(r.input) > 0 {
		r.pending = append(r.pending, r.input...)
	}
	r.input = b
}

// Idle reports whether no packet and no call is incomplete.
func (r *Reassembler) Idle() bool {
	return len(r.pending) == 0 && len(r.input) == 0 && len(r.calls) == 0
}

// Partial reports whether a packet is incomplete.
func (r *Reassembler) Partial() bool { return len(r.pending) > 0 || len(r.input) > 0 }

// Reset discards all state, for a reopened pipe or a gap in a capture.
func (r *Reassembler) Reset() {
	*r = Reassembler{limits: r.limits, unwrap: r.unwrap, pending: r.pending[:0]}
}

// Next returns the next complete message; false if more bytes are needed. After a FragmentError it may be called again;
// after any other error it repeats the error until Reset.
func (r *Reassembler) Next() (Call, bool, error) {
	for {
		packet, p, err := r.next()
		if packet == nil || err != nil {
			return Call{}, false, err
		}
		call, whole, err := r.add(packet, p)
		if err != nil {
			return Call{}, false, &FragmentError{p.CallID, err}
		}
		if whole {
			return call, true, nil
		}
	}
}

// NextPacket returns the next packet, even if it is a fragment, for callers that process packets one by one and keep
// nothing of them. False and errors are those of Next. A caller must use only one of the two.
func (r *Reassembler) NextPacket() (PDU, bool, error) {
	packet, p, err := r.next()
	return p, packet != nil && err == nil, err
}

// next splits off and decodes the next packet; nil if it is incomplete.
func (r *Reassembler) next() ([]byte, PDU, error) {
	if r.dead != nil {
		return nil, PDU{}, r.dead
	}
	packet, err := r.packet()
	if packet == nil || err != nil {
		r.dead = err
		return nil, PDU{}, err
	}
	p, _, err := Parse(packet)
	if err != nil {
		err = &FragmentError{p.CallID, err}
	}
	return packet, p, err
}

// packet splits off the next packet, or returns nil if it is incomplete. The rest is never more than one packet.
func (r *Reassembler) packet() ([]byte, error) {
	if len(r.pending) == 0 {
		if len(r.input) < headerSize {
			r.keep(len(r.input))
			return nil, nil
		}
		h, err := ParseHeader(r.input)
		if err != nil {
			return nil, err
		}
		n := int(h.FragLength)
		if n > len(r.input) {
			r.keep(len(r.input))
			return nil, nil
		}
		b := r.input[:n:n]
		r.input = r.input[n:]
		return b, nil
	}
	if !r.fill(headerSize) {
		return nil, nil
	}
	h, err := ParseHeader(r.pending)
	if err != nil {
		return nil, err
	}
	n := int(h.FragLength)
	if !r.fill(n) {
		return nil, nil
	}
	b := r.pending[:n:n]
	if len(r.pending) > n { // two short Pushes in a row without Next
		r.input = append(append([]byte(nil), r.pending[n:]...), r.input...)
	}
	r.pending = nil
	return b, nil
}

func (r *Reassembler) keep(n int) {
	r.pending = append(r.pending, r.input[:n]...)
	r.input = r.input[n:]
}

// fill moves input to pending until that has n bytes.
func (r *Reassembler) fill(n int) bool {
	if missing := n - len(r.pending); missing > 0 {
		r.keep(min(missing, len(r.input)))
	}
	return len(r.pending) >= n
}

func (r *Reassembler) add(packet []byte, p PDU) (Call, bool, error) {
	call := Call{PDU: p, Fragments: 1}
	var err error
	switch p.Type {
	case TypeRequest:
		var q Request
		q, err = p.Request()
		call.ContextID, call.Opnum, call.Object, call.Stub = q.ContextID, q.Opnum, q.Object, q.Stub
	case TypeResponse:
		var q Response
		q, err = p.Response()
		call.ContextID, call.Stub = q.ContextID, q.Stub
	default:
		return call, true, nil // binds and the like are never fragmented, whatever their flags say
	}
	if err == nil && r.unwrap != nil {
		own := p // only the copy escapes to the heap, so nothing does without packet security
		call.Stub, err = r.unwrap(packet, &own, call.Stub)
	}
	if err != nil {
		r.drop(r.find(p.CallID, p.Type))
		return call, false, err
	}
	at := r.find(p.CallID, p.Type)
	if p.Flags&FlagFirst != 0 {
		if at >= 0 {
			r.drop(at)
			return call, false, fmt.Errorf("%w: first fragment twice", ErrMalformed)
		}
		if p.Flags&FlagLast != 0 {
			return call, true, nil
		}
		if len(r.calls) >= r.limits.Calls {
			return call, false, fmt.Errorf("%w: more than %d calls in fragments at a time", ErrLimit, r.limits.Calls)
		}
		r.calls = append(r.calls, partial{
			id: p.CallID, kind: p.Type, context: call.ContextID, opnum: call.Opnum,
			object: call.Object,
		})
		at = len(r.calls) - 1
	}
	if at < 0 {
		return call, false, fmt.Errorf("%w: fragment without a first one", ErrMalformed)
	}
	return r.extend(at, call)
}

func (r *Reassembler) extend(at int, call Call) (Call, bool, error) {
	c := &r.calls[at]
	if call.ContextID != c.context || call.Opnum != c.opnum {
		r.drop(at)
		return call, false, fmt.Errorf("%w: fragments disagree about context or opnum", ErrMalformed)
	}
	if c.fragments++; c.fragments > r.limits.Fragments {
		r.drop(at)
		return call, false, fmt.Errorf("%w: more than %d fragments", ErrLimit, r.limits.Fragments)
	}
	if r.bytes+len(call.Stub) > r.limits.Bytes {
		r.drop(at)
		return call, false, fmt.Errorf("%w: more than %d bytes in fragments", ErrLimit, r.limits.Bytes)
	}
	r.bytes += len(call.Stub)
	c.stub = append(c.stub, call.Stub...)
	if call.PDU.Flags&FlagLast == 0 {
		return call, false, nil
	}
	call.Stub, call.Fragments, call.Object = c.stub, c.fragments, c.object
	r.drop(at)
	return call, true, nil
}

func (r *Reassembler) find(id uint32, kind PacketType) int {
	for i := range r.calls {
		if r.calls[i].id == id && r.calls[i].kind == kind {
			return i
		}
	}
	return -1
}

func (r *Reassembler) drop(at int) {
	if at < 0 {
		return
	}
	r.bytes -= len(r.calls[at].stub)
	last := len(r.calls) - 1
	r.calls[at], r.calls[last] = r.calls[last], partial{}
	r.calls = r.calls[:last]
}
