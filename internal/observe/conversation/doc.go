// Package conversation reads SMB conversations, from the bytes that package flow puts in order up to rows of who used what
// over IPC$.
//
//	flow.Stream ──► frames ──► SMB2/3 or SMB1 messages ──► sessions, trees, opens ──► DCE/RPC packets ──► model.Use
//	                00 len24   FE, FF: plain               who, IPC$, which pipe      binds, calls        Sink.Add
//	                           FD: encrypted, FC: compressed
//
// Rules of the room:
//
//   - Most of what passes by is file data. Of a frame only what is wanted is kept, and the first 128 bytes decide: reads and
//     writes of files are passed over uncopied, and a hole in them costs nothing.
//   - The beginning of a connection may be missing, or one of its sides, or bytes in the middle. Then the rows say unknown
//     and inconclusive; what was not seen is never guessed.
//   - No flag of the protocol proves a null session, and none disproves it: see identity.go.
//   - Whatever a peer makes this room keep is bounded, and charged to the Follower, whose caller drops idle connections when
//     it is too much. What was given up is counted by reason.
package conversation

import (
	"net/netip"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
)

// The bounds of one connection.
const (
	// maxPipeFrame is what is kept of a frame with pipe data: an RPC fragment has at most 64 KiB, and a client may put
	// several calls of a pipe into one compound.
	maxPipeFrame = 256 << 10
	// maxFrame is what is kept of other frames: the longest that matters is a session setup, whose token has 16-bit length.
	maxFrame = 80 << 10
	// maxSessions: the users of a terminal server share one connection.
	maxSessions = 1024
	// maxTrees and maxOpens are of one session: Windows connects each share once, and a client holds some dozen pipes.
	maxTrees = 1024
	maxOpens = 1024
	// maxPending is how many requests may wait for an answer; Zeek stops at 1,000 too, and servers grant 512 credits or less
	// unless told otherwise.
	maxPending = 1024
	// maxCalls and maxContexts are of one pipe. Calls follow one another but for a few; a bind has at most 255 contexts, and
	// the clients of the captures at hand use 3.
	maxCalls    = 64
	maxContexts = 256
	// maxBound is how many sessions are remembered beyond their connection, for channels that are bound to them and for
	// connections that are met again in their middle.
	maxBound = 16384
)

// What state costs in bytes beside its texts, measured by its structs and a share of their maps.
const (
	costState   = 1024
	costSession = 640
	costTree    = 96
	costPipe    = 512
	costPending = 224
	costCall    = 96
	costContext = 96
)

// Sink takes what is found.
type Sink interface {
	// Add counts a use.
	Add(model.Use)
	// Touch tells that a use that was added still goes on at its Last; it counts nothing.
	Touch(model.Use)
}

// Counts says what became of the traffic.
type Counts struct {
	Frames int64 // SMB frames whose beginning was seen

	// Every byte of flow.Stream.Data is in one of these; see fate.
	Readable, Opaque, Before, Foreign, Undecodable int64

	// Every byte of flow.Stream.Gap is in one of these.
	Lost     int64
	Unneeded int64 // inside of file data, which is passed over

	Decrypted int64 // frames opened with the key of a null session
	Sealed    int64 // frames that stay encrypted

	Decompressed int64            // frames that were compressed, and read
	GivenUp      map[string]int64 // what could not be followed, by reason
}

// Follower makes a Conversation of each connection, and holds what they share. It is not safe for concurrent use.
type Follower struct {
	// Source names where the packets come from; rows carry it.
	Source string

	// Met is told of each logon that was answered, where it is not nil.
	Met func(client netip.AddrPort, at time.Time)

	idle    []map[uint64]smb2Request // empty, for connections to come: see modern
	sink    Sink
	limit   int
	used    int
	counts  Counts
	bound   boundTable
	tickets ticketTable
	resume  resumeTable
	spare   [][]byte // buffers of frames, to be used again
	failed  bool     // the frame at hand could not be decoded
}

// NewFollower makes one that gives its rows to sink and is Over its memory beyond limit bytes.
func NewFollower(sink Sink, limit int) *Follower {
	return &Follower{sink: sink, limit: limit, counts: Counts{GivenUp: make(map[string]int64)}}
}

// Open is the constructor that a flow.Table wants.
func (f *Follower) Open(conn flow.Conn, at time.Time) flow.Stream {
	c := &Conversation{f: f, conn: conn}
	if k := f.knownOf(conn, at); k != nil {
		c.start()
		c.st.now = at
		c.restore(k)
	}
	return c
}

// Over tells that the connections' state takes more than the limit; the caller evicts idle ones until it does not.
func (f *Follower) Over() bool { return f.used > f.limit }

// Used is about how many bytes the connections' state takes.
func (f *Follower) Used() int { return f.used }

// Counts is how much could be read so far. The map in it is the Follower's own.
func (f *Follower) Counts() Counts { return f.counts }

// giveUp counts something that could not be followed.
func (f *Follower) giveUp(reason string) {
	f.counts.GivenUp[reason]++
	switch reason {
	case badFrame, cutFrame, badToken, badRPC:
		f.failed = true
	}
}

// The reasons of giveUp.
const (
	gapInFrame     = "frames with a hole"
	badFrame       = "frames that could not be decoded"
	cutFrame       = "frames longer than what is kept of one"
	badToken       = "logon tokens that could not be decoded"
	tooManyPending = "requests beyond the limit of one connection"
	tooMuchState   = "sessions, trees, opens or calls beyond the limit of one connection"
	compressed     = "compressed frames that could not be decompressed"
	badRPC         = "RPC packets that could not be decoded"
)
