// Package flow follows TCP connections in captured traffic and hands their bytes over in order.
//
//	segments ──► Table ──► Stream.Data(direction, bytes)   in order, each byte once
//	                       Stream.Gap(direction, n)        n bytes are lost for good (the peer has acknowledged
//	                                                       them, or no more may be held back for them)
//	                       Stream.Close()
//
// It starts anywhere in a connection, with one side alone if need be, drops retransmissions (the copy that came first
// counts) and waits for a hole to be filled only as long as memory allows. All state is bounded: the connection that
// was idle longest goes first, and what was given up is counted.
package flow

import (
	"slices"
	"time"

	"ipcguard/internal/observe/packet"
)

// Direction is who sends.
type Direction uint8

// The directions.
const (
	ToServer Direction = iota
	ToClient
)

// Stream receives the bytes of one connection. The slices live until the call returns.
type Stream interface {
	Data(d Direction, b []byte, at time.Time)
	Gap(d Direction, n int, at time.Time)
	Close(at time.Time)
}

// Conn is a connection's two ends and how it was met.
type Conn struct {
	Client, Server packet.Endpoint
	Midstream      bool // the handshake was not seen
}

// Limits bound the memory of a Table.
type Limits struct {
	Flows   int // connections followed at a time
	Held    int // bytes held back behind holes, all connections together
	PerSide int // bytes held back behind a hole, one direction
}

// DefaultLimits fit in the 200 MiB that observe may use: 131,072 connections at about 0.6 KiB each with their stream's
// own state, and 32 MiB behind holes. 1 MiB a side is a usual receive window: a sender cannot be further ahead of a
// hole than that without having it filled.
var DefaultLimits = Limits{Flows: 131072, Held: 32 << 20, PerSide: 1 << 20}

// Counts says what became of the segments.
type Counts struct {
	Segments    int64 // all that belong to a watched port
	Bytes       int64 // payload handed over
	Lost        int64 // payload that was missing in the capture
	Repeated    int64 // payload that had come before
	Evicted     int64 // connections given up to stay within Limits
	Midstream   int64 // connections whose beginning was not seen
	Connections int64
}

// Table is the set of connections. It is not safe for concurrent use.
type Table struct {
	open   func(Conn, time.Time) Stream
	server func(port uint16) bool
	limits Limits
	flows  map[key]*flow
	oldest *flow // a ring: oldest.prev is the newest
	held   int
	counts Counts
}

type key struct{ client, server packet.Endpoint }

type flow struct {
	key        key
	stream     Stream
	prev, next *flow
	sides      [2]side
	closed     bool // nothing more is handed over; it stays to swallow late segments
}

// side is one direction.
type side struct {
	next    uint32 // the sequence number that is handed over next
	started bool
	fin     bool // finSeq counts
	done    bool
	finSeq  uint32
	held    []piece // in order, not overlapping
	bytes   int
}

type piece struct {
	seq     uint32
	data    []byte
	missing int // bytes behind data that the capture does not have
}

// end is the sequence number behind the piece.
func (p *piece) end() uint32 { return p.seq + uint32(len(p.data)) + uint32(p.missing) }

// NewTable makes one. server tells the ports that are followed, open makes the receiver of a new connection's bytes.
func NewTable(limits Limits, server func(port uint16) bool, open func(Conn, time.Time) Stream) *Table {
	return &Table{open: open, server: server, limits: limits, flows: map[key]*flow{}}
}

// Counts is what became of the segments so far.
func (t *Table) Counts() Counts { return t.counts }

// Len is the number of connections followed now.
func (t *Table) Len() int { return len(t.flows) }

// Segment takes the next captured segment. It tells whether the segment belongs to a watched port.
func (t *Table) Segment(s *packet.Segment, at time.Time) bool {
	d := ToServer
	k := key{s.Src, s.Dst}
	switch toServer, toClient := t.server(s.Dst.Port), t.server(s.Src.Port); {
	case !toServer && !toClient:
		return false
	case toServer && toClient: // both ports are watched: a flow that is known decides, then the handshake
		if t.flows[key{s.Dst, s.Src}] != nil || s.Flags&(packet.SYN|packet.ACK) == packet.SYN|packet.ACK {
			d, k = ToClient, key{s.Dst, s.Src}
		}
	case toClient:
		d, k = ToClient, key{s.Dst, s.Src}
	}
	t.counts.Segments++
	f := t.flows[k]
	syn := s.Flags&packet.SYN != 0
	if f != nil && syn && d == ToServer && s.Flags&packet.ACK == 0 && f.sides[d].started && s.Seq+1 != f.sides[d].next {
		t.drop(f, at) // the ports are used again
		f = nil
	}
	if f == nil {
		if s.Flags&packet.RST != 0 || (len(s.Payload)+s.Missing == 0 && !syn) {
			return true // nothing to follow
		}
		f = t.add(k, syn, at)
	}
	t.touch(f)
	if f.closed {
		return true
	}
	t.take(f, d, s, at)
	return true
}

