package flow

import (
	"slices"
	"time"
)

// piece is part of a direction.
type piece struct {
	seq     uint32
	data    []byte
	missing int // bytes after data that were not captured
}

// end returns the sequence number after the piece.
func (p *piece) end() uint32 { return p.seq + uint32(len(p.data)) + uint32(p.missing) }

// from returns the piece without its first n bytes.
func (p piece) from(n int) piece {
	p.seq += uint32(n)
	if n <= len(p.data) {
		p.data = p.data[n:]
		return p
	}
	p.missing -= n - len(p.data)
	p.data = nil
	return p
}

// payload delivers a piece, or holds it until the hole before it is filled.
func (t *Table) payload(f *flow, d Direction, p piece, at time.Time) {
	this := &f.sides[d]
	this.strays = 0
	if before(p.seq, this.next) {
		p = t.trim(this, p)
		if len(p.data)+p.missing == 0 {
			return
		}
	}
	if p.seq != this.next {
		t.hold(f, d, p, at)
		return
	}
	t.hand(f, d, p, at)
	if len(this.held) > 0 {
		t.release(f, d, at)
	}
}

// trim removes and counts what precedes the next byte: it is repeated, or before the first captured byte.
func (t *Table) trim(s *side, p piece) piece {
	old := int(s.next - p.seq)
	cut := min(old, len(p.data)+p.missing)
	early := 0
	if uint64(old) > s.delivered {
		early = min(old-int(s.delivered), len(p.data))
	}
	t.counts.Early += int64(early)
	t.counts.Repeated += int64(min(cut, len(p.data)) - early)
	return p.from(cut)
}

func (t *Table) hand(f *flow, d Direction, p piece, at time.Time) {
	this := &f.sides[d]
	this.next = p.end()
	this.delivered += uint64(len(p.data))
	if len(p.data) > 0 {
		t.counts.Bytes += int64(len(p.data))
		f.stream.Data(d, p.data, at)
	}
	if p.missing > 0 {
		this.next -= uint32(p.missing)
		t.lose(f, d, p.missing, at)
	}
}

// lose reports that the next n bytes were not captured.
func (t *Table) lose(f *flow, d Direction, n int, at time.Time) {
	this := &f.sides[d]
	this.next += uint32(n)
	this.delivered += uint64(n)
	t.counts.Lost += int64(n)
	f.stream.Gap(d, n, at)
}

// release delivers held pieces that are now in order.
func (t *Table) release(f *flow, d Direction, at time.Time) {
	this := &f.sides[d]
	for len(this.held) > 0 && !before(this.next, this.held[0].seq) {
		p := this.held[0]
		this.held = slices.Delete(this.held, 0, 1)
		t.unhold(this, len(p.data))
		if before(p.seq, this.next) {
			if p = t.trim(this, p); len(p.data)+p.missing == 0 {
				continue
			}
		}
		t.hand(f, d, p, at)
	}
	if len(this.held) == 0 {
		this.held, this.holeSince = nil, 0
	}
}

func (t *Table) unhold(s *side, n int) {
	s.heldLength -= n
	t.held -= n
}

// maxPieces bounds the list that an insertion walks: 1 MiB in segments of the usual 1,460 bytes is 719.
const maxPieces = 1024

// hold copies a piece that arrived early.
func (t *Table) hold(f *flow, d Direction, p piece, at time.Time) {
	this := &f.sides[d]
	i, _ := slices.BinarySearchFunc(this.held, p.seq, func(h piece, seq uint32) int { return int(int32(h.seq - seq)) })
	if i > 0 && before(p.seq, this.held[i-1].end()) { // the first copy counts
		over := min(int(this.held[i-1].end()-p.seq), len(p.data)+p.missing)
		t.counts.Repeated += int64(min(over, len(p.data)))
		if p = p.from(over); len(p.data)+p.missing == 0 {
			return
		}
	}
	for i < len(this.held) && !before(p.end(), this.held[i].end()) { // covered by the new piece
		t.counts.Repeated += int64(len(this.held[i].data))
		t.unhold(this, len(this.held[i].data))
		this.held = slices.Delete(this.held, i, i+1)
	}
	if i < len(this.held) && before(this.held[i].seq, p.end()) {
		keep := int(this.held[i].seq - p.seq)
		if keep < len(p.data) {
			t.counts.Repeated += int64(len(p.data) - keep)
			p.data, p.missing = p.data[:keep], 0
		} else {
			p.missing = keep - len(p.data)
		}
		if keep == 0 {
			return
		}
	}
	p.data = slices.Clone(p.data)
	this.held = slices.Insert(this.held, i, p)
	this.heldLength += len(p.data)
	t.held += len(p.data)
	for this.heldLength > t.limits.PerSide || len(this.held) > maxPieces {
		t.skip(f, d, at)
	}
	for t.held > t.limits.Held && len(this.held) > 0 { // the direction that needs the room gives up its hole
		t.skip(f, d, at)
	}
}

// skip gives up the hole before the held pieces.
func (t *Table) skip(f *flow, d Direction, at time.Time) {
	this := &f.sides[d]
	if n := int(int32(this.held[0].seq - this.next)); n > 0 {
		t.lose(f, d, n, at)
	}
	t.release(f, d, at)
}

// drain ends what is held. If the receiver never acknowledged it, it was behind a hole that was never filled, so the
// receiver dropped it; if the receiver's direction was not captured, that is unknown, and the holes count.
func (t *Table) drain(f *flow, d Direction, at time.Time) {
	this := &f.sides[d]
	for len(this.held) > 0 {
		if this.acked && !before(this.held[0].seq, this.ack) {
			t.counts.Stray += int64(len(this.held[0].data))
			t.unhold(this, len(this.held[0].data))
			this.held = slices.Delete(this.held, 0, 1)
			continue
		}
		t.skip(f, d, at)
	}
	this.held = nil
}
