package gateway

import (
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