func (t *Table) take(f *flow, d Direction, s *packet.Segment, at time.Time) {
	this, other := &f.sides[d], &f.sides[1-d]
	if s.Flags&packet.RST != 0 {
		t.finish(f, at)
		return
	}
	seq := s.Seq
	if s.Flags&packet.SYN != 0 {
		if !this.started {
			this.started, this.next = true, seq+1
		}
		seq++
	}
	if s.Flags&packet.ACK != 0 && other.started {
		t.acknowledged(f, 1-d, s.Ack, at)
	}
	if n := len(s.Payload) + s.Missing; n > 0 {
		if !this.started {
			this.started, this.next = true, seq
		}
		t.payload(f, d, piece{seq, s.Payload, s.Missing}, at)
	}
	if s.Flags&packet.FIN != 0 && !this.fin {
		this.fin, this.finSeq = true, seq+uint32(len(s.Payload)+s.Missing)
		if !this.started {
			this.started, this.next = true, this.finSeq
		}
	}
	t.ended(f, at)
}

// before tells whether sequence number a is in front of b. See RFC 9293 3.4.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// payload hands a piece over, or holds it back behind the hole in front of it.
func (t *Table) payload(f *flow, d Direction, p piece, at time.Time) {
	this := &f.sides[d]
	if before(p.seq, this.next) {
		repeated := int(this.next - p.seq)
		if repeated >= len(p.data)+p.missing {
			t.counts.Repeated += int64(len(p.data))
			return
		}
		t.counts.Repeated += int64(min(repeated, len(p.data)))
		p = p.from(repeated)
	}
	if p.seq != this.next {
		t.hold(f, d, p, at)
		return
	}
	t.hand(f, d, p, at)
	t.release(f, d, at)
}

// from is the piece without its first n bytes.
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

func (t *Table) hand(f *flow, d Direction, p piece, at time.Time) {
	f.sides[d].next = p.end()
	if len(p.data) > 0 {
		t.counts.Bytes += int64(len(p.data))
		f.stream.Data(d, p.data, at)
	}
	if p.missing > 0 {
		t.counts.Lost += int64(p.missing)
		f.stream.Gap(d, p.missing, at)
	}
}

// release hands over what is held back and now in order.
func (t *Table) release(f *flow, d Direction, at time.Time) {
	this := &f.sides[d]
	for len(this.held) > 0 && !before(this.next, this.held[0].seq) {
		p := this.held[0]
		this.held = slices.Delete(this.held, 0, 1)
		t.unhold(this, len(p.data))
		if !before(this.next, p.end()) {
			t.counts.Repeated += int64(len(p.data))
			continue
		}
		t.hand(f, d, p.from(int(this.next-p.seq)), at)
	}
	if len(this.held) == 0 {
		this.held = nil
	}
}

func (t *Table) unhold(s *side, n int) {
	s.bytes -= n
	t.held -= n
}

// maxPieces bounds the list that an insertion walks: 1 MiB in segments of the usual 1,460 bytes is 719.
const maxPieces = 1024

// hold keeps a copy of a piece that came before what is in front of it.
func (t *Table) hold(f *flow, d Direction, p piece, at time.Time) {
	this := &f.sides[d]
	i, _ := slices.BinarySearchFunc(this.held, p.seq, func(h piece, seq uint32) int { return int(int32(h.seq - seq)) })
	if i > 0 && before(p.seq, this.held[i-1].end()) { // the copy that came first counts
		over := int(this.held[i-1].end() - p.seq)
		if over >= len(p.data)+p.missing {
			t.counts.Repeated += int64(len(p.data))
			return
		}
		p = p.from(over)
	}
	for i < len(this.held) && !before(p.end(), this.held[i].end()) { // swallowed by the new piece
		t.unhold(this, len(this.held[i].data))
		this.held = slices.Delete(this.held, i, i+1)
	}
	if i < len(this.held) && before(this.held[i].seq, p.end()) {
		keep := int(this.held[i].seq - p.seq)
		if keep < len(p.data) {
			p.data, p.missing = p.data[:keep], 0
		} else {
			p.missing = keep - len(p.data)
		}
	}
	p.data = slices.Clone(p.data)
	this.held = slices.Insert(this.held, i, p)
	this.bytes += len(p.data)
	t.held += len(p.data)
	for this.bytes > t.limits.PerSide || len(this.held) > maxPieces {
		t.skip(f, d, at)
	}
	for t.held > t.limits.Held && len(this.held) > 0 { // the one that asks for more pays for it
		t.skip(f, d, at)
	}
}

