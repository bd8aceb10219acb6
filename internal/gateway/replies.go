package gateway

import (
	"fmt"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// reply moves the server's next frame, and takes the answers that something waits for.
func (c *conn) reply() error {
	n, err := c.down.frame()
	if err != nil {
		return err
	}
	switch typ := c.down.unread()[0]; {
	case typ == nbss.Retarget && !c.observing():
		return refusal{ReasonProtocol, "the server leads NetBIOS sessions to another address"}
	case n == 0, typ != nbss.SessionMessage, !c.table.waits():
		return c.down.passRest()
	}
	kind, b, err := kindOf(&c.down, n)
	switch {
	case err != nil:
		return err
	case kind == smb2.KindSMB1:
		return c.reply1(b, n)
	case kind != smb2.KindPlain:
		return c.down.passRest()
	}
	var h smb2.Header
	if err := h.Unmarshal(b); err != nil {
		return refusal{ReasonMalformed, "the server: " + err.Error()}
	}
	if !h.IsResponse() {
		return c.down.passRest()
	}
	w, ok := c.table.due(&h)
	if !ok {
		return c.down.passRest()
	}
	return c.answer(&h, w, n)
}

// whole is an answer of n bytes in full, which stays unread.
func (c *conn) whole(command fmt.Stringer, n int) ([]byte, error) {
	if n+nbss.HeaderLen > roomLen {
		return nil, refusal{ReasonTooMuch, fmt.Sprintf("an answer to %v of %d bytes", command, n)}
	}
	if err := c.down.fill(nbss.HeaderLen + n); err != nil {
		return nil, unexpected(err)
	}
	return c.down.unread()[nbss.HeaderLen:][:n], nil
}

// answer takes an answer that something waits for.
func (c *conn) answer(h *smb2.Header, w waiting, n int) error {
	switch {
	case w.refused != nil:
		if err := c.down.dropRest(); err != nil {
			return err
		}
		if status.NTStatus(h.Status) == status.Pending { // the answer is still to come
			return nil
		}
		return c.toClient.send(w.refused.answer(h.Credits))
	case w.logoff != 0:
		if status.NTStatus(h.Status) == status.Success {
			c.table.left(w.logoff)
		}
		return c.down.passRest()
	}
	msg, err := c.whole(h.Command, n)
	if err != nil {
		return err
	}
	if w.negotiate {
		var r smb2.NegotiateResponse
		if _, err := r.Unmarshal(msg); err == nil {
			c.table.speaks(dialect.Name(r.Dialect))
		}
		return c.down.passRest()
	}
	if w.data != nil {
		if status.NTStatus(h.Status) != status.Pending {
			c.table.arrived(w.data)
		}
		return c.down.passRest()
	}
	if w.watch != nil {
		if err := w.answered(h, msg); err != nil {
			return refusal{ReasonMalformed, "the server: " + err.Error()}
		}
		return c.down.passRest()
	}
	if w.session != nil {
		if err := c.table.opened(h, msg, &w); err != nil {
			return refusal{ReasonMalformed, "the server: " + err.Error()}
		}
		return c.down.passRest()
	}
	if h.Command != smb2.SessionSetup || h.NextCommand != 0 {
		return refusal{ReasonMalformed, "the server answers SESSION_SETUP with something else"}
	}
	return c.setupAnswer(h, msg, w.logon)
}
