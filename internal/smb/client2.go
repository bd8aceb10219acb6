package smb

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

// maxInterim bounds the STATUS_PENDING answers to one request. A server sends one.
const maxInterim = 8

// client2 is the backend for SMB2 and SMB3.
type client2 struct {
	c       *Conn
	offer   offer2
	dialect uint16
	neg     smb2.NegotiateResponse // without the slices
	cipher  smbcrypt.Cipher
	signing smbcrypt.Algorithm
	preauth smbcrypt.Preauth // after NEGOTIATE
	credits credits

	mu       sync.Mutex
	sessions map[uint64]*session2 // those that may receive encrypted frames
}

// pooled buffers build requests: one lives from the first byte to the end of the write.
var pooled = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled keeps large buffers out of the pool.
const maxPooled = 16 << 10

// request is one or several messages to send in one frame, with who sends them.
type request struct {
	layer    string
	deadline time.Time
	session  *session2 // nil before a logon has begun
	tree     *tree2    // nil outside a tree
	sign     bool
	encrypt  bool
	messages []*smb2.Message
	sent     func(msg []byte) // sees the first message as it goes out
}

// answer is a response: its header, and the message with it.
type answer struct {
	header smb2.Header
	msg    []byte
}

// status is the answer's status as an error in a layer; nil for success.
func (a *answer) status(layer string) error {
	if a.header.Status == uint32(status.Success) {
		return nil
	}
	return statusError(layer, a.header.Status)
}

func statusError(layer string, s uint32) error {
	return fmt.Errorf("smb: %s: %w", layer, status.NTStatus(s))
}

// body decodes the answer's body; an answer that does not decode says so as a failure of the transport.
func (a *answer) body(layer string, b smb2.Body) error {
	if _, err := b.Unmarshal(a.msg); err != nil {
		return (&TransportError{Reason: "malformed answer: " + err.Error(), Err: err}).at(layer)
	}
	return nil
}

// one sends one message and returns its answer.
func (b *client2) one(ctx context.Context, r request, command smb2.Command, body smb2.Body) (answer, error) {
	r.messages = []*smb2.Message{{Header: smb2.Header{Command: command}, Body: body}}
	answers, err := b.exchange(ctx, r)
	if err != nil {
		return answer{}, err
	}
	return answers[0], nil
}

// exchange sends a frame and waits for the answers to its messages. Messages behind the first are related to it.
func (b *client2) exchange(ctx context.Context, r request) ([]answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, netError(r.layer, err)
	}
	n := len(r.messages)
	id, ask, err := b.credits.take(ctx, n, b.c.mux, r.layer, r.deadline)
	if err != nil {
		return nil, err
	}
	calls, err := b.send(r, id, ask)
	if err != nil {
		return nil, err
	}
	answers := make([]answer, n)
	for i, call := range calls {
		got, err := b.c.wait(ctx, call, r.layer, r.deadline)
		if err == nil {
			answers[i].msg = got.msg
			err = b.check(&answers[i], r, got.encrypted)
		}
		if err != nil {
			for _, rest := range calls[i+1:] {
				b.c.mux.close(rest, true)
			}
			return nil, err
		}
	}
	return answers, nil
}

// send builds the frame, registers its requests and writes it.
func (b *client2) send(r request, id uint64, ask uint16) ([]*call, error) {
	for i, m := range r.messages {
		h := &m.Header
		h.MessageID = id + uint64(i)
		h.Credits = 1
		if b.multiCredit() {
			h.CreditCharge = 1
		}
		if r.session != nil {
			h.SessionID = r.session.id
		}
		if r.tree != nil {
			h.TreeID = r.tree.id
		}
		if i > 0 {
			h.Flags |= smb2.FlagRelated
		}
	}
	r.messages[len(r.messages)-1].Header.Credits = ask

	buf := pooled.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= maxPooled {
			pooled.Put(buf)
		}
	}()
	frame, starts := smb2.AppendChain(append((*buf)[:0], make([]byte, nbss.HeaderLen)...), r.messages...)
	*buf = frame
	if r.sign && !r.encrypt {
		for i, start := range starts {
			end := len(frame)
			if i+1 < len(starts) {
				end = starts[i+1]
			}
			r.session.signer.Sign(frame[start:end])
		}
	}
	if r.sent != nil {
		r.sent(frame[starts[0]:])
	}
	if r.encrypt {
		frame = r.session.transform.AppendEncrypt(make([]byte, nbss.HeaderLen, len(frame)+smb2.TransformLen+16), frame[nbss.HeaderLen:])
	}

	depth := b.c.depthNow()
	calls := make([]*call, len(r.messages))
	for i, m := range r.messages {
		c, err := b.c.open(m.Header.MessageID, 1, depth)
		if err != nil {
			return nil, b.c.err(r.layer)
		}
		calls[i] = c
	}
	if err := b.c.write(frame, len(r.messages), depth, r.deadline); err != nil {
		// Half a frame may be out: nothing more can be sent. What the reading side saw first tells more.
		b.c.fail(netError("", err))
		b.c.nc.Close()
		return nil, b.c.err(r.layer)
	}
	return calls, nil
}

