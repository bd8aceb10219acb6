package dcerpc

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// PacketType is the ptype of a PDU.
type PacketType uint8

// The connection-oriented packet types. See [C706] 12.6.4 and [MS-RPCE] 2.2.2.
const (
	TypeRequest           PacketType = 0
	TypeResponse          PacketType = 2
	TypeFault             PacketType = 3
	TypeBind              PacketType = 11
	TypeBindAck           PacketType = 12
	TypeBindNak           PacketType = 13
	TypeAlterContext      PacketType = 14
	TypeAlterContextReply PacketType = 15
	TypeAuth3             PacketType = 16
	TypeShutdown          PacketType = 17
	TypeCancel            PacketType = 18
	TypeOrphaned          PacketType = 19
)

// String is the name of [C706] in lower case, or the number.
func (t PacketType) String() string {
	switch t {
	case TypeRequest:
		return "request"
	case TypeResponse:
		return "response"
	case TypeFault:
		return "fault"
	case TypeBind:
		return "bind"
	case TypeBindAck:
		return "bind_ack"
	case TypeBindNak:
		return "bind_nak"
	case TypeAlterContext:
		return "alter_context"
	case TypeAlterContextReply:
		return "alter_context_resp"
	case TypeAuth3:
		return "auth3"
	case TypeShutdown:
		return "shutdown"
	case TypeCancel:
		return "co_cancel"
	case TypeOrphaned:
		return "orphaned"
	}
	return fmt.Sprintf("ptype %d", uint8(t))
}

// Flags is the pfc_flags of a PDU. See [C706] 12.6.3.1 and [MS-RPCE] 2.2.2.3.
type Flags uint8

// The flags. FlagHeaderSign means pending cancel in a request and header signing in a bind.
const (
	FlagFirst         Flags = 0x01
	FlagLast          Flags = 0x02
	FlagHeaderSign    Flags = 0x04
	FlagMultiplex     Flags = 0x10
	FlagDidNotExecute Flags = 0x20
	FlagMaybe         Flags = 0x40
	FlagObject        Flags = 0x80
)

const (
	headerSize  = 16
	trailerSize = 8
	// MaxFragment is the largest packet: frag_length has 16 bits.
	MaxFragment = 0xFFFF
	drepLittle  = 0x10
	drepEBCDIC  = 0x01
)

// Header is the common header of every PDU.
//
// See [C706] 12.6.3.1.
type Header struct {
	Minor      uint8
	Type       PacketType
	Flags      Flags
	DataRep    [4]byte
	FragLength uint16
	AuthLength uint16
	CallID     uint32
}

// BigEndian reports the byte order of the packet's integers and stub.
func (h *Header) BigEndian() bool { return h.DataRep[0]&drepLittle == 0 }

// EBCDIC reports whether characters (not wide ones) are EBCDIC.
func (h *Header) EBCDIC() bool { return h.DataRep[0]&drepEBCDIC != 0 }

// LittleEndian is the data representation that this package sends: little endian, ASCII, IEEE.
var LittleEndian = [4]byte{drepLittle}

// ParseHeader parses the first 16 bytes of b and checks what can be checked without the rest.
func ParseHeader(b []byte) (Header, error) {
	var h Header
	if len(b) < headerSize {
		return h, fmt.Errorf("%w: %d bytes of a 16-byte header", ErrTruncated, len(b))
	}
	if b[0] != 5 || b[1] > 1 {
		return h, fmt.Errorf("%w: version %d.%d is not 5.0 or 5.1", ErrMalformed, b[0], b[1])
	}
	h = Header{Minor: b[1], Type: PacketType(b[2]), Flags: Flags(b[3]), DataRep: [4]byte(b[4:8])}
	var order binary.ByteOrder = binary.LittleEndian
	if h.BigEndian() {
		order = binary.BigEndian
	}
	h.FragLength = order.Uint16(b[8:])
	h.AuthLength = order.Uint16(b[10:])
	h.CallID = order.Uint32(b[12:])
	need := headerSize
	if h.AuthLength > 0 {
		need += trailerSize + int(h.AuthLength)
	}
	if int(h.FragLength) < need {
		return h, fmt.Errorf("%w: frag_length %d is less than %d", ErrMalformed, h.FragLength, need)
	}
	return h, nil
}

