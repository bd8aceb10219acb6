package smb2

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var le = binary.LittleEndian

// HeaderLen is the length of a message header, in bytes.
const HeaderLen = 64

// The offsets of header fields that others patch or read in place.
const (
	OffsetStatus    = 8
	OffsetFlags     = 16
	OffsetNext      = 20
	OffsetMessageID = 24
	OffsetSignature = 48
)

// Flags of a header.
type Flags uint32

// See [MS-SMB2] 2.2.1.2.
const (
	FlagResponse     Flags = 0x00000001 // SMB2_FLAGS_SERVER_TO_REDIR
	FlagAsync        Flags = 0x00000002
	FlagRelated      Flags = 0x00000004
	FlagSigned       Flags = 0x00000008
	FlagPriorityMask Flags = 0x00000070
	FlagDFS          Flags = 0x10000000
	FlagReplay       Flags = 0x20000000
)

// FileID names an open. See [MS-SMB2] 2.2.14.1.
type FileID [16]byte

// RelatedFileID stands for the open of the request before, in a compound.
var RelatedFileID = FileID{
	0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
}

// Header is the header of a message.
// See [MS-SMB2] 2.2.1.
type Header struct {
	CreditCharge uint16
	Status       uint32 // in a request of 3.x: ChannelSequence in the low half
	Command      Command
	Credits      uint16 // asked for, or granted
	Flags        Flags
	NextCommand  uint32
	MessageID    uint64
	AsyncID      uint64 // with FlagAsync, in the place of Reserved and TreeID
	Reserved     uint32 // a process id in the field
	TreeID       uint32
	SessionID    uint64
	Signature    [16]byte
}

// IsResponse reports the direction.
func (h *Header) IsResponse() bool { return h.Flags&FlagResponse != 0 }

// IsAsync reports that AsyncID stands in for TreeID.
func (h *Header) IsAsync() bool { return h.Flags&FlagAsync != 0 }

// IsSigned reports that the message claims to be signed.
func (h *Header) IsSigned() bool { return h.Flags&FlagSigned != 0 }

// What the first bytes of a frame can be.
var (
	protocolID    = [4]byte{0xFE, 'S', 'M', 'B'}
	transformID   = [4]byte{0xFD, 'S', 'M', 'B'}
	compressionID = [4]byte{0xFC, 'S', 'M', 'B'}
	smb1ID        = [4]byte{0xFF, 'S', 'M', 'B'}
)

// Kind is what a frame holds, by its first four bytes.
type Kind byte

// The kinds of frames.
const (
	KindUnknown    Kind = iota
	KindSMB1            // not this package's
	KindPlain           // one message or a chain of them
	KindEncrypted       // TransformHeader
	KindCompressed      // CompressionHeader
)

// KindOf looks at the first four bytes of a frame.
func KindOf(frame []byte) Kind {
	if len(frame) < 4 {
		return KindUnknown
	}
	switch [4]byte(frame[:4]) {
	case protocolID:
		return KindPlain
	case transformID:
		return KindEncrypted
	case compressionID:
		return KindCompressed
	case smb1ID:
		return KindSMB1
	}
	return KindUnknown
}

// The ways a message fails to decode. Errors wrap one of them.
var (
	ErrShort     = errors.New("message too short")
	ErrProtocol  = errors.New("not an SMB2 message")
	ErrStructure = errors.New("wrong StructureSize")
	ErrBounds    = errors.New("offset or length beyond the message")
	ErrChain     = errors.New("NextCommand does not advance to an aligned message inside the frame")
	ErrCommand   = errors.New("unknown command")
	ErrCount     = errors.New("count beyond the data")
)

// Unmarshal reads the header at the start of msg.
func (h *Header) Unmarshal(msg []byte) error {
	if len(msg) < HeaderLen {
		return fmt.Errorf("smb2: header: %w: %d bytes", ErrShort, len(msg))
	}
	if [4]byte(msg[:4]) != protocolID {
		return fmt.Errorf("smb2: header: %w", ErrProtocol)
	}
	if n := le.Uint16(msg[4:]); n != HeaderLen {
		return fmt.Errorf("smb2: header: %w %d", ErrStructure, n)
	}
	*h = Header{
		CreditCharge: le.Uint16(msg[6:]),
		Status:       le.Uint32(msg[8:]),
		Command:      Command(le.Uint16(msg[12:])),
		Credits:      le.Uint16(msg[14:]),
		Flags:        Flags(le.Uint32(msg[16:])),
		NextCommand:  le.Uint32(msg[20:]),
		MessageID:    le.Uint64(msg[24:]),
		SessionID:    le.Uint64(msg[40:]),
		Signature:    [16]byte(msg[48:64]),
	}
	if h.IsAsync() {
		h.AsyncID = le.Uint64(msg[32:])
	} else {
		h.Reserved = le.Uint32(msg[32:])
		h.TreeID = le.Uint32(msg[36:])
	}
	return nil
}

// AppendMarshal appends the header.
func (h *Header) AppendMarshal(dst []byte) []byte {
	dst = append(dst, protocolID[:]...)
	dst = le.AppendUint16(dst, HeaderLen)
	dst = le.AppendUint16(dst, h.CreditCharge)
	dst = le.AppendUint32(dst, h.Status)
	dst = le.AppendUint16(dst, uint16(h.Command))
	dst = le.AppendUint16(dst, h.Credits)
	dst = le.AppendUint32(dst, uint32(h.Flags))
	dst = le.AppendUint32(dst, h.NextCommand)
	dst = le.AppendUint64(dst, h.MessageID)
	if h.IsAsync() {
		dst = le.AppendUint64(dst, h.AsyncID)
	} else {
		dst = le.AppendUint32(dst, h.Reserved)
		dst = le.AppendUint32(dst, h.TreeID)
	}
	dst = le.AppendUint64(dst, h.SessionID)
	return append(dst, h.Signature[:]...)
}
