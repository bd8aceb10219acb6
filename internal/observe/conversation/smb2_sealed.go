package conversation

import (
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
)

// decryptable reports whether the keys of a frame's session can be derived.
func (c *smb2Conn) decryptable(frame []byte) bool {
	id, ok := smbcrypt.SessionID(frame)
	if !ok {
		return false
	}
	s := c.sessions[id]
	return s != nil && c.opened(s)
}

// opened derives the keys of a session that has none of its own.
func (c *smb2Conn) opened(s *session) bool {
	if !s.tried && s.seed != nil && c.cipher != 0 {
		s.tried = true
		keys := smbcrypt.DeriveKeys(c.dialect, c.cipher, s.seed, &s.preauth)
		up, err1 := smbcrypt.NewTransform(c.cipher, keys.ServerCipher, keys.ClientCipher, s.id)
		down, err2 := smbcrypt.NewTransform(c.cipher, keys.ClientCipher, keys.ServerCipher, s.id)
		if err1 == nil && err2 == nil {
			c.f.change(s, func() { s.open = [2]*smbcrypt.Transform{flow.ToServer: up, flow.ToClient: down} })
		}
	}
	return s.open[0] != nil
}

// encrypted handles a frame with a transform header whose relevant part was kept, and returns its fate.
func (c *smb2Conn) encrypted(d flow.Direction, msg []byte, n int) fate {
	id, ok := smbcrypt.SessionID(msg)
	if !ok {
		c.f.giveUp(badFrame)
		return fateUndecodable
	}
	if id == 0 {
		return fateOpaque // of no session, as impacket's last frame of a connection
	}
	s := c.session(id)
	if len(msg) == n && c.opened(s) {
		plain, err := s.open[d].Decrypt(msg)
		if err == nil {
			c.f.counts.Decrypted++
			s.good = true
			c.st.dialect, c.sealed = dialect.Name(c.dialect), true
			if smb2.KindOf(plain) == smb2.KindCompressed {
				return c.decompress(d, plain, true, n)
			}
			c.message(d, plain)
			return fateRead
		}
		if !s.good { // it is the wrong key
			s.open = [2]*smbcrypt.Transform{}
		}
		c.f.counts.Sealed++
	}
	c.seal(s)
	return fateOpaque
}

// touchInterval is how often an encrypted session that continues is reported again.
const touchInterval = time.Minute

// seal counts a frame that is not decrypted. The first one of a session becomes a row.
func (c *smb2Conn) seal(s *session) {
	s.sealed++
	if s.sealed == 1 {
		s.touched = c.st.now
		c.f.sink.Add(c.sealedUse(s))
		return
	}
	if c.st.now.Sub(s.touched) >= touchInterval {
		c.touchSealed(s)
	}
}

func (c *smb2Conn) touchSealed(s *session) {
	if s.sealed > 1 && c.st.now.After(s.touched) {
		s.touched = c.st.now
		c.f.sink.Touch(c.sealedUse(s))
	}
}

func (c *smb2Conn) sealedUse(s *session) model.Use {
	who := s.who
	u := c.use(identity{kind: model.Opaque, account: who.account, basis: "encrypted; " + who.basis}, model.LayerSession,
		s.touched)
	u.Outcome, u.Encrypted, u.Encryption, u.Dialect = model.Inconclusive, model.True, s.encryption,
		dialect.Name(c.dialect)
	u.Package, u.SPN, u.MIC, u.Raw, u.Binding = who.logon.with, who.logon.spn, who.logon.mic, who.logon.raw,
		who.logon.binding
	u.Agent = who.logon.agent
	return u
}
