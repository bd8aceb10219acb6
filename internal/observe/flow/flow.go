// Package flow follows TCP connections in captured traffic and delivers their bytes in order.
//
//	segments ──► Table ──► Stream.Data(direction, bytes)   in order, each byte once
//	                       Stream.Gap(direction, n)        n bytes are lost: the peer has acknowledged them and they were
//	                                                       not captured, or no more may be held behind them
//	                       Stream.Close()
//
// It starts anywhere in a connection, with one direction alone if necessary, and accepts what the receiver would
// accept: see receive.go. The rules of this package:
//
//   - A segment whose sequence number is not acceptable changes nothing: neither data, nor a reset, nor an end.
//   - A reset counts unless later segments contradict it: see reset.go.
//   - The first copy of a byte counts.
//   - An answer that was captured before its question waits for it, and a hole for its bytes, within bounds.
//   - Every payload byte of a watched port is counted once: delivered, repeated, early, stray, or still held.
//   - All state is bounded: the connection that was idle longest goes first, and what was dropped is counted.
package flow

import (
	"time"

	"ipcguard/internal/observe/packet"
)

// Direction is the direction of bytes.
type Direction uint8

// The directions.
const (
	ToServer Direction = iota
	ToClient
)

// Stream receives the bytes of one connection. The slices are valid until the call returns.
type Stream interface {
	Data(d Direction, b []byte, at time.Time)
	Gap(d Direction, n int, at time.Time)
	Close(at time.Time)
}

// Conn is the two ends of a connection and how it was first seen.
type Conn struct {
	Client, Server packet.Endpoint
	Midstream      bool // the handshake was not seen
}

// Limits bound the memory of a Table.
type Limits struct {
	Flows   int // connections followed at a time
	Held    int // bytes held, all connections together
	PerSide int // bytes held behind a hole, one direction
}

// DefaultLimits are for a caller with 200 MiB: 131,072 connections at about 0.6 KiB each with their stream's own state,
// and 32 MiB behind holes. A usual receive window is 1 MiB: a sender cannot be further ahead of a hole.
var DefaultLimits = Limits{Flows: 131072, Held: 32 << 20, PerSide: 1 << 20}

// Counts says what happened to the segments.
type Counts struct {
	Segments int64 // all that belong to a watched port

	// Payload is all payload bytes of these segments. Each of them is in one of the next four counts, or still held.
	Payload  int64
	Bytes    int64 // delivered
	Repeated int64 // repeated
	Early    int64 // before the first captured byte of the connection
	Stray    int64 // not accepted by a receiver: outside its window, or behind a hole never filled

	Lost        int64 // payload that was missing in the capture
	Evicted     int64 // connections dropped to stay within Limits
	Midstream   int64 // connections whose beginning was not captured
	OneSided    int64 // connections of which only one direction was captured
	Reopened    int64 // connections that continued after their end
	Ignored     int64 // resets with the expected number after which both sides continued
	Connections int64
}

// Table is the set of connections. It is not safe for concurrent use.
type Table struct {
	open   func(Conn, time.Time) Stream
	server func(port uint16) bool
	limits Limits
	flows  map[key]*flow
	oldest *flow   // a ring: oldest.prev is the newest
	resets []*flow // those that were reset and may continue, oldest first
	held   int
	counts Counts
}

type key struct{ client, server packet.Endpoint }

type flow struct {
	key        key
	stream     Stream
	prev, next *flow
	sides      [2]side
	closed     bool   // nothing more is delivered; it stays to recognize late segments
	renewed    bool   // a SYN whose answer decides whether the ports are reused
	isn        uint32 // of that SYN
	reset      *reset // a possible end; nil for none
	queue      *queue // segments that wait for the other direction; nil for none
}

// NewTable returns an empty table. server reports which ports are followed; open returns the stream of a new
// connection.
func NewTable(limits Limits, server func(port uint16) bool, open func(Conn, time.Time) Stream) *Table {
	return &Table{open: open, server: server, limits: limits, flows: map[key]*flow{}}
}

