package smb2

import (
	"fmt"
)

// What follows, the tests alone need: the other direction of what the program reads or writes.

// EncodeCreateContexts creates a list.
func EncodeCreateContexts(list ...CreateContext) CreateContexts {
	var b CreateContexts
	for i, c := range list {
		start := len(b)
		b = le.AppendUint32(b, 0)
		b = le.AppendUint16(b, 16)
		b = le.AppendUint16(b, uint16(len(c.Name)))
		b = append(b, make([]byte, 8)...)
		b = append(b, c.Name...)
		if len(c.Data) > 0 {
			for (len(b)-start)%8 != 0 {
				b = append(b, 0)
			}
			le.PutUint16(b[start+10:], uint16(len(b)-start))
			le.PutUint32(b[start+12:], uint32(len(c.Data)))
			b = append(b, c.Data...)
		}
		if i < len(list)-1 {
			for (len(b)-start)%8 != 0 {
				b = append(b, 0)
			}
			le.PutUint32(b[start:], uint32(len(b)-start))
		}
	}
	return b
}

// Context creates the negotiate context.
func (c *CompressionCapabilities) Context() NegotiateContext {
	b := le.AppendUint16(nil, uint16(len(c.Algorithms)))
	b = le.AppendUint32(le.AppendUint16(b, c.Padding), c.Flags)
	return NegotiateContext{Type: ContextCompression, Data: appendIDs(b, c.Algorithms)}
}

// RDMACapabilities is the data of ContextRDMA.
// See [MS-SMB2] 2.2.3.1.6.
type RDMACapabilities struct {
	Reserved1  uint16
	Reserved2  uint32
	Transforms []uint16
}

// Context creates the negotiate context.
func (c *RDMACapabilities) Context() NegotiateContext {
	b := le.AppendUint16(nil, uint16(len(c.Transforms)))
	b = le.AppendUint32(le.AppendUint16(b, c.Reserved1), c.Reserved2)
	return NegotiateContext{Type: ContextRDMA, Data: appendIDs(b, c.Transforms)}
}

// Unmarshal reads the data of a context.
func (c *RDMACapabilities) Unmarshal(data []byte) (err error) {
	if c.Transforms, err = parseCountedIDs(data, 8, "RDMA"); err == nil {
		c.Reserved1, c.Reserved2 = le.Uint16(data[2:]), le.Uint32(data[4:])
	}
	return err
}

// TransportCapabilities is the data of ContextTransport.
// See [MS-SMB2] 2.2.3.1.5.
type TransportCapabilities struct{ Flags uint32 }

// Context creates the negotiate context.
func (c *TransportCapabilities) Context() NegotiateContext {
	return NegotiateContext{Type: ContextTransport, Data: le.AppendUint32(nil, c.Flags)}
}

// Unmarshal reads the data of a context.
func (c *TransportCapabilities) Unmarshal(data []byte) error {
	if len(data) < 4 {
		return fmt.Errorf("smb2: transport context: %w", ErrShort)
	}
	c.Flags = le.Uint32(data)
	return nil
}

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

// Unmarshal reads the header at the start of a frame. The ciphertext is the rest of it, and must have OriginalSize
// bytes.
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
		return fmt.Errorf("smb2: transform header: %w: %d of %d bytes", ErrBounds, h.OriginalSize,
			len(frame)-TransformLen)
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

// AppendMarshal appends the header.
func (h *CompressionHeader) AppendMarshal(dst []byte) []byte {
	dst = append(dst, compressionID[:]...)
	dst = le.AppendUint32(dst, h.OriginalSize)
	dst = le.AppendUint16(dst, h.Algorithm)
	dst = le.AppendUint16(dst, h.Flags)
	return le.AppendUint32(dst, h.Length)
}
