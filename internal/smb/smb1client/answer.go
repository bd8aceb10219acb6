package smb1client

import (
	"errors"
	"fmt"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/smb/transport"
	"ipcguard/internal/status"
)

// expected is the state of a request in flight: what it waits for, and what has arrived. The reading goroutine writes
// it until the answer is complete.
type expected struct {
	command smb1.Command
	signer  *smbcrypt.Signer1 // nil where the answer is not signed
	number  uint32            // of its answers
	parts   int
	whole   *smb1.TransResponse // of a TRANSACTION in several answers
	got     int                 // bytes of its data
}

// Receive processes one frame: it matches an answer with its request, checks its signature and assembles the answers of
// a TRANSACTION.
func (c *Client) Receive(frame []byte) error {
	h, err := smb1.ParseHeader(frame)
	if err != nil {
		return transport.Broken("an SMB2 answer in an SMB1 conversation")
	}
	if !h.Reply() {
		return transport.Broken("the server sent a request")
	}
	sent, late := c.conn.Find(uint64(h.MID))
	if sent == nil && late {
		return nil // and not forgotten: further parts may come, and nextMID leaves the number alone
	}
	if sent == nil {
		return transport.Broken("an answer to a question that was not asked (MID %d)", h.MID)
	}
	e := sent.State.(*expected)
	if h.Command != e.command {
		return transport.Broken("an answer to %v where %v was asked", h.Command, e.command)
	}
	if e.signer != nil && !e.signer.Verify(frame, e.number) {
		return transport.Broken("an answer with a wrong signature")
	}
	done := true
	if e.command == smb1.Transaction {
		if done, err = e.assemble(frame); err != nil {
			return err
		}
	}
	if done {
		c.conn.Deliver(sent, transport.Reply{Message: frame})
	}
	return nil
}

// assemble adds one answer of a TRANSACTION and reports whether it was the last.
func (e *expected) assemble(frame []byte) (done bool, err error) {
	m, body, terr := parse(frame)
	if terr != nil {
		return false, terr
	}
	part, ok := body.(*smb1.TransResponse)
	if !ok {
		if m.NTStatus() == status.Success && e.whole != nil {
			return false, transport.Broken("TRANSACTION ended in the middle of its answer")
		}
		return true, nil
	}
	if e.parts++; e.parts > maxParts {
		return false, transport.Broken("TRANSACTION answered in more than %d parts", maxParts)
	}
	if e.whole == nil {
		e.whole = &smb1.TransResponse{Code: part.Code, TotalDataCount: part.TotalDataCount, Setup: part.Setup}
		if len(part.Data) == int(part.TotalDataCount) && part.DataDisplacement == 0 {
			e.whole.Data = part.Data
			return true, nil
		}
		e.whole.Data = make([]byte, part.TotalDataCount) // 16 bits
	}
	// The total may shrink while the parts come, never grow. See [MS-CIFS] 2.2.4.33.2.
	total := part.TotalDataCount
	end := part.DataDisplacement + uint32(len(part.Data))
	if total > e.whole.TotalDataCount || end > total || e.parts > 1 && len(part.Data) == 0 {
		return false, transport.Broken("TRANSACTION answered with %d bytes up to %d of %d", len(part.Data), end, total)
	}
	e.whole.TotalDataCount = total
	copy(e.whole.Data[part.DataDisplacement:], part.Data)
	if e.got += len(part.Data); e.got > int(total) {
		return false, transport.Broken("TRANSACTION answered with more than it has")
	}
	e.whole.Data = e.whole.Data[:total]
	return e.got == int(total), nil
}

// answer is a response: its message, and for a TRANSACTION all of its data.
type answer struct {
	*smb1.Message
	trans *smb1.TransResponse
}

// failure is the answer's status as an error in a layer; nil for success.
func (a answer) failure(layer string) error {
	if s := a.NTStatus(); s != status.Success {
		return dialect.Refused(layer, s)
	}
	return nil
}

// parse reads a message and its first command.
func parse(frame []byte) (*smb1.Message, smb1.Body, *transport.Error) {
	m, err := smb1.Parse(frame)
	if err == nil {
		var body smb1.Body
		if body, err = m.Decode(0); err == nil {
			return m, body, nil
		}
	}
	return nil, nil, transport.Malformed("", err)
}

// decode reads the body of an answer; one of another form is a failure of the transport.
func decode[B smb1.Body](a answer, block int, layer string) (body B, err error) {
	got := errors.New("a command is missing")
	if block < len(a.Blocks) {
		var b smb1.Body
		if b, got = a.Decode(block); got == nil {
			if body, ok := b.(B); ok {
				return body, nil
			}
			got = fmt.Errorf("%v in a form that says nothing", b.Command())
		}
	}
	return body, transport.Malformed(layer, got)
}
