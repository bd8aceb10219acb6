package smb2

import "fmt"

// The types of negotiate contexts. See [MS-SMB2] 2.2.3.1.
const (
	ContextPreauth     = 0x0001
	ContextEncryption  = 0x0002
	ContextCompression = 0x0003
	ContextNetName     = 0x0005
	ContextTransport   = 0x0006
	ContextRDMA        = 0x0007
	ContextSigning     = 0x0008
)

// HashSHA512 is the only preauthentication integrity hash. See [MS-SMB2] 2.2.3.1.1.
const HashSHA512 = 0x0001

// The ciphers of [MS-SMB2] 2.2.3.1.2.
const (
	AES128CCM = 0x0001
	AES128GCM = 0x0002
	AES256CCM = 0x0003
	AES256GCM = 0x0004
)

// The signing algorithms of [MS-SMB2] 2.2.3.1.7.
const (
	SignHMACSHA256 = 0x0000
	SignAESCMAC    = 0x0001
	SignAESGMAC    = 0x0002
)

// AcceptTransportSecurity is the flag of ContextTransport: a secure transport stands in for SMB2 encryption.
const AcceptTransportSecurity = 0x00000001

// maxNegotiateContexts bounds a list; seven types exist.
const maxNegotiateContexts = 64

// NegotiateContext is one entry of a list, its data as sent. The typed contexts below read and make the data.
// See [MS-SMB2] 2.2.3.1.
type NegotiateContext struct {
	Type     uint16
	Reserved uint32
	Data     []byte
}

// parseNegotiateContexts reads n contexts at off; from end on nothing was read yet.
func parseNegotiateContexts(msg []byte, end int, off uint32, n int) ([]NegotiateContext, int, error) {
	if n == 0 {
		return nil, end, nil
	}
	if n > maxNegotiateContexts {
		return nil, 0, fmt.Errorf("%w: %d negotiate contexts", ErrCount, n)
	}
	if uint64(off) < uint64(end) || off%8 != 0 || uint64(off) > uint64(len(msg)) {
		return nil, 0, fmt.Errorf("negotiate contexts: %w: at %d of %d", ErrBounds, off, len(msg))
	}
	list := make([]NegotiateContext, n)
	at := int(off)
	for i := range list {
		if i > 0 {
			at = (at + 7) &^ 7
		}
		if at+8 > len(msg) {
			return nil, 0, fmt.Errorf("negotiate context %d: %w", i, ErrShort)
		}
		next := at + 8 + int(le.Uint16(msg[at+2:]))
		if next > len(msg) {
			return nil, 0, fmt.Errorf("negotiate context %d: %w", i, ErrBounds)
		}
		list[i] = NegotiateContext{le.Uint16(msg[at:]), le.Uint32(msg[at+4:]), msg[at+8 : next : next]}
		at = next
	}
	return list, at, nil
}

// appendNegotiateContexts appends a list at offset want from base, or where it belongs, and returns its offset.
func appendNegotiateContexts(dst []byte, base, want int, list []NegotiateContext) ([]byte, int) {
	off := want
	for i, c := range list {
		entry := le.AppendUint16(nil, c.Type)
		entry = le.AppendUint16(entry, uint16(len(c.Data)))
		entry = le.AppendUint32(entry, c.Reserved)
		var at int
		dst, at = place(dst, base, want, 8, append(entry, c.Data...))
		if i == 0 {
			off = at
		}
		want = 0
	}
	return dst, off
}

// PreauthCapabilities is the data of ContextPreauth.
// See [MS-SMB2] 2.2.3.1.1.
type PreauthCapabilities struct {
	HashAlgorithms []uint16
	Salt           []byte
}

// Context creates the negotiate context.
func (c *PreauthCapabilities) Context() NegotiateContext {
	b := le.AppendUint16(nil, uint16(len(c.HashAlgorithms)))
	b = le.AppendUint16(b, uint16(len(c.Salt)))
	return NegotiateContext{Type: ContextPreauth, Data: append(appendIDs(b, c.HashAlgorithms), c.Salt...)}
}

