package flow

import (
	"slices"
	"time"

	"ipcguard/internal/observe/packet"
)

// A RST with exactly the expected number ends a connection, if its receiver accepts it. An attacker on the path knows
// the number as well, and a receiver that lost the packet, or asks back first (RFC 5961 3.2), continues. Later segments
// show which it was:
//
//	RST 5000 ──► more from its sender ──► the receiver acknowledges what is after 5000: not an end
//	        └──► a SYN, other numbers, nothing: an end
//
// So the stream stays open for some time, and what the other end had sent is still delivered.

// maxReset bounds the connections that were reset and are kept open, the most recent ones. A stream that continues does
// so with its next request; meanwhile a busy server resets a few others, and the state of 256 is 1 MiB.
const maxReset = 256

// reset is a possible end of a connection.
type reset struct {
	by  Direction
	seq uint32 // the end of its sender's bytes, if it is an end
}

// reset handles a RST with the expected number.
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

// goneOn reports whether a segment shows that the connection continues after a reset: its receiver acknowledges what
// the sender sent after it, and that was captured.
func (f *flow) goneOn(d Direction, s *packet.Segment) bool {
	sent := &f.sides[1-d]
	return f.reset != nil && d != f.reset.by && s.Flags&packet.ACK != 0 && before(f.reset.seq, s.Ack) &&
		!before(sent.next, s.Ack)
}

// settle ends the wait: the RST was not an end, or the connection has ended.
func (t *Table) settle(f *flow) {
	if f.reset == nil {
		return
	}
	f.reset = nil
	i := slices.Index(t.resets, f)
	t.resets = slices.Delete(t.resets, i, i+1)
}
