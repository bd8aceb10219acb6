package ntlm

import (
	"encoding/binary"
)

// AvID identifies an attribute. See [MS-NLMP] 2.2.2.1.
type AvID uint16

// The attributes, named as in the specification without the Msv prefix.
const (
	AvEOL             AvID = 0
	AvNbComputerName  AvID = 1
	AvNbDomainName    AvID = 2
	AvDNSComputerName AvID = 3
	AvDNSDomainName   AvID = 4
	AvDNSTreeName     AvID = 5
	AvFlags           AvID = 6
	AvTimestamp       AvID = 7
	AvSingleHost      AvID = 8
	AvTargetName      AvID = 9
	AvChannelBindings AvID = 10
)

// The bits of AvFlags.
const (
	AvFlagConstrained  uint32 = 1
	AvFlagMIC          uint32 = 2
	AvFlagUntrustedSPN uint32 = 4
	maxAVPairs                = 64 // eleven are defined; each takes at least four bytes of a 16-bit length
)

// AVPair is one attribute; Value is raw, and text in it is UTF-16LE.
//
// See [MS-NLMP] 2.2.2.1.
type AVPair struct {
	ID    AvID
	Value []byte
}

// AVPairs are the attributes in the order sent, without the end mark.
type AVPairs []AVPair

// ParseAVPairs parses attributes up to the end mark; values alias b. It ignores what follows. An empty b has no
// attributes; NT 4 sends that.
func ParseAVPairs(b []byte) (AVPairs, error) {
	pairs, _, err := parseAVPairs(b)
	return pairs, err
}

func parseAVPairs(b []byte) (AVPairs, []byte, error) {
	if len(b) == 0 {
		return nil, nil, nil
	}
	var pairs AVPairs
	for {
		if len(b) < 4 {
			return nil, nil, malformed("attributes end without MsvAvEOL")
		}
		id, n := AvID(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
		if n > len(b)-4 {
			return nil, nil, malformed("attribute %d takes %d bytes of %d", id, n, len(b)-4)
		}
		value := b[4 : 4+n : 4+n]
		b = b[4+n:]
		if id == AvEOL {
			return pairs, b, nil
		}
		if len(pairs) == maxAVPairs {
			return nil, nil, malformed("more than %d attributes", maxAVPairs)
		}
		pairs = append(pairs, AVPair{id, value})
	}
}

// Append writes the attributes and the end mark. Values longer than 65535 bytes are truncated.
func (p AVPairs) Append(b []byte) []byte {
	for _, a := range p {
		v := a.Value
		if len(v) > 0xFFFF {
			v = v[:0xFFFF]
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(a.ID))
		b = binary.LittleEndian.AppendUint16(b, uint16(len(v)))
		b = append(b, v...)
	}
	return append(b, 0, 0, 0, 0)
}

// Get returns the value of the first attribute with this id, nil if there is none.
func (p AVPairs) Get(id AvID) []byte {
	for _, a := range p {
		if a.ID == id {
			return a.Value
		}
	}
	return nil
}

// Has reports whether an attribute is present, even if it is empty.
func (p AVPairs) Has(id AvID) bool {
	for _, a := range p {
		if a.ID == id {
			return true
		}
	}
	return false
}

// Text returns the value as a string.
func (p AVPairs) Text(id AvID) string { return decodeUTF16(p.Get(id)) }

// Flags returns the value of MsvAvFlags, 0 if there is none.
func (p AVPairs) Flags() uint32 {
	if v := p.Get(AvFlags); len(v) == 4 {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

// with sets an attribute in place, or appends it.
func (p AVPairs) with(id AvID, value []byte) AVPairs {
	for i, a := range p {
		if a.ID == id {
			p[i].Value = value
			return p
		}
	}
	return append(p, AVPair{id, value})
}
