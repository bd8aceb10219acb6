package smb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

// maxLegs bounds the requests of one logon; NTLM has two, Kerberos and its fallbacks a few more.
const maxLegs = 8

// session2 is a logon over SMB2 or SMB3. Once sessionSetup returns it, only sign changes, under mu.
type session2 struct {
	b         *client2
	id        uint64
	secret    bool                // the keys are known to client and server alone
	signer    *smbcrypt.Signer    // nil without a key
	transform *smbcrypt.Transform // nil where frames cannot be encrypted
	encrypt   bool
	about     SessionInfo

	mu        sync.Mutex
	sign      bool
	validated bool
}

// sessionSetup implements backend. See [MS-SMB2] 3.2.4.2.3 and 3.2.5.3.
func (b *client2) sessionSetup(ctx context.Context, a Authenticator) (sessionBackend, error) {
	r := request{layer: layerSession, deadline: b.c.deadline(ctx, b.c.o.Timeouts.Session)}
	initiator := spnego.NewInitiator(a, false)
	token, err := initiator.Start(ctx)
	if err != nil {
		return nil, fmt.Errorf("smb: session: %w", err)
	}
	s := &session2{b: b}
	preauth := b.preauth
	r.session = s
	r.sent = preauth.Add
	for range maxLegs {
		body := &smb2.SessionSetupRequest{SecurityMode: b.securityMode(a), SecurityBuffer: token}
		got, err := b.one(ctx, r, smb2.SessionSetup, body)
		if err != nil {
			return nil, err
		}
		st := status.NTStatus(got.header.Status)
		if st != status.Success && st != status.MoreProcessingRequired {
			return nil, statusError(layerSession, got.header.Status)
		}
		var resp smb2.SessionSetupResponse
		if err := got.body(layerSession, &resp); err != nil {
			return nil, err
		}
		s.id = got.header.SessionID
		if st == status.Success {
			if err := initiator.Finish(ctx, resp.SecurityBuffer); err != nil && !forgivable(err, a, &resp) {
				return nil, fmt.Errorf("smb: session: %w", err)
			}
			return s, s.establish(a, &got, &resp, &preauth)
		}
		preauth.Add(got.msg)
		var challenge []byte
		token, challenge, err = initiator.Next(ctx, resp.SecurityBuffer)
		if err != nil {
			return nil, fmt.Errorf("smb: session: %w", err)
		}
		if s.about.Challenge == nil {
			s.about.Challenge = challenge
		}
	}
	return nil, broken("SESSION_SETUP without end").at(layerSession)
}

// forgivable tells whether a wrong mechListMIC says nothing: a server that made the caller its guest, or takes anybody,
// had no key to sign with.
func forgivable(err error, a Authenticator, resp *smb2.SessionSetupResponse) bool {
	return errors.Is(err, spnego.ErrMIC) && !hasSecret(a, resp)
}

// hasSecret tells whether a logon ended with a key that only the two sides know.
func hasSecret(a Authenticator, resp *smb2.SessionSetupResponse) bool {
	anonymous, ok := a.(interface{ Anonymous() bool })
	return !(ok && anonymous.Anonymous()) && resp.SessionFlags&(smb2.SessionIsGuest|smb2.SessionIsNull) == 0
}

func (b *client2) securityMode(a Authenticator) byte {
	if anonymous, ok := a.(interface{ Anonymous() bool }); b.c.o.RequireSigning && !(ok && anonymous.Anonymous()) {
		return smb2.SigningEnabled | smb2.SigningRequired
	}
	return smb2.SigningEnabled
}

