package kerberos

import (
	"context"
	"encoding/asn1"
	"slices"
	"strings"

	"ipcguard/internal/ntlm"
)

// First is a logon that takes Kerberos where there is a ticket, and NTLM where there is none. Like both it serves one
// logon. A wrong password ends it: a second try in the other protocol would count against the account once more.
type First struct {
	mechanism
	ticket func(context.Context) (*Client, error)
	ntlm   *ntlm.Client
}

// mechanism is what *Client and *ntlm.Client have in common.
type mechanism interface {
	Mechanism() asn1.ObjectIdentifier
	Start(ctx context.Context) ([]byte, error)
	Next(ctx context.Context, challenge []byte) ([]byte, error)
	SessionKey() []byte
	MIC(mechTypes []byte) []byte
	VerifyMIC(mechTypes, mic []byte) error
}

// NewFirst prepares a logon with the ticket that the function gets, or else with NTLM.
func NewFirst(ticket func(context.Context) (*Client, error), second *ntlm.Client) *First {
	return &First{mechanism: second, ticket: ticket, ntlm: second}
}

// Start makes the first token and settles which of the two it is.
func (f *First) Start(ctx context.Context) ([]byte, error) {
	c, err := f.ticket(ctx)
	if err == nil {
		var token []byte
		if token, err = c.Start(ctx); err == nil {
			f.mechanism = c
			return token, nil
		}
	}
	if wrongPassword(err) || ctx.Err() != nil {
		return nil, err
	}
	return f.ntlm.Start(ctx)
}

// refused are the answers of a realm's server that speak of the account itself. The library hands them on as text alone.
var refused = []string{"KDC_ERR_PREAUTH_FAILED", "KDC_ERR_CLIENT_REVOKED", "KDC_ERR_KEY_EXPIRED"}

// wrongPassword tells whether the realm's server knows the account and refuses its password, or the account.
func wrongPassword(err error) bool {
	return err != nil && slices.ContainsFunc(refused, func(word string) bool { return strings.Contains(err.Error(), word) })
}

// Bound tells whether the answer is NTLM's, and is given only to a server that can be held to it.
func (f *First) Bound() bool { return f.mechanism == mechanism(f.ntlm) && f.ntlm.Bound() }

// Expect is ntlm.Client's.
func (f *First) Expect(serverName string) { f.ntlm.Expect(serverName) }

// Challenge is what the server said about itself in NTLM, nil where Kerberos was spoken.
func (f *First) Challenge() *ntlm.Challenge { return f.ntlm.Challenge() }

// GuestSessionKey is the key where a server took an NTLM logon for a guest's.
func (f *First) GuestSessionKey() []byte { return f.ntlm.GuestSessionKey() }

// Legacy answers a server without extended security, which knows no Kerberos.
func (f *First) Legacy(challenge [8]byte, targetName string) (account, domain string, lm, nt []byte, err error) {
	return f.ntlm.Legacy(challenge, targetName)
}

// String names the account and nothing that is secret.
func (f *First) String() string { return f.ntlm.String() }

// GoString is String, so that no way of printing shows a key.
func (f *First) GoString() string { return f.String() }
