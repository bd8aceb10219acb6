package spnego

import (
	"encoding/asn1"
)

// The mechanisms that SMB servers offer.
var (
	OIDSPNEGO             = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 2}
	OIDNTLM               = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 10}
	OIDNegoEx             = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 30}
	OIDKerberos           = asn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2}
	OIDKerberosMS         = asn1.ObjectIdentifier{1, 2, 840, 48018, 1, 2, 2} // Windows 2000 truncated an arc to 16 bits
	OIDIAKERB             = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 2, 5}       // Kerberos through the server
	OIDKerberosUser2U     = asn1.ObjectIdentifier{1, 2, 840, 113554, 1, 2, 2, 3}
	ntlmsspMagic          = "NTLMSSP\x00"
	notDefinedHint        = "not_defined_in_RFC4178@please_ignore"
	maxMechanisms     int = 64 // servers offer at most five; the list is also part of what is signed
)

// Kind is the kind of a token.
type Kind uint8

// The kinds.
const (
	KindInit      Kind = iota + 1 // NegTokenInit or NegTokenInit2
	KindResp                      // NegTokenResp
	KindNTLM                      // an NTLMSSP message without SPNEGO
	KindMechanism                 // another mechanism's first token without SPNEGO; Mechanism names it
)

// Token is one GSS token in any form.
type Token struct {
	Kind      Kind
	Init      *Init                 // of KindInit
	Resp      *Resp                 // of KindResp
	Mechanism asn1.ObjectIdentifier // the mechanism of KindNTLM and KindMechanism
	Raw       []byte                // the whole mechanism token of KindNTLM and KindMechanism
	Trailing  []byte                // bytes after the token, which no peer needs to send
}

// MechToken returns the mechanism's own token without any wrapping; nil if there is none.
func (t *Token) MechToken() []byte {
	switch t.Kind {
	case KindInit:
		return t.Init.MechToken
	case KindResp:
		return t.Resp.ResponseToken
	}
	return t.Raw
}

// NTLM returns the NTLMSSP message inside; ok is false if there is none.
func (t *Token) NTLM() (message []byte, ok bool) {
	m := t.MechToken()
	return m, isNTLM(m)
}

func isNTLM(b []byte) bool {
	return len(b) >= len(ntlmsspMagic) && string(b[:len(ntlmsspMagic)]) == ntlmsspMagic
}

// Kerberos reports whether the token inside is a Kerberos token, raw or wrapped.
func (t *Token) Kerberos() bool {
	if t.Kind == KindMechanism {
		return isKerberos(t.Mechanism)
	}
	tag, content, _, err := element(t.MechToken())
	if err != nil || tag != tagApplication0 {
		return false
	}
	oid, _, err := leadingOID(content)
	return err == nil && isKerberos(oid)
}

func isKerberos(oid asn1.ObjectIdentifier) bool {
	return oid.Equal(OIDKerberos) || oid.Equal(OIDKerberosMS) || oid.Equal(OIDKerberosUser2U)
}

func leadingOID(b []byte) (oid asn1.ObjectIdentifier, rest []byte, err error) {
	tag, content, rest, err := element(b)
	if err != nil {
		return nil, nil, err
	}
	if tag != tagOID {
		return nil, nil, malformed("tag 0x%02X where the mechanism's identifier is due", tag)
	}
	oid, err = parseOID(content)
	return oid, rest, err
}

// Parse parses a token of any kind; its byte slices alias b.
func Parse(b []byte) (*Token, error) {
	if isNTLM(b) {
		return &Token{Kind: KindNTLM, Mechanism: OIDNTLM, Raw: b}, nil
	}
	tag, content, trailing, err := element(b)
	if err != nil {
		return nil, err
	}
	t := &Token{Trailing: trailing}
	switch tag {
	case tagApplication0:
		oid, rest, err := leadingOID(content)
		if err != nil {
			return nil, err
		}
		if !oid.Equal(OIDSPNEGO) {
			t.Kind, t.Mechanism, t.Raw = KindMechanism, oid, b[:len(b)-len(trailing)]
			return t, nil
		}
		if content, err = only(rest, tagContext0); err != nil {
			return nil, err
		}
		t.Kind = KindInit
		t.Init, err = parseInit(content)
		return t, err
	case tagContext0: // without the outer frame, which some clients omit
		t.Kind = KindInit
		if t.Init, err = parseInit(content); err == nil {
			t.Init.Bare = true
		}
		return t, err
	case tagContext0 + 1:
		t.Kind = KindResp
		t.Resp, err = parseResp(content)
		return t, err
	}
	return nil, malformed("tag 0x%02X begins no token", tag)
}

// Frame wraps a mechanism's first token in the frame of RFC 2743 3.1.
func Frame(oid asn1.ObjectIdentifier, inner []byte) []byte {
	return appendElement(nil, tagApplication0, append(appendOID(nil, oid), inner...))
}

// Unframe is the inverse of Frame; inner aliases b.
func Unframe(b []byte) (oid asn1.ObjectIdentifier, inner []byte, err error) {
	content, err := only(b, tagApplication0)
	if err != nil {
		return nil, nil, err
	}
	return leadingOID(content)
}
