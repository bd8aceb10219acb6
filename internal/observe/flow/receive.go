package flow

import (
	"time"

	"ipcguard/internal/observe/packet"
)

// What a receiver accepts, RFC 9293 3.10.7.4 and RFC 5961:
//
//	            next                      edge
//	──taken──────┤──────in the window──────┤───outside: dropped──
//	             └ only here a RST counts; a FIN if all before it was received
//
// Only the receiver knows its next byte and its window. Both are in what it sends: its acknowledgement, and the window
// after that. If that was not captured, maxWindow is assumed.

const (
	// maxWindow is the assumed window: Windows and Linux let their windows grow to 16 MiB and 6 MiB.
	maxWindow = 16 << 20
	// resyncAfter is the number of consecutive segments outside a window after which they are accepted: a forger forges
	// one, while a capture that lost megabytes continues.
	resyncAfter = 3
	// unknownScale says that the SYN was not seen.
	unknownScale = -2
)

// side is one direction.
type side struct {
	next      uint32 // the sequence number that is delivered next
	delivered uint64 // bytes delivered and lost so far
	started   bool
	seen      bool // a segment of this direction was captured

	fin    bool // finSeq counts
	finSeq uint32

	// What the other end says about this direction.
	acked bool   // ack counts
	ack   uint32 // what it has received
	edge  uint32 // after what it accepts; valid if acked and its window is known

	scale int8 // of the windows that this side announces, packet.NoScale or unknownScale

	stray      uint32 // the expected number of the next segment outside the window
	strays     int    // consecutive ones so far
	holeSince  int    // segments since the other end acknowledged what is after a hole
	held       []piece
	heldLength int
}

// keepAlive reports whether the first captured segment of a direction is a keep-alive, which repeats the last byte. See
// RFC 9293 3.8.4.
func keepAlive(s *packet.Segment) bool {
	return s.Flags == packet.ACK && s.Missing == 0 && len(s.Payload) == 1 && s.Payload[0] == 0
}

// before reports whether sequence number a precedes b. See RFC 9293 3.4.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// sameOrNew reports whether a segment belongs to the known connection with its ports, or to a new one: then the known
// one is dropped, and nil returned if the segment begins the new one. A connection that is returned closed accepts
// nothing.
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

// outside counts segments outside the window. After the third consecutive one the capture must have lost more than a
// window, and the stream continues there after a hole; or the ports are reused, if its numbers are before the known
// ones.
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

// afterEnd handles data after the end of a connection: repeated bytes, more of the same stream, or another connection
// whose beginning was not captured.
func (t *Table) afterEnd(f *flow, d Direction, s *packet.Segment, at time.Time) *flow {
	this := &f.sides[d]
	n := len(s.Payload) + s.Missing
	if this.fin && s.Seq == this.finSeq+1 { // after the FIN, which has a number too
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

// inOrder handles nearly every segment: the next bytes of a connection without a hole, acknowledging what has arrived.
// It returns false, and has done nothing, for all others.
func (t *Table) inOrder(f *flow, d Direction, s *packet.Segment, at time.Time) bool {
	this, other := &f.sides[d], &f.sides[1-d]
	if s.Flags != packet.ACK && s.Flags != packet.ACK|packet.PSH || s.Seq != this.next || f.closed || f.renewed ||
		f.reset != nil || f.queue != nil ||
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

// take handles a segment as its receiver does.
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

// accepts reports whether data at seq is where the receiver accepts or has accepted it.
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

// window returns the number of bytes after next that the receiver accepts.
func (s *side) window() int32 {
	if !s.acked {
		return maxWindow
	}
	from := s.next // acknowledged bytes that are missing may be lost, and present ones may be acknowledged later
	if before(from, s.ack) {
		from = s.ack
	}
	behind := int32(from - s.next)
	if room := int32(s.edge - from); s.edge != s.ack && room > 0 && room < maxWindow {
		return behind + room
	}
	return behind + maxWindow
}

// resets reports whether the peer would accept a RST. See RFC 5961 3.2: it has exactly the expected number. For an
// answer to a SYN the acknowledgement counts.
func (f *flow) resets(d Direction, s *packet.Segment) bool {
	this, other := &f.sides[d], &f.sides[1-d]
	if !this.started {
		return s.Flags&packet.ACK != 0 && other.started && s.Ack == other.next
	}
	return s.Seq == this.next || this.fin && this.next == this.finSeq && s.Seq == this.finSeq+1 || this.acked &&
		s.Seq == this.ack && !before(this.ack, this.next)
}

// acknowledged handles what the other end has received of a direction: a hole before that was on the wire. Its bytes
// may still arrive in an unordered capture, so the hole is given up some segments later.
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

// receiver handles what the other end says about a direction.
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

// fill gives up the holes before what the other end has received.
func (t *Table) fill(f *flow, d Direction, at time.Time) {
	this := &f.sides[d]
	this.holeSince = 0
	for len(this.held) > 0 && before(this.held[0].seq, this.ack) {
		t.skip(f, d, at)
	}
}

// ended closes the connection once both sides have sent their last byte.
func (t *Table) ended(f *flow, at time.Time) {
	a, b := &f.sides[ToServer], &f.sides[ToClient]
	if a.fin && b.fin && a.next == a.finSeq && b.next == b.finSeq {
		t.finish(f, at)
	}
}
