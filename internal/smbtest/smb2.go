package smbtest

import (
	"encoding/binary"
	"slices"
	"time"

	"ipcguard/internal/ntlm"
	"ipcguard/internal/ntlm/spnego"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

const (
	maxTransact = 64 << 10 // bytes of one request or answer
	maxCredits  = 512      // most granted for one request, as in Samba
)

// smb2Conn is a connection in SMB 2 or 3.
type smb2Conn struct {
	*conn
	dialect    uint16 // 0 before NEGOTIATE is done
	client     smb2.NegotiateRequest
	cipher     smbcrypt.Cipher
	signing    smbcrypt.Algorithm
	preauth    smbcrypt.Preauth
	anonymous  bool // a null session was accepted and no other
	opens      map[smb2.FileID]*opened
	nextFileID uint64
}

// answer is one response before it is put into a frame.
type answer struct {
	msg  *smb2.Message
	sess *session // signs it, when sign is set
	sign bool
}

// related is what a request of a chain inherits from the one before. See [MS-SMB2] 3.3.5.2.7.2.
type related struct {
	session uint64
	tree    uint32
	file    smb2.FileID
	status  status.NTStatus
}

var dialectNumbers = map[string]uint16{
	"2.0.2": smb2.Dialect202, "2.1": smb2.Dialect210, "3.0": smb2.Dialect300, "3.0.2": smb2.Dialect302,
	"3.1.1": smb2.Dialect311,
}

// multi chooses the response to a multi-protocol negotiate: an SMB2 dialect, or 0 for SMB1.
func (p *Profile) multi(offered []string) uint16 {
	if len(p.Dialects) > 1 && slices.Contains(offered, smb1.DialectSMB2) {
		return smb2.DialectWildcard
	}
	if slices.Contains(p.Dialects, "2.0.2") && slices.Contains(offered, smb1.DialectSMB2002) {
		return smb2.Dialect202
	}
	return 0
}

func (c *conn) startSMB2() *smb2Conn {
	return &smb2Conn{conn: c, opens: map[smb2.FileID]*opened{}}
}

// negotiateMulti answers an SMB1 NEGOTIATE in SMB2. See [MS-SMB2] 3.3.5.3.1.
func (c *conn) negotiateMulti(dialect uint16) bool {
	c.two = c.startSMB2()
	if dialect != smb2.DialectWildcard {
		c.two.dialect = dialect
	}
	m := &smb2.Message{
		Header: smb2.Header{Command: smb2.Negotiate, Flags: smb2.FlagResponse, Credits: 1},
		Body:   c.two.negotiateBody(dialect),
	}
	return c.two.reply(AtNegotiate, []answer{{msg: m}}, nil)
}

func (c *smb2Conn) negotiateBody(dialect uint16) *smb2.NegotiateResponse {
	p := c.host.Profile
	r := &smb2.NegotiateResponse{
		SecurityMode: smb2.SigningEnabled, Dialect: dialect, ServerGUID: c.guid, MaxTransact: maxTransact,
		MaxRead:  maxTransact,
		MaxWrite: maxTransact, SystemTime: smb2.FileTimeOf(time.Now()),
		SecurityBuffer: spnego.NewAcceptor(ntlm.OID()).Hello(),
	}
	if p.SigningRequired {
		r.SecurityMode |= smb2.SigningRequired
	}
	if dialect == smb2.Dialect300 || dialect == smb2.Dialect302 {
		if c.client.Capabilities&smb2.CapEncryption != 0 {
			r.Capabilities |= smb2.CapEncryption
			c.cipher = smbcrypt.AES128CCM
		}
	}
	return r
}

func (c *conn) receive2(frame []byte) bool {
	if c.two == nil {
		c.two = c.startSMB2()
	}
	return c.two.receive(frame)
}

func (c *smb2Conn) receive(frame []byte) bool {
	var encrypted *session
	if smb2.KindOf(frame) == smb2.KindEncrypted {
		id, ok := smbcrypt.SessionID(frame)
		if encrypted = c.sessions[id]; !ok || encrypted == nil || encrypted.encrypts() == nil {
			return false
		}
		var err error
		if frame, err = encrypted.encrypts().Decrypt(frame); err != nil {
			return false
		}
		if c.host.Profile.EncryptAnswers && encrypted.who != "user" {
			return false
		}
	}
	var answers []answer
	var last related
	stage := AtOther
	chain := smb2.NewChain(frame)
	for chain.Next() {
		m, err := smb2.Parse(chain.Message)
		if err != nil || m.Header.IsResponse() {
			return false // [MS-SMB2] 3.3.5.2: disconnect
		}
		if m.Header.Command == smb2.Cancel {
			continue
		}
		if stage == AtOther {
			stage = stageOf(m.Header.Command)
		}
		a, ok := c.request(m, chain.Message, &last, encrypted)
		if !ok {
			return false
		}
		answers = append(answers, a)
	}
	if chain.Err() != nil {
		return false
	}
	if len(answers) == 0 {
		return true
	}
	s := answers[0].sess
	if c.host.Profile.CutsStrangers && stage == AtPipe && c.cipher != 0 && s != nil && s.who != "user" {
		return false
	}
	if c.host.Profile.EncryptAnswers && stage != AtSession && s != nil && s.encrypts() != nil {
		encrypted = s
	}
	return c.reply(stage, answers, encrypted)
}

func stageOf(cmd smb2.Command) Stage {
	switch cmd {
	case smb2.Negotiate:
		return AtNegotiate
	case smb2.SessionSetup:
		return AtSession
	case smb2.TreeConnect:
		return AtTree
	case smb2.Create:
		return AtOpen
	case smb2.IOCTL, smb2.Read, smb2.Write:
		return AtPipe
	}
	return AtOther
}

// request executes one message. False ends the connection.
func (c *smb2Conn) request(m *smb2.Message, raw []byte, last *related, encrypted *session) (answer, bool) {
	h := &m.Header
	if h.Flags&smb2.FlagRelated != 0 {
		h.SessionID, h.TreeID = last.session, last.tree
	}
	a := answer{msg: &smb2.Message{Header: smb2.Header{
		CreditCharge: h.CreditCharge, Command: h.Command, Flags: smb2.FlagResponse | h.Flags&smb2.FlagRelated,
		Credits: min(max(h.Credits, 1), maxCredits), MessageID: h.MessageID, TreeID: h.TreeID, SessionID: h.SessionID,
	}}}
	if c.dialect == 0 && h.Command != smb2.Negotiate {
		return a, false
	}
	sess := c.sessions[h.SessionID]
	if c.anonymous && c.host.Profile.Constrained && c.dialect >= smb2.Dialect300 && h.Command != smb2.SessionSetup {
		return a, false
	}
	var body smb2.Body
	var st status.NTStatus
	switch {
	case h.Command == smb2.Negotiate:
		body, st = c.negotiate(m.Body.(*smb2.NegotiateRequest), raw)
		if st != status.Success && st != status.NotSupported {
			return a, false
		}
	case h.Command == smb2.SessionSetup:
		body, st, sess = c.sessionSetup(h, m.Body.(*smb2.SessionSetupRequest), raw, sess)
		if sess != nil {
			a.msg.Header.SessionID = sess.id
			a.sign = st == status.Success && sess.secret != nil && (sess.who == "user" || h.IsSigned())
		}
	case h.Command == smb2.Echo && sess == nil:
		body = new(smb2.Empty)
	case sess == nil || sess.who == "":
		st = status.UserSessionDeleted
	case h.IsSigned() && encrypted == nil && (sess.signs() == nil || !sess.signs().Verify(raw)):
		st = status.AccessDenied
	case sess.encrypt && encrypted != sess:
		st = status.AccessDenied
	case !h.IsSigned() && encrypted == nil && c.host.Profile.SigningRequired && sess.who == "user":
		st = status.AccessDenied
	case h.Flags&smb2.FlagRelated != 0 && last.status.IsError():
		st = last.status // the request that it builds on failed
	default:
		body, st = c.dispatch(sess, h, m.Body, last, &a.msg.Header)
		a.sign = h.IsSigned()
	}
	a.sess = sess
	a.msg.Header.Status = uint32(st)
	if body == nil {
		body = new(smb2.ErrorResponse)
	}
	a.msg.Body = body
	if h.Flags&smb2.FlagRelated == 0 {
		last.tree, last.session = h.TreeID, h.SessionID
	}
	if h.Command == smb2.TreeConnect {
		last.tree = a.msg.Header.TreeID
	}
	if h.Command == smb2.SessionSetup {
		last.session = a.msg.Header.SessionID
	}
	last.status = st
	if h.Command == smb2.SessionSetup && c.dialect == smb2.Dialect311 && st == status.MoreProcessingRequired &&
		sess != nil {
		sess.preauth.Add(a.msg.AppendMarshal(nil))
	}
	return a, true
}

// reply combines responses in one frame, signed and encrypted as required.
func (c *smb2Conn) reply(stage Stage, answers []answer, encrypted *session) bool {
	messages := make([]*smb2.Message, len(answers))
	for i, a := range answers {
		messages[i] = a.msg
	}
	if c.strike(stage, WrongID) != nil {
		messages[0].Header.MessageID ^= 0x5A5A
	}
	frame, starts := smb2.AppendChain(make([]byte, nbss.HeaderLen, 256), messages...)
	if c.strike(stage, LoopChain) != nil {
		binary.LittleEndian.PutUint32(frame[nbss.HeaderLen+smb2.OffsetNext:], 0xFFFFFFF8)
	}
	if encrypted != nil {
		frame = encrypted.encrypts().AppendEncrypt(make([]byte, nbss.HeaderLen, len(frame)+64), frame[nbss.HeaderLen:])
	} else {
		for i, a := range answers {
			end := len(frame)
			if i+1 < len(starts) {
				end = starts[i+1]
			}
			if a.sign && a.sess != nil && a.sess.signs() != nil {
				a.sess.signs().Sign(frame[starts[i]:end])
			}
		}
	}
	if c.dialect == smb2.Dialect311 && answers[0].msg.Header.Command == smb2.Negotiate {
		c.preauth.Add(frame[nbss.HeaderLen:])
	}
	return c.send(stage, frame, func() []byte { return interim(answers[0].msg.Header) })
}

// interim returns the STATUS_PENDING response to a request.
func interim(h smb2.Header) []byte {
	h.Status, h.Flags, h.AsyncID = uint32(status.Pending), smb2.FlagResponse|smb2.FlagAsync, h.MessageID
	m := smb2.Message{Header: h, Body: new(smb2.ErrorResponse)}
	return m.AppendMarshal(make([]byte, nbss.HeaderLen))
}

// negotiate answers NEGOTIATE. See [MS-SMB2] 3.3.5.4.
func (c *smb2Conn) negotiate(q *smb2.NegotiateRequest, raw []byte) (smb2.Body, status.NTStatus) {
	if c.dialect != 0 {
		return nil, status.InvalidParameter
	}
	best := uint16(0)
	for _, name := range c.host.Profile.Dialects {
		if d := dialectNumbers[name]; slices.Contains(q.Dialects, d) {
			best = max(best, d)
		}
	}
	if best == 0 {
		return nil, status.NotSupported
	}
	c.dialect, c.client = best, *q
	c.signing = smbcrypt.HMACSHA256
	if best >= smb2.Dialect300 {
		c.signing = smbcrypt.AESCMAC
	}
	r := c.negotiateBody(best)
	if best == smb2.Dialect311 {
		c.preauth.Add(raw)
		if !c.contexts(q, r) {
			return nil, status.InvalidParameter
		}
	}
	return r, status.Success
}

// contexts answers the negotiate contexts of 3.1.1.
func (c *smb2Conn) contexts(q *smb2.NegotiateRequest, r *smb2.NegotiateResponse) bool {
	preauth := false
	for _, x := range q.Contexts {
		switch x.Type {
		case smb2.ContextPreauth:
			var p smb2.PreauthCapabilities
			preauth = p.Unmarshal(x.Data) == nil && slices.Contains(p.HashAlgorithms, smb2.HashSHA512)
			p = smb2.PreauthCapabilities{
				HashAlgorithms: []uint16{smb2.HashSHA512},
				Salt:           []byte("practice server salt, 32 bytes.."),
			}
			r.Contexts = append(r.Contexts, p.Context())
		case smb2.ContextEncryption:
			var e smb2.EncryptionCapabilities
			if e.Unmarshal(x.Data) != nil {
				return false
			}
			for _, name := range c.host.Profile.Ciphers {
				if i := slices.IndexFunc(e.Ciphers, func(v uint16) bool {
					return smbcrypt.Cipher(v).String() == name
				}); i >= 0 {
					c.cipher = smbcrypt.Cipher(e.Ciphers[i])
					break
				}
			}
			e = smb2.EncryptionCapabilities{Ciphers: []uint16{uint16(c.cipher)}}
			r.Contexts = append(r.Contexts, e.Context())
		case smb2.ContextSigning:
			var s smb2.SigningCapabilities
			if s.Unmarshal(x.Data) != nil {
				return false
			}
			if slices.Contains(s.Algorithms, smb2.SignAESGMAC) {
				c.signing = smbcrypt.AESGMAC
			}
			s = smb2.SigningCapabilities{Algorithms: []uint16{uint16(c.signing)}}
			r.Contexts = append(r.Contexts, s.Context())
		}
	}
	return preauth
}

// sessionSetup processes one step of a logon. See [MS-SMB2] 3.3.5.5.
func (c *smb2Conn) sessionSetup(h *smb2.Header, q *smb2.SessionSetupRequest, raw []byte, s *session) (smb2.Body,
	status.NTStatus, *session,
) {
	if q.Flags&smb2.SessionBinding != 0 {
		return nil, status.RequestNotAccepted, nil
	}
	switch {
	case h.SessionID == 0:
		if s = c.newSession(); s == nil {
			return nil, status.InsufficientResources, nil
		}
		s.preauth = c.preauth
	case s == nil:
		return nil, status.UserSessionDeleted, nil
	case s.logon == nil: // the client logs on again within the session
		s.logon, s.preauth = newLogon(c.host), c.preauth
	}
	if c.dialect == smb2.Dialect311 {
		s.preauth.Add(raw)
	}
	token, accepted, st := s.logon.step(q.SecurityBuffer)
	r := &smb2.SessionSetupResponse{SecurityBuffer: token}
	switch st {
	case status.MoreProcessingRequired:
		return r, st, s
	case status.Success:
	default:
		delete(c.sessions, s.id)
		return nil, st, s
	}
	s.accept(accepted)
	if c.host.Profile.EncryptRequired {
		if s.who != "user" || c.cipher == 0 {
			delete(c.sessions, s.id)
			return nil, status.AccessDenied, s
		}
		s.encrypt = true
		r.SessionFlags |= smb2.SessionEncryptData
	}
	if c.host.Profile.RefusesBare && c.cipher == 0 && s.who != "user" {
		delete(c.sessions, s.id)
		return nil, status.AccessDenied, s
	}
	if c.host.Profile.EncryptAnswers && c.cipher != 0 {
		r.SessionFlags |= smb2.SessionEncryptData
	}
	c.anonymous = s.who == "anonymous" && len(c.sessions) == 1
	if s.who == "guest" {
		r.SessionFlags |= smb2.SessionIsGuest
	}
	if c.host.Profile.HidesGuests && c.cipher != 0 {
		r.SessionFlags = smb2.SessionEncryptData
	}
	c.keys(s, accepted.SessionKey)
	return r, status.Success, s
}

// keys keeps what the session's keys are derived from. The client cannot know a guest's, so a guest gets none.
func (c *smb2Conn) keys(s *session, key []byte) {
	if s.who != "guest" {
		s.secret = &secret{key: key, dialect: c.dialect, signing: c.signing, cipher: c.cipher, preauth: s.preauth}
	}
}

// secret is what both ends of a session derive keys from. They are derived when they are needed: most of anonymous'
// sessions never sign or encrypt.
type secret struct {
	key       []byte
	dialect   uint16
	signing   smbcrypt.Algorithm
	cipher    smbcrypt.Cipher
	preauth   smbcrypt.Preauth
	signer    *smbcrypt.Signer
	transform *smbcrypt.Transform
}

// signs returns what signs the session's messages; nil for a guest.
func (s *session) signs() *smbcrypt.Signer {
	k := s.secret
	switch {
	case k == nil:
		return nil
	case k.signer != nil:
		return k.signer
	}
	algorithm, key := smbcrypt.HMACSHA256, k.key[:min(16, len(k.key))]
	if k.dialect >= smb2.Dialect300 {
		algorithm, key = k.signing, smbcrypt.DeriveSigning(k.dialect, k.key, &k.preauth)
	}
	signer, err := smbcrypt.NewSigner(algorithm, key)
	if err == nil {
		k.signer = signer
	}
	return k.signer
}

// encrypts returns what encrypts the session's frames; nil without a cipher, and for a guest.
func (s *session) encrypts() *smbcrypt.Transform {
	k := s.secret
	if k == nil || k.cipher == 0 || k.dialect < smb2.Dialect300 {
		return nil
	}
	if k.transform == nil {
		keys := smbcrypt.DeriveKeys(k.dialect, k.cipher, k.key, &k.preauth)
		t, err := smbcrypt.NewTransform(k.cipher, keys.ServerCipher, keys.ClientCipher, s.id)
		if err != nil {
			return nil
		}
		k.transform = t
	}
	return k.transform
}
