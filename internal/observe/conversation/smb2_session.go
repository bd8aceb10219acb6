package conversation

import (
	"slices"

	"ipcguard/internal/model"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

func (c *smb2Conn) negotiateRequest(msg []byte) error {
	c.preauth, c.whole = smbcrypt.Preauth{}, false
	var r smb2.NegotiateRequest
	if _, err := r.Unmarshal(msg); err != nil {
		return err
	}
	c.st.offer = offerOfSMB2(&r)
	if slices.Contains(r.Dialects, smb2.Dialect311) {
		c.preauth.Add(msg)
		c.whole = true
	}
	return nil
}

func (c *smb2Conn) negotiateResponse(msg []byte) {
	var r smb2.NegotiateResponse
	if _, err := r.Unmarshal(msg); err != nil || r.Dialect == smb2.DialectWildcard {
		return
	}
	c.dialect = r.Dialect
	switch r.Dialect {
	case smb2.Dialect300, smb2.Dialect302:
		c.cipher = smbcrypt.AES128CCM
	case smb2.Dialect311:
		c.preauth.Add(msg)
		for _, x := range r.Contexts {
			var e smb2.EncryptionCapabilities
			if x.Type == smb2.ContextEncryption && e.Unmarshal(x.Data) == nil && len(e.Ciphers) > 0 {
				c.cipher = smbcrypt.Cipher(e.Ciphers[0])
			}
		}
	}
}

// maxSetups bounds the logons in progress on one connection.
const maxSetups = 64

func (c *smb2Conn) setupRequest(h *smb2.Header, msg []byte) error {
	var r smb2.SessionSetupRequest
	if _, err := r.Unmarshal(msg); err != nil {
		return err
	}
	s := c.setups[h.SessionID]
	if s == nil || h.SessionID == 0 {
		s = &setup{preauth: c.preauth, whole: c.whole}
	}
	s.at = c.st.now
	s.binding = r.Flags&smb2.SessionBinding != 0
	c.f.token(&s.logon, r.SecurityBuffer)
	if s.damaged {
		c.f.giveUp(badToken)
	}
	if c.dialect == smb2.Dialect311 {
		s.preauth.Add(msg)
	}
	c.wait(h.MessageID, smb2Request{command: smb2.SessionSetup, setup: s})
	return nil
}

func (c *smb2Conn) setupResponse(h *smb2.Header, msg []byte, q smb2Request) {
	st := status.NTStatus(h.Status)
	if st == status.MoreProcessingRequired {
		if c.dialect == smb2.Dialect311 {
			q.setup.preauth.Add(msg)
		}
		var r smb2.SessionSetupResponse
		if _, err := r.Unmarshal(msg); err == nil && q.setup.kerberos {
			c.f.proxied(r.SecurityBuffer)
		}
		put(c.Conversation, &c.setups, boundSetups2, h.SessionID, q.setup, nil)
		return
	}
	forget(c.Conversation, c.setups, boundSetups2, h.SessionID)
	if st.IsError() {
		id := q.setup.claimed()
		if !q.setup.decided() && st == status.RequestNotAccepted {
			return
		}
		c.tellLogon(id, q.at, st)
		return
	}
	var r smb2.SessionSetupResponse
	if _, err := r.Unmarshal(msg); err != nil {
		c.f.giveUp(badFrame)
	}
	who := q.setup.who(r.SessionFlags&smb2.SessionIsGuest != 0, r.SessionFlags&smb2.SessionIsNull != 0)
	c.loggedOn(h.SessionID, who, q.setup)
	if r.SessionFlags&smb2.SessionEncryptData != 0 {
		c.sessions[h.SessionID].encryption = model.EncryptionSession
	}
	c.tellLogon(who, q.at, st)
}

// loggedOn makes the session of a logon, or changes the identity of an existing one.
func (c *smb2Conn) loggedOn(id uint64, who identity, from *setup) {
	s := c.sessions[id]
	if s == nil && from != nil && from.binding {
		if e, ok := c.f.recall(c.boundKey(id)); ok {
			s = e.s
		}
	}
	fresh := s == nil || s.who == notSeen
	if s == nil {
		s = &session{id: id}
	}
	c.f.change(s, func() { s.who = who })
	if fresh && from != nil && c.whole == (c.dialect == smb2.Dialect311) && who.kind.IsStranger() {
		s.seed, s.preauth = from.seed(), from.preauth // a renewed logon keeps its keys
	}
	c.addSession(id, s)
	c.f.remember(c.boundKey(id), c.conn.Client, s)
}

// setupAnswerAlone handles a logon of which only the answer was seen: its flags may still say who it is.
func (c *smb2Conn) setupAnswerAlone(h *smb2.Header, msg []byte) {
	var r smb2.SessionSetupResponse
	if h.Status != uint32(status.Success) {
		return
	}
	if _, err := r.Unmarshal(msg); err != nil {
		return
	}
	who := (&logon{}).who(r.SessionFlags&smb2.SessionIsGuest != 0, r.SessionFlags&smb2.SessionIsNull != 0)
	c.loggedOn(h.SessionID, who, nil)
	c.tellLogon(who, c.st.now, status.Success)
}

// session returns a session of this connection or one known from another, or makes one with an unknown logon.
func (c *smb2Conn) session(id uint64) *session {
	if s := c.sessions[id]; s != nil {
		return s
	}
	if e, ok := c.f.recall(c.boundKey(id)); ok && c.conn.Midstream && e.client.IP == c.conn.Client.IP && id != 0 {
		c.addSession(id, e.s)
		return e.s
	}
	s := &session{id: id, who: notSeen}
	c.addSession(id, s)
	return s
}

func (c *smb2Conn) addSession(id uint64, s *session) {
	if old := c.sessions[id]; old != s {
		if old != nil {
			c.endSession(old)
		}
		c.f.enter(s)
	}
	put(c.Conversation, &c.sessions, boundSessions, id, s, c.endSession)
}

// endSession emits what is unanswered in a session without any connection left.
func (c *smb2Conn) endSession(s *session) {
	c.touchSealed(s)
	if c.f.leave(s) {
		s.end(c.Conversation)
	}
}
