package conversation

import (
	"net/netip"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/observe/packet"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
)

// Conversation is one TCP connection. It is made by a Follower, and a flow.Table feeds it. A connection that carries no
// bytes costs next to nothing.
type Conversation struct {
	f    *Follower
	conn flow.Conn
	st   *state
}

// state is what a connection needs from its first byte on.
type state struct {
	framers        [2]framer
	client, server string
	now            time.Time
	cost           int // what is charged to the Follower
	two            *smb2State
	one            *smb1State
}

var _ flow.Stream = (*Conversation)(nil)

func (c *Conversation) start() {
	c.st = &state{client: text(c.conn.Client), server: text(c.conn.Server)}
	if c.conn.Midstream {
		c.st.framers[flow.ToServer].seek, c.st.framers[flow.ToClient].seek = true, true
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

// Close implements flow.Stream: what still waits for an answer is told without one.
func (c *Conversation) Close(time.Time) {
	if c.st == nil {
		return
	}
	if c.st.two != nil {
		c.close2()
	}
	if c.st.one != nil {
		c.close1()
	}
	for i := range c.st.framers {
		c.release(&c.st.framers[i])
	}
	c.f.used -= c.st.cost
	c.st = nil
}

// charge accounts for memory, or gives it back.
func (c *Conversation) charge(n int) {
	c.st.cost += n
	c.f.used += n
}

// damaged tells that bytes of a direction are missing that may have belonged to a pipe.
func (c *Conversation) damaged(d flow.Direction) {
	if c.st.two != nil {
		for _, s := range c.st.two.sessions {
			for _, p := range s.opens {
				c.reset(p, d)
			}
		}
	}
	if c.st.one != nil {
		for _, p := range c.st.one.opens {
			c.reset(p, d)
		}
	}
}

// want decides from the first bytes of a message, which has n, how many of them are to be kept; 0 is none.
func (c *Conversation) want(d flow.Direction, prefix []byte, n int) int {
	counts := &c.f.counts
	switch smb2.KindOf(prefix) {
	case smb2.KindPlain:
		counts.Readable += int64(n + nbss.HeaderLen)
		return min(c.want2(d, prefix, n), n)
	case smb2.KindSMB1:
		counts.Readable += int64(n + nbss.HeaderLen)
		return min(c.want1(d, prefix, n), n)
	case smb2.KindEncrypted:
		if c.decryptable(prefix) && n <= maxPipeFrame {
			counts.Readable += int64(n + nbss.HeaderLen)
			return n
		}
		counts.Opaque += int64(n + nbss.HeaderLen)
		counts.Sealed++
		return min(smb2.TransformLen, n)
	case smb2.KindCompressed:
		counts.Readable += int64(n + nbss.HeaderLen)
		return min(n, maxPipeFrame)
	}
	return 0
}

// message takes what was kept of a message that had n bytes.
func (c *Conversation) message(d flow.Direction, msg []byte, n int, at time.Time) {
	switch smb2.KindOf(msg) {
	case smb2.KindPlain:
		c.frame2(d, msg)
	case smb2.KindSMB1:
		c.frame1(d, msg)
	case smb2.KindEncrypted:
		c.encrypted(d, msg, n)
	case smb2.KindCompressed:
		c.decompress(d, msg, len(msg) == n, n)
	}
}

const ipcShare = "IPC$"

// use is a row with what the connection tells.
func (c *Conversation) use(id identity, layer model.Layer, at time.Time) model.Use {
	return model.Use{
		Client: c.st.client, Server: c.st.server, Identity: id.kind, Basis: id.basis, Account: id.account, Layer: layer,
		Opnum: -1, Count: 1, First: at, Last: at, Source: c.f.Source,
	}
}

// unanswered is the row of a request whose answer did not come.
func unanswered(u model.Use) model.Use {
	u.Outcome, u.Status = model.Inconclusive, ""
	u.Basis += "; no answer was seen"
	return u
}

// isIPC tells whether a path such as \\server\IPC$ names the share.
func isIPC(path string) bool {
	return strings.EqualFold(path[strings.LastIndexByte(path, '\\')+1:], ipcShare)
}

// pipeName is a pipe's name without its path, in lower case: Windows does not tell \PIPE\Samr from samr.
func pipeName(s string) string {
	s = strings.ToLower(strings.Trim(strings.TrimRight(s, "\x00"), `\`))
	return strings.TrimPrefix(s, strings.ToLower(strings.Trim(smb1.PipePrefix, `\`))+`\`)
}
