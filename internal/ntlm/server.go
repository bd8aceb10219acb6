package ntlm

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"ipcguard/internal/status"
)

// Accounts returns the NT hash of an account; ok is false if there is no such account. Names are as the client sent
// them and must be compared case-insensitively.
type Accounts func(user, domain string) (hash Hash, ok bool)

// Server is the server's end: its names and accounts. It must not be changed after its first use, and may serve any
// number of logons at once.
type Server struct {
	NetBIOSComputer, NetBIOSDomain  string
	DNSComputer, DNSDomain, DNSTree string
	InDomain                        bool // TargetName is the domain, not the computer
	Version                         Version
	NoTimestamp                     bool // like servers before Windows Vista: no MsvAvTimestamp, so clients send no MIC
	Accounts                        Accounts
	// GuestForUnknown accepts an unknown account as guest, like the guest account without a password.
	GuestForUnknown bool
}

// Kind is the identity as which a logon was accepted.
type Kind uint8

// The kinds.
const (
	KindUser Kind = iota
	KindGuest
	KindAnonymous
)

// Accepted is the result of a logon.
type Accepted struct {
	Kind                      Kind
	User, Domain, Workstation string
	SessionKey                []byte
	Flags                     Flags
}

// String returns the account and no secret.
func (a Accepted) String() string {
	switch a.Kind {
	case KindAnonymous:
		return "anonymous"
	case KindGuest:
		return "guest (" + a.Domain + `\` + a.User + ")"
	}
	return a.Domain + `\` + a.User
}

// GoString returns String, so that no format verb shows the key.
func (a Accepted) GoString() string { return a.String() }

// Security returns the server's state for signing and sealing.
func (a *Accepted) Security() (*Security, error) { return NewSecurity(a.Flags, a.SessionKey, false) }

// Logon is the server's side of one logon.
type Logon struct {
	server               *Server
	negotiate, challenge []byte
	nonce                [8]byte
	flags                Flags
}

// NewLogon starts a logon.
func (s *Server) NewLogon() *Logon { return &Logon{server: s} }

var errLogon = errors.New("ntlm: logon refused")

// Challenge answers NEGOTIATE_MESSAGE. See [MS-NLMP] 3.2.5.1.1.
func (l *Logon) Challenge(negotiate []byte) ([]byte, error) {
	if l.challenge != nil {
		return nil, errOrder
	}
	n, err := ParseNegotiate(negotiate)
	if err != nil {
		return nil, err
	}
	if _, err := rand.Read(l.nonce[:]); err != nil {
		return nil, fmt.Errorf("ntlm: no random numbers: %w", err)
	}
	flags := n.Flags&flagsClient | RequestTarget | NegotiateNTLM | NegotiateTargetInfo | NegotiateVersion | NegotiateAlwaysSign
	switch {
	case n.Flags.Has(NegotiateUnicode):
		flags |= NegotiateUnicode
	case n.Flags.Has(NegotiateOEM):
		flags |= NegotiateOEM
	default:
		return nil, malformed("the client chose no character set")
	}
	s := l.server
	name := s.NetBIOSComputer
	flags |= TargetTypeServer
	if s.InDomain {
		name = s.NetBIOSDomain
		flags = flags&^TargetTypeServer | TargetTypeDomain
	}
	pairs := AVPairs{
		{AvNbDomainName, encodeUTF16(s.NetBIOSDomain)},
		{AvNbComputerName, encodeUTF16(s.NetBIOSComputer)},
		{AvDNSDomainName, encodeUTF16(s.DNSDomain)},
		{AvDNSComputerName, encodeUTF16(s.DNSComputer)},
	}
	if s.DNSTree != "" {
		pairs = append(pairs, AVPair{AvDNSTreeName, encodeUTF16(s.DNSTree)})
	}
	if !s.NoTimestamp {
		pairs = append(pairs, AVPair{AvTimestamp, binary.LittleEndian.AppendUint64(nil, Filetime(time.Now()))})
	}
	m := Challenge{
		Flags: flags, ServerChallenge: l.nonce, TargetName: EncodeText(name, flags),
		TargetInfo: pairs.Append(nil), Version: s.Version,
	}
	b, err := m.Append(nil)
	if err != nil {
		return nil, err
	}
	l.negotiate, l.challenge, l.flags = append([]byte(nil), negotiate...), b, flags
	return b, nil
}

// Authenticate checks AUTHENTICATE_MESSAGE. It accepts a null session; whether to admit it is the caller's policy. A
// refused logon is an error that wraps a status.NTStatus. See [MS-NLMP] 3.2.5.1.2.
func (l *Logon) Authenticate(authenticate []byte) (*Accepted, error) {
	if l.challenge == nil {
		return nil, errOrder
	}
	m, err := ParseAuthenticate(authenticate)
	if err != nil {
		return nil, err
	}
	a := &Accepted{User: m.User(), Domain: m.Domain(), Workstation: m.Host(), Flags: m.Flags}
	var keyExchangeKey [16]byte
	r, v2 := m.Response()
	if Classify(m) == ClassAnonymous {
		a.Kind = KindAnonymous
	} else {
		key, known := l.verify(a, r, v2)
		switch {
		case key != nil:
			keyExchangeKey = [16]byte(key)
		case !known && l.server.GuestForUnknown:
			a.Kind = KindGuest
		default:
			return nil, fmt.Errorf("%w: %w", errLogon, status.LogonFailure)
		}
	}
	if a.SessionKey = ExportedSessionKey(keyExchangeKey, m); a.SessionKey == nil {
		return nil, malformed("a key exchange was agreed on and no key is there")
	}
	if a.Kind == KindUser && m.HasMIC() && !l.micFits(a.SessionKey, m.MIC, authenticate) {
		return nil, fmt.Errorf("%w: the message integrity code is wrong: %w", errLogon, status.LogonFailure)
	}
	return a, nil
}

// verify looks up the account, and also tries the empty domain, with which some clients compute the proof.
func (l *Logon) verify(a *Accepted, r *V2Response, v2 bool) (key []byte, known bool) {
	if l.server.Accounts == nil {
		return nil, false
	}
	hash, known := l.server.Accounts(a.User, a.Domain)
	if !known || !v2 {
		return nil, known
	}
	for _, domain := range []string{a.Domain, ""} {
		if key, ok := (Secret{a.User, domain, hash}).Verify(l.nonce, r); ok {
			return key, true
		}
	}
	return nil, true
}

func (l *Logon) micFits(key []byte, mic [16]byte, authenticate []byte) bool {
	b := append([]byte(nil), authenticate...)
	clear(b[authenticateHeaderVersion:authenticateHeaderMIC])
	want := micOf(key, l.negotiate, l.challenge, b)
	return hmac.Equal(want[:], mic[:])
}
