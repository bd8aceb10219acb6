package smb2

import "fmt"

// TransformLen is the length of a transform header, in bytes. AAD starts at TransformAAD.
const (
	TransformLen = 52
	TransformAAD = 20
)

// TransformHeader stands before an encrypted frame.
// See [MS-SMB2] 2.2.41.
type TransformHeader struct {
	Signature    [16]byte
	Nonce        [16]byte
	OriginalSize uint32
	Reserved     uint16
	Flags        uint16 // 1: encrypted; in 3.0 and 3.0.2 the algorithm, 1: AES-128-CCM
	SessionID    uint64
}

// Unmarshal reads the header at the start of a frame. The ciphertext is the rest of it, and must have OriginalSize bytes.
func (h *TransformHeader) Unmarshal(frame []byte) error {
	if len(frame) < TransformLen {
		return fmt.Errorf("smb2: transform header: %w: %d bytes", ErrShort, len(frame))
	}
	if [4]byte(frame[:4]) != transformID {
		return fmt.Errorf("smb2: transform header: %w", ErrProtocol)
	}
	*h = TransformHeader{
		Signature: [16]byte(frame[4:20]), Nonce: [16]byte(frame[20:36]), OriginalSize: le.Uint32(frame[36:]),
		Reserved: le.Uint16(frame[40:]), Flags: le.Uint16(frame[42:]), SessionID: le.Uint64(frame[44:]),
	}
	if int64(h.OriginalSize) != int64(len(frame)-TransformLen) {
		return fmt.Errorf("smb2: transform header: %w: %d of %d bytes", ErrBounds, h.OriginalSize, len(frame)-TransformLen)
	}
	return nil
}

// AppendMarshal appends the header.
func (h *TransformHeader) AppendMarshal(dst []byte) []byte {
	dst = append(dst, transformID[:]...)
	dst = append(dst, h.Signature[:]...)
	dst = append(dst, h.Nonce[:]...)
	dst = le.AppendUint32(dst, h.OriginalSize)
	dst = le.AppendUint16(dst, h.Reserved)
	dst = le.AppendUint16(dst, h.Flags)
	return le.AppendUint64(dst, h.SessionID)
}
