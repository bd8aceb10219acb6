package smb1client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/smb/transport"
)

const (
	// buffer is the longest message that this side takes: the largest value that the field holds.
	buffer = 0xFFFF
	// room is taken off a buffer for headers and padding; the longest are those of TRANSACTION, below 100 bytes.
	room = 512
	// maxParts bounds the answers to one TRANSACTION. The whole has 64 KiB at most, and servers fill 4 KiB and more.
	maxParts = 64
	// maxFlight bounds the requests in flight, however many MaxMpxCount allows; Windows allows 50.
	maxFlight = 50
	// pid is the process id of every request.
	pid = 0xFEFF
)

// Client is the conversation on one connection.
type Client struct {
	conn       *transport.Conn
	host       string // as dialled, for \\host\share
	o          *dialect.Options
	neg        smb1.NegotiateResponse
	negotiated dialect.Negotiated
	slots      chan struct{} // as many requests in flight as the server takes

	mu       sync.Mutex // held from the choice of a number to the end of the write: the order is part of signing
	mid      uint16
	signer   *smbcrypt.Signer1 // nil until a logon with a secret begins to sign; then for every session
	sequence uint32            // of the next request
}

// Negotiated implements dialect.Client.
func (c *Client) Negotiated() dialect.Negotiated { return c.negotiated }

// request says who sends a message.
type request struct {
	layer    string
	deadline time.Time
	uid, tid uint16
}

// extended reports whether the server takes SPNEGO tokens.
func (c *Client) extended() bool { return c.neg.Capabilities&smb1.CapExtendedSecurity != 0 }

// header is what every request of this connection begins with.
func (c *Client) header(r request) smb1.Header {
	flags2 := flags(c.o)
	if c.neg.Capabilities&smb1.CapUnicode == 0 {
		flags2 &^= smb1.Flags2Unicode
	}
	if c.neg.Capabilities&smb1.CapStatus32 == 0 {
		flags2 &^= smb1.Flags2NTStatus
	}
	if !c.extended() {
		flags2 &^= smb1.Flags2ExtendedSecurity
	}
	if c.negotiated.SigningEnabled || c.negotiated.SigningRequired {
		flags2 |= smb1.Flags2SecuritySignature
	}
	return smb1.Header{
		Flags: smb1.FlagsCaseInsensitive | smb1.FlagsCanonicalPaths, Flags2: flags2,
		TID: r.tid, PIDLow: pid, UID: r.uid,
	}
}

// exchange sends one message and waits for its whole answer.
func (c *Client) exchange(ctx context.Context, r request, bodies ...smb1.Body) (answer, error) {
	timer := time.NewTimer(time.Until(r.deadline))
	defer timer.Stop()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-c.conn.Down():
		return answer{}, c.conn.Err(r.layer)
	case <-ctx.Done():
		return answer{}, transport.NetError(r.layer, ctx.Err())
	case <-timer.C:
		return answer{}, transport.NetError(r.layer, context.DeadlineExceeded)
	}
	e := &expected{command: bodies[0].Command()}
	sent, err := c.send(r, e, bodies)
	if err != nil {
		return answer{}, err
	}
	got, err := c.conn.Wait(ctx, sent, r.layer, r.deadline)
	if err != nil {
		return answer{}, err
	}
	m, err := smb1.Parse(got.Message)
	if err != nil {
		return answer{}, transport.Malformed(r.layer, err)
	}
	return answer{m, e.whole}, nil
}

// send numbers, signs and writes a message.
func (c *Client) send(r request, e *expected, bodies []smb1.Body) (*transport.Request, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.header(r)
	h.MID = c.nextMID()
	frame, err := smb1.Append(make([]byte, nbss.HeaderLen, 512), &h, bodies...)
	if err != nil {
		return nil, fmt.Errorf("smb: %s: %w", r.layer, err)
	}
	if c.signer != nil {
		c.signer.Sign(frame[nbss.HeaderLen:], c.sequence)
		e.signer, e.number = c.signer, c.sequence+1
		c.sequence += 2
	}
	depth := c.conn.Depth()
	sent, err := c.conn.Begin(uint64(h.MID), depth, r.layer, e)
	if err != nil {
		return nil, err
	}
	return sent, c.conn.Send(frame, 1, depth, r.layer, r.deadline)
}

// nextMID returns a number that no request in flight has, and for which no late answer may come. 0xFFFF is reserved for
// the server.
func (c *Client) nextMID() uint16 {
	for range maxFlight + transport.MaxAbandoned + 2 {
		c.mid++
		if sent, late := c.conn.Find(uint64(c.mid)); c.mid != 0 && c.mid != 0xFFFF && sent == nil && !late {
			break
		}
	}
	return c.mid
}
