package smb1

import (
	"encoding/binary"
	"errors"
	"fmt"

	"ipcguard/internal/status"
)

// HeaderLen is the size of the header.
const HeaderLen = 32

var errMessage = errors.New("smb1: malformed message")

func malformed(format string, a ...any) error {
	return fmt.Errorf("%w: %s", errMessage, fmt.Sprintf(format, a...))
}

// The bits of Flags. See [MS-CIFS] 2.2.3.1.
const (
	FlagsCaseInsensitive byte = 0x08
	FlagsCanonicalPaths  byte = 0x10
	FlagsReply           byte = 0x80
)

// The bits of Flags2. See [MS-CIFS] 2.2.3.1 and [MS-SMB] 2.2.3.1.
const (
	Flags2LongNames         uint16 = 0x0001
	Flags2EAS               uint16 = 0x0002
	Flags2SecuritySignature uint16 = 0x0004
	Flags2SignatureRequired uint16 = 0x0010
	Flags2IsLongName        uint16 = 0x0040
	Flags2ExtendedSecurity  uint16 = 0x0800
	Flags2DFS               uint16 = 0x1000
	Flags2NTStatus          uint16 = 0x4000
	Flags2Unicode           uint16 = 0x8000
)

// Header begins every message.
//
// See [MS-CIFS] 2.2.3.1.
type Header struct {
	Command   Command
	Status    uint32 // as on the wire; see NTStatus
	Flags     byte
	Flags2    uint16
	PIDHigh   uint16
	Signature [8]byte
	Reserved  uint16
	TID       uint16
	PIDLow    uint16
	UID       uint16
	MID       uint16
}

// SignatureOffset is where the signature stands in a message.
const SignatureOffset = 14

// ParseHeader reads the header that b begins with.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderLen {
		return Header{}, malformed("%d bytes, the header alone takes %d", len(b), HeaderLen)
	}
	if string(b[:4]) != "\xFFSMB" {
		return Header{}, malformed("no SMB1 signature")
	}
	le := binary.LittleEndian
	return Header{
		Command: Command(b[4]), Status: le.Uint32(b[5:]), Flags: b[9], Flags2: le.Uint16(b[10:]),
		PIDHigh:   le.Uint16(b[12:]),
		Signature: [8]byte(b[14:22]), Reserved: le.Uint16(b[22:]), TID: le.Uint16(b[24:]), PIDLow: le.Uint16(b[26:]),
		UID: le.Uint16(b[28:]), MID: le.Uint16(b[30:]),
	}, nil
}

// Append writes the header.
func (h *Header) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, 0xFF, 'S', 'M', 'B', byte(h.Command))
	b = le.AppendUint32(b, h.Status)
	b = append(b, h.Flags)
	b = le.AppendUint16(b, h.Flags2)
	b = le.AppendUint16(b, h.PIDHigh)
	b = append(b, h.Signature[:]...)
	for _, v := range []uint16{h.Reserved, h.TID, h.PIDLow, h.UID, h.MID} {
		b = le.AppendUint16(b, v)
	}
	return b
}

// Reply reports whether this is an answer.
func (h *Header) Reply() bool { return h.Flags&FlagsReply != 0 }

// Unicode reports whether strings are UTF-16LE.
func (h *Header) Unicode() bool { return h.Flags2&Flags2Unicode != 0 }

// NTStatus is the status, translated where the server answers with DOS error classes.
func (h *Header) NTStatus() status.NTStatus {
	if h.Flags2&Flags2NTStatus != 0 {
		return status.NTStatus(h.Status)
	}
	return FromDOS(byte(h.Status), uint16(h.Status>>16))
}

// SetStatus writes a status in the form that Flags2 asks for. DOS errors without a code of their own become ERRSRV/1.
func (h *Header) SetStatus(s status.NTStatus) {
	if h.Flags2&Flags2NTStatus != 0 {
		h.Status = uint32(s)
		return
	}
	class, code := ToDOS(s)
	h.Status = uint32(class) | uint32(code)<<16
}
