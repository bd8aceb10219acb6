package smb2client

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/smb/transport"
	"ipcguard/internal/status"
)

// session is a logon over SMB2 or SMB3. Once SessionSetup returns it, only sign changes, under mu.
type session struct {
	c         *Client
	id        uint64
	secret    bool                // only client and server know the keys
	signer    *smbcrypt.Signer    // nil without a key
	transform *smbcrypt.Transform // nil if frames cannot be encrypted
	encrypt   bool
	about     dialect.SessionInfo

	mu        sync.Mutex
	sign      bool
	validated bool
}

// SessionSetup implements dialect.Client. See [MS-SMB2] 3.2.4.2.3 and 3.2.5.3.
func (c *Client) SessionSetup(ctx context.Context, a dialect.Authenticator) (dialect.Session, error) {
	r := request{layer: transport.LayerSession, deadline: c.conn.Deadline(ctx, c.o.Timeouts.Session)}
	preauth := c.preauth
	s := &session{c: c}
	r.session, r.sent = s, preauth.Add
	logon := dialect.NewLogon(a)
	var got answer
	var resp smb2.SessionSetupResponse
	last, err := logon.Run(ctx, func(token []byte) (st status.NTStatus, blob []byte, err error) {
		if dialect.IsBound(a) && !c.negotiated.SigningRequired {
			return 0, nil, &ntlm.WithheldError{Reason: "the server does not require signing"}
		}
		body := &smb2.SessionSetupRequest{SecurityMode: c.securityMode(a), SecurityBuffer: token}
		if got, err = c.one(ctx, r, smb2.SessionSetup, body); err != nil {
			return 0, nil, err
		}
		st = status.NTStatus(got.header.Status)
		if st != status.Success && st != status.MoreProcessingRequired {
			return st, nil, nil
		}
		if err := got.body(transport.LayerSession, &resp); err != nil {
			return 0, nil, err
		}
		if s.id = got.header.SessionID; st != status.Success {
			preauth.Add(got.msg)
		}
		return st, resp.SecurityBuffer, nil
	})
	if err != nil {
		return nil, err
	}
	s.about.Challenge = logon.Challenge
	s.secret = !dialect.IsAnonymous(a) && resp.SessionFlags&(smb2.SessionIsGuest|smb2.SessionIsNull) == 0
	if dialect.IsBound(a) && !s.secret {
		return nil, c.conn.Distrust(transport.LayerSession,
			"the server took the user for a guest, so nothing proves its answers")
	}
	if err := logon.Finish(ctx, last, s.secret); err != nil {
		return nil, err
	}
	if err := s.establish(a, &got, &resp, &preauth); err != nil {
		return nil, err
	}
	return s, nil
}

func (c *Client) securityMode(a dialect.Authenticator) byte {
	if c.o.RequireSigning && !dialect.IsAnonymous(a) {
		return smb2.SigningEnabled | smb2.SigningRequired
	}
	return smb2.SigningEnabled
}

// establish derives the keys and decides who signs and encrypts.
func (s *session) establish(a dialect.Authenticator, last *answer, resp *smb2.SessionSetupResponse,
	preauth *smbcrypt.Preauth,
) error {
	c := s.c
	s.about.ID = s.id
	s.about.Guest = resp.SessionFlags&smb2.SessionIsGuest != 0
	s.about.Null = resp.SessionFlags&smb2.SessionIsNull != 0
	s.about.EncryptRequired = c.dialect >= smb2.Dialect300 && resp.SessionFlags&smb2.SessionEncryptData != 0

	key, proven, err := s.findKey(a, last, preauth)
	if err != nil {
		return err
	}
	signed := last.header.IsSigned()
	if s.secret && signed && !proven && c.dialect < smb2.Dialect300 && !c.o.RequireSigning &&
		!c.negotiated.SigningRequired {
		// Impacket's server signs with a key of its own. Where nobody asked for signing, 2.x goes on without: an
		// attacker who could profit from that could have left the signature out.
		s.secret, s.signer, key = false, nil, nil
	}
	switch {
	case s.secret && key != nil && !proven && (signed || c.dialect == smb2.Dialect311):
		return c.conn.Distrust(transport.LayerSession, "the end of the logon is not signed with the session's key")
	case s.secret && key == nil && (c.o.RequireSigning || c.negotiated.SigningRequired):
		return transport.Broken("signing is required, and the logon has no key").At(transport.LayerSession)
	}
	// A session without a secret is signed only if the server wants signing and started it: a signature that anyone can
	// compute proves nothing, and servers without a key for such a session refuse signed requests.
	s.sign = key != nil && (s.secret || proven && c.negotiated.SigningRequired) && !c.o.Unsigned
	// It never encrypts: servers close the connection then, whatever they announced. See [MS-SMB2] 3.3.5.2.1.1. But
	// Samba from 4.22 on with server smb encrypt = desired takes its plain requests, and encrypts the answers. [M]
	// Samba 4.25.1
	if key != nil && c.cipher != 0 && (s.secret || s.about.EncryptRequired) {
		if err := s.prepareEncryption(key, preauth); err != nil {
			return err
		}
	}
	s.encrypt = s.secret && s.transform != nil && (s.about.EncryptRequired || c.o.Encrypt) && !c.o.Unencrypted
	s.about.Signed, s.about.Encrypted = s.sign && !s.encrypt, s.encrypt
	if s.transform != nil {
		return s.receives()
	}
	return nil
}

