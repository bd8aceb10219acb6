package conversation

import (
	"time"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/status"
)

// pipe is an open pipe with its RPC association.
type pipe struct {
	s        *session
	name     string
	unseen   bool // the open was not seen
	guessed  bool // the tree connect was not seen: it is taken for a pipe by its name, or once it carries RPC
	unnamed  bool // guessed, and the name is not a known one
	told     bool
	answered bool // opened and status count: captures without times have no time to show it
	opened   time.Time
	status   status.NTStatus

	cut      [2]cutter
	contexts []context
	binds    []bind
	calls    []call
	seq      int // calls so far
	auth     logon
	who      identity      // inside RPC; kind is empty if RPC carries no logon of its own
	home     *Conversation // that is charged for it
	cost     int
}

// size returns the memory that a pipe keeps beyond costPipe when nothing on it is in progress.
func (p *pipe) size() int {
	return len(p.name) + len(p.contexts)*costContext + p.auth.size() + p.who.size()
}

// context is an interface that a bind has offered.
type context struct {
	id     uint16
	syntax dcerpc.SyntaxID
	iface  *dcerpc.Interface // nil if unknown
	uuid   string
}

// bind is an unanswered bind or alter_context.
type bind struct {
	call     uint32
	at       time.Time
	contexts []context // as offered, including repeats
	features []bool    // the context only offers bind-time features
}

// call is an unanswered request.
type call struct {
	id      uint32
	seq     int
	opnum   uint16
	context uint16
	at      time.Time
	sealed  bool
	tail    [4]byte // the last bytes of the answer's stub so far
	stub    int     // its length so far
}

func (c *Conversation) newPipe(s *session, name string) *pipe {
	p := &pipe{s: s, name: name, home: c}
	c.grow(p, costPipe+len(name))
	return p
}

// grow charges memory to a pipe, and to the connection that made it. Another connection of its session may use it and
// end it; once its own has ended, boundTable charges for it.
func (c *Conversation) grow(p *pipe, n int) {
	p.cost += n
	if p.home.st != nil {
		p.home.charge(n)
	}
}

// endPipe emits what is still unanswered and frees the pipe's memory.
func (c *Conversation) endPipe(p *pipe) {
	for i := range p.binds {
		c.bindResults(p, &p.binds[i], nil, nil)
	}
	for i := range p.calls {
		c.f.sink.Add(unanswered(c.callUse(p, &p.calls[i])))
	}
	p.binds, p.calls = nil, nil
	p.cut = [2]cutter{}
	c.grow(p, -p.cost)
}

// reset drops the incomplete packet of a direction.
func (c *Conversation) reset(p *pipe, d flow.Direction) {
	c.grow(p, -len(p.cut[d].part))
	p.cut[d] = cutter{}
}

// cutter splits the data of one direction into RPC packets. Data that is not RPC is skipped message by message.
type cutter struct {
	part []byte // the beginning of a packet
}

// rpc handles data of a pipe in one direction.
func (c *Conversation) rpc(p *pipe, d flow.Direction, b []byte) {
	k := &p.cut[d]
	if len(k.part) > 0 {
		before := len(k.part)
		k.part = append(k.part, b...)
		b = k.part
		c.grow(p, -before)
		k.part = nil
	}
	for len(b) > 0 {
		if len(b) < 16 {
			if b[0] == 5 {
				c.keep(p, k, b)
			}
			return
		}
		h, err := dcerpc.ParseHeader(b)
		if err != nil {
			return // a pipe may carry anything
		}
		if int(h.FragLength) > len(b) {
			c.keep(p, k, b)
			return
		}
		pdu, n, err := dcerpc.Parse(b)
		if err != nil {
			c.f.giveUp(badRPC)
			return
		}
		c.packet(p, d, &pdu)
		b = b[n:]
	}
}

// keep stores the beginning of a packet, which has at most 64 KiB.
func (c *Conversation) keep(p *pipe, k *cutter, b []byte) {
	if len(b) > dcerpc.MaxFragment {
		return
	}
	k.part = append([]byte(nil), b...)
	c.grow(p, len(b))
}
