// Package flow follows TCP connections in captured traffic and hands their bytes over in order.
//
//	segments ──► Table ──► Stream.Data(direction, bytes)   in order, each byte once
//	                       Stream.Gap(direction, n)        n bytes are lost for good: the peer has acknowledged them
//	                                                       and they did not come, or no more may be held behind them
//	                       Stream.Close()
//
// It starts anywhere in a connection, with one side alone if need be, and takes of a connection what its receiver would
// take: see receive.go. Rules of the room:
//
//   - What a sequence number does not allow changes nothing, be it data, a reset or an end.
//   - A reset is believed for good when nothing that follows contradicts it: see reset.go.
//   - The copy of a byte that came first counts.
//   - An answer that was captured before its question waits for it, and a hole for what fills it, within bounds.
//   - Every payload byte of a watched port is counted once: handed over, repeated, early, stray, or still held.
//   - All state is bounded: the connection that was idle longest goes first, and what was given up is counted.
package flow

import (
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
	Held    int // bytes held back, all connections together
	PerSide int // bytes held back behind a hole, one direction
}

// DefaultLimits are for a caller with 200 MiB: 131,072 connections at about 0.6 KiB each with their stream's
// own state, and 32 MiB behind holes. 1 MiB a side is a usual receive window: a sender cannot be further ahead of a
// hole than that without having it filled.
var DefaultLimits = Limits{Flows: 131072, Held: 32 << 20, PerSide: 1 << 20}

// Counts says what became of the segments.
type Counts struct {
	Segments int64 // all that belong to a watched port

	// Payload is all payload bytes of these segments. Each of them is in one of the four counts that follow, or still held.
	Payload  int64
	Bytes    int64 // handed over
	Repeated int64 // had come before
	Early    int64 // lie before the first byte of the connection that was seen
	Stray    int64 // no receiver takes them: outside of its window, of no connection, or behind a hole that it never filled

	Lost        int64 // payload that was missing in the capture
	Evicted     int64 // connections given up to stay within Limits
	Midstream   int64 // connections whose beginning was not seen
	OneSided    int64 // connections of which one side alone was captured
	Reopened    int64 // connections that went on after their end
	Ignored     int64 // resets at the number that was expected, after which both sides went on
	Connections int64
}

// Table is the set of connections. It is not safe for concurrent use.
type Table struct {
	open   func(Conn, time.Time) Stream
	server func(port uint16) bool
	limits Limits
	flows  map[key]*flow
	oldest *flow   // a ring: oldest.prev is the newest
	resets []*flow // that were reset and may go on, the oldest first
	held   int
	counts Counts
}

type key struct{ client, server packet.Endpoint }

type flow struct {
	key        key
	stream     Stream
	prev, next *flow
	sides      [2]side
	closed     bool   // nothing more is handed over; it stays to know late segments
	renewed    bool   // a SYN came whose answer decides whether the ports are used again
	isn        uint32 // of that SYN
	reset      *reset // what may have been its end; nil for none
	queue      *queue // segments that wait for the other direction; nil for none
}

// NewTable makes one. server tells the ports that are followed, open makes the receiver of a new connection's bytes.
func NewTable(limits Limits, server func(port uint16) bool, open func(Conn, time.Time) Stream) *Table {
	return &Table{open: open, server: server, limits: limits, flows: map[key]*flow{}}
}

// Counts is what became of the segments so far.
func (t *Table) Counts() Counts { return t.counts }

// Held is how many bytes are held back now.
func (t *Table) Held() int { return t.held }

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

// find gives a connection; nil where it is not followed. Most often it is the one that was busy last.
func (t *Table) find(k key) *flow {
	if t.oldest != nil && t.oldest.prev.key == k {
		return t.oldest.prev
	}
	return t.flows[k]
}

// Evict gives up a connection, for a caller whose own memory is spent: one that was reset, or that which was idle longest.
// False: there is none.
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

// Newest gives the open connections' streams, that which was busy last first, until yield returns false.
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

// finish hands over what is left and ends the stream; the entry stays for late segments.
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
	if f.sides[ToServer].delivered+f.sides[ToClient].delivered > 0 && (!f.sides[ToServer].seen || !f.sides[ToClient].seen) {
		t.counts.OneSided++
	}
	f.closed = true
	t.settle(f)
	f.stream.Close(at)
	f.stream = nil
}