// receives lets the session's encrypted frames in. Its number must be its own: a stranger's session that got that of a
// user's would decrypt forged frames in its place.
func (s *session) receives() error {
	c := s.c
	c.mu.Lock()
	taken := c.sessions[s.id] != nil
	if !taken {
		c.sessions[s.id] = s
	}
	c.mu.Unlock()
	if taken {
		return c.conn.Distrust(transport.LayerSession, "the server gave two sessions one number")
	}
	return nil
}

// findKey returns the session key and whether the last answer's signature proves it. A server that made the caller its
// guest may have derived the key from zeros, or have none: the signature shows which.
func (s *session) findKey(a dialect.Authenticator, last *answer, preauth *smbcrypt.Preauth) (key []byte, proven bool,
	err error,
) {
	keys := [][]byte{a.SessionKey()}
	if !s.secret && len(keys[0]) > 0 && !last.header.IsSigned() && !s.c.negotiated.SigningRequired {
		return keys[0], false, nil // nothing will be signed: there is nothing to derive
	}
	if !s.secret {
		if g, ok := a.(interface{ GuestSessionKey() []byte }); ok {
			keys = append(keys, g.GuestSessionKey())
		}
		keys = append(keys, make([]byte, 16))
	} else if dialect.IsZero(keys[0]) {
		return nil, false, nil
	}
	keys = slices.DeleteFunc(keys, func(k []byte) bool { return len(k) == 0 })
	for _, k := range keys {
		signer, err := s.newSigner(k, preauth)
		if err != nil {
			return nil, false, fmt.Errorf("smb: session: %w", err)
		}
		if last.header.IsSigned() && signer.Verify(last.msg) {
			s.signer = signer
			return k, true, nil
		}
		if s.signer == nil {
			s.signer, key = signer, k
		}
	}
	return key, false, nil
}

func (s *session) newSigner(key []byte, preauth *smbcrypt.Preauth) (*smbcrypt.Signer, error) {
	if s.c.dialect < smb2.Dialect300 {
		short := make([]byte, 16)
		copy(short, key)
		return smbcrypt.NewSigner(smbcrypt.HMACSHA256, short)
	}
	return smbcrypt.NewSigner(s.c.signing, smbcrypt.DeriveSigning(s.c.dialect, key, preauth))
}

func (s *session) prepareEncryption(key []byte, preauth *smbcrypt.Preauth) (err error) {
	k := smbcrypt.DeriveKeys(s.c.dialect, s.c.cipher, key, preauth)
	s.transform, err = smbcrypt.NewTransform(s.c.cipher, k.ClientCipher, k.ServerCipher, s.id)
	return err
}

// Info implements dialect.Session.
func (s *session) Info() dialect.SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := s.about
	info.Signed = s.sign && !s.encrypt
	return info
}

// request starts a request of this session.
func (s *session) request(ctx context.Context, layer string, t *tree) request {
	wait := s.c.o.Timeouts.Of(layer)
	s.mu.Lock()
	defer s.mu.Unlock()
	return request{
		layer: layer, deadline: s.c.conn.Deadline(ctx, wait), session: s, tree: t,
		sign: s.sign, encrypt: s.encrypt || t != nil && t.encrypt,
	}
}

// Logoff implements dialect.Session.
func (s *session) Logoff(ctx context.Context) error {
	got, err := s.c.one(ctx, s.request(ctx, transport.LayerSession, nil), smb2.Logoff, new(smb2.Empty))
	if err != nil {
		return err
	}
	s.c.mu.Lock()
	delete(s.c.sessions, s.id)
	s.c.mu.Unlock()
	return got.status(transport.LayerSession)
}
