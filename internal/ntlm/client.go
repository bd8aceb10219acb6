package ntlm

import (
	"context"
	"crypto/rand"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// OID returns the object identifier of NTLMSSP among the mechanisms of SPNEGO. See [MS-NLMP] 1.9.
func OID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 10} }

// Options configure a client; the zero value is valid.
type Options struct {
	Workstation string
	// TargetName is the intended service, such as "cifs/server"; it is part of the proof. Empty leaves the attribute
	// empty, as the specification requires.
	TargetName string
	// UntrustedTarget marks a TargetName that came from an untrusted source.
	UntrustedTarget bool
	// ChannelBindings is the MD5 hash of the gss_channel_bindings_struct, nil without a secure channel.
	ChannelBindings []byte
	Version         Version
	// Bound sends the response only if it is bound to this server and this logon: the challenge has target information,
	// which the response repeats with TargetName and a MIC over all three messages, and the session can be signed.
	// Otherwise the result is a WithheldError. The caller must request a signed session.
	Bound bool
	// ServerName is the name that a Bound client requires in the challenge; empty is any.
	ServerName string
	// V1 answers with NTLMv1. Whoever sees such a response can recover the account's hash, and nothing binds it to a
	// server or a logon, so it is never Bound. It is for testing whether a server accepts NTLMv1, with an account made
	// for that.
	V1 bool
}

// Client is the client's side of one logon. It creates the tokens and then holds the keys. It can be used once and is
// not safe for concurrent use.
type Client struct {
	secret    Secret
	anonymous bool
	options   Options

	negotiate    []byte
	challenge    *Challenge
	authenticate *Authenticate
	key          []byte
	// For tests: the source of nonces and the clock.
	random func([]byte) error
	now    func() time.Time
}

// NewAnonymous prepares a null session.
func NewAnonymous(o Options) *Client {
	return &Client{anonymous: true, options: o, random: readRandom, now: time.Now}
}

// NewGuest prepares a logon as the account Guest with an empty password.
func NewGuest(o Options) *Client { return NewHash("Guest", "", NTHash(""), o) }

// NewUser prepares a logon with a password. With an empty domain the server uses its own accounts.
func NewUser(user, domain, password string, o Options) *Client {
	return NewHash(user, domain, NTHash(password), o)
}

// NewHash prepares a logon with the NT hash of a password.
func NewHash(user, domain string, hash Hash, o Options) *Client {
	return &Client{secret: Secret{user, domain, hash}, options: o, random: readRandom, now: time.Now}
}

func readRandom(b []byte) error {
	_, err := rand.Read(b)
	return err
}

