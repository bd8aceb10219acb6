package gateway

import (
	"sync/atomic"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
)

// reading is what goes into a pipe, cut as the server cuts it: a packet may come in many pieces, and a piece may hold many
// packets. Each fragment of a call is judged by itself, so nothing is kept but the beginning of one packet, of 64 KiB at
// most.
type reading struct {
	name     string
	requests *dcerpc.Reassembler
	flying   atomic.Int32 // requests with data that the server has not answered
}

func newReading(name string) reading {
	return reading{name: name, requests: dcerpc.NewReassembler(dcerpc.Limits{})}
}

// take judges every packet that is whole with these bytes, until one is denied. The bytes are under way from then on.
//
// A server may take two requests that are under way at once in either order. So a packet in pieces is not sent faster
// than the pieces are answered: put together in another order they would be another packet.
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
			why = &denial{layer: model.LayerCall, what: "a packet in pieces, sent before the data ahead of it were answered"}
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
