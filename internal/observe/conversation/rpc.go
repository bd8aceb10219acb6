package conversation

import (
	"encoding/binary"
	"fmt"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/status"
)

// isRPC reports whether n bytes that begin with b are one RPC packet, or begin with several.
func isRPC(b []byte, n int) bool {
	if len(b) < 16 {
		return false
	}
	h, err := dcerpc.ParseHeader(b[:16])
	if err != nil || h.DataRep[0]&^0x11 != 0 || h.DataRep[2] != 0 || h.DataRep[3] != 0 || int(h.FragLength) > n {
		return false
	}
	switch h.Type {
	case dcerpc.TypeRequest, dcerpc.TypeResponse, dcerpc.TypeFault, dcerpc.TypeBind, dcerpc.TypeBindAck,
		dcerpc.TypeBindNak,
		dcerpc.TypeAlterContext, dcerpc.TypeAlterContextReply, dcerpc.TypeAuth3:
		return true
	}
	return false
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

// answer finds the call of an answer.
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
	x := p.context(q.context)
	if x == nil {
		u.Basis += "; the bind was not seen"
	} else {
		x.fill(&u)
	}
	if x != nil && x.iface != nil {
		u.Call = x.iface.OpName(q.opnum)
	} else {
		u.Call = fmt.Sprintf("opnum %d", q.opnum)
	}
	return u
}

// callResponse handles a fragment of an answer. Only the last four bytes of a stub matter: the status of the call.
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

// fault handles a call, or a bind, that the server did not carry out.
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

// failCalls ends the calls of a range of numbers, which SMB itself refused to carry.
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
