package conversation

import (
	"encoding/binary"
	"fmt"
	"time"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/status"
)

// pipe is an open of a pipe, and the RPC association on it.
type pipe struct {
	s       *session
	name    string
	unseen  bool // the open was not seen
	guessed bool // the tree connect was not seen: a pipe by its name, or once it carries RPC
	unnamed bool // guessed, and the name is none that is known
	told    bool
	opened  time.Time
	status  status.NTStatus

	cut      [2]cutter
	contexts []context
	binds    []bind
	calls    []call
	seq      int // calls so far
	auth     logon
	who      identity // inside RPC; kind is empty where RPC carries no logon of its own
	cost     int
}

// context is an interface that a bind has offered.
type context struct {
	id     uint16
	syntax dcerpc.SyntaxID
	iface  *dcerpc.Interface // nil where unknown
	uuid   string
}

// bind is a bind or alter_context that waits for its answer.
type bind struct {
	call     uint32
	at       time.Time
	contexts []context // as offered, repeats included
	features []bool    // the context only offers bind-time features
}

// call is a request that waits for its answer.
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
	p := &pipe{s: s, name: name, cost: costPipe}
	c.charge(p.cost)
	return p
}

// grow charges memory to a pipe.
func (c *Conversation) grow(p *pipe, n int) {
	p.cost += n
	c.charge(n)
}

// endPipe tells what still waits, and gives back what the pipe took.
func (c *Conversation) endPipe(p *pipe) {
	for i := range p.binds {
		c.bindResults(p, &p.binds[i], nil, nil)
	}
	for i := range p.calls {
		c.f.sink.Add(unanswered(c.callUse(p, &p.calls[i])))
	}
	p.binds, p.calls = nil, nil
	p.cut = [2]cutter{}
	c.charge(-p.cost)
	p.cost = 0
}

// reset forgets the packet in the middle of which a direction is.
func (c *Conversation) reset(p *pipe, d flow.Direction) {
	c.grow(p, -len(p.cut[d].part))
	p.cut[d] = cutter{}
}

// cutter cuts the data of one direction into RPC packets. Data that is no RPC is passed over, message by message.
type cutter struct {
	part []byte // the beginning of a packet
}

// rpc takes data of a pipe in one direction.
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

// keep holds the beginning of a packet, which has at most 64 KiB.
func (c *Conversation) keep(p *pipe, k *cutter, b []byte) {
	if len(b) > dcerpc.MaxFragment {
		return
	}
	k.part = append([]byte(nil), b...)
	c.grow(p, len(b))
}

func (c *Conversation) packet(p *pipe, d flow.Direction, pdu *dcerpc.PDU) {
	if p.guessed {
		p.unnamed = false
		c.tellOpen(p)
	}
	var err error
	switch {
	case d == flow.ToServer:
		switch pdu.Type {
		case dcerpc.TypeBind, dcerpc.TypeAlterContext:
			err = c.bindRequest(p, pdu)
		case dcerpc.TypeAuth3:
			c.rpcAuth(p, pdu)
		case dcerpc.TypeRequest:
			err = c.callRequest(p, pdu)
		}
	case pdu.Type == dcerpc.TypeBindAck || pdu.Type == dcerpc.TypeAlterContextReply:
		var ack dcerpc.BindAck
		if ack, err = pdu.BindAck(); err == nil {
			c.bound(p, pdu.CallID, ack.Results, nil)
		}
	case pdu.Type == dcerpc.TypeBindNak:
		var nak dcerpc.BindNak
		if nak, err = pdu.BindNak(); err == nil {
			c.bound(p, pdu.CallID, nil, &nak)
		}
	case pdu.Type == dcerpc.TypeResponse:
		err = c.callResponse(p, pdu)
	case pdu.Type == dcerpc.TypeFault:
		err = c.fault(p, pdu)
	}
	if err != nil {
		c.f.giveUp(badRPC)
	}
}

func (c *Conversation) bindRequest(p *pipe, pdu *dcerpc.PDU) error {
	r, err := pdu.Bind()
	if err != nil {
		return err
	}
	c.rpcAuth(p, pdu)
	b := bind{call: pdu.CallID, at: c.st.now}
	for _, x := range r.Contexts {
		one := newContext(x.ID, x.Abstract)
		features := false
		if len(x.Transfer) > 0 {
			_, features = x.Transfer[0].Features()
		}
		b.contexts, b.features = append(b.contexts, one), append(b.features, features)
		if !features {
			c.setContext(p, one)
		}
	}
	if len(p.binds) >= maxCalls {
		c.f.giveUp(tooMuchState)
		p.binds = p.binds[:0]
	}
	p.binds = append(p.binds, b)
	c.grow(p, len(b.contexts)*costContext)
	return nil
}

