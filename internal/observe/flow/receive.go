package flow

import (
	"time"

	"ipcguard/internal/observe/packet"
)

// What a receiver takes, RFC 9293 3.10.7.4 and RFC 5961:
//
//	            next                      edge
//	──taken──────┤──────in the window──────┤───outside: it drops them──
//	             └ RST counts here alone, FIN where all before it was taken
//
// Only the receiver knows its next byte and its window. Both are in what it sends: what it acknowledges, and the window
// behind that. Where it was not captured, maxWindow stands for it.

const (
	// maxWindow is how far ahead data may be where the receiver's window is not known: Windows and Linux let their windows
	// grow to 16 MiB and 6 MiB.
	maxWindow = 16 << 20
	// resyncAfter is how many segments outside of a window must follow one another before they are believed: whoever forges
	// a segment forges one, and a capture that lost megabytes goes on and on.
	resyncAfter = 3
	// unknownScale says that the SYN was not seen.
	unknownScale = -2
)

// side is one direction.
type side struct {
	next      uint32 // the sequence number that is handed over next
	delivered uint64 // bytes handed over and lost so far
	started   bool
	seen      bool // a segment of this direction was captured

	fin    bool // finSeq counts
	finSeq uint32

	// What the other end says of this direction.
	acked bool   // ack counts
	ack   uint32 // what it has received
	edge  uint32 // behind what it takes; counts where acked and its window is known

	scale int8 // of the windows that this side announces, packet.NoScale or unknownScale

	stray      uint32 // where the next segment outside of the window would go on
	strays     int    // how many have gone on so
	holeSince  int    // segments since the other end acknowledged what is behind a hole
	held       []piece
	heldLength int
}

// keepAlive tells whether the first segment that is seen of a direction is a probe, which repeats the last byte that was
// sent. See RFC 9293 3.8.4.
func keepAlive(s *packet.Segment) bool {
	return s.Flags == packet.ACK && s.Missing == 0 && len(s.Payload) == 1 && s.Payload[0] == 0
}

// before tells whether sequence number a is in front of b. See RFC 9293 3.4.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// sameOrNew tells whether a segment belongs to the connection that is known by its ports, or to one after it: then that is
// dropped, and nil returned where the segment itself begins the next one. A connection that is returned closed takes nothing.
func (t *Table) sameOrNew(f *flow, d Direction, s *packet.Segment, at time.Time) *flow {
	this := &f.sides[d]
	syn, ack := s.Flags&packet.SYN != 0, s.Flags&packet.ACK != 0
	switch {
	case syn && !ack && d == ToServer && this.started && uint64(this.next-s.Seq-1) != this.delivered: // not the same again
		if f.closed || f.reset != nil {
			t.drop(f, at)
			return nil
		}
		f.renewed, f.isn = true, s.Seq // an open connection refuses it; the answer tells
		return f
	case f.renewed && (d == ToClient && syn && ack && s.Ack == f.isn+1 || d == ToServer && !syn && s.Seq == f.isn+1):
		isn := f.isn
		k := f.key
		t.drop(f, at)
		f = t.add(k, true, at)
		f.sides[ToServer].start(isn + 1)
		return f
	case len(s.Payload)+s.Missing == 0 || s.Flags&packet.RST != 0:
	case f.closed:
		return t.afterEnd(f, d, s, at)
	case this.started && !this.accepts(s.Seq, len(s.Payload)+s.Missing):
		if f.reset != nil { // so that was its end
			t.finish(f, at)
			return t.afterEnd(f, d, s, at)
		}
		return t.outside(f, d, s, at)
	}
	return f
}

// outside counts segments outside of the window. The third of a row that follow one another tells that the capture has lost
// more than a window, and the stream goes on there behind a hole; or that the ports are used again, when its numbers lie
// behind what came.
func (t *Table) outside(f *flow, d Direction, s *packet.Segment, at time.Time) *flow {
	this := &f.sides[d]
	if this.strays == 0 || s.Seq != this.stray {
		this.strays = 0
	}
	this.strays++
	this.stray = s.Seq + uint32(len(s.Payload)+s.Missing)
	if this.strays < resyncAfter {
		return f
	}
	this.strays = 0
	if !before(this.next, s.Seq) {
		t.drop(f, at)
		return nil
	}
	t.flush(f, at)
	if f.closed {
		return f
	}
	t.drain(f, d, at)
	this.acked = false
	if hole := int32(s.Seq - this.next); hole > 0 {
		t.lose(f, d, int(hole), at)
	}
	return f
}

// afterEnd takes data behind the end of a connection: bytes that came before, more of the same stream, or another
// connection whose beginning was not seen.
func (t *Table) afterEnd(f *flow, d Direction, s *packet.Segment, at time.Time) *flow {
	this := &f.sides[d]
	n := len(s.Payload) + s.Missing
	if this.fin && s.Seq == this.finSeq+1 { // behind the FIN, which has a number too
		this.next = s.Seq
	}
	switch ahead := int32(s.Seq - this.next); {
	case !this.started:
	case ahead < 0 && uint64(-int64(ahead)) <= this.delivered && int(-ahead) >= n:
		return f
	case ahead <= 0 && int(-ahead) < n, ahead > 0 && ahead < maxWindow:
		f.closed = false
		this.fin = false // the other side's may hold
		f.stream = t.open(Conn{f.key.client, f.key.server, true}, at)
		t.counts.Reopened++
		return f
	}
	t.drop(f, at)
	return nil
}

func (s *side) start(seq uint32) { s.started, s.next = true, seq }

