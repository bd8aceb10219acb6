package ntlm

import "encoding/binary"

// Sizes of the fixed part of AUTHENTICATE_MESSAGE: only names, with key and flags, with the version, with the MIC.
const (
	authenticateHeaderShort   = 52
	authenticateHeaderFlags   = 64
	authenticateHeaderVersion = 72
	authenticateHeaderMIC     = 88
)

// Authenticate is the last message of a logon: who the client claims to be, and the proof.
//
// See [MS-NLMP] 2.2.1.3.
type Authenticate struct {
	LmChallengeResponse       []byte
	NtChallengeResponse       []byte
	DomainName                []byte // in the character set that Flags chose, as UserName and Workstation
	UserName                  []byte
	Workstation               []byte
	EncryptedRandomSessionKey []byte
	Flags                     Flags
	Version                   Version
	MIC                       [16]byte
	// HeaderLen is the size of the fixed part: 52 (no key and no flags), 64, 72 (version) or 88 (version and MIC); 0
	// means 88 when it is written. 88 means that there is room for a MIC, not that there is one; see HasMIC.
	HeaderLen int

	placing *placing
}

var (
	authenticateFields = []int{12, 20, 28, 36, 44, 52}
	// Windows writes the names first, then the responses, then the key.
	authenticateOrder = [maxFields]uint8{2, 3, 4, 0, 1, 5}
)

// ParseAuthenticate reads a message; its byte slices alias b.
func ParseAuthenticate(b []byte) (*Authenticate, error) {
	if err := checkHeader(b, TypeAuthenticate, authenticateHeaderShort); err != nil {
		return nil, err
	}
	m := new(Authenticate)
	fields := []struct {
		data *[]byte
		name string
	}{
		{&m.LmChallengeResponse, "LM response"},
		{&m.NtChallengeResponse, "NT response"},
		{&m.DomainName, "domain name"},
		{&m.UserName, "user name"},
		{&m.Workstation, "workstation"},
		{&m.EncryptedRandomSessionKey, "session key"},
	}
	l := newLayout(len(b), len(fields))
	for n, f := range fields[:5] {
		var err error
		if *f.data, err = l.field(b, n, authenticateFields[n], authenticateHeaderShort, f.name); err != nil {
			return nil, err
		}
	}
	if l.lowest < authenticateHeaderFlags {
		// NT 4 and older negotiate no flags; such clients write Unicode names.
		m.HeaderLen, m.Flags = authenticateHeaderShort, NegotiateUnicode|NegotiateNTLM
		l.fields = 5
		m.placing = l.place()
		return m, nil
	}
	var err error
	if m.EncryptedRandomSessionKey, err = l.field(b, 5, 52, authenticateHeaderFlags, "session key"); err != nil {
		return nil, err
	}
	m.Flags = Flags(binary.LittleEndian.Uint32(b[60:]))
	m.HeaderLen = l.header(authenticateHeaderFlags, authenticateHeaderVersion, authenticateHeaderMIC)
	if m.HeaderLen >= authenticateHeaderVersion {
		m.Version = parseVersion(b[64:])
	}
	if m.HeaderLen == authenticateHeaderMIC {
		m.MIC = [16]byte(b[72:88])
	}
	m.placing = l.place()
	return m, nil
}

// Append writes the message. It fails if a field is longer than 65535 bytes.
func (m *Authenticate) Append(b []byte) ([]byte, error) {
	header := m.HeaderLen
	switch header {
	case authenticateHeaderShort, authenticateHeaderFlags, authenticateHeaderVersion, authenticateHeaderMIC:
	case 0:
		header = authenticateHeaderMIC
	default:
		return nil, malformed("no AUTHENTICATE has a fixed part of %d bytes", header)
	}
	w := newWriter(b, TypeAuthenticate, header)
	data := [][]byte{
		m.LmChallengeResponse, m.NtChallengeResponse, m.DomainName, m.UserName, m.Workstation,
		m.EncryptedRandomSessionKey,
	}
	place := m.placing
	if place == nil {
		place = &placing{order: authenticateOrder}
	}
	if header == authenticateHeaderShort {
		return w.b, w.fields(place, authenticateFields, data[:5])
	}
	binary.LittleEndian.PutUint32(w.fixed(60), uint32(m.Flags))
	if header >= authenticateHeaderVersion {
		m.Version.append(w.fixed(64)[:0])
	}
	if header == authenticateHeaderMIC {
		copy(w.fixed(72), m.MIC[:])
	}
	return w.b, w.fields(place, authenticateFields, data)
}

// Domain returns the domain name as a string.
func (m *Authenticate) Domain() string { return DecodeText(m.DomainName, m.Flags) }

// User returns the user name as a string.
func (m *Authenticate) User() string { return DecodeText(m.UserName, m.Flags) }

// Host returns the workstation name as a string.
func (m *Authenticate) Host() string { return DecodeText(m.Workstation, m.Flags) }

// Response parses the NT response as NTLMv2; ok is false for NTLMv1, a missing and an invalid response.
func (m *Authenticate) Response() (r *V2Response, ok bool) {
	if len(m.NtChallengeResponse) < v2MinLen {
		return nil, false
	}
	r, err := ParseV2Response(m.NtChallengeResponse)
	return r, err == nil
}

// HasMIC reports whether the client says that the MIC field contains a message integrity code: bit 2 of MsvAvFlags in
// the NTLMv2 response. See [MS-NLMP] 3.2.5.1.2.
func (m *Authenticate) HasMIC() bool {
	if m.HeaderLen != authenticateHeaderMIC {
		return false
	}
	r, ok := m.Response()
	return ok && r.Pairs.Flags()&AvFlagMIC != 0
}

// Class is what an AUTHENTICATE message says about the caller. The server may still make it a guest.
type Class uint8

// The classes.
const (
	ClassUser      Class = iota // it has a name or a response
	ClassAnonymous              // a null session
)

// Classify applies the rule of [MS-NLMP] 3.2.5.1.2: a null session has no user name, no NT response, and an LM response
// of zero or one byte. The flag NEGOTIATE_ANONYMOUS does not count: some clients omit it. An empty name is not
// sufficient: with a response the server decides, and may answer "guest".
func Classify(m *Authenticate) Class {
	if len(m.UserName) == 0 && len(m.NtChallengeResponse) == 0 && len(m.LmChallengeResponse) <= 1 {
		return ClassAnonymous
	}
	return ClassUser
}
