package ntlm

import "encoding/binary"

// Sizes of the fixed part of NEGOTIATE_MESSAGE: only flags, with names, with the version.
const (
	negotiateHeaderShort   = 16
	negotiateHeaderNames   = 32
	negotiateHeaderVersion = 40
)

// Negotiate is the first message of a logon.
//
// See [MS-NLMP] 2.2.1.1.
type Negotiate struct {
	Flags       Flags
	Domain      []byte // always in the OEM character set
	Workstation []byte // always in the OEM character set
	Version     Version
	// HeaderLen is the size of the fixed part: 16, 32 or 40; 0 means 40 when it is written.
	HeaderLen int

	placing *placing
}

var negotiateFields = []int{16, 24}

// ParseNegotiate reads a message; its byte slices alias b.
func ParseNegotiate(b []byte) (*Negotiate, error) {
	if err := checkHeader(b, TypeNegotiate, negotiateHeaderShort); err != nil {
		return nil, err
	}
	m := &Negotiate{Flags: Flags(binary.LittleEndian.Uint32(b[12:])), HeaderLen: negotiateHeaderShort}
	if len(b) < negotiateHeaderNames {
		return m, nil
	}
	l := newLayout(len(b), 2)
	var err error
	if m.Domain, err = l.field(b, 0, 16, negotiateHeaderNames, "domain"); err != nil {
		return nil, err
	}
	if m.Workstation, err = l.field(b, 1, 24, negotiateHeaderNames, "workstation"); err != nil {
		return nil, err
	}
	if m.HeaderLen = l.header(negotiateHeaderNames, negotiateHeaderVersion); m.HeaderLen == negotiateHeaderVersion {
		m.Version = parseVersion(b[32:])
	}
	m.placing = l.place()
	return m, nil
}

// Append writes the message. It fails only if a name is longer than 65535 bytes.
func (m *Negotiate) Append(b []byte) ([]byte, error) {
	header := m.HeaderLen
	switch header {
	case negotiateHeaderShort, negotiateHeaderNames, negotiateHeaderVersion:
	case 0:
		header = negotiateHeaderVersion
	default:
		return nil, malformed("no NEGOTIATE has a fixed part of %d bytes", header)
	}
	w := newWriter(b, TypeNegotiate, header)
	binary.LittleEndian.PutUint32(w.fixed(12), uint32(m.Flags))
	if header == negotiateHeaderShort {
		return w.b, nil
	}
	if header == negotiateHeaderVersion {
		m.Version.append(w.fixed(32)[:0])
	}
	place := m.placing
	if place == nil {
		place = &placing{order: [maxFields]uint8{0, 1}}
	}
	return w.b, w.fields(place, negotiateFields, [][]byte{m.Domain, m.Workstation})
}