// Counts returns what happened to the segments so far.
func (t *Table) Counts() Counts { return t.counts }

// Held returns the number of bytes held now.
func (t *Table) Held() int { return t.held }

// Len returns the number of connections followed now.
func (t *Table) Len() int { return len(t.flows) }

// Segment handles the next captured segment. It reports whether the segment belongs to a watched port.
func (t *Table) Segment(s *packet.Segment, at time.Time) bool {
	d := ToServer
	k := key{s.Src, s.Dst}
	switch toServer, toClient := t.server(s.Dst.Port), t.server(s.Src.Port); {
	case !toServer && !toClient:
		return false
	case toServer && toClient: // both ports are watched: a known flow decides, then the handshake
		if t.find(key{s.Dst, s.Src}) != nil || s.Flags&(packet.SYN|packet.ACK) == packet.SYN|packet.ACK {
			d, k = ToClient, key{s.Dst, s.Src}
		}
	case toClient:
		d, k = ToClient, key{s.Dst, s.Src}
	}
	t.counts.Segments++
	t.counts.Payload += int64(len(s.Payload))
	f := t.find(k)
	if f != nil {
		if t.touch(f); t.inOrder(f, d, s, at) {
			return true
		}
		f = t.sameOrNew(f, d, s, at)
	}
	if f == nil {
		if s.Flags&packet.RST != 0 || len(s.Payload)+s.Missing == 0 && s.Flags&packet.SYN == 0 {
			t.counts.Stray += int64(len(s.Payload))
			return true // nothing to follow
		}
		f = t.add(k, s.Flags&packet.SYN != 0, at)
	}
	switch {
	case !f.closed:
		t.arrive(f, d, s, at)
	case s.Flags&packet.RST == 0 && before(s.Seq, f.sides[d].next):
		t.counts.Repeated += int64(len(s.Payload))
	default:
		t.counts.Stray += int64(len(s.Payload))
	}
	return true
}

// find returns a connection; nil if it is not followed. Usually it is the most recent one.
func (t *Table) find(k key) *flow {
	if t.oldest != nil && t.oldest.prev.key == k {
		return t.oldest.prev
	}
	return t.flows[k]
}

// Evict drops a connection for a caller without memory left: one that was reset, or the one that was idle longest. It
// returns false if there is none.
func (t *Table) Evict(at time.Time) bool {
	switch {
	case len(t.resets) > 0:
		t.finish(t.resets[0], at)
	case t.oldest != nil:
		t.giveUp(t.oldest, at)
	default:
		return false
	}
	return true
}

func (t *Table) giveUp(f *flow, at time.Time) {
	if !f.closed && f.reset == nil {
		t.counts.Evicted++
	}
	t.drop(f, at)
}

// Newest yields the open connections' streams, the most recent first, until yield returns false.
func (t *Table) Newest(yield func(Stream) bool) {
	if t.oldest == nil {
		return
	}
	for f := t.oldest.prev; ; f = f.prev {
		if !f.closed && f.reset == nil && !yield(f.stream) || f == t.oldest {
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

func (t *Table) add(k key, syn bool, at time.Time) *flow {
	for len(t.flows) >= t.limits.Flows {
		t.giveUp(t.oldest, at)
	}
	t.counts.Connections++
	if !syn {
		t.counts.Midstream++
	}
	f := &flow{key: k, stream: t.open(Conn{k.client, k.server, !syn}, at)}
	for i := range f.sides {
		f.sides[i].scale = unknownScale
	}
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

// finish delivers the rest and ends the stream; the entry stays to recognize late segments.
func (t *Table) finish(f *flow, at time.Time) {
	if f.closed {
		return
	}
	if t.flush(f, at); f.closed { // by an end that waited
		return
	}
	for d := range f.sides {
		t.drain(f, Direction(d), at)
	}
	if f.sides[ToServer].delivered+f.sides[ToClient].delivered > 0 && (!f.sides[ToServer].seen ||
		!f.sides[ToClient].seen) {
		t.counts.OneSided++
	}
	f.closed = true
	t.settle(f)
	f.stream.Close(at)
	f.stream = nil
}