// Auth is the security trailer of a PDU. The token is opaque here.
//
// See [MS-RPCE] 2.2.2.11.
type Auth struct {
	Type      uint8 // 9 SPNEGO, 10 NTLM, 16 Kerberos, 68 netlogon
	Level     uint8 // 1 none, 2 connect, 3 call, 4 packet, 5 integrity, 6 privacy
	PadLength uint8 // bytes between the body and the trailer
	ContextID uint32
	Token     []byte
}

// The security providers and levels. See [MS-RPCE] 2.2.1.1.7 and 2.2.1.1.8.
const (
	AuthSPNEGO   = 9
	AuthNTLM     = 10
	AuthKerberos = 16
	AuthNetlogon = 68

	AuthLevelConnect   = 2
	AuthLevelIntegrity = 5
	AuthLevelPrivacy   = 6
)

// PDU is one parsed packet. Nothing is copied: Body and the token point into the parsed bytes.
type PDU struct {
	Header
	Body    []byte // between header and security trailer, without the padding
	HasAuth bool
	Auth    Auth
}

// Parse parses the packet at the start of b and returns its length. The method for its type decodes the body: Bind,
// Request, ….
func Parse(b []byte) (PDU, int, error) {
	h, err := ParseHeader(b)
	if err != nil {
		return PDU{}, 0, err
	}
	n := int(h.FragLength)
	if n > len(b) {
		return PDU{}, 0, fmt.Errorf("%w: %d of %d bytes of a packet", ErrTruncated, len(b), n)
	}
	p := PDU{Header: h, Body: b[headerSize:n:n]}
	if h.AuthLength == 0 {
		return p, n, nil
	}
	at := n - int(h.AuthLength) - trailerSize
	c := coder{buf: b[at:n], dec: true, big: h.BigEndian()}
	p.HasAuth = true
	p.Auth.code(&c)
	p.Auth.Token = b[at+trailerSize : n : n]
	end := at - int(p.Auth.PadLength)
	if end < headerSize {
		return p, n, fmt.Errorf("%w: %d bytes of padding in a body of %d", ErrMalformed, p.Auth.PadLength,
			at-headerSize)
	}
	p.Body = b[headerSize:end:end]
	return p, n, nil
}

func (a *Auth) code(c *coder) {
	c.u8(&a.Type)
	c.u8(&a.Level)
	c.u8(&a.PadLength)
	c.skip(1)
	c.u32(&a.ContextID)
}

// Body is the part between header and trailer: *Bind, *BindAck, *BindNak, *Request, *Response, *FaultBody, or nil for
// types without one.
type Body interface{ code(c *coder) }

// AppendPDU appends a packet in little endian. It fills in the lengths of h and its data representation; auth may be
// nil, and its PadLength zeros precede the trailer. A packet that does not fit frag_length is an error.
func AppendPDU(dst []byte, h Header, body Body, auth *Auth) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 5, h.Minor, byte(h.Type), byte(h.Flags), drepLittle, h.DataRep[1], h.DataRep[2], h.DataRep[3])
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, h.CallID)
	if body != nil {
		c := coder{buf: dst, off: len(dst)}
		body.code(&c)
		dst = c.buf
	}
	if auth != nil {
		c := coder{buf: dst, off: len(dst)}
		c.skip(int(auth.PadLength))
		c.off = len(c.buf)
		auth.code(&c)
		dst = append(c.buf, auth.Token...)
		binary.LittleEndian.PutUint16(dst[start+10:], uint16(len(auth.Token)))
	}
	n := len(dst) - start
	if n > MaxFragment {
		return dst[:start], fmt.Errorf("%w: packet of %d bytes, frag_length has 16 bits", ErrMalformed, n)
	}
	binary.LittleEndian.PutUint16(dst[start+8:], uint16(n))
	return dst, nil
}

func (p *PDU) is(types ...PacketType) error {
	if !slices.Contains(types, p.Type) {
		return fmt.Errorf("%w: %v where %v was expected", ErrMalformed, p.Type, types[0])
	}
	return nil
}

func (p *PDU) decode(body Body, types ...PacketType) error {
	if err := p.is(types...); err != nil {
		return err
	}
	c := coder{buf: p.Body, dec: true, big: p.BigEndian()}
	body.code(&c)
	if c.err != nil {
		return fmt.Errorf("%v: %w", p.Type, c.err)
	}
	return nil
}
