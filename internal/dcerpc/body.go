package dcerpc

import (
	"fmt"

	"ipcguard/internal/status"
)

// Request is one fragment of a call.
//
// See [C706] 12.6.4.9.
type Request struct {
	AllocHint uint32
	ContextID uint16
	Opnum     uint16
	Object    *UUID // present when FlagObject is set
	Stub      []byte
}

func (r *Request) code(c *coder) {
	c.u32(&r.AllocHint)
	c.u16(&r.ContextID)
	c.u16(&r.Opnum)
	if r.Object != nil {
		c.uuid(r.Object)
	}
	c.rest(&r.Stub)
}

// Request reads the body of a request. Stub points into the packet.
func (p *PDU) Request() (Request, error) {
	var r Request
	if err := p.is(TypeRequest); err != nil {
		return r, err
	}
	if p.Flags&FlagObject != 0 {
		r.Object = new(UUID)
	}
	c := coder{buf: p.Body, dec: true, big: p.BigEndian()}
	r.code(&c) // not through decode: nothing may escape to the heap for each packet of a capture
	return r, c.err
}

// Response is one fragment of a response.
//
// See [C706] 12.6.4.10.
type Response struct {
	AllocHint   uint32
	ContextID   uint16
	CancelCount uint8
	Stub        []byte
}

func (r *Response) code(c *coder) {
	c.u32(&r.AllocHint)
	c.u16(&r.ContextID)
	c.u8(&r.CancelCount)
	c.skip(1)
	c.rest(&r.Stub)
}

// Response reads the body of a response. Stub points into the packet.
func (p *PDU) Response() (Response, error) {
	var r Response
	if err := p.is(TypeResponse); err != nil {
		return r, err
	}
	c := coder{buf: p.Body, dec: true, big: p.BigEndian()}
	r.code(&c)
	return r, c.err
}

// FaultBody says that the server did not execute a call.
//
// See [C706] 12.6.4.7 and [MS-RPCE] 2.2.2.8.
type FaultBody struct {
	AllocHint   uint32
	ContextID   uint16
	CancelCount uint8
	Extended    uint8 // bit 0: extended error information follows in Stub
	Status      status.Fault
	Stub        []byte
}

func (f *FaultBody) code(c *coder) {
	c.u32(&f.AllocHint)
	c.u16(&f.ContextID)
	c.u8(&f.CancelCount)
	c.u8(&f.Extended)
	num(c, &f.Status)
	if c.dec && c.left() == 0 {
		return // the four reserved bytes are missing from some servers' faults
	}
	c.skip(4)
	c.rest(&f.Stub)
}

// Fault reads the body of a fault.
func (p *PDU) Fault() (FaultBody, error) {
	var f FaultBody
	err := p.decode(&f, TypeFault)
	return f, err
}

// rest codes the remaining bytes of the body, without a copy.
func (c *coder) rest(b *[]byte) {
	if c.dec {
		*b = c.take(c.left())
	} else {
		c.buf = append(c.buf, *b...)
	}
}

// Context offers one interface with the encodings that the client supports for it.
//
// See [C706] 12.6.3.1 p_cont_elem_t.
type Context struct {
	ID       uint16
	Abstract SyntaxID
	Transfer []SyntaxID
}

func (x *Context) code(c *coder) {
	c.u16(&x.ID)
	n := uint8(len(x.Transfer))
	c.u8(&n)
	c.skip(1)
	c.syntax(&x.Abstract)
	if c.dec {
		x.Transfer = make([]SyntaxID, c.fits(int(n), 20))
	}
	for i := range x.Transfer {
		c.syntax(&x.Transfer[i])
	}
}

// fits returns n if n elements of size bytes remain to be read, else 0 and an error.
func (c *coder) fits(n, size int) int {
	if c.err == nil && n*size > c.left() {
		c.fail(fmt.Errorf("%w: %d elements of %d bytes in %d bytes", ErrTruncated, n, size, c.left()))
	}
	if c.err != nil {
		return 0
	}
	return n
}

// Bind opens the association; alter_context has the same body.
//
// See [C706] 12.6.4.3 and 12.6.4.1.
type Bind struct {
	MaxXmit, MaxRecv uint16
	AssocGroup       uint32
	Contexts         []Context
}

func (b *Bind) code(c *coder) {
	c.u16(&b.MaxXmit)
	c.u16(&b.MaxRecv)
	c.u32(&b.AssocGroup)
	n := uint8(len(b.Contexts))
	c.u8(&n)
	c.skip(3)
	if c.dec {
		b.Contexts = make([]Context, c.fits(int(n), 24))
	}
	for i := range b.Contexts {
		c.align(4)
		b.Contexts[i].code(c)
	}
}

// Bind reads the body of a bind or alter_context.
func (p *PDU) Bind() (Bind, error) {
	var b Bind
	err := p.decode(&b, TypeBind, TypeAlterContext)
	return b, err
}

// ContextResult is the server's answer to one offered context.
//
// See [C706] 12.6.3.1 p_result_t.
type ContextResult struct {
	Accepted bool // Result is 0
	Result   uint16
	Reason   uint16
	Transfer SyntaxID
}