// Unmarshal reads the data of a context.
func (c *PreauthCapabilities) Unmarshal(data []byte) error {
	if len(data) < 4 {
		return fmt.Errorf("smb2: preauth context: %w", ErrShort)
	}
	ids, rest, err := parseIDs(data[4:], le.Uint16(data))
	salt := int(le.Uint16(data[2:]))
	if err != nil || salt > len(rest) {
		return fmt.Errorf("smb2: preauth context: %w", ErrCount)
	}
	c.HashAlgorithms, c.Salt = ids, rest[:salt]
	return nil
}

// EncryptionCapabilities is the data of ContextEncryption: ciphers, best first.
// See [MS-SMB2] 2.2.3.1.2.
type EncryptionCapabilities struct{ Ciphers []uint16 }

// Context creates the negotiate context.
func (c *EncryptionCapabilities) Context() NegotiateContext {
	return NegotiateContext{
		Type: ContextEncryption,
		Data: appendIDs(le.AppendUint16(nil, uint16(len(c.Ciphers))), c.Ciphers),
	}
}

// Unmarshal reads the data of a context.
func (c *EncryptionCapabilities) Unmarshal(data []byte) (err error) {
	c.Ciphers, err = parseCountedIDs(data, 2, "encryption")
	return err
}

// SigningCapabilities is the data of ContextSigning: algorithms, best first.
// See [MS-SMB2] 2.2.3.1.7.
type SigningCapabilities struct{ Algorithms []uint16 }

// Context creates the negotiate context.
func (c *SigningCapabilities) Context() NegotiateContext {
	return NegotiateContext{
		Type: ContextSigning,
		Data: appendIDs(le.AppendUint16(nil, uint16(len(c.Algorithms))), c.Algorithms),
	}
}

// Unmarshal reads the data of a context.
func (c *SigningCapabilities) Unmarshal(data []byte) (err error) {
	c.Algorithms, err = parseCountedIDs(data, 2, "signing")
	return err
}

// CompressionCapabilities is the data of ContextCompression.
// See [MS-SMB2] 2.2.3.1.3.
type CompressionCapabilities struct {
	Padding    uint16
	Flags      uint32 // 1: chained
	Algorithms []uint16
}

// Unmarshal reads the data of a context.
func (c *CompressionCapabilities) Unmarshal(data []byte) (err error) {
	if c.Algorithms, err = parseCountedIDs(data, 8, "compression"); err == nil {
		c.Padding, c.Flags = le.Uint16(data[2:]), le.Uint32(data[4:])
	}
	return err
}

// NetName creates the context that tells the server by which name the client calls it. Its data is a Text.
// See [MS-SMB2] 2.2.3.1.4.
func NetName(name string) NegotiateContext {
	return NegotiateContext{Type: ContextNetName, Data: EncodeText(name)}
}

func appendIDs(b []byte, ids []uint16) []byte {
	for _, id := range ids {
		b = le.AppendUint16(b, id)
	}
	return b
}

func parseIDs(b []byte, n uint16) ([]uint16, []byte, error) {
	if len(b) < 2*int(n) {
		return nil, nil, ErrCount
	}
	ids := make([]uint16, n)
	for i := range ids {
		ids[i] = le.Uint16(b[2*i:])
	}
	return ids, b[2*int(n):], nil
}

// parseCountedIDs reads a count at the start and as many ids from offset from on.
func parseCountedIDs(b []byte, from int, what string) ([]uint16, error) {
	if len(b) < from {
		return nil, fmt.Errorf("smb2: %s context: %w", what, ErrShort)
	}
	ids, _, err := parseIDs(b[from:], le.Uint16(b))
	if err != nil {
		return nil, fmt.Errorf("smb2: %s context: %w", what, err)
	}
	return ids, nil
}
