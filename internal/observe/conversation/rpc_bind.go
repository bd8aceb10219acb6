package conversation

import (
	"time"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
)

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

// rpcAuth parses the logon inside RPC, which says more than the session's, if there is one.
func (c *Conversation) rpcAuth(p *pipe, pdu *dcerpc.PDU) {
	if !pdu.HasAuth {
		return
	}
	before := p.size()
	defer func() { c.grow(p, p.size()-before) }()
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

// identity returns who makes the calls of a pipe.
func (p *pipe) identity() identity {
	id := p.s.who
	if p.who.kind != "" && (id.kind.IsStranger() || id.kind == model.Unknown) {
		id = p.who
		id.basis += " over a session that is " + string(p.s.who.kind)
	}
	return id
}

func (c *Conversation) pipeUse(p *pipe, layer model.Layer, at time.Time) model.Use {
	u := c.useIn(p.s, p.identity(), layer, at)
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

// bound handles the answer to a bind.
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

// bindResults emits a row for each interface of a bind. An interface that is offered with several encodings is bound if
// one of them is accepted.
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

// repeated reports whether a context offers the interface of an earlier one.
func repeated(b *bind, i int) bool {
	for j := range i {
		if !b.features[j] && b.contexts[j].syntax == b.contexts[i].syntax {
			return true
		}
	}
	return false
}

func (p *pipe) context(id uint16) *context {
	for i := range p.contexts {
		if p.contexts[i].id == id {
			return &p.contexts[i]
		}
	}
	return nil
}