// establish derives the keys and decides who signs and encrypts.
func (s *session2) establish(a Authenticator, last *answer, resp *smb2.SessionSetupResponse, preauth *smbcrypt.Preauth) error {
	b := s.b
	s.secret = hasSecret(a, resp)
	s.about.ID = s.id
	s.about.Guest = resp.SessionFlags&smb2.SessionIsGuest != 0
	s.about.Null = resp.SessionFlags&smb2.SessionIsNull != 0
	s.about.EncryptRequired = b.dialect >= smb2.Dialect300 && resp.SessionFlags&smb2.SessionEncryptData != 0

	key, proven, err := s.findKey(a, last, preauth)
	if err != nil {
		return err
	}
	signed := last.header.IsSigned()
	if s.secret && signed && !proven && b.dialect < smb2.Dialect300 && !b.c.o.RequireSigning && !b.c.neg.SigningRequired {
		// Impacket's server signs with a key of its own. Where nobody asked for signing, 2.x goes on without: an
		// attacker who could profit from that could have left the signature out.
		s.secret, s.signer, key = false, nil, nil
	}
	switch {
	case s.secret && key != nil && !proven && (signed || b.dialect == smb2.Dialect311):
		return b.distrust(layerSession, "the end of the logon is not signed with the session's key")
	case s.secret && key == nil && (b.c.o.RequireSigning || b.c.neg.SigningRequired):
		return broken("signing is required, and the logon has no key").at(layerSession)
	}
	// A session without a secret is signed only where the server wants signing and began it: a signature that anybody
	// can make proves nothing, and servers that have no key for such a session refuse signed requests.
	s.sign = key != nil && (s.secret || proven && b.c.neg.SigningRequired)
	// It is never encrypted: servers end the connection over it, whatever they announced. See [MS-SMB2] 3.3.5.2.1.1.
	if s.secret && key != nil && b.cipher != 0 {
		if err := s.prepareEncryption(key, preauth); err != nil {
			return err
		}
	}
	s.encrypt = s.transform != nil && (s.about.EncryptRequired || b.c.o.Encrypt)
	s.about.Signed, s.about.Encrypted = s.sign && !s.encrypt, s.encrypt
	if s.transform != nil {
		b.mu.Lock()
		b.sessions[s.id] = s
		b.mu.Unlock()
	}
	return nil
}

// findKey returns the session key and whether the last answer's signature proves it. A server that made the caller its
// guest may have derived the key from zeros, or have none: then the signature tells which.
func (s *session2) findKey(a Authenticator, last *answer, preauth *smbcrypt.Preauth) (key []byte, proven bool, err error) {
	keys := [][]byte{a.SessionKey()}
	if !s.secret {
		if g, ok := a.(interface{ GuestSessionKey() []byte }); ok {
			keys = append(keys, g.GuestSessionKey())
		}
		keys = append(keys, make([]byte, 16))
	} else if zero(keys[0]) {
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

func zero(key []byte) bool { return len(bytes.Trim(key, "\x00")) == 0 }

func (s *session2) newSigner(key []byte, preauth *smbcrypt.Preauth) (*smbcrypt.Signer, error) {
	if s.b.dialect < smb2.Dialect300 {
		short := make([]byte, 16)
		copy(short, key)
		return smbcrypt.NewSigner(smbcrypt.HMACSHA256, short)
	}
	return smbcrypt.NewSigner(s.b.signing, smbcrypt.DeriveKeys(s.b.dialect, s.b.cipher, key, preauth).Signing)
}

func (s *session2) prepareEncryption(key []byte, preauth *smbcrypt.Preauth) (err error) {
	k := smbcrypt.DeriveKeys(s.b.dialect, s.b.cipher, key, preauth)
	s.transform, err = smbcrypt.NewTransform(s.b.cipher, k.ClientCipher, k.ServerCipher, s.id)
	return err
}

func (s *session2) info() SessionInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := s.about
	info.Signed = s.sign && !s.encrypt
	return info
}

// request starts a request of this session.
func (s *session2) request(ctx context.Context, layer string, t *tree2) request {
	wait := s.b.c.o.Timeouts.of(layer)
	s.mu.Lock()
	defer s.mu.Unlock()
	return request{
		layer: layer, deadline: s.b.c.deadline(ctx, wait), session: s, tree: t,
		sign: s.sign, encrypt: s.encrypt || t != nil && t.encrypt,
	}
}

func (s *session2) logoff(ctx context.Context) error {
	got, err := s.b.one(ctx, s.request(ctx, layerSession, nil), smb2.Logoff, new(smb2.Empty))
	if err != nil {
		return err
	}
	s.b.mu.Lock()
	delete(s.b.sessions, s.id)
	s.b.mu.Unlock()
	return got.status(layerSession)
}
