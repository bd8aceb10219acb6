package ntlm

import "encoding/binary"

// Sizes of the fixed part of CHALLENGE_MESSAGE: NT 4, with target information, with the version.
const (
	challengeHeaderShort   = 32
	challengeHeaderInfo    = 48
	challengeHeaderVersion = 56
)

// Challenge is the server's response to NEGOTIATE. It tells any client the server's names.
//
// See [MS-NLMP] 2.2.1.2.
type Challenge struct {
	Flags           Flags
	ServerChallenge [8]byte
	Reserved        [8]byte
	TargetName      []byte // in the character set that Flags select
	TargetInfo      []byte // AV pairs; see ParseAVPairs
	Version         Version
	// HeaderLen is the size of the fixed part: 32, 48 or 56; 0 means 56 when it is written.
	HeaderLen int

	placing *placing
}

var challengeFields = []int{12, 40}

// ParseChallenge reads a message; its byte slices alias b.
func ParseChallenge(b []byte) (*Challenge, error) {
	if err := checkHeader(b, TypeChallenge, challengeHeaderShort); err != nil {
		return nil, err
	}
	m := &Challenge{
		Flags:           Flags(binary.LittleEndian.Uint32(b[20:])),
		ServerChallenge: [8]byte(b[24:32]),
		HeaderLen:       challengeHeaderShort,
	}
	l := newLayout(len(b), 2)
	var err error
	if m.TargetName, err = l.field(b, 0, 12, challengeHeaderShort, "target name"); err != nil {
		return nil, err
	}
	if l.lowest < challengeHeaderInfo {
		return m, nil
	}
	if m.TargetInfo, err = l.field(b, 1, 40, challengeHeaderInfo, "target information"); err != nil {
		return nil, err
	}
	m.Reserved = [8]byte(b[32:40])
	if m.HeaderLen = l.header(challengeHeaderInfo, challengeHeaderVersion); m.HeaderLen == challengeHeaderVersion {
		m.Version = parseVersion(b[48:])
	}
	m.placing = l.place()
	return m, nil
}

// Append writes the message. It fails if a field is longer than 65535 bytes.
func (m *Challenge) Append(b []byte) ([]byte, error) {
	header := m.HeaderLen
	switch header {
	case challengeHeaderShort, challengeHeaderInfo, challengeHeaderVersion:
	case 0:
		header = challengeHeaderVersion
	default:
		return nil, malformed("no CHALLENGE has a fixed part of %d bytes", header)
	}
	w := newWriter(b, TypeChallenge, header)
	binary.LittleEndian.PutUint32(w.fixed(20), uint32(m.Flags))
	copy(w.fixed(24), m.ServerChallenge[:])
	if header == challengeHeaderShort {
		return w.b, w.field(12, m.TargetName)
	}
	copy(w.fixed(32), m.Reserved[:])
	if header == challengeHeaderVersion {
		m.Version.append(w.fixed(48)[:0])
	}
	place := m.placing
	if place == nil {
		place = &placing{order: [maxFields]uint8{0, 1}}
	}
	return w.b, w.fields(place, challengeFields, [][]byte{m.TargetName, m.TargetInfo})
}

// Target is what a challenge says about its server as plain strings; what was not sent is empty.
type Target struct {
	Name            string // TargetName: the domain, or the server itself if it is in none
	NetBIOSComputer string
	NetBIOSDomain   string
	DNSComputer     string
	DNSDomain       string
	DNSTree         string
	Timestamp       uint64 // FILETIME, 0 = not sent
	Version         Version
	HasVersion      bool
}

// Target returns the names of the server. It ignores target information that cannot be parsed.
func (m *Challenge) Target() Target {
	t := Target{
		Name:       DecodeText(m.TargetName, m.Flags),
		Version:    m.Version,
		HasVersion: m.Flags.Has(NegotiateVersion) && m.HeaderLen == challengeHeaderVersion,
	}
	pairs, err := ParseAVPairs(m.TargetInfo)
	if err != nil {
		return t
	}
	t.NetBIOSComputer = pairs.Text(AvNbComputerName)
	t.NetBIOSDomain = pairs.Text(AvNbDomainName)
	t.DNSComputer = pairs.Text(AvDNSComputerName)
	t.DNSDomain = pairs.Text(AvDNSDomainName)
	t.DNSTree = pairs.Text(AvDNSTreeName)
	if v := pairs.Get(AvTimestamp); len(v) == 8 {
		t.Timestamp = binary.LittleEndian.Uint64(v)
	}
	return t
}
