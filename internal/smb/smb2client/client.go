package smb2client

import (
	"context"
	"sync"
	"time"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/smb/transport"
)

// maxInterim bounds the STATUS_PENDING answers to one request. A server sends one.
const maxInterim = 8

// Client is the conversation on one connection.
type Client struct {
	conn       *transport.Conn
	host       string // as dialled, for \\host\share
	o          *dialect.Options
	offer      offer
	dialect    uint16
	neg        smb2.NegotiateResponse // without the slices
	negotiated dialect.Negotiated
	cipher     smbcrypt.Cipher
	signing    smbcrypt.Algorithm
	preauth    smbcrypt.Preauth // after NEGOTIATE
	credits    credits

	mu       sync.Mutex
	sessions map[uint64]*session // those that may receive encrypted frames
}

// Negotiated implements dialect.Client.
func (c *Client) Negotiated() dialect.Negotiated { return c.negotiated }

// pooled buffers build requests: one lives from the first byte to the end of the write.
var pooled = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled keeps large buffers out of the pool.
const maxPooled = 16 << 10

// request is one or several messages to send in one frame, with who sends them.
type request struct {
	layer    string
	deadline time.Time
	session  *session // nil before a logon has begun
	tree     *tree    // nil outside a tree
	sign     bool
	encrypt  bool
	messages []*smb2.Message
	sent     func(msg []byte) // sees the first message as it goes out
}

// one sends one message and returns its answer.
func (c *Client) one(ctx context.Context, r request, command smb2.Command, body smb2.Body) (answer, error) {
	r.messages = []*smb2.Message{{Header: smb2.Header{Command: command}, Body: body}}
	answers, err := c.exchange(ctx, r)
	if err != nil {
		return answer{}, err
	}
	return answers[0], nil
}

// exchange sends a frame and waits for the answers to its messages. Messages behind the first are related to it.
func (c *Client) exchange(ctx context.Context, r request) ([]answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, transport.NetError(r.layer, err)
	}
	n := len(r.messages)
	id, ask, err := c.credits.take(ctx, n, c.conn, r.layer, r.deadline)
	if err != nil {
		return nil, err
	}
	sent, err := c.send(r, id, ask)
	if err != nil {
		return nil, err
	}
	answers := make([]answer, n)
	for i, one := range sent {
		if answers[i], err = c.await(ctx, one, r); err != nil {
			for _, rest := range sent[i+1:] {
				c.conn.Abandon(rest)
			}
			return nil, err
		}
	}
	return answers, nil
}

// await is the answer to a request that was sent.
func (c *Client) await(ctx context.Context, one *transport.Request, r request) (a answer, err error) {
	got, err := c.conn.Wait(ctx, one, r.layer, r.deadline)
	if err != nil {
		return a, err
	}
	a.msg = got.Message
	return a, c.check(&a, r, got.Encrypted)
}

// send builds the frame, registers its requests and writes it.
func (c *Client) send(r request, id uint64, ask uint16) ([]*transport.Request, error) {
	for i, m := range r.messages {
		h := &m.Header
		h.MessageID = id + uint64(i)
		h.Credits = 1
		if c.multiCredit() {
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
		frame = r.session.transform.AppendEncrypt(make([]byte, nbss.HeaderLen, len(frame)+smb2.TransformLen+16),
			frame[nbss.HeaderLen:])
	}

	depth := c.conn.Depth()
	sent := make([]*transport.Request, len(r.messages))
	for i, m := range r.messages {
		var err error
		if sent[i], err = c.conn.Begin(m.Header.MessageID, depth, r.layer, nil); err != nil {
			return nil, err
		}
	}
	return sent, c.conn.Send(frame, len(r.messages), depth, r.layer, r.deadline)
}

// multiCredit reports whether CreditCharge is in use. Requests here are below 64 KiB, so the charge is always one.
func (c *Client) multiCredit() bool {
	return c.dialect > smb2.Dialect202 && c.neg.Capabilities&smb2.CapLargeMTU != 0
}
