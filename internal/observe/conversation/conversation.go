package conversation

import (
	"net/netip"
	"time"

	"ipcguard/internal/observe/flow"
	"ipcguard/internal/observe/packet"
	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb2"
)

// Conversation is one TCP connection. A Follower makes it, and a flow.Table feeds it. A connection without any bytes
// costs next to nothing.
type Conversation struct {
	f    *Follower
	conn flow.Conn
	st   *state
}

// state is what a connection needs from its first byte on.
type state struct {
	framers        [2]framer
	client, server string
	dialect        string // of the last message; empty if unknown
	offer          Offer
	now            time.Time
	cost           int // the memory charged to the Follower
	smb1           *smb1Conn
	smb2           *smb2Conn
}

// protocol is the part of a connection in one of SMB's two protocols, which share no message. A connection that begins
// with the multi-protocol NEGOTIATE of SMB1 speaks both.
type protocol interface {
	// want returns how many of a message's n bytes to keep, by its first bytes; 0 is none.
	want(d flow.Direction, prefix []byte, n int) int
	// message handles what was kept of a message.
	message(d flow.Direction, msg []byte)
	// damaged means that bytes of a direction are missing that may have belonged to a pipe.
	damaged(d flow.Direction)
	// close emits the rows of requests that are still unanswered.
	close()
	// known adds what the next observation needs to know of the connection.
	known(*Known)
	// restore takes over what the previous observation knew.
	restore(*Known)
}

var (
	_ protocol = (*smb1Conn)(nil)
	_ protocol = (*smb2Conn)(nil)
)

// spoken yields the protocols that the connection has spoken so far.
func (s *state) spoken(yield func(protocol) bool) {
	if s.smb2 != nil && !yield(s.smb2) {
		return
	}
	if s.smb1 != nil {
		yield(s.smb1)
	}
}

var _ flow.Stream = (*Conversation)(nil)

func (c *Conversation) start() {
	c.st = &state{client: text(c.conn.Client), server: text(c.conn.Server)}
	if c.conn.Midstream {
		for i := range c.st.framers {
			c.st.framers[i].lost(fateBefore)
		}
	}
	c.charge(costState)
}

func text(e packet.Endpoint) string { return netip.AddrFrom16(e.IP).Unmap().String() }

// Data implements flow.Stream.
func (c *Conversation) Data(d flow.Direction, b []byte, at time.Time) {
	if c.st == nil {
		c.start()
	}
	c.st.now = at
	c.data(d, b, at)
}

// Gap implements flow.Stream.
func (c *Conversation) Gap(d flow.Direction, n int, at time.Time) {
	if c.st == nil {
		c.start()
	}
	c.st.now = at
	c.gap(d, n)
}

// Close implements flow.Stream: open requests become rows without an answer.
func (c *Conversation) Close(time.Time) {
	if c.st == nil {
		return
	}
	for p := range c.st.spoken {
		p.close()
	}
	for i := range c.st.framers {
		c.ended(&c.st.framers[i])
		c.release(&c.st.framers[i])
	}
	c.f.used -= c.st.cost
	c.st = nil
}

// charge adds to the memory in use, or subtracts from it.
func (c *Conversation) charge(n int) {
	c.st.cost += n
	c.f.used += n
}

// damaged tells the protocols that bytes of a direction are missing that may have belonged to a pipe.
func (c *Conversation) damaged(d flow.Direction) {
	for p := range c.st.spoken {
		p.damaged(d)
	}
}

// want decides from the first bytes of a message of n bytes how many of them to keep, 0 for none, and the fate of the
// others.
func (c *Conversation) want(d flow.Direction, prefix []byte, n int) (int, fate) {
	c.f.failed = false
	keep, as := 0, fateRead
	switch smb2.KindOf(prefix) {
	case smb2.KindPlain:
		keep = c.modern().want(d, prefix, n)
	case smb2.KindSMB1:
		keep = c.legacy().want(d, prefix, n)
	case smb2.KindEncrypted:
		if c.st.smb2 != nil && c.st.smb2.decryptable(prefix) && n <= maxPipeFrame {
			return n, fateRead
		}
		c.f.counts.Sealed++
		return min(smb2.TransformLen, n), fateOpaque
	case smb2.KindCompressed:
		keep = maxPipeFrame
	}
	if c.f.failed {
		as = fateUndecodable
	}
	return min(keep, n), as
}

// message handles what was kept of a message of n bytes.
func (c *Conversation) message(d flow.Direction, msg []byte, n int, at time.Time) fate {
	c.f.failed = false
	as := fateRead
	switch smb2.KindOf(msg) {
	case smb2.KindPlain:
		two := c.modern()
		c.st.dialect, two.sealed = dialect.Name(two.dialect), false
		two.message(d, msg)
	case smb2.KindSMB1:
		c.st.dialect = dialectNT
		c.legacy().message(d, msg)
	case smb2.KindEncrypted:
		as = c.modern().encrypted(d, msg, n)
	case smb2.KindCompressed:
		c.modern().sealed = false
		as = c.modern().decompress(d, msg, len(msg) == n, n)
	}
	if c.f.failed && as == fateRead {
		return fateUndecodable
	}
	return as
}

// legacy returns the connection's SMB1 part.
func (c *Conversation) legacy() *smb1Conn {
	if c.st.smb1 == nil {
		c.st.smb1 = &smb1Conn{Conversation: c}
		c.charge(costState)
	}
	return c.st.smb1
}

// modern returns the connection's SMB2 and SMB3 part.
func (c *Conversation) modern() *smb2Conn {
	if c.st.smb2 == nil {
		c.st.smb2 = &smb2Conn{Conversation: c}
		if last := len(c.f.idle) - 1; last >= 0 {
			c.st.smb2.requests, c.f.idle = c.f.idle[last], c.f.idle[:last]
		}
		c.charge(costState)
	}
	return c.st.smb2
}