func newContext(id uint16, s dcerpc.SyntaxID) context {
	return context{id: id, syntax: s, iface: dcerpc.LookupInterface(s), uuid: s.UUID.String()}
}

func (c *Conversation) setContext(p *pipe, x context) {
	for i := range p.contexts {
		if p.contexts[i].id == x.id {
			p.contexts[i] = x
			return
		}
	}
	if len(p.contexts) >= maxContexts {
		c.f.giveUp(tooMuchState)
		return
	}
	p.contexts = append(p.contexts, x)
	c.grow(p, costContext)
}

// rpcAuth reads the logon inside RPC, which tells more than that of the session where there is one.
func (c *Conversation) rpcAuth(p *pipe, pdu *dcerpc.PDU) {
	if !pdu.HasAuth {
		return
	}
	switch pdu.Auth.Type {
	case dcerpc.AuthNetlogon:
		if id, ok := netlogonToken(pdu.Auth.Token); ok {
			p.who = id
		}
		return
	case dcerpc.AuthNTLM, dcerpc.AuthSPNEGO, dcerpc.AuthKerberos:
		c.f.token(&p.auth, pdu.Auth.Token)
	}
	if p.auth.auth != nil || p.auth.kerberos {
		p.who = p.auth.claimed()
		p.who.basis += ", inside RPC"
	}
}

// identity is who makes the calls of a pipe.
func (p *pipe) identity() identity {
	id := p.s.who
	if p.who.kind != "" && (id.kind == model.Anonymous || id.kind == model.Unknown || id.kind == model.Guest) {
		id = p.who
		id.basis += " over a session that is " + string(p.s.who.kind)
	}
	return id
}

func (c *Conversation) pipeUse(p *pipe, layer model.Layer, at time.Time) model.Use {
	u := c.use(p.identity(), layer, at)
	u.Share, u.Pipe = ipcShare, p.name
	if p.unseen {
		u.Basis += "; the open of the pipe was not seen"
	}
	return u
}

func (u *context) fill(row *model.Use) {
	row.UUID = u.uuid
	if u.iface != nil {
		row.Interface = u.iface.Name
	}
}

// bound takes the answer to a bind.
func (c *Conversation) bound(p *pipe, id uint32, results []dcerpc.ContextResult, nak *dcerpc.BindNak) {
	for i := range p.binds {
		if p.binds[i].call == id {
			b := p.binds[i]
			p.binds = append(p.binds[:i], p.binds[i+1:]...)
			c.grow(p, -len(b.contexts)*costContext)
			c.bindResults(p, &b, results, nak)
			return
		}
	}
}

// bindResults gives a row for each interface of a bind. An interface that is offered with several encodings is bound when
// one of them is taken.
func (c *Conversation) bindResults(p *pipe, b *bind, results []dcerpc.ContextResult, nak *dcerpc.BindNak) {
	for i, x := range b.contexts {
		if b.features[i] || repeated(b, i) {
			continue
		}
		u := c.pipeUse(p, model.LayerBind, b.at)
		x.fill(&u)
		u.Outcome = model.Inconclusive
		switch {
		case nak != nil:
			u.Status = nak.Error()[len("dcerpc: "):]
		case results == nil:
			u = unanswered(u)
		}
		for j := i; j < len(b.contexts) && j < len(results); j++ {
			if b.features[j] || b.contexts[j].syntax != x.syntax || u.Outcome == model.Allowed {
				continue
			}
			if o := bindOutcome(results[j]); u.Status == "" || o == model.Allowed {
				u.Outcome, u.Status = o, results[j].String()
			}
		}
		c.f.sink.Add(u)
	}
}

// repeated tells whether a context offers an interface that one before it offers.
func repeated(b *bind, i int) bool {
	for j := range i {
		if !b.features[j] && b.contexts[j].syntax == b.contexts[i].syntax {
			return true
		}
	}
	return false
}

func (c *Conversation) callRequest(p *pipe, pdu *dcerpc.PDU) error {
	if pdu.Flags&dcerpc.FlagFirst == 0 {
		return nil // its call is known from the first fragment
	}
	r, err := pdu.Request()
	if err != nil {
		return err
	}
	if len(p.calls) >= maxCalls {
		c.f.giveUp(tooMuchState)
		c.f.sink.Add(unanswered(c.callUse(p, &p.calls[0])))
		p.calls = append(p.calls[:0], p.calls[1:]...)
		c.grow(p, -costCall)
	}
	p.seq++
	p.calls = append(p.calls, call{
		id: pdu.CallID, seq: p.seq, opnum: r.Opnum, context: r.ContextID, at: c.st.now,
		sealed: pdu.HasAuth && pdu.Auth.Level == dcerpc.AuthLevelPrivacy,
	})
	c.grow(p, costCall)
	return nil
}