// skip gives up the hole in front of what is held back.
func (t *Table) skip(f *flow, d Direction, at time.Time) {
	this := &f.sides[d]
	n := int(this.held[0].seq - this.next)
	this.next = this.held[0].seq
	t.counts.Lost += int64(n)
	f.stream.Gap(d, n, at)
	t.release(f, d, at)
}

// acknowledged looks at what the other end has received: a hole in front of that was on the wire, and never will be in
// the capture. What is acknowledged but has not come at all may still come, in a capture that is a little out of order;
// so only a hole with data behind it is given up.
func (t *Table) acknowledged(f *flow, d Direction, ack uint32, at time.Time) {
	this := &f.sides[d]
	for len(this.held) > 0 && before(this.held[0].seq, ack) && !before(ack, this.held[0].end()) {
		t.skip(f, d, at)
	}
}

// ended closes the connection when both sides have said their last byte.
func (t *Table) ended(f *flow, at time.Time) {
	for i := range f.sides {
		s := &f.sides[i]
		if s.fin && !before(s.next, s.finSeq) {
			s.done = true
		}
	}
	if f.sides[0].done && f.sides[1].done {
		t.finish(f, at)
	}
}

// finish hands over what is left and ends the stream; the entry stays for late segments.
func (t *Table) finish(f *flow, at time.Time) {
	if f.closed {
		return
	}
	for d := range f.sides {
		for len(f.sides[d].held) > 0 {
			t.skip(f, Direction(d), at)
		}
	}
	f.closed = true
	f.stream.Close(at)
	f.stream = nil
}

func (t *Table) add(k key, syn bool, at time.Time) *flow {
	for len(t.flows) >= t.limits.Flows {
		if !t.oldest.closed {
			t.counts.Evicted++
		}
		t.drop(t.oldest, at)
	}
	t.counts.Connections++
	if !syn {
		t.counts.Midstream++
	}
	f := &flow{key: k, stream: t.open(Conn{k.client, k.server, !syn}, at)}
	t.flows[k] = f
	if t.oldest == nil {
		f.prev, f.next = f, f
		t.oldest = f
	} else {
		t.link(f)
	}
	return f
}

// link puts f at the end of the ring: the newest.
func (t *Table) link(f *flow) {
	f.prev, f.next = t.oldest.prev, t.oldest
	f.prev.next, f.next.prev = f, f
}

func (t *Table) unlink(f *flow) {
	if f.next == f {
		t.oldest = nil
		return
	}
	if t.oldest == f {
		t.oldest = f.next
	}
	f.prev.next, f.next.prev = f.next, f.prev
}

func (t *Table) touch(f *flow) {
	switch {
	case f.next == f || t.oldest.prev == f:
	case t.oldest == f:
		t.oldest = f.next
	default:
		t.unlink(f)
		t.link(f)
	}
}

func (t *Table) drop(f *flow, at time.Time) {
	t.finish(f, at)
	t.unlink(f)
	delete(t.flows, f.key)
}

// Evict gives up the connection that was idle longest, for a caller whose own memory is spent. False: there is none.
func (t *Table) Evict(at time.Time) bool {
	if t.oldest == nil {
		return false
	}
	if !t.oldest.closed {
		t.counts.Evicted++
	}
	t.drop(t.oldest, at)
	return true
}

// Newest gives the open connections' streams, that which was busy last first, until yield returns false.
func (t *Table) Newest(yield func(Stream) bool) {
	if t.oldest == nil {
		return
	}
	for f := t.oldest.prev; ; f = f.prev {
		if !f.closed && !yield(f.stream) || f == t.oldest {
			return
		}
	}
}

// Close ends every connection, oldest first.
func (t *Table) Close(at time.Time) {
	for t.oldest != nil {
		t.drop(t.oldest, at)
	}
}
