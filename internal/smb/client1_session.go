package smb

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

// session1 is a logon over SMB1.
type session1 struct {
	b     *client1
	uid   uint16
	about SessionInfo

	mu    sync.Mutex
	ahead *tree1 // IPC$, connected in the message of the logon and not yet asked for
	early error  // why not
}

// native is what this client calls itself; servers put it in their logs.
const native = "ipcguard"

func (b *client1) setup(form int) *smb1.SessionSetupRequest {
	capabilities := smb1.CapNTSMBs | smb1.CapStatus32 | smb1.CapUnicode | smb1.CapLargeReadX | smb1.CapLargeWriteX
	capabilities &= b.neg.Capabilities
	if b.c.o.OEM {
		capabilities &^= smb1.CapUnicode
	}
	if form == smb1.SetupExtended {
		capabilities |= smb1.CapExtendedSecurity
	}
	return &smb1.SessionSetupRequest{
		Form: form, MaxBufferSize: buffer1, MaxMpxCount: uint16(cap(b.slots)),
		VcNumber:   1, // 0 makes Windows end the other connections of this machine
		SessionKey: b.neg.SessionKey, Capabilities: capabilities, NativeOS: native, NativeLanMan: native,
	}
}

// sessionSetup implements backend. See [MS-CIFS] 3.2.4.2.4 and [MS-SMB] 3.2.4.2.4.
func (b *client1) sessionSetup(ctx context.Context, a Authenticator) (sessionBackend, error) {
	r := request1{layer: layerSession, deadline: b.c.deadline(ctx, b.c.o.Timeouts.Session), tid: 0xFFFF}
	if !b.extended() {
		return b.legacySetup(ctx, r, a)
	}
	initiator := spnego.NewInitiator(a, false)
	token, err := initiator.Start(ctx)
	if err != nil {
		return nil, fmt.Errorf("smb: session: %w", err)
	}
	s := &session1{b: b}
	for range maxLegs {
		body := b.setup(smb1.SetupExtended)
		body.SecurityBlob = token
		got, err := b.exchange(ctx, r, body)
		if err != nil {
			return nil, err
		}
		st := got.NTStatus()
		if st != status.Success && st != status.MoreProcessingRequired {
			return nil, statusError(layerSession, uint32(st))
		}
		resp, err := decode1[*smb1.SessionSetupResponse](got, 0, layerSession)
		if err != nil {
			return nil, err
		}
		r.uid = got.UID
		if st == status.Success {
			s.learn(got, resp)
			secret := s.secret(a)
			if err := initiator.Finish(ctx, resp.SecurityBlob); err != nil && (secret || !errors.Is(err, spnego.ErrMIC)) {
				return nil, fmt.Errorf("smb: session: %w", err)
			}
			return s, s.sign(got, secret, a.SessionKey())
		}
		var challenge []byte
		if token, challenge, err = initiator.Next(ctx, resp.SecurityBlob); err != nil {
			return nil, fmt.Errorf("smb: session: %w", err)
		}
		if s.about.Challenge == nil {
			s.about.Challenge = challenge
		}
	}
	return nil, broken("SESSION_SETUP without end").at(layerSession)
}

// legacySetup logs on to a server without extended security, or one that was not asked for it. The tree connect to IPC$
// goes with it in one message: nearly everybody who logs on here wants it next, and it saves a round trip.
func (b *client1) legacySetup(ctx context.Context, r request1, a Authenticator) (sessionBackend, error) {
	legacy, ok := a.(LegacyAuthenticator)
	if !ok {
		return nil, broken("the server has no extended security, and %v needs it", a.Mechanism()).at(layerSession)
	}
	account, domain, lm, nt, err := legacy.Legacy([8]byte(append(b.neg.Challenge[:len(b.neg.Challenge):len(b.neg.Challenge)], make([]byte, 8)...)), b.neg.DomainName)
	if err != nil {
		return nil, fmt.Errorf("smb: session: %w", err)
	}
	body := b.setup(smb1.SetupNT)
	body.AccountName, body.PrimaryDomain, body.OEMPassword, body.UnicodePassword = account, domain, lm, nt
	bodies := []smb1.Body{body}
	secret := account != "" || len(nt) > 0
	if !secret {
		bodies = append(bodies, treeRequest(unc(b.c.host, ipcShare)))
	}
	got, err := b.exchange(ctx, r, bodies...)
	if err != nil {
		return nil, err
	}
	st := got.NTStatus()
	// A chain has one status, that of the command that failed; a logon that succeeded left its words.
	resp, err := decode1[*smb1.SessionSetupResponse](got, 0, layerSession)
	if st != status.Success && (err != nil || len(bodies) == 1) {
		return nil, statusError(layerSession, uint32(st))
	}
	if err != nil {
		return nil, err
	}
	s := &session1{b: b}
	s.learn(got, resp)
	if len(bodies) == 2 {
		s.connectedAhead(got, st)
	}
	return s, s.sign(got, secret && !s.about.Guest, append(a.SessionKey()[:len(a.SessionKey()):len(a.SessionKey())], nt...))
}