// check reads an answer's header and, for sessions with a secret, proves that the server made it.
func (b *client2) check(a *answer, r request, encrypted uint64) error {
	if err := a.header.Unmarshal(a.msg); err != nil {
		return (&TransportError{Reason: "malformed answer: " + err.Error(), Err: err}).at(r.layer)
	}
	s := r.session
	if r.encrypt && encrypted != s.id && !sessionGone(a.header.Status) {
		return b.distrust(r.layer, "an answer that should be encrypted is not")
	}
	if s == nil || !s.secret || !r.sign || encrypted != 0 || sessionGone(a.header.Status) {
		return nil
	}
	switch {
	case !a.header.IsSigned():
		return b.distrust(r.layer, "an answer that should be signed is not")
	case !s.signer.Verify(a.msg):
		return b.distrust(r.layer, "an answer with a wrong signature")
	}
	return nil
}

// sessionGone are the statuses a server can only send without the session's keys.
func sessionGone(s uint32) bool {
	const userSessionDeleted, networkSessionExpired = 0xC0000203, 0xC000035C
	return s == userSessionDeleted || s == networkSessionExpired
}

// distrust ends the connection: somebody on the way is not the server.
func (b *client2) distrust(layer, reason string) error {
	err := &TransportError{Reason: reason}
	b.c.fail(err)
	b.c.nc.Close()
	return err.at(layer)
}

// multiCredit tells whether CreditCharge is in use. Requests here are below 64 KiB, so the charge is always one.
func (b *client2) multiCredit() bool {
	return b.dialect > smb2.Dialect202 && b.neg.Capabilities&smb2.CapLargeMTU != 0
}

// receive implements backend: it takes a frame apart and gives each message to the request that it answers.
func (b *client2) receive(frame []byte) error {
	var encrypted uint64
	switch smb2.KindOf(frame) {
	case smb2.KindPlain:
	case smb2.KindEncrypted:
		plain, id, err := b.decrypt(frame)
		if err != nil {
			return err
		}
		frame, encrypted = plain, id
	case smb2.KindCompressed:
		return broken("a compressed answer, though compression was not offered")
	default:
		return broken("an SMB1 answer in an SMB2 conversation")
	}
	chain := smb2.NewChain(frame)
	for chain.Next() {
		if err := b.dispatch(chain.Message, encrypted); err != nil {
			return err
		}
	}
	if err := chain.Err(); err != nil {
		return &TransportError{Reason: "malformed answer: " + err.Error(), Err: err}
	}
	return nil
}

// unsolicited is the MessageId of what a server sends unasked.
const unsolicited = 1<<64 - 1

func (b *client2) dispatch(msg []byte, encrypted uint64) error {
	var h smb2.Header
	if err := h.Unmarshal(msg); err != nil {
		return &TransportError{Reason: "malformed answer: " + err.Error(), Err: err}
	}
	switch {
	case !h.IsResponse():
		return broken("the server sent a request")
	case h.MessageID == unsolicited:
		return nil // oplocks are never asked for: nothing to do
	}
	pending := h.Status == uint32(status.Pending) && h.IsAsync()
	call, late := b.c.find(h.MessageID)
	switch {
	case call == nil && !late:
		return broken("an answer to a question that was not asked (MessageId %d)", h.MessageID)
	case call == nil && !pending:
		b.c.forget(h.MessageID)
	}
	b.credits.grant(h.Credits)
	if call == nil {
		return nil
	}
	if pending {
		if call.interim++; call.interim > maxInterim {
			return broken("STATUS_PENDING without end")
		}
		return nil
	}
	b.c.wire.answered(call.depth)
	b.c.deliver(call, reply{msg: msg, encrypted: encrypted}, true)
	return nil
}

func (b *client2) decrypt(frame []byte) (plain []byte, id uint64, err error) {
	id, ok := smbcrypt.SessionID(frame)
	b.mu.Lock()
	s := b.sessions[id]
	b.mu.Unlock()
	if !ok || s == nil || s.transform == nil {
		return nil, 0, broken("an encrypted answer for a session that does not encrypt")
	}
	plain, err = s.transform.Decrypt(frame)
	if err != nil {
		return nil, 0, &TransportError{Reason: "an encrypted answer that does not decrypt", Err: err}
	}
	return plain, id, nil
}
