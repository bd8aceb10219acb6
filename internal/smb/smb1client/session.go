package smb1client

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/smb/transport"
	"ipcguard/internal/status"
)

// session is a logon over SMB1.
type session struct {
	c     *Client
	uid   uint16
	about dialect.SessionInfo

	mu    sync.Mutex
	ahead *tree // IPC$, connected in the message of the logon and not yet asked for
	early error // why not
}

// native is what this client calls itself; servers put it in their logs.
const native = "ipcguard"

func (c *Client) setup(form int) *smb1.SessionSetupRequest {
	capabilities := smb1.CapNTSMBs | smb1.CapStatus32 | smb1.CapUnicode | smb1.CapLargeReadX | smb1.CapLargeWriteX
	capabilities &= c.neg.Capabilities
	if c.o.OEM {
		capabilities &^= smb1.CapUnicode
	}
	if form == smb1.SetupExtended {
		capabilities |= smb1.CapExtendedSecurity
	}
	return &smb1.SessionSetupRequest{
		Form: form, MaxBufferSize: buffer, MaxMpxCount: uint16(cap(c.slots)),
		VcNumber:   1, // 0 makes Windows end the other connections of this machine
		SessionKey: c.neg.SessionKey, Capabilities: capabilities, NativeOS: native, NativeLanMan: native,
	}
}

// SessionSetup implements dialect.Client. See [MS-CIFS] 3.2.4.2.4 and [MS-SMB] 3.2.4.2.4.
func (c *Client) SessionSetup(ctx context.Context, a dialect.Authenticator) (dialect.Session, error) {
	r := request{layer: transport.LayerSession, deadline: c.conn.Deadline(ctx, c.o.Timeouts.Session), tid: 0xFFFF}
	if !c.extended() {
		return c.legacySetup(ctx, r, a)
	}
	s := &session{c: c}
	logon := dialect.NewLogon(a)
	var got answer
	var resp *smb1.SessionSetupResponse
	last, err := logon.Run(ctx, func(token []byte) (st status.NTStatus, blob []byte, err error) {
		if dialect.IsBound(a) {
			return 0, nil, &ntlm.WithheldError{Reason: "the server speaks SMB1"}
		}
		body := c.setup(smb1.SetupExtended)
		body.SecurityBlob = token
		if got, err = c.exchange(ctx, r, body); err != nil {
			return 0, nil, err
		}
		st = got.NTStatus()
		if st != status.Success && st != status.MoreProcessingRequired {
			return st, nil, nil
		}
		if resp, err = decode[*smb1.SessionSetupResponse](got, 0, transport.LayerSession); err != nil {
			return 0, nil, err
		}
		r.uid = got.UID
		return st, resp.SecurityBlob, nil
	})
	if err != nil {
		return nil, err
	}
	s.learn(got, resp)
	s.about.Challenge = logon.Challenge
	secret := s.secret(a)
	if err := logon.Finish(ctx, last, secret); err != nil {
		return nil, err
	}
	if err := s.sign(got, secret, a.SessionKey()); err != nil {
		return nil, err
	}
	return s, nil
}

// legacySetup logs on to a server without extended security, or one that was not asked for it. The same message
// contains the tree connect to IPC$: nearly every caller needs it next, and it saves a round trip.
func (c *Client) legacySetup(ctx context.Context, r request, a dialect.Authenticator) (dialect.Session, error) {
	legacy, ok := a.(dialect.LegacyAuthenticator)
	if !ok {
		return nil, transport.Broken("the server has no extended security, and %v needs it",
			a.Mechanism()).At(transport.LayerSession)
	}
	var challenge [8]byte
	copy(challenge[:], c.neg.Challenge)
	account, domain, lm, nt, err := legacy.Legacy(challenge, c.neg.DomainName)
	if err != nil {
		return nil, fmt.Errorf("smb: session: %w", err)
	}
	body := c.setup(smb1.SetupNT)
	body.AccountName, body.PrimaryDomain, body.OEMPassword, body.UnicodePassword = account, domain, lm, nt
	bodies := []smb1.Body{body}
	secret := account != "" || len(nt) > 0
	if !secret {
		bodies = append(bodies, treeRequest(dialect.UNC(c.host, dialect.IPC)))
	}
	got, err := c.exchange(ctx, r, bodies...)
	if err != nil {
		return nil, err
	}
	st := got.NTStatus()
	// A chain has one status, that of the command that failed; a logon that succeeded left its words.
	resp, err := decode[*smb1.SessionSetupResponse](got, 0, transport.LayerSession)
	if st != status.Success && (err != nil || len(bodies) == 1) {
		return nil, dialect.Refused(transport.LayerSession, st)
	}
	if err != nil {
		return nil, err
	}
	s := &session{c: c}
	s.learn(got, resp)
	if len(bodies) == 2 {
		s.connectedAhead(got, st)
	}
	if err := s.sign(got, secret && !s.about.Guest, append(slices.Clone(a.SessionKey()), nt...)); err != nil {
		return nil, err
	}
	return s, nil
}