const ipcShare = "IPC$"

// connectedAhead keeps the answer of the tree connect that went with the logon.
func (s *session1) connectedAhead(got answer1, st status.NTStatus) {
	if st != status.Success {
		s.early = statusError(layerTree, uint32(st))
		return
	}
	if len(got.Blocks) < 2 {
		return // the server left it alone: ask again
	}
	if s.ahead, s.early = s.newTree(got, 1); s.early != nil {
		s.ahead = nil
	}
}

// learn takes over what the server said about the logon.
func (s *session1) learn(got answer1, resp *smb1.SessionSetupResponse) {
	s.uid = got.UID
	s.about.ID = uint64(got.UID)
	s.about.Guest = resp.Action&smb1.SetupGuest != 0
	s.about.NativeOS, s.about.NativeLanMan, s.about.PrimaryDomain = resp.NativeOS, resp.NativeLanMan, resp.PrimaryDomain
}

// secret tells whether the logon ended with a key that only the two sides know.
func (s *session1) secret(a Authenticator) bool {
	anonymous, ok := a.(interface{ Anonymous() bool })
	return !(ok && anonymous.Anonymous()) && !s.about.Guest && !zero(a.SessionKey())
}

// sign begins to sign, where server and client want it and there is a key. The first logon with a key decides it for
// the connection: the request that logged on had number 0, its answer 1. See [MS-SMB] 3.2.5.3.
func (s *session1) sign(got answer1, secret bool, key []byte) error {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	s.about.Signed = b.signer != nil
	if b.signer != nil {
		return nil
	}
	signer := smbcrypt.NewSigner1(key)
	signed := got.Flags2&smb1.Flags2SecuritySignature != 0 && signer.Verify(got.Raw, 1)
	wanted := b.c.neg.SigningEnabled || b.c.neg.SigningRequired
	switch {
	case !secret && !(signed && b.c.neg.SigningRequired):
		return nil // nobody signs without a secret, unless the server begins
	case !wanted && b.c.o.RequireSigning:
		return broken("signing is required, and the server does not sign").at(layerSession)
	case !wanted:
		return nil
	case !signed && unsigned1(got.Signature) && !b.c.o.RequireSigning:
		return nil // Samba signs no session without extended security, whatever it announced
	case !signed:
		return b.distrust("the end of the logon is not signed with the session's key")
	}
	b.signer, b.sequence = signer, 2
	s.about.Signed = true
	return nil
}

// unsigned1 tells whether a signature is none: zeros, or the word that peers put there until they sign.
func unsigned1(signature [8]byte) bool {
	return signature == [8]byte{} || string(signature[:]) == "BSRSPYL "
}

// distrust ends the connection: somebody on the way is not the server.
func (b *client1) distrust(reason string) error {
	err := &TransportError{Reason: reason}
	b.c.fail(err)
	b.c.nc.Close()
	return err.at(layerSession)
}

func (s *session1) info() SessionInfo {
	info := s.about
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	info.Signed = s.b.signer != nil
	return info
}

// request starts a request of this session.
func (s *session1) request(ctx context.Context, layer string, t *tree1) request1 {
	wait := s.b.c.o.Timeouts.of(layer)
	r := request1{layer: layer, deadline: s.b.c.deadline(ctx, wait), uid: s.uid}
	if t != nil {
		r.tid = t.tid
	}
	return r
}

func (s *session1) logoff(ctx context.Context) error {
	got, err := s.b.exchange(ctx, s.request(ctx, layerSession, nil), &smb1.Logoff{})
	if err != nil {
		return err
	}
	return got.failure(layerSession)
}

// failure is the answer's status as an error in a layer; nil for success.
func (a answer1) failure(layer string) error {
	if s := a.NTStatus(); s != status.Success {
		return statusError(layer, uint32(s))
	}
	return nil
}