// inOrder takes what nearly every segment is: the next bytes of a connection without a hole, acknowledging what has come.
// False: it is another, and nothing was done.
func (t *Table) inOrder(f *flow, d Direction, s *packet.Segment, at time.Time) bool {
	this, other := &f.sides[d], &f.sides[1-d]
	if s.Flags != packet.ACK && s.Flags != packet.ACK|packet.PSH || s.Seq != this.next || f.closed || f.renewed || f.reset != nil || f.queue != nil ||
		!this.started || !other.started || this.fin || this.held != nil || other.held != nil || len(s.Payload) == 0 {
		return false
	}
	if ahead := int32(s.Ack - other.next); ahead > 0 || ahead < -maxWindow {
		return false
	}
	this.seen, this.strays = true, 0
	other.receiver(this, s)
	t.hand(f, d, piece{s.Seq, s.Payload, s.Missing}, at)
	return true
}

// take does with a segment what its receiver does.
func (t *Table) take(f *flow, d Direction, s *packet.Segment, at time.Time) {
	this, other := &f.sides[d], &f.sides[1-d]
	if s.Flags&packet.RST != 0 {
		t.counts.Stray += int64(len(s.Payload)) // some stacks write a reason there
		if f.resets(d, s) {
			t.reset(f, d, s, at)
		}
		return
	}
	seq := s.Seq
	if s.Flags&packet.SYN != 0 {
		if !this.started {
			this.start(seq + 1)
			this.scale = s.Scale
		}
		seq++
	}
	n := len(s.Payload) + s.Missing
	if !this.started && keepAlive(s) {
		this.start(seq + 1)
		this.delivered = 1
	}
	fin := s.Flags&packet.FIN != 0
	if !this.started && (n > 0 || fin) {
		this.start(seq)
	}
	if n > 0 && this.fin && this.next == this.finSeq && (seq == this.finSeq || seq == this.finSeq+1) {
		this.fin, this.next = false, seq // it goes on, so that was not its end
	}
	if this.started && !this.accepts(seq, n) {
		t.counts.Stray += int64(len(s.Payload))
		return
	}
	if s.Flags&packet.ACK != 0 && other.started {
		t.acknowledged(f, 1-d, s, at)
	}
	if f.goneOn(d, s) {
		t.counts.Ignored++
		t.settle(f)
	}
	if n > 0 {
		t.payload(f, d, piece{seq, s.Payload, s.Missing}, at)
	}
	if end := seq + uint32(n); fin && !this.fin && !before(end, this.next) {
		this.fin, this.finSeq = true, end
	}
	t.ended(f, at)
}

// accepts tells whether data at seq lies where the receiver takes or has taken it.
func (s *side) accepts(seq uint32, n int) bool {
	ahead := int32(seq - s.next)
	if ahead < 0 {
		return uint64(-int64(ahead)) <= s.delivered+maxWindow
	}
	if n == 0 {
		return ahead <= maxWindow
	}
	return ahead < s.window()
}

// window is how many bytes behind next the receiver takes.
func (s *side) window() int32 {
	if !s.acked {
		return maxWindow
	}
	from := s.next // what is acknowledged but not here may be lost, and what is here may be acknowledged later
	if before(from, s.ack) {
		from = s.ack
	}
	behind := int32(from - s.next)
	if room := int32(s.edge - from); s.edge != s.ack && room > 0 && room < maxWindow {
		return behind + room
	}
	return behind + maxWindow
}

// resets tells whether the peer would take a RST. See RFC 5961 3.2: it has the very number that is expected next. Of an
// answer to a SYN the acknowledgement counts.
func (f *flow) resets(d Direction, s *packet.Segment) bool {
	this, other := &f.sides[d], &f.sides[1-d]
	if !this.started {
		return s.Flags&packet.ACK != 0 && other.started && s.Ack == other.next
	}
	return s.Seq == this.next || this.fin && this.next == this.finSeq && s.Seq == this.finSeq+1 || this.acked && s.Seq == this.ack && !before(this.ack, this.next)
}

// acknowledged looks at what the other end has received of a direction: a hole in front of that was on the wire. What fills
// it may still come, in a capture that is out of order, so the hole is given up some segments later.
func (t *Table) acknowledged(f *flow, d Direction, s *packet.Segment, at time.Time) {
	this, by := &f.sides[d], &f.sides[1-d]
	if high := int32(s.Ack - this.next); high > maxWindow || high < -maxWindow {
		return // of bytes that were never sent
	}
	this.receiver(by, s)
	if len(this.held) == 0 || !before(this.held[0].seq, this.ack) {
		this.holeSince = 0
		return
	}
	if this.holeSince++; this.holeSince > maxQueue {
		t.fill(f, d, at)
	}
}

// receiver takes what the other end says of a direction.
func (s *side) receiver(by *side, seg *packet.Segment) {
	if s.acked && before(seg.Ack, s.ack) {
		return
	}
	s.acked, s.ack, s.edge = true, seg.Ack, seg.Ack
	if shift := by.scale; seg.Flags&packet.SYN == 0 && shift != unknownScale && s.scale != unknownScale {
		if shift < 0 || s.scale < 0 { // both must offer it, RFC 7323 2.2
			shift = 0
		}
		s.edge += uint32(seg.Window) << shift
	}
}

// fill gives up the holes in front of what the other end has received.
func (t *Table) fill(f *flow, d Direction, at time.Time) {
	this := &f.sides[d]
	this.holeSince = 0
	for len(this.held) > 0 && before(this.held[0].seq, this.ack) {
		t.skip(f, d, at)
	}
}

// ended closes the connection when both sides have said their last byte.
func (t *Table) ended(f *flow, at time.Time) {
	a, b := &f.sides[ToServer], &f.sides[ToClient]
	if a.fin && b.fin && a.next == a.finSeq && b.next == b.finSeq {
		t.finish(f, at)
	}
}
