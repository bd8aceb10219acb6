package gateway

import (
	"bytes"
	"fmt"

	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// A client of SMB1 may write in raw mode: it sends WRITE_RAW, and if the server answers that it waits for the data, the
// client's next frame is the data, without a header, and whatever it looks like. The client sends nothing else before
// that answer. See [MS-CIFS] 3.2.4.15.1 and 3.3.5.26.
//
// It may also read in raw mode: the whole next frame of the server is then the data, which may look like the answer to
// another request. See [MS-CIFS] 2.2.4.22.

// writeRaw is SMB_COM_WRITE_RAW. The server answers with the same command if it waits for the data, and with another if
// it does not. See [MS-CIFS] 2.2.4.25.
const writeRaw smb1.Command = 0x1D

// readRaw is SMB_COM_READ_RAW. See [MS-CIFS] 2.2.4.22.
const readRaw smb1.Command = 0x1A

// maxRaw is the most data in bytes: a longer frame is shorter to servers that read 17 bits of the length, and what
// follows is another frame. See [MS-CIFS] 2.2.4.25.
const maxRaw = 1<<16 - 1

// rawWrite is the state of a connection's write in raw mode; the zero value is none.
type rawWrite struct {
	asked bool   // the server has not answered the WRITE_RAW
	due   bool   // the server waits for the data
	mid   uint16 // of the WRITE_RAW
	user  bool   // a user writes, who is no stranger with an exception
}

// rawRead is the state of a connection's reads in raw mode; the zero value is none.
type rawRead struct {
	asked bool // the server has not sent the data
	ever  bool // data in raw mode may have come since the beginning, and been taken for an answer
	mixed bool // what was taken for data looked like a message, so that the data themselves may be still to come
}

// asksRaw records a READ_RAW or WRITE_RAW of a session, which is nil if the connection has none.
//
// Clients send a READ_RAW when no other request is pending. One that does not may make the gateway take the data for an
// answer, so an answer decides about raw data of a user only on a connection that has not read any.
func (t *table) asksRaw(h *smb1.Header, s *session) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.reads.asked:
		return errReadsRaw
	case h.Command == readRaw && len(t.waiting) > 0:
		return refusal{ReasonMalformed, "a READ_RAW before the answer to another request"}
	case h.Command == readRaw:
		t.reads.asked, t.reads.ever = true, true
	default:
		t.raw = rawWrite{asked: true, mid: h.MID, user: s.user() && !s.stranger() && !t.reads.ever}
	}
	return nil
}

// errReadsRaw refuses a request whose answer must be seen: the data of a READ_RAW would be taken for it.
var errReadsRaw = refusal{ReasonMalformed, "a request before the data of a READ_RAW"}

// errMixed refuses a logon whose answer may be data of a READ_RAW, which look as whoever wrote the file likes.
var errMixed = refusal{ReasonMalformed, "a logon after the data of a READ_RAW looked like a message"}

// readsRaw ends the wait for the data of a READ_RAW, which a frame of the server is. It may also be the answer to a
// request from before the READ_RAW, if it looks like a message.
func (t *table) readsRaw(message bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reads.asked, t.reads.mixed = false, t.reads.mixed || message
}

// rawAnswer forwards the server's next frame of n bytes, which is the data of a READ_RAW. What looks like an oplock
// break may be one that the server has sent before the READ_RAW came: data follow, if it is one.
func (c *conn) rawAnswer(n int) error {
	kind, b, err := kindOf(&c.down, n)
	if err != nil {
		return err
	}
	if kind == smb2.KindSMB1 {
		if h, err := smb1.ParseHeader(b); err == nil && h.Command == lockingAndX && !h.Reply() {
			return c.down.passRest()
		}
	}
	c.table.readsRaw(kind != smb2.KindUnknown || bytes.HasPrefix(b, sealed))
	return c.down.passRest()
}

// lockingAndX is SMB_COM_LOCKING_ANDX, with which servers break oplocks. See [MS-CIFS] 3.3.4.2.
const lockingAndX smb1.Command = 0x24

// answersRaw records the server's answer to a WRITE_RAW, if it is one. It must do so before the client has the answer.
func (t *table) answersRaw(h *smb1.Header) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.raw.asked && h.MID == t.raw.mid {
		t.raw.asked = false
		t.raw.due = h.Command == writeRaw && h.NTStatus() == status.Success
	}
}

// takesRaw returns the state at the client's next frame, which ends it: this frame is the data, if any is.
func (t *table) takesRaw() rawWrite {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.raw
	t.raw = rawWrite{}
	return r
}

// rawData forwards the client's next frame of n bytes if it is data in raw mode, and reports whether it is done. What
// a stranger writes must also be allowed as the command that it looks like.
func (c *conn) rawData(n int) (done bool, err error) {
	switch r := c.table.takesRaw(); {
	case r.asked:
		return true, refusal{ReasonMalformed, "a frame before the answer to a WRITE_RAW"}
	case !r.due:
		return false, nil
	case n > maxRaw:
		return true, refusal{ReasonTooMuch, fmt.Sprintf("%d bytes in raw mode, where %d may come", n, maxRaw)}
	case r.user, n == 0:
		return true, c.up.passRest()
	}
	kind, _, err := kindOf(&c.up, n)
	if err != nil || kind != smb2.KindUnknown {
		return err != nil, err
	}
	return true, c.up.passRest()
}