// answer finds the call that an answer belongs to.
func (p *pipe) answer(id uint32) int {
	for i := range p.calls {
		if p.calls[i].id == id {
			return i
		}
	}
	return -1
}

func (c *Conversation) endCall(p *pipe, i int) {
	p.calls = append(p.calls[:i], p.calls[i+1:]...)
	c.grow(p, -costCall)
}

func (c *Conversation) callUse(p *pipe, q *call) model.Use {
	u := c.pipeUse(p, model.LayerCall, q.at)
	u.Opnum = int(q.opnum)
	u.Call = fmt.Sprintf("opnum %d", q.opnum)
	if x := p.context(q.context); x != nil {
		x.fill(&u)
		if x.iface != nil {
			u.Call = x.iface.OpName(q.opnum)
		}
	} else {
		u.Basis += "; the bind was not seen"
	}
	return u
}

func (p *pipe) context(id uint16) *context {
	for i := range p.contexts {
		if p.contexts[i].id == id {
			return &p.contexts[i]
		}
	}
	return nil
}

// callResponse takes a fragment of an answer. Of all stubs only the last four bytes are looked at: the status that the
// call returned.
func (c *Conversation) callResponse(p *pipe, pdu *dcerpc.PDU) error {
	i := p.answer(pdu.CallID)
	if i < 0 {
		return nil
	}
	q := &p.calls[i]
	r, err := pdu.Response()
	if err != nil {
		return err
	}
	for _, b := range r.Stub[max(0, len(r.Stub)-4):] {
		q.tail = [4]byte{q.tail[1], q.tail[2], q.tail[3], b}
	}
	q.stub += len(r.Stub)
	if pdu.Flags&dcerpc.FlagLast == 0 {
		return nil
	}
	u := c.callUse(p, q)
	x := p.context(q.context)
	switch {
	case q.sealed || pdu.HasAuth && pdu.Auth.Level == dcerpc.AuthLevelPrivacy:
		u.Outcome = model.Inconclusive
		u.Basis += "; the call is sealed, so what it returned cannot be read"
	case x == nil || x.iface == nil || int(q.opnum) >= len(x.iface.Ops) || x.iface.Ops[q.opnum].Name == "":
		u.Outcome = model.Inconclusive
		u.Basis += "; what this call returns is not known"
	default:
		returned := dcerpc.Returned{Kind: x.iface.Ops[q.opnum].Return}
		if q.stub < 4 {
			returned.Kind = dcerpc.ReturnNone
		}
		returned.Code = le.Uint32(q.tail[:])
		if pdu.BigEndian() {
			returned.Code = binary.BigEndian.Uint32(q.tail[:])
		}
		u.Outcome, u.Status = returnOutcome(returned)
	}
	c.endCall(p, i)
	c.f.sink.Add(u)
	return nil
}

// fault takes a call, or a bind, that the server did not carry out.
func (c *Conversation) fault(p *pipe, pdu *dcerpc.PDU) error {
	f, err := pdu.Fault()
	if err != nil {
		return err
	}
	if i := p.answer(pdu.CallID); i >= 0 {
		u := c.callUse(p, &p.calls[i])
		u.Outcome, u.Status = faultOutcome(f.Status), f.Status.String()
		c.endCall(p, i)
		c.f.sink.Add(u)
		return nil
	}
	for i := range p.binds {
		if b := p.binds[i]; b.call == pdu.CallID {
			p.binds = append(p.binds[:i], p.binds[i+1:]...)
			c.grow(p, -len(b.contexts)*costContext)
			for j, x := range b.contexts {
				if b.features[j] || repeated(&b, j) {
					continue
				}
				u := c.pipeUse(p, model.LayerBind, b.at)
				x.fill(&u)
				u.Outcome, u.Status = faultOutcome(f.Status), f.Status.String()
				c.f.sink.Add(u)
			}
			return nil
		}
	}
	return nil
}

// failCalls ends the calls from one number to another, which SMB itself refused to carry.
func (c *Conversation) failCalls(p *pipe, from, to int, st status.NTStatus) {
	for i := 0; i < len(p.calls); {
		q := &p.calls[i]
		if q.seq <= from || q.seq > to {
			i++
			continue
		}
		u := c.callUse(p, q)
		u.Outcome, u.Status = pick(st.Answer() == status.No, false), st.String()
		u.Basis += "; the pipe's transport failed"
		c.endCall(p, i)
		c.f.sink.Add(u)
	}
}
