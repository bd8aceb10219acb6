package dialect

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/smb/transport"
	"ipcguard/internal/status"
)

// maxLegs bounds the requests of one logon; NTLM has two, Kerberos and its fallbacks a few more.
const maxLegs = 8

// Logon carries the tokens of one logon, wrapped in SPNEGO, through as many SESSION_SETUP requests as it takes.
type Logon struct {
	Challenge []byte // the server's first mechanism token

	a         Authenticator
	initiator *spnego.Initiator
}

// NewLogon starts a logon with a.
func NewLogon(a Authenticator) *Logon { return &Logon{a: a, initiator: spnego.NewInitiator(a, false)} }

// Run exchanges tokens until the server accepts or refuses. send makes one SESSION_SETUP of a token and returns the
// response's status and token. The last token is for Finish, because its check depends on the identity that the server
// assigned.
func (l *Logon) Run(ctx context.Context, send func(token []byte) (status.NTStatus, []byte, error)) (last []byte,
	err error,
) {
	token, err := l.initiator.Start(ctx)
	if err != nil {
		return nil, fmt.Errorf("smb: session: %w", err)
	}
	for range maxLegs {
		s, got, err := send(token)
		switch {
		case err != nil:
			return nil, err
		case s == status.Success:
			return got, nil
		case s != status.MoreProcessingRequired:
			return nil, Refused(transport.LayerSession, s)
		}
		var challenge []byte
		if token, challenge, err = l.initiator.Next(ctx, got); err != nil {
			return nil, fmt.Errorf("smb: session: %w", err)
		}
		if l.Challenge == nil {
			l.Challenge = challenge
		}
	}
	return nil, transport.Broken("SESSION_SETUP without end").At(transport.LayerSession)
}

// Finish reads the last token. Without a secret a wrong mechListMIC says nothing: a server that made the caller its
// guest, or takes anybody, had no key to sign with.
func (l *Logon) Finish(ctx context.Context, last []byte, secret bool) error {
	err := l.initiator.Finish(ctx, last)
	if err == nil || !secret && errors.Is(err, spnego.ErrMIC) {
		return nil
	}
	return fmt.Errorf("smb: session: %w", err)
}

// IsAnonymous reports whether an authenticator logs on anonymously.
func IsAnonymous(a Authenticator) bool {
	anonymous, ok := a.(interface{ Anonymous() bool })
	return ok && anonymous.Anonymous()
}

// IsBound reports whether an authenticator gives its answer only to a server that requires signing, and holds it to
// that: see ntlm.Options.Bound. It is known once the logon has begun.
func IsBound(a Authenticator) bool {
	bound, ok := a.(interface{ Bound() bool })
	return ok && bound.Bound()
}

// IsZero reports whether a key is empty or all zeros.
func IsZero(key []byte) bool { return len(bytes.Trim(key, "\x00")) == 0 }
