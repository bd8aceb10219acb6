package conversation

import (
	"slices"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

func (c *Conversation) negotiateRequest(msg []byte) error {
	two := c.st.two
	two.preauth, two.whole = smbcrypt.Preauth{}, false
	var r smb2.NegotiateRequest
	if _, err := r.Unmarshal(msg); err != nil {
		return err
	}
	if slices.Contains(r.Dialects, smb2.Dialect311) {
		two.preauth.Add(msg)
		two.whole = true
	}
	return nil
}

func (c *Conversation) negotiateResponse(msg []byte) {
	two := c.st.two
	var r smb2.NegotiateResponse
	if _, err := r.Unmarshal(msg); err != nil || r.Dialect == smb2.DialectWildcard {
		return
	}
	two.dialect = r.Dialect
	switch r.Dialect {
	case smb2.Dialect300, smb2.Dialect302:
		two.cipher = smbcrypt.AES128CCM
	case smb2.Dialect311:
		two.preauth.Add(msg)
		for _, x := range r.Contexts {
			var e smb2.EncryptionCapabilities
			if x.Type == smb2.ContextEncryption && e.Unmarshal(x.Data) == nil && len(e.Ciphers) > 0 {
				two.cipher = smbcrypt.Cipher(e.Ciphers[0])
			}
		}
	}
}

// maxSetups is how many logons may be on their way on one connection.
const maxSetups = 64

func (c *Conversation) setupRequest(h *smb2.Header, msg []byte) error {
	var r smb2.SessionSetupRequest
	if _, err := r.Unmarshal(msg); err != nil {
		return err
	}
	two := c.st.two
	s := two.setups[h.SessionID]
	if s == nil || h.SessionID == 0 {
		s = &setup{preauth: two.preauth, whole: two.whole}
	}
	s.at = c.st.now
	s.binding = r.Flags&smb2.SessionBinding != 0
	c.f.token(&s.logon, r.SecurityBuffer)
	if s.damaged {
		c.f.giveUp(badToken)
	}
	if two.dialect == smb2.Dialect311 {
		s.preauth.Add(msg)
	}
	c.wait(h.MessageID, pending{command: smb2.SessionSetup, setup: s})
	return nil
}

func (c *Conversation) setupResponse(h *smb2.Header, msg []byte, q pending) {
	two := c.st.two
	st := status.NTStatus(h.Status)
	if st == status.MoreProcessingRequired {
		if two.dialect == smb2.Dialect311 {
			q.setup.preauth.Add(msg)
		}
		if two.setups == nil {
			two.setups = make(map[uint64]*setup)
		}
		if len(two.setups) >= maxSetups {
			c.f.giveUp(tooMuchState)
			clear(two.setups)
		}
		two.setups[h.SessionID] = q.setup
		return
	}
	delete(two.setups, h.SessionID)
	if st.IsError() {
		id := q.setup.claimed()
		if id.kind == model.Unknown && q.setup.auth == nil && !q.setup.kerberos && !q.setup.damaged && st == status.RequestNotAccepted {
			return
		}
		if st == status.NoSuchUser && id.kind == model.User {
			id.kind = model.UnknownUser
		}
		u := c.use(id, model.LayerSession, q.at)
		u.Outcome, u.Status = smbOutcome(model.LayerSession, st), st.String()
		c.f.sink.Add(u)
		return
	}
	var r smb2.SessionSetupResponse
	if _, err := r.Unmarshal(msg); err != nil {
		c.f.giveUp(badFrame)
	}
	who := q.setup.who(r.SessionFlags&smb2.SessionIsGuest != 0, r.SessionFlags&smb2.SessionIsNull != 0)
	c.loggedOn(h.SessionID, who, q.setup)
	u := c.use(who, model.LayerSession, q.at)
	u.Outcome, u.Status = model.Allowed, st.String()
	c.f.sink.Add(u)
}

// loggedOn makes the session of a logon, or changes who an existing one is.
func (c *Conversation) loggedOn(id uint64, who identity, from *setup) {
	two := c.st.two
	s := two.sessions[id]
	if s == nil && from != nil && from.binding {
		if e, ok := c.f.recall(c.boundKey(id)); ok {
			s = e.s
		}
	}
	fresh := s == nil || s.who == notSeen
	if s == nil {
		s = &session{id: id}
	}
	s.who = who
	if fresh && from != nil && two.whole == (two.dialect == smb2.Dialect311) &&
		(who.kind == model.Anonymous || who.kind == model.Guest) {
		s.seed, s.preauth = from.seed(), from.preauth // a logon that is renewed keeps its keys
	}
	c.addSession(id, s)
	c.f.remember(c.boundKey(id), c.conn.Client, s)
}

// setupAnswerAlone takes a logon of which the answer alone was seen: the flags may still tell.
func (c *Conversation) setupAnswerAlone(h *smb2.Header, msg []byte) {
	var r smb2.SessionSetupResponse
	if h.Status != uint32(status.Success) {
		return
	}
	if _, err := r.Unmarshal(msg); err != nil {
		return
	}
	who := (&logon{}).who(r.SessionFlags&smb2.SessionIsGuest != 0, r.SessionFlags&smb2.SessionIsNull != 0)
	c.loggedOn(h.SessionID, who, nil)
	u := c.use(who, model.LayerSession, c.st.now)
	u.Outcome, u.Status = model.Allowed, status.Success.String()
	c.f.sink.Add(u)
}

// decryptable tells whether a frame belongs to a session whose key can be derived.
func (c *Conversation) decryptable(frame []byte) bool {
	id, ok := smbcrypt.SessionID(frame)
	if !ok || c.st.two == nil {
		return false
	}
	s := c.st.two.sessions[id]
	return s != nil && c.opened(s)
}

// opened derives the keys of a session that has none of its own.
func (c *Conversation) opened(s *session) bool {
	two := c.st.two
	if !s.tried && s.seed != nil && two.cipher != 0 {
		s.tried = true
		keys := smbcrypt.DeriveKeys(two.dialect, two.cipher, s.seed, &s.preauth)
		up, err1 := smbcrypt.NewTransform(two.cipher, keys.ServerCipher, keys.ClientCipher, s.id)
		down, err2 := smbcrypt.NewTransform(two.cipher, keys.ClientCipher, keys.ServerCipher, s.id)
		if err1 == nil && err2 == nil {
			s.open = [2]*smbcrypt.Transform{flow.ToServer: up, flow.ToClient: down}
		}
	}
	return s.open[0] != nil
}

// encrypted takes a frame with a transform header, of which all that matters was kept.
func (c *Conversation) encrypted(d flow.Direction, msg []byte, n int) {
	id, ok := smbcrypt.SessionID(msg)
	if !ok {
		c.f.giveUp(badFrame)
		return
	}
	if id == 0 {
		return // of no session, as impacket's last frame of a connection
	}
	c.state2()
	s := c.session(id)
	if len(msg) == n && c.opened(s) {
		plain, err := s.open[d].Decrypt(msg)
		if err == nil {
			c.f.counts.Decrypted++
			s.good = true
			if smb2.KindOf(plain) == smb2.KindCompressed {
				c.decompress(d, plain, true, n)
			} else {
				c.frame2(d, plain)
			}
			return
		}
		if !s.good { // it is not the key after all
			s.open = [2]*smbcrypt.Transform{}
		}
		c.f.counts.Sealed++
		c.f.counts.Readable -= int64(n + nbss.HeaderLen)
		c.f.counts.Opaque += int64(n + nbss.HeaderLen)
	}
	c.seal(s)
}
