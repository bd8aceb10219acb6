package gateway

import (
	"encoding/binary"
	"fmt"

	"ipcguard/internal/model"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

var le = binary.LittleEndian

// setupFixed is the offset of the token in a SESSION_SETUP: clients use it, and servers interpret others differently.
// See [MS-SMB2] 2.2.5.
const setupFixed = smb2.HeaderLen + 24

// setup judges a SESSION_SETUP by its token, and forwards it unchanged or answers it.
func (c *conn) setup(h *smb2.Header, n int) error {
	if n+nbss.HeaderLen > roomLen {
		return refusal{ReasonTooMuch, fmt.Sprintf("a SESSION_SETUP of %d bytes", n)}
	}
	if err := c.up.fill(nbss.HeaderLen + n); err != nil {
		return unexpected(err)
	}
	msg := c.up.unread()[nbss.HeaderLen:][:n]
	var r smb2.SessionSetupRequest
	if _, err := r.Unmarshal(msg); err != nil {
		return refusal{ReasonMalformed, "SESSION_SETUP: " + err.Error()}
	}
	if len(r.SecurityBuffer) > 0 && r.SecurityOffset != setupFixed {
		return refusal{ReasonMalformed, fmt.Sprintf("SESSION_SETUP: its token lies at %d", r.SecurityOffset)}
	}
	l, err := c.table.setup(h.SessionID)
	if err != nil {
		return err
	}
	l.request(r.SecurityBuffer)
	claim := l.claimed()
	if why, no := l.refusal(claim, c.table.find(l.session)); no && !(claim.stranger() && c.lets(claim).any()) {
		c.table.failed(h.SessionID)
		if !c.observing() {
			c.row(claim, model.Denied, status.AccessDenied)
			return c.refuse(&refused{request: *h, status: status.AccessDenied}, why)
		}
		c.report(why)
		l.counted = true
	}
	if err := c.table.wait(h.MessageID, waiting{logon: l}); err != nil {
		return err
	}
	return c.up.passRest()
}

// refusal returns why a logon need not reach the server. renewed is the session that it renews, or nil: Samba makes a
// user who renews a session under another name a guest without saying so. The domains of the names do not matter:
// clients write them in several ways.
func (l *logon) refusal(claim caller, renewed *session) (refusal, bool) {
	switch {
	case l.damaged != "":
		return refusal{ReasonUnreadable, l.damaged}, true
	case claim.who == model.Anonymous:
		return refusal{ReasonAnonymous, claim.basis}, true
	case renewed != nil && (renewed.refused != "" || renewed.stranger()) && !claim.stranger():
		return refusal{ReasonRenewal, "a stranger's session is renewed by another name"}, true
	case renewed != nil && renewed.name != "" && claim.name != "" && lower(renewed.name) != lower(claim.name):
		return refusal{ReasonUnreadable, "a session is renewed by another name"}, true
	}
	return refusal{}, false
}

// lets returns what the policy allows a caller.
func (c *conn) lets(who caller) leave { return c.way.Route().Policy.lets(who, c.client, c.to) }

// setupAnswer judges the server's response to a SESSION_SETUP: only the response says who has logged on.
func (c *conn) setupAnswer(h *smb2.Header, msg []byte, l *logon) error {
	st := status.NTStatus(h.Status)
	switch {
	case st == status.Pending:
		return c.down.passRest()
	case st == status.MoreProcessingRequired:
		var r smb2.SessionSetupResponse
		if _, err := r.Unmarshal(msg); err == nil {
			l.answer(r.SecurityBuffer)
		}
		if err := c.table.underway(h.SessionID, l); err != nil {
			return err
		}
		return c.down.passRest()
	case st.IsError():
		c.table.failed(h.SessionID)
		c.row(l.claimed(), denied(st), st)
		return c.down.passRest()
	}
	var r smb2.SessionSetupResponse
	if _, err := r.Unmarshal(msg); err != nil {
		return refusal{ReasonMalformed, "the server's SESSION_SETUP: " + err.Error()}
	}
	who := l.come(r.SessionFlags&smb2.SessionIsGuest != 0, r.SessionFlags&smb2.SessionIsNull != 0)
	who.encrypted = r.SessionFlags&smb2.SessionEncryptData != 0
	who.earlier = l.session != 0 && l.session == h.SessionID
	return c.cameIn(h, who)
}

// denied returns the outcome that a server's refusal of a logon means.
func denied(st status.NTStatus) model.Outcome {
	if st.Answer() == status.No {
		return model.Denied
	}
	return model.Inconclusive
}

// cameIn starts a session, or turns the server's success into a refusal. The server then has a session that is not
// used: the first request in it is replaced by a LOGOFF. If no user is logged on, who would be affected, it ends the
// connection.
func (c *conn) cameIn(h *smb2.Header, who caller) error {
	if may := c.lets(who); may.any() || c.observing() {
		if may.all {
			may.rules = nil
		}
		return c.letIn(h.SessionID, who, may)
	}
	why := refusal{reasonOf(who), who.basis}
	c.row(who, model.Denied, status.AccessDenied)
	if err := c.table.come(h.SessionID, &session{caller: who, refused: why.reason}); err != nil {
		return err
	}
	if err := c.down.dropRest(); err != nil {
		return err
	}
	c.report(why) // before the response: the client may close the connection as soon as it has it
	no := &refused{request: *h, status: status.AccessDenied}
	if err := c.toClient.send(no.answer(h.Credits)); err != nil {
		return err
	}
	if !c.table.known() {
		return reported{why}
	}
	return nil
}

// letIn starts a session.
func (c *conn) letIn(id uint64, who caller, may leave) error {
	if !may.any() && !who.counted {
		c.report(refusal{reasonOf(who), who.basis})
	}
	c.g.stats.came(who)
	c.row(who, model.Allowed, status.Success)
	s := &session{caller: who}
	if deny := c.way.Route().Policy.denies(c.client, c.to); deny != nil && !who.stranger() {
		s.watch = c.join(watchKey{c.to, id}, deny, who.earlier)
		if dialect, _ := c.table.state(); dialect == dialectSMB1 {
			c.unseen(s, "SMB1")
		} else if s.watch.late {
			c.unseen(s, "the session began before the policy, or past this gateway")
		}
	}
	if len(may.rules) > 0 {
		s.open = &conversation{rules: may.rules, trees: map[uint32]bool{}, opens: map[smb2.FileID]*open{}}
	}
	if err := c.table.come(id, s); err != nil {
		return err
	}
	return c.down.passRest()
}

func reasonOf(who caller) Reason {
	switch who.who {
	case model.Anonymous:
		return ReasonAnonymous
	case model.Guest, model.UnknownUser:
		return ReasonGuest
	}
	return ReasonUnreadable
}
