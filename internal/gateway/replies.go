package gateway

import (
	"cmp"
	"fmt"
	"time"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// reply forwards the server's next frame, and handles the responses that are waited for.
func (c *conn) reply() error {
	if c.over() {
		return cmp.Or(c.down.flush(), errNobody)
	}
	if err := c.awaitServer(); err != nil {
		return err
	}
	n, err := c.down.frame()
	if err != nil {
		return err
	}
	switch typ := c.down.unread()[0]; {
	case typ == nbss.Retarget && !c.observing():
		return refusal{ReasonProtocol, "the server leads NetBIOS sessions to another address"}
	case typ != nbss.SessionMessage:
		return c.down.passRest()
	}
	switch seen, raw := c.table.expects(); {
	case raw:
		return c.rawAnswer(n)
	case n == 0, !seen:
		return c.down.passRest()
	}
	kind, b, err := kindOf(&c.down, n)
	switch {
	case err != nil:
		return err
	case kind == smb2.KindSMB1:
		return c.smb1Response(b, n)
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
	switch {
	case h.NextCommand != 0 && (!ok || w.judged()):
		return c.answers(&h, w, n)
	case !ok:
		return c.down.passRest()
	}
	return c.answer(&h, w, n)
}

// awaitServer lifts the time limit of a long frame that was forwarded: the server may say nothing as long as it likes.
func (c *conn) awaitServer() error {
	if !c.down.limited {
		return nil
	}
	err := c.down.deadline(time.Time{})
	if err == nil && c.half.Load() { // the other direction may have ended just now
		err = c.down.deadline(time.Now().Add(halfFor))
	}
	return err
}

// answers handles the responses of a compound, the first of which belongs to w. It skips a compound that is too long
// for the buffer: data for a pipe that was not seen opened is then refused.
func (c *conn) answers(h *smb2.Header, w waiting, n int) error {
	if n+nbss.HeaderLen > roomLen {
		return c.down.passRest()
	}
	msg, err := c.whole(h.Command, n)
	if err != nil {
		return err
	}
	for chain, first := smb2.NewChain(msg), true; chain.Next(); first = false {
		var h smb2.Header
		if err := h.Unmarshal(chain.Message); err != nil {
			break
		}
		if !first {
			var ok bool
			if w, ok = c.table.due(&h); ok && !w.judged() {
				return refusal{ReasonMalformed, fmt.Sprintf("the server answers %v in a compound", h.Command)}
			}
		}
		if err := w.settle(&h, chain.Message); err != nil {
			return refusal{ReasonMalformed, "the server: " + err.Error()}
		}
	}
	return c.down.passRest()
}

// judged reports whether the request belongs to a session whose requests are judged.
func (w *waiting) judged() bool { return w.connected != nil || w.opened != nil || w.data != nil }

// settle handles the server's response to such a request.
func (w *waiting) settle(h *smb2.Header, msg []byte) error {
	switch st := status.NTStatus(h.Status); {
	case st == status.Pending:
	case w.data != nil:
		w.data.flying.Add(-1)
	case st.IsError():
	case w.connected != nil:
		var r smb2.TreeConnectResponse
		if _, err := r.Unmarshal(msg); err != nil {
			return err
		}
		return w.connected(h.TreeID, r.ShareType == smb2.SharePipe)
	case w.opened != nil:
		var r smb2.CreateResponse
		if _, err := r.Unmarshal(msg); err != nil {
			return err
		}
		w.opened(r.FileID)
	}
	return nil
}

// whole returns a response of n bytes in full and leaves it unread.
func (c *conn) whole(command fmt.Stringer, n int) ([]byte, error) {
	if n+nbss.HeaderLen > roomLen {
		return nil, refusal{ReasonTooMuch, fmt.Sprintf("an answer to %v of %d bytes", command, n)}
	}
	if err := c.down.fill(nbss.HeaderLen + n); err != nil {
		return nil, unexpected(err)
	}
	return c.down.unread()[nbss.HeaderLen:][:n], nil
}

// answer handles a response that is waited for.
func (c *conn) answer(h *smb2.Header, w waiting, n int) error {
	switch {
	case w.refused != nil:
		if err := c.down.dropRest(); err != nil {
			return err
		}
		if status.NTStatus(h.Status) == status.Pending { // the final response follows
			return nil
		}
		return c.toClient.send(w.refused.answer(h.Credits))
	case w.logoff != 0:
		if status.NTStatus(h.Status) == status.Success {
			c.table.left(w.logoff)
			c.unwatch(watchKey{c.to, w.logoff})
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
	if w.judged() {
		if err := w.settle(h, msg); err != nil {
			return refusal{ReasonMalformed, "the server: " + err.Error()}
		}
		return c.down.passRest()
	}
	if h.Command != smb2.SessionSetup || h.NextCommand != 0 {
		return refusal{ReasonMalformed, "the server answers SESSION_SETUP with something else"}
	}
	defer c.table.recorded()
	return c.setupAnswer(h, msg, w.logon)
}