// String returns the account and no secret.
func (c *Client) String() string {
	switch {
	case c.anonymous:
		return "anonymous"
	case c.secret.Domain != "":
		return c.secret.Domain + `\` + c.secret.User
	}
	return c.secret.User
}

// GoString returns String, so that no format verb shows the hash.
func (c *Client) GoString() string { return c.String() }

// Anonymous reports whether this is a null session.
func (c *Client) Anonymous() bool { return c.anonymous }

// Mechanism returns the SPNEGO mechanism, NTLMSSP.
func (c *Client) Mechanism() asn1.ObjectIdentifier { return OID() }

var (
	errOrder     = errors.New("ntlm: messages out of order")
	errChallenge = errors.New("ntlm: the server chose no character set")
)

// Start returns NEGOTIATE_MESSAGE.
func (c *Client) Start(context.Context) ([]byte, error) {
	if c.negotiate != nil {
		return nil, errOrder
	}
	m := Negotiate{Flags: flagsClient &^ NegotiateTargetInfo, Version: c.version()}
	b, err := m.Append(nil)
	c.negotiate = b
	return b, err
}

func (c *Client) version() Version {
	if c.options.Version == (Version{}) {
		// Windows 10 1809 and Server 2019 send this; revision 15 says that the structure is that of Windows.
		return Version{Major: 10, Build: 17763, Revision: 15}
	}
	return c.options.Version
}

// Next answers CHALLENGE_MESSAGE with AUTHENTICATE_MESSAGE.
func (c *Client) Next(_ context.Context, challenge []byte) ([]byte, error) {
	if c.negotiate == nil || c.authenticate != nil {
		return nil, errOrder
	}
	ch, err := ParseChallenge(challenge)
	if err != nil {
		return nil, err
	}
	if err := c.hold(ch); err != nil {
		return nil, err
	}
	flags := ch.Flags & flagsClient
	if ch.Flags&NegotiateUnicode == 0 {
		if ch.Flags&NegotiateOEM == 0 {
			return nil, errChallenge
		}
		flags |= NegotiateOEM
	}
	flags |= NegotiateVersion
	m := &Authenticate{Flags: flags, Version: c.version(), Workstation: EncodeText(c.options.Workstation, flags)}

	var keyExchangeKey [16]byte
	mic := false
	if c.anonymous {
		// The session base key of a null session is all zero; its LM response is one zero byte.
		m.Flags |= NegotiateAnonymous
		m.HeaderLen = authenticateHeaderVersion
		m.LmChallengeResponse = []byte{0}
	} else {
		m.DomainName = EncodeText(c.secret.Domain, flags)
		m.UserName = EncodeText(c.secret.User, flags)
		var key []byte
		if m.NtChallengeResponse, m.LmChallengeResponse, key, mic, err = c.respond(ch); err != nil {
			return nil, err
		}
		keyExchangeKey = [16]byte(key)
	}
	if c.key, err = c.exchange(m, keyExchangeKey); err != nil {
		return nil, err
	}
	b, err := m.Append(nil)
	if err != nil {
		return nil, err
	}
	if mic {
		m.MIC = micOf(c.key, c.negotiate, challenge, b)
		copy(b[authenticateHeaderVersion:], m.MIC[:])
	}
	c.challenge, c.authenticate = ch, m
	return b, nil
}

// respond computes the responses. See [MS-NLMP] 3.1.5.1.2 and 3.3.2.
//
// The specification allows a client to give up if the server sends no NetBIOS names. Small servers do that, and nothing
// in the proof depends on the names, so this client continues.
func (c *Client) respond(ch *Challenge) (nt, lm, key []byte, mic bool, err error) {
	if c.options.V1 {
		var nonce [8]byte
		if err := c.random(nonce[:]); err != nil {
			return nil, nil, nil, false, fmt.Errorf("ntlm: no random numbers: %w", err)
		}
		nt, lm, key = c.secret.respondV1(ch.ServerChallenge, ch.Flags.Has(NegotiateExtendedSecurity), nonce)
		return nt, lm, key, false, nil
	}
	pairs, err := ParseAVPairs(ch.TargetInfo)
	if err != nil {
		return nil, nil, nil, false, err
	}
	r := &V2Response{Timestamp: Filetime(c.now()), Tail: []byte{0, 0, 0, 0}}
	if err := c.random(r.ClientChallenge[:]); err != nil {
		return nil, nil, nil, false, fmt.Errorf("ntlm: no random numbers: %w", err)
	}
	if v := pairs.Get(AvTimestamp); len(v) == 8 {
		r.Timestamp = binary.LittleEndian.Uint64(v)
		mic = true
	}
	mic = mic || c.Bound()
	if pairs.Has(AvNbComputerName) || mic {
		flags := pairs.Flags()
		if mic {
			flags |= AvFlagMIC
		}
		if c.options.TargetName != "" && c.options.UntrustedTarget {
			flags |= AvFlagUntrustedSPN
		}
		if flags != 0 {
			pairs = pairs.with(AvFlags, binary.LittleEndian.AppendUint32(nil, flags))
		}
		bindings := make([]byte, 16)
		copy(bindings, c.options.ChannelBindings)
		pairs = pairs.with(AvChannelBindings, bindings)
		pairs = pairs.with(AvTargetName, encodeUTF16(c.options.TargetName))
	}
	r.Pairs = pairs
	nt, lm, key = c.secret.Answer(ch.ServerChallenge, r)
	if mic {
		// The weaker response is omitted if the timestamp protects the stronger one.
		lm = make([]byte, lmv2Len)
	}
	return nt, lm, key, mic, nil
}

// exchange computes the session key, and encrypts the random key if key exchange was negotiated.
func (c *Client) exchange(m *Authenticate, keyExchangeKey [16]byte) ([]byte, error) {
	if !m.Flags.Has(NegotiateKeyExchange) || m.Flags&signOrSeal == 0 {
		return keyExchangeKey[:], nil
	}
	key := make([]byte, 16)
	if err := c.random(key); err != nil {
		return nil, fmt.Errorf("ntlm: no random numbers: %w", err)
	}
	m.EncryptedRandomSessionKey = rc4k(keyExchangeKey[:], key)
	return key, nil
}

// Legacy answers the 8-byte challenge of an SMB1 server without extended security. targetName is the domain that the
// server sent. A null session has empty responses. See [MS-CIFS] 2.2.4.53.1 and [MS-NLMP] 3.3.2.
func (c *Client) Legacy(challenge [8]byte, targetName string) (account, domain string, lm, nt []byte, err error) {
	if c.negotiate != nil || c.key != nil {
		return "", "", nil, nil, errOrder
	}
	if c.Bound() {
		return "", "", nil, nil, &WithheldError{"an answer without extended security is tied to no server"}
	}
	if c.anonymous {
		c.key = make([]byte, 16)
		return "", "", nil, nil, nil
	}
	if c.options.V1 {
		nt, lm, c.key = c.secret.respondV1(challenge, false, [8]byte{})
		return c.secret.User, c.secret.Domain, lm, nt, nil
	}
	r := &V2Response{Timestamp: Filetime(c.now()), Tail: []byte{0, 0, 0, 0}}
	if err := c.random(r.ClientChallenge[:]); err != nil {
		return "", "", nil, nil, fmt.Errorf("ntlm: no random numbers: %w", err)
	}
	if targetName != "" {
		r.Pairs = AVPairs{{AvNbDomainName, encodeUTF16(targetName)}}
	}
	nt, lm, c.key = c.secret.Answer(challenge, r)
	return c.secret.User, c.secret.Domain, lm, nt, nil
}

// SessionKey returns the exported session key, 16 bytes; nil before Next.
func (c *Client) SessionKey() []byte { return c.key }

// GuestSessionKey returns the session key of a server that made this logon a guest although another account was named:
// the server derives the key from zeros, not from the password. It is nil before Next. See [MS-NLMP] 3.2.5.1.2.
func (c *Client) GuestSessionKey() []byte {
	if c.authenticate == nil {
		return nil
	}
	return ExportedSessionKey([16]byte{}, c.authenticate)
}

// Challenge returns the server's challenge, nil before it arrived.
func (c *Client) Challenge() *Challenge { return c.challenge }

// Security returns the state for signing and sealing with the keys of a finished logon.
func (c *Client) Security() (*Security, error) {
	if c.authenticate == nil {
		return nil, errOrder
	}
	return NewSecurity(c.authenticate.Flags, c.key, true)
}

// MIC signs the mechanism list for SPNEGO; nil for a null session, whose key is public.
func (c *Client) MIC(mechTypes []byte) []byte {
	if c.anonymous || c.authenticate == nil || !c.authenticate.Flags.Has(NegotiateSign|NegotiateExtendedSecurity) {
		return nil
	}
	s, err := c.Security()
	if err != nil {
		return nil
	}
	sig := s.Sign(mechTypes)
	return sig[:]
}

// VerifyMIC checks the server's signature of the mechanism list. For a null session the signature proves nothing and is
// not checked.
func (c *Client) VerifyMIC(mechTypes, mic []byte) error {
	if c.anonymous {
		return nil
	}
	s, err := c.Security()
	if err != nil {
		return err
	}
	return s.Verify(mechTypes, mic)
}