// The results and reasons. See [C706] 12.6.3.1 and [MS-RPCE] 2.2.2.4.
const (
	ResultAcceptance        = 0
	ResultUserRejection     = 1
	ResultProviderRejection = 2
	ResultNegotiateAck      = 3

	ReasonNotSpecified         = 0
	ReasonAbstractNotSupported = 1
	ReasonTransferNotSupported = 2
	ReasonLocalLimitExceeded   = 3
)

// String returns "accepted", or the result and reason in the specification's words.
func (r ContextResult) String() string {
	reason := fmt.Sprintf("reason %d", r.Reason)
	switch r.Reason {
	case ReasonNotSpecified:
		reason = "reason_not_specified"
	case ReasonAbstractNotSupported:
		reason = "abstract_syntax_not_supported"
	case ReasonTransferNotSupported:
		reason = "proposed_transfer_syntaxes_not_supported"
	case ReasonLocalLimitExceeded:
		reason = "local_limit_exceeded"
	}
	switch r.Result {
	case ResultAcceptance:
		return "accepted"
	case ResultUserRejection:
		return "user_rejection: " + reason
	case ResultProviderRejection:
		return "provider_rejection: " + reason
	case ResultNegotiateAck:
		return "negotiate_ack"
	}
	return fmt.Sprintf("result %d: %s", r.Result, reason)
}

// BindAck answers a bind; alter_context_resp has the same body.
//
// See [C706] 12.6.4.4.
type BindAck struct {
	MaxXmit, MaxRecv uint16
	AssocGroup       uint32
	Secondary        string // the server's own name for the endpoint, such as \PIPE\lsass
	Results          []ContextResult
}

func (b *BindAck) code(c *coder) {
	c.u16(&b.MaxXmit)
	c.u16(&b.MaxRecv)
	c.u32(&b.AssocGroup)
	if c.dec {
		var n uint16
		c.u16(&n)
		b.Secondary = trimZero(string(c.take(int(n))))
	} else {
		// Some servers send an empty name with length 0 in an alter_context_resp and 1 in a bind_ack; 0 is canonical
		// here.
		n := uint16(0)
		if b.Secondary != "" {
			n = uint16(len(b.Secondary) + 1)
		}
		c.u16(&n)
		if n > 0 {
			c.buf = append(append(c.buf, b.Secondary...), 0)
		}
	}
	c.align(4)
	n := uint8(len(b.Results))
	c.u8(&n)
	c.skip(3)
	if c.dec {
		b.Results = make([]ContextResult, c.fits(int(n), 24))
	}
	for i := range b.Results {
		r := &b.Results[i]
		c.u16(&r.Result)
		c.u16(&r.Reason)
		c.syntax(&r.Transfer)
		r.Accepted = r.Result == ResultAcceptance
	}
}

// BindAck reads the body of a bind_ack or alter_context_resp.
func (p *PDU) BindAck() (BindAck, error) {
	var b BindAck
	err := p.decode(&b, TypeBindAck, TypeAlterContextReply)
	return b, err
}

// BindNak refuses a bind as a whole. Client.Bind then returns it as its error.
//
// See [C706] 12.6.4.5 and [MS-RPCE] 2.2.2.9.
type BindNak struct {
	Reason   uint16
	Versions [][2]uint8 // supported protocol versions
}

// The reasons of a bind_nak. See [C706] 12.6.3.1 p_reject_reason_t and [MS-RPCE] 2.2.2.5.
const (
	NakNotSpecified         = 0
	NakTemporaryCongestion  = 1
	NakLocalLimitExceeded   = 2
	NakVersionNotSupported  = 4
	NakAuthTypeNotSupported = 8
	NakInvalidChecksum      = 9
)

func (b *BindNak) code(c *coder) {
	c.u16(&b.Reason)
	if c.dec && c.left() == 0 {
		return
	}
	n := uint8(len(b.Versions))
	c.u8(&n)
	if c.dec {
		b.Versions = make([][2]uint8, c.fits(int(n), 2))
	}
	for i := range b.Versions {
		c.raw(b.Versions[i][:])
	}
}

// Error returns the reason.
func (b *BindNak) Error() string {
	names := map[uint16]string{
		NakNotSpecified: "reason_not_specified", NakTemporaryCongestion: "temporary_congestion",
		NakLocalLimitExceeded: "local_limit_exceeded", NakVersionNotSupported: "protocol_version_not_supported",
		NakAuthTypeNotSupported: "authentication_type_not_recognized", NakInvalidChecksum: "invalid_checksum",
	}
	if n, ok := names[b.Reason]; ok {
		return "dcerpc: bind_nak: " + n
	}
	return fmt.Sprintf("dcerpc: bind_nak: reason %d", b.Reason)
}

// BindNak reads the body of a bind_nak.
func (p *PDU) BindNak() (BindNak, error) {
	var b BindNak
	err := p.decode(&b, TypeBindNak)
	return b, err
}

// Padding is the four meaningless bytes of an auth3.
//
// See [MS-RPCE] 2.2.2.10.
type Padding struct{}

func (*Padding) code(c *coder) { c.skip(4) }
