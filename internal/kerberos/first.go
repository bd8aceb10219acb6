package kerberos

import (
	"context"
	"encoding/asn1"
	"slices"
	"strings"

	"ipcguard/internal/ntlm"
)

// First is a logon that uses Kerberos if a ticket is available, and NTLM otherwise. It can be used once. A wrong
// password ends it: a second attempt with the other protocol would count against the account again.
type First struct {
	mechanism
	ticket func(context.Context) (*Client, error)
	ntlm   *ntlm.Client
}

// mechanism is the common interface of *Client and *ntlm.Client.
type mechanism interface {
	Mechanism() asn1.ObjectIdentifier
	Start(ctx context.Context) ([]byte, error)
	Next(ctx context.Context, challenge []byte) ([]byte, error)
	SessionKey() []byte
	MIC(mechTypes []byte) []byte
	VerifyMIC(mechTypes, mic []byte) error
}

// NewFirst prepares a logon with the ticket that the function returns, or else with NTLM.
func NewFirst(ticket func(context.Context) (*Client, error), second *ntlm.Client) *First {
	return &First{mechanism: second, ticket: ticket, ntlm: second}
}

// Start chooses the mechanism and returns the first token.
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

// refused are the error codes of a realm's server about the account itself. The library returns them only as text.
var refused = []string{"KDC_ERR_PREAUTH_FAILED", "KDC_ERR_CLIENT_REVOKED", "KDC_ERR_KEY_EXPIRED"}

// wrongPassword reports whether the realm's server knows the account and refuses its password, or the account.
func wrongPassword(err error) bool {
	return err != nil && slices.ContainsFunc(refused, func(word string) bool {
		return strings.Contains(err.Error(), word)
	})
}

// Bound reports whether the response is NTLM's and bound to the server.
func (f *First) Bound() bool { return f.mechanism == mechanism(f.ntlm) && f.ntlm.Bound() }

// Expect calls the method of ntlm.Client.
func (f *First) Expect(serverName string) { f.ntlm.Expect(serverName) }

// Challenge returns what the server said about itself in NTLM, nil if Kerberos was used.
func (f *First) Challenge() *ntlm.Challenge { return f.ntlm.Challenge() }

// GuestSessionKey returns the session key for an NTLM logon that the server treats as guest.
func (f *First) GuestSessionKey() []byte { return f.ntlm.GuestSessionKey() }

// Legacy answers a server without extended security, which does not support Kerberos.
func (f *First) Legacy(challenge [8]byte, targetName string) (account, domain string, lm, nt []byte, err error) {
	return f.ntlm.Legacy(challenge, targetName)
}

// String returns the account and no secret.
func (f *First) String() string { return f.ntlm.String() }

// GoString returns String, so that no format verb shows a key.
func (f *First) GoString() string { return f.String() }
