package gateway

import (
	"fmt"
	"sync/atomic"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
)

// reading reassembles the RPC packets that go into a pipe: a packet may come in many pieces, and a piece may hold many
// packets. Each fragment of a call is judged by itself, so only the start of one packet is kept, at most 64 KiB.
type reading struct {
	name     string
	requests *dcerpc.Reassembler
	flying   atomic.Int32 // requests with data of a user that the server has not answered yet
}

func newReading(name string) reading {
	return reading{name: name, requests: dcerpc.NewReassembler(dcerpc.Limits{})}
}

// take judges every packet that these bytes complete, until one is denied.
func (r *reading) take(b []byte, judge func(*dcerpc.PDU) *denial) *denial {
	r.requests.Push(b)
	for {
		p, whole, err := r.requests.NextPacket()
		var why *denial
		switch {
		case err != nil:
			why = r.deny(err.Error())
		case !whole:
			return nil
		default:
			why = judge(&p)
		}
		if why != nil {
			why.pipe = r.name
			return why
		}
	}
}

// deny returns the denial of data for the pipe.
func (r *reading) deny(what string) *denial {
	return &denial{layer: model.LayerCall, pipe: r.name, what: what}
}

// rpcJudge judges the two parts of an RPC conversation: an interface that is bound, and a call.
type rpcJudge struct {
	bind func(dcerpc.Context) *denial
	call func(dcerpc.Request) *denial
}

// packet judges an RPC packet of a client, be it a stranger or a user. What servers read in several ways is denied to
// both, because one of the ways may be what the policy denies: servers that know one byte order read another packet in
// the other, which no client of today sends, and those that read the header of a call at once read more than a shorter
// packet, such as a cancel.
func (j rpcJudge) packet(p *dcerpc.PDU) *denial {
	const shortest = 24 // bytes of a call without parameters
	switch {
	case p.BigEndian():
		return &denial{layer: model.LayerCall, what: "a packet in the byte order of old machines"}
	case p.FragLength < shortest:
		return &denial{layer: model.LayerCall, what: "a packet that is shorter than a call: " + p.Type.String()}
	}
	switch p.Type {
	case dcerpc.TypeBind, dcerpc.TypeAlterContext:
		b, err := p.Bind()
		if err != nil {
			return &denial{layer: model.LayerBind, what: err.Error()}
		}
		for _, x := range b.Contexts {
			if len(x.Transfer) != 1 { // servers that expect one, as all clients send, find other interfaces behind it
				return deniedBind(x, "several encodings of an interface, or none")
			}
			if why := j.bind(x); why != nil {
				return why
			}
		}
		return nil
	case dcerpc.TypeRequest:
		q, err := p.Request()
		if err != nil {
			return &denial{layer: model.LayerCall, what: err.Error()}
		}
		return j.call(q)
	case dcerpc.TypeAuth3, dcerpc.TypeCancel, dcerpc.TypeOrphaned:
		return nil
	}
	return &denial{layer: model.LayerCall, what: fmt.Sprintf("a packet of type %v", p.Type)}
}

// deniedBind returns the denial of an interface.
func deniedBind(x dcerpc.Context, what string) *denial {
	return &denial{layer: model.LayerBind, uuid: x.Abstract.UUID.String(), what: what}
}

// deniedCall returns the denial of a call.
func deniedCall(of dcerpc.UUID, what string) *denial {
	return &denial{layer: model.LayerCall, uuid: of.String(), what: what}
}