// connectedAhead keeps the answer of the tree connect that was sent with the logon.
func (s *session) connectedAhead(got answer, st status.NTStatus) {
	if st != status.Success {
		s.early = dialect.Refused(transport.LayerTree, st)
		return
	}
	if len(got.Blocks) < 2 {
		return // the server left it alone: ask again
	}
	if s.ahead, s.early = s.newTree(got, 1); s.early != nil {
		s.ahead = nil
	}
}

// learn stores what the server said about the logon.
func (s *session) learn(got answer, resp *smb1.SessionSetupResponse) {
	s.uid = got.UID
	s.about.ID = uint64(got.UID)
	s.about.Guest = resp.Action&smb1.SetupGuest != 0
	s.about.NativeOS, s.about.NativeLanMan, s.about.PrimaryDomain = resp.NativeOS, resp.NativeLanMan, resp.PrimaryDomain
}

// secret reports whether the logon ended with a key that only the two sides know.
func (s *session) secret(a dialect.Authenticator) bool {
	return !dialect.IsAnonymous(a) && !s.about.Guest && !dialect.IsZero(a.SessionKey())
}

// sign starts signing, if server and client want it and there is a key. The first logon with a key decides it for the
// connection: the request that logged on had number 0, its answer 1. See [MS-SMB] 3.2.5.3.
func (s *session) sign(got answer, secret bool, key []byte) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	s.about.Signed = c.signer != nil
	if c.signer != nil {
		return nil
	}
	signer := smbcrypt.NewSigner1(key)
	signed := got.Flags2&smb1.Flags2SecuritySignature != 0 && signer.Verify(got.Raw, 1)
	wanted := c.negotiated.SigningEnabled || c.negotiated.SigningRequired
	demanded := c.o.RequireSigning && !c.o.UnsignedSMB1
	switch {
	case c.o.Unsigned:
		return nil
	case !secret && !(signed && c.negotiated.SigningRequired):
		return nil // nobody signs without a secret, unless the server begins
	case !wanted && demanded:
		return transport.Broken("signing is required, and the server does not sign").At(transport.LayerSession)
	case !wanted:
		return nil
	case !signed && unsigned(got.Signature) && !demanded:
		return nil // Samba signs no session without extended security, whatever it announced
	case !signed:
		return c.conn.Distrust(transport.LayerSession, "the end of the logon is not signed with the session's key")
	}
	c.signer, c.sequence = signer, 2
	s.about.Signed = true
	return nil
}

// unsigned reports whether a signature is none: zeros, or the word that peers put there until they sign.
func unsigned(signature [8]byte) bool {
	return signature == [8]byte{} || string(signature[:]) == "BSRSPYL "
}

// Info implements dialect.Session.
func (s *session) Info() dialect.SessionInfo {
	info := s.about
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	info.Signed = s.c.signer != nil
	return info
}

// request starts a request of this session.
func (s *session) request(ctx context.Context, layer string, t *tree) request {
	wait := s.c.o.Timeouts.Of(layer)
	r := request{layer: layer, deadline: s.c.conn.Deadline(ctx, wait), uid: s.uid}
	if t != nil {
		r.tid = t.tid
	}
	return r
}

// Logoff implements dialect.Session.
func (s *session) Logoff(ctx context.Context) error {
	got, err := s.c.exchange(ctx, s.request(ctx, transport.LayerSession, nil), &smb1.Logoff{})
	if err != nil {
		return err
	}
	return got.failure(transport.LayerSession)
}
