package flow

import (
	"slices"
	"time"

	"ipcguard/internal/observe/packet"
)

// A capture of two mirror ports, or of a network card with several queues, is slightly out of order: an answer may
// precede its question. The answer acknowledges bytes that have not arrived yet, so it waits for them.

const (
	// maxQueue bounds the segments of a connection that may arrive while one waits: a card's queue is emptied in rounds
	// of 64.
	maxQueue = 64
	// maxQueued bounds the waiting bytes: a quarter of what may be held behind a hole.
	maxQueued = 256 << 10
	// maxWait bounds the wait in the capture's time: no longer than a retransmission takes.
	maxWait = time.Second
)

// queue is the waiting segments of one connection, each direction in the order of its numbers: an unordered capture may
// have the answer, the next question, and only then the question that both wait for.
type queue struct {
	segments []queued
	bytes    int
	arrived  int       // since one of them was taken
	since    time.Time // when that was
}

type queued struct {
	d  Direction
	s  packet.Segment
	at time.Time
}

// arrive handles a segment, or makes it wait for the bytes that it acknowledges and those before it in its direction.
func (t *Table) arrive(f *flow, d Direction, s *packet.Segment, at time.Time) {
	f.sides[d].seen = true
	if f.queue == nil {
		if !f.early(d, s) {
			t.take(f, d, s, at)
			return
		}
		f.queue = &queue{since: at}
	}
	q := f.queue
	q.arrived++
	if f.early(d, s) || q.inFront(d, s.Seq) {
		copied := *s
		copied.Payload = slices.Clone(s.Payload)
		q.insert(queued{d, copied, at})
		t.held += len(s.Payload)
	} else {
		t.take(f, d, s, at)
	}
	t.advance(f, at)
	if q := f.queue; q != nil && (q.arrived > maxQueue || len(q.segments) > maxQueue || q.bytes > maxQueued || t.held > t.limits.Held || at.Sub(q.since) > maxWait) {
		t.flush(f, at)
	}
}

// inFront reports whether a segment waits that is before seq, or at it.
func (q *queue) inFront(d Direction, seq uint32) bool {
	return slices.ContainsFunc(q.segments, func(w queued) bool { return w.d == d && !before(seq, w.s.Seq) })
}

// insert adds a segment before the later ones of its direction.
func (q *queue) insert(add queued) {
	at := slices.IndexFunc(q.segments, func(w queued) bool { return w.d == add.d && before(add.s.Seq, w.s.Seq) })
	if at < 0 {
		at = len(q.segments)
	}
	q.segments = slices.Insert(q.segments, at, add)
	q.bytes += len(add.s.Payload)
}

// early reports whether a segment acknowledges bytes that have not arrived, so that it was captured too early.
func (f *flow) early(d Direction, s *packet.Segment) bool {
	other := &f.sides[1-d]
	if len(s.Payload)+s.Missing == 0 || s.Flags&packet.ACK == 0 || !other.started {
		return false
	}
	ahead := int32(s.Ack - other.next)
	if ahead == 1 && other.fin && other.next == other.finSeq { // of the FIN
		return false
	}
	return ahead > 0 && ahead <= maxWindow
}

// advance handles the segments whose wait is over.
func (t *Table) advance(f *flow, at time.Time) {
	for again := true; again && f.queue != nil && !f.closed; {
		again = false
		var blocked [2]bool
		for i := 0; i < len(f.queue.segments); i++ {
			w := f.queue.segments[i]
			if blocked[w.d] || f.early(w.d, &w.s) {
				blocked[w.d] = true
				continue
			}
			f.queue.since = at
			t.unqueue(f, i)
			t.take(f, w.d, &w.s, w.at)
			again = true
			break
		}
	}
}

// unqueue removes a segment; the last one removes the queue.
func (t *Table) unqueue(f *flow, i int) {
	q := f.queue
	n := len(q.segments[i].s.Payload)
	q.bytes -= n
	t.held -= n
	q.segments = slices.Delete(q.segments, i, i+1)
	q.arrived = 0
	if len(q.segments) == 0 {
		f.queue = nil
	}
}

// flush ends the wait: bytes that are acknowledged and missing are lost.
func (t *Table) flush(f *flow, at time.Time) {
	for f.queue != nil {
		w := f.queue.segments[0]
		t.unqueue(f, 0)
		if f.closed { // by one before it
			t.counts.Stray += int64(len(w.s.Payload))
			continue
		}
		if f.sides[w.d].accepts(w.s.Seq, len(w.s.Payload)) && f.early(w.d, &w.s) {
			t.loseUntil(f, 1-w.d, w.s.Ack, at)
		}
		t.take(f, w.d, &w.s, w.at)
		if !f.closed {
			t.advance(f, at)
		}
	}
}

// loseUntil gives up the bytes that the peer has acknowledged and that were not captured.
func (t *Table) loseUntil(f *flow, d Direction, ack uint32, at time.Time) {
	this := &f.sides[d]
	if this.fin && ack == this.finSeq+1 {
		ack--
	}
	for len(this.held) > 0 && before(this.held[0].seq, ack) {
		t.skip(f, d, at)
	}
	if n := int(int32(ack - this.next)); n > 0 {
		t.lose(f, d, n, at)
	}
}
