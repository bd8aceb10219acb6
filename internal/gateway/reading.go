package gateway

import (
	"sync/atomic"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
)

// reading reassembles the RPC packets that go into a pipe, as the server does: a packet may come in many pieces, and a
// piece may hold many packets. Each fragment of a call is judged by itself, so only the start of one packet is kept, at
// most 64 KiB.
type reading struct {
	name     string
	requests *dcerpc.Reassembler
	flying   atomic.Int32 // requests with data that the server has not answered yet
}

func newReading(name string) reading {
	return reading{name: name, requests: dcerpc.NewReassembler(dcerpc.Limits{})}
}

// take judges every packet that these bytes complete, until one is denied. From then on the bytes are in transit.
//
// A server may process two concurrent requests in either order. So the pieces of a packet are sent only after the
// previous ones were answered: in another order they would form another packet.
func (r *reading) take(b []byte, judge func(*dcerpc.PDU) *denial) *denial {
	partial := r.requests.Partial()
	r.requests.Push(b)
	for {
		p, whole, err := r.requests.NextPacket()
		var why *denial
		switch {
		case err != nil:
			why = &denial{layer: model.LayerCall, what: err.Error()}
		case whole:
			why = judge(&p)
		case r.flying.Load() > 0 && (partial || r.requests.Partial()):
			why = &denial{
				layer: model.LayerCall,
				what:  "a packet in pieces, sent before the data ahead of it were answered",
			}
		default:
			r.flying.Add(1)
			return nil
		}
		if why != nil {
			why.pipe = r.name
			return why
		}
	}
}
