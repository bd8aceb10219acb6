package gateway

import (
	"bytes"
	"fmt"

	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

const (
	// maxFrame is the longest frame of a client in bytes: a WRITE of 8 MiB, the maximum that servers offer, with its
	// headers. See [MS-SMB2] 3.3.5.4, <250>.
	maxFrame = 8<<20 + 64<<10

	// maxFrameNobody is the longest frame before a user has logged on, in bytes: a longer one is shorter to servers
	// that read 16 bits of the length, and what follows is another frame. By default, tokens of Windows have at most
	// 48,000 bytes.
	maxFrameNobody = 1<<16 - 1

	// relatedSession is the SessionId of a related message: the session of the previous one.
	relatedSession = 1<<64 - 1

	// relatedTree is its TreeId: the tree of the previous one.
	relatedTree = 1<<32 - 1
)

// request judges the client's next frame and forwards it.
func (c *conn) request() error {
	n, err := c.begin()
	if err != nil {
		return err
	}
	if c.up.unread()[0] != nbss.SessionMessage { // a keep-alive or a session request
		return c.up.passRest()
	}
	switch done, err := c.rawData(n); {
	case done:
		return err
	case n == 0:
		return c.up.passRest()
	}
	limit := maxFrameNobody
	if c.table.known() {
		limit = maxFrame
	}
	if n > limit {
		return refusal{ReasonTooMuch, fmt.Sprintf("a frame of %d bytes, where %d may come", n, limit)}
	}
	kind, b, err := kindOf(&c.up, n)
	if err != nil {
		return err
	}
	switch kind {
	case smb2.KindPlain:
		return c.plain(b, n)
	case smb2.KindEncrypted:
		return c.encrypted(b)
	case smb2.KindCompressed:
		if !c.table.known() {
			return refusal{ReasonCompressed, "a compressed frame, and no user has come in"}
		}
		for _, s := range c.table.watching() {
			c.unseen(s, "compressed")
		}
		return c.up.passRest()
	case smb2.KindSMB1:
		return c.smb1Request(b, n)
	}
	if spoken, _ := c.table.state(); spoken == dialectSMB1 && bytes.HasPrefix(b, sealed) && c.table.trusts() {
		return c.up.passRest()
	}
	return refusal{ReasonProtocol, fmt.Sprintf("a frame that starts with % X", b[:min(4, len(b))])}
}

// encrypted judges a frame by the session whose key encrypts it. See [MS-SMB2] 2.2.41.
func (c *conn) encrypted(b []byte) error {
	if len(b) < smb2.TransformLen {
		return refusal{ReasonMalformed, "a transform header that is cut off"}
	}
	id := le.Uint64(b[smb2.TransformLen-8:])
	s := c.table.find(id)
	spoken, _ := c.table.state()
	switch {
	case s == nil && spoken != dialectSMB1 && c.table.settled():
		return c.up.passRest() // the server has no key for it either, and ends the connection
	case !s.user():
		return refusal{ReasonEncrypted, "an encrypted frame of a session that is no user's"}
	}
	c.unseen(s, "encrypted")
	return c.up.passRest()
}

// plain judges a frame of SMB2 messages.
func (c *conn) plain(b []byte, n int) error {
	var h smb2.Header
	if err := h.Unmarshal(b); err != nil {
		return refusal{ReasonMalformed, err.Error()}
	}
	switch {
	case h.IsResponse():
		return refusal{ReasonMalformed, "an answer that comes from the client"}
	case h.NextCommand != 0:
		return c.chain(&h, n)
	case h.Command == smb2.Negotiate:
		if err := c.table.wait(h.MessageID, waiting{negotiate: true}); err != nil {
			return err
		}
		return c.up.passRest()
	}
	switch spoken, negotiated := c.table.state(); {
	case !negotiated:
		return refusal{ReasonMalformed, h.Command.String() + " before NEGOTIATE"}
	case spoken == dialectSMB1:
		return refusal{ReasonSMB1, "SMB2 in the middle of SMB1"}
	}
	if h.Command == smb2.SessionSetup {
		return c.setup(&h, n)
	}
	return c.ordinary(&h, n)
}

// ordinary judges a message other than NEGOTIATE and SESSION_SETUP that is the only one in its frame.
func (c *conn) ordinary(h *smb2.Header, n int) error {
	s := c.table.find(h.SessionID)
	switch {
	case s.user():
		if s.watch != nil {
			at := member{session: h.SessionID, tree: h.TreeID, file: smb2.RelatedFileID}
			if err := c.watch(h, s, n, nbss.HeaderLen, &at); err != nil {
				return err
			}
		}
		if h.Command == smb2.Logoff {
			if err := c.table.wait(h.MessageID, waiting{logoff: h.SessionID}); err != nil {
				return err
			}
		}
		return c.up.passRest()
	case s.judged():
		return c.stranger(h, s, n)
	case h.SessionID == 0 && h.Command == smb2.Echo:
		return c.up.passRest()
	case h.Command == smb2.Cancel: // it gets no response, and no request of the session was forwarded
		return c.up.dropRest()
	case s == nil && (c.observing() || c.table.settled()):
		return c.up.passRest() // the server decides, and can sign its answer
	case s == nil:
		return c.refuse(&refused{request: *h, status: status.UserSessionDeleted},
			refusal{ReasonSession, fmt.Sprintf("%v in a session that is not here", h.Command)})
	}
	return c.refuse(&refused{request: *h, status: status.AccessDenied},
		refusal{s.refused, fmt.Sprintf("%v in a session that was refused", h.Command)})
}

// refuse answers a request in place of the server, which gets a request without effect instead.
func (c *conn) refuse(r *refused, why refusal) error {
	if c.observing() {
		return why // pump counts it and forwards the frame
	}
	c.report(why)
	if err := c.up.dropRest(); err != nil {
		return err
	}
	if err := c.table.wait(r.request.MessageID, waiting{refused: r}); err != nil {
		return err
	}
	if s := c.table.find(r.request.SessionID); s != nil && s.refused != "" && c.table.end(s) {
		return c.toBack.send(r.logoff())
	}
	return c.toBack.send(r.standIn())
}

// chain judges each message of a compound, and forwards it while it reads the next. The server acts when it has the
// whole frame: closing the connection at a later message cancels the earlier ones.
func (c *conn) chain(first *smb2.Header, n int) error {
	h, at := *first, member{}
	for i := 0; ; i++ {
		if i == smb2.MaxChain {
			return refusal{ReasonTooMuch, fmt.Sprintf("a compound of more than %d messages", smb2.MaxChain)}
		}
		session, err := c.member(&h, at.session, i)
		if err != nil {
			return err
		}
		size := int(h.NextCommand)
		if size != 0 && (size < smb2.HeaderLen || size%8 != 0 || uint64(h.NextCommand) > uint64(n-smb2.HeaderLen)) {
			return refusal{ReasonCompound, fmt.Sprintf("NextCommand %d of %d bytes", h.NextCommand, n)}
		}
		if at.session = session; h.Flags&smb2.FlagRelated == 0 || i == 0 {
			at = member{session: session, tree: h.TreeID, file: smb2.RelatedFileID}
		} else if h.TreeID != relatedTree && h.TreeID != 0 {
			at.tree = h.TreeID
		}
		if s := c.table.find(session); s != nil && s.watch != nil {
			whole := size
			if size == 0 {
				whole = n
			}
			if err := c.watch(&h, s, whole, frameOf(i == 0), &at); err != nil {
				return err
			}
		}
		if size == 0 {
			return c.up.passRest()
		}
		n -= size
		if i == 0 {
			size += nbss.HeaderLen
		}
		if err := c.up.pass(size); err != nil {
			return err
		}
		if err := c.up.fill(smb2.HeaderLen); err != nil {
			return unexpected(err)
		}
		if err := h.Unmarshal(c.up.unread()); err != nil {
			return refusal{ReasonCompound, err.Error()}
		}
	}
}

// member judges one message of a compound: it must belong to a user by its own header and by the previous message,
// since servers use either. It returns the message's session.
func (c *conn) member(h *smb2.Header, before uint64, i int) (uint64, error) {
	id := h.SessionID
	if h.Flags&smb2.FlagRelated != 0 && i > 0 {
		if id == relatedSession || id == 0 {
			id = before
		} else if id != before && !(c.table.find(before).user() && c.table.find(id).user()) {
			return 0, refusal{ReasonCompound, "a related message behind one that is no user's"}
		}
	}
	switch {
	case h.IsResponse():
		return 0, refusal{ReasonCompound, "an answer that comes from the client"}
	case h.Command == smb2.Negotiate, h.Command == smb2.SessionSetup:
		return 0, refusal{ReasonCompound, h.Command.String() + " in a compound"}
	case !c.passes(id):
		return 0, refusal{ReasonCompound, fmt.Sprintf("%v of a session that is no user's", h.Command)}
	}
	return id, nil
}

// passes reports whether the messages of a session pass in a compound.
func (c *conn) passes(id uint64) bool {
	s := c.table.find(id)
	return s.user() || s == nil && c.table.settled()
}
