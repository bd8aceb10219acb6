package flow

import (
	"slices"
	"time"

	"ipcguard/internal/observe/packet"
)

// A RST with the very number that is expected ends a connection, if its receiver takes it for the sender's. A forger on the
// path knows the number as well, and a receiver that lost the packet, or asks back first (RFC 5961 3.2), goes on. Who was
// right is told by what follows:
//
//	RST 5000 ──► more from its sender ──► the receiver acknowledges what is behind 5000: it was no end
//	        └──► a SYN, other numbers, nothing: it was
//
// So the stream stays open for some time, and what the other end had under way is still handed over.

// maxReset is how many connections that were reset are kept open, those that were reset last. A stream that goes on does so
// with its next request; meanwhile a busy server has reset some others, and the state of 256 is 1 MiB.
const maxReset = 256

// reset is the end of a connection that is not certain yet.
type reset struct {
	by  Direction
	seq uint32 // where its sender's bytes end, if it is an end
}

// reset takes a RST that counts.
func (t *Table) reset(f *flow, d Direction, s *packet.Segment, at time.Time) {
	if f.sides[ToServer].delivered+f.sides[ToClient].delivered == 0 { // nothing to lose
		t.finish(f, at)
		return
	}
	if f.reset == nil {
		if len(t.resets) == maxReset {
			t.finish(t.resets[0], at)
		}
		t.resets = append(t.resets, f)
	}
	f.reset = &reset{d, s.Seq}
}

// goneOn tells whether a segment shows that the connection goes on behind a reset: its receiver acknowledges what the sender
// sent after it, and that is here.
func (f *flow) goneOn(d Direction, s *packet.Segment) bool {
	sent := &f.sides[1-d]
	return f.reset != nil && d != f.reset.by && s.Flags&packet.ACK != 0 && before(f.reset.seq, s.Ack) && !before(sent.next, s.Ack)
}

// settle forgets a reset: it was none, or the connection has ended.
func (t *Table) settle(f *flow) {
	if f.reset == nil {
		return
	}
	f.reset = nil
	i := slices.Index(t.resets, f)
	t.resets = slices.Delete(t.resets, i, i+1)
}
