package smb2client

import (
	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/smb/transport"
	"ipcguard/internal/status"
)

// answer is a response: its header, and the message with it.
type answer struct {
	header smb2.Header
	msg    []byte
}

// status returns the answer's status as an error in a layer; nil for success.
func (a *answer) status(layer string) error {
	if a.header.Status == uint32(status.Success) {
		return nil
	}
	return refused(layer, a.header.Status)
}

func refused(layer string, s uint32) error { return dialect.Refused(layer, status.NTStatus(s)) }

// body decodes the answer's body; an invalid answer is a transport error.
func (a *answer) body(layer string, b smb2.Body) error {
	if _, err := b.Unmarshal(a.msg); err != nil {
		return transport.Malformed(layer, err)
	}
	return nil
}

// check reads an answer's header and, for sessions with a secret, verifies that the server sent it.
func (c *Client) check(a *answer, r request, encrypted uint64) error {
	if err := a.header.Unmarshal(a.msg); err != nil {
		return transport.Malformed(r.layer, err)
	}
	s := r.session
	// Plain answers have no session's number here, which is 0, and a server may have called a session that.
	if r.encrypt && (encrypted == 0 || encrypted != s.id) && !sessionGone(a.header.Status) {
		return c.conn.Distrust(r.layer, "an answer that should be encrypted is not")
	}
	switch {
	case s == nil || !s.secret || !r.sign || sessionGone(a.header.Status):
		return nil
	case encrypted != 0 && encrypted == s.id: // the key of a stranger's session beside it would prove nothing
		return nil
	case !a.header.IsSigned():
		return c.conn.Distrust(r.layer, "an answer that should be signed is not")
	case !s.signer.Verify(a.msg):
		return c.conn.Distrust(r.layer, "an answer with a wrong signature")
	}
	return nil
}

// sessionGone are the statuses that a server can only send without the session's keys.
func sessionGone(s uint32) bool {
	const userSessionDeleted, networkSessionExpired = 0xC0000203, 0xC000035C
	return s == userSessionDeleted || s == networkSessionExpired
}

// Receive splits a frame and delivers each message to its request.
func (c *Client) Receive(frame []byte) error {
	var encrypted uint64
	switch smb2.KindOf(frame) {
	case smb2.KindPlain:
	case smb2.KindEncrypted:
		plain, id, err := c.decrypt(frame)
		if err != nil {
			return err
		}
		frame, encrypted = plain, id
	case smb2.KindCompressed:
		return transport.Broken("a compressed answer, though compression was not offered")
	default:
		return transport.Broken("an SMB1 answer in an SMB2 conversation")
	}
	chain := smb2.NewChain(frame)
	for chain.Next() {
		if err := c.dispatch(chain.Message, encrypted); err != nil {
			return err
		}
	}
	if err := chain.Err(); err != nil {
		return transport.Malformed("", err)
	}
	return nil
}

// unsolicited is the MessageId of what a server sends unasked.
const unsolicited = 1<<64 - 1

func (c *Client) dispatch(msg []byte, encrypted uint64) error {
	var h smb2.Header
	if err := h.Unmarshal(msg); err != nil {
		return transport.Malformed("", err)
	}
	switch {
	case !h.IsResponse():
		return transport.Broken("the server sent a request")
	case h.MessageID == unsolicited:
		return nil // oplocks are never asked for: nothing to do
	}
	pending := h.Status == uint32(status.Pending) && h.IsAsync()
	request, late := c.conn.Find(h.MessageID)
	switch {
	case request == nil && !late:
		return transport.Broken("an answer to a question that was not asked (MessageId %d)", h.MessageID)
	case request == nil && !pending:
		c.conn.Forget(h.MessageID)
	}
	c.credits.grant(h.Credits)
	if request == nil {
		return nil
	}
	if pending {
		if request.Interim++; request.Interim > maxInterim {
			return transport.Broken("STATUS_PENDING without end")
		}
		return nil
	}
	c.conn.Deliver(request, transport.Reply{Message: msg, Encrypted: encrypted})
	return nil
}

func (c *Client) decrypt(frame []byte) (plain []byte, id uint64, err error) {
	id, ok := smbcrypt.SessionID(frame)
	c.mu.Lock()
	s := c.sessions[id]
	c.mu.Unlock()
	if !ok || s == nil || s.transform == nil {
		return nil, 0, transport.Broken("an encrypted answer for a session that does not encrypt")
	}
	plain, err = s.transform.Decrypt(frame)
	if err != nil {
		return nil, 0, &transport.Error{Reason: "an encrypted answer that does not decrypt", Err: err}
	}
	return plain, id, nil
}
