// Package conversation parses SMB conversations: from the ordered bytes of package flow to rows of who used what over
// IPC$.
//
//	flow.Stream ──► frames ──► SMB2/3 or SMB1 messages ──► sessions, trees, opens ──► DCE/RPC packets ──► model.Use
//	                00 len24   FE, FF: plain               who, IPC$, which pipe      binds, calls        Sink.Add
//	                           FD: encrypted, FC: compressed
//
// The rules of this package:
//
//   - Most traffic is file data. Only the wanted part of a frame is kept, and the first 128 bytes decide: reads and
//     writes of files are skipped without a copy, and a hole in them costs nothing.
//   - The beginning of a connection, one of its directions, or bytes in the middle may be missing. Then the rows say
//     unknown and inconclusive; nothing is guessed.
//   - No flag of the protocol proves a null session, and none disproves it: see identity.go.
//   - What a peer can make this package store is bounded and charged to the Follower, whose caller drops idle
//     connections if it is too much. What was dropped is counted by reason.
package conversation

import (
	"net/netip"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/clip"
	"ipcguard/internal/observe/flow"
)

// The bounds of one connection.
const (
	// maxPipeFrame is the maximum kept of a frame with pipe data: an RPC fragment has at most 64 KiB, and a client may
	// put several calls of a pipe into one compound.
	maxPipeFrame = 256 << 10
	// maxFrame is the maximum kept of other frames: the longest that matters is a session setup, whose token has a
	// 16-bit length.
	maxFrame = 80 << 10
	// maxSessions bounds sessions: the users of a terminal server share one connection.
	maxSessions = 1024
	// maxTrees and maxOpens are per session: Windows connects each share once, and a client holds a few dozen pipes.
	maxTrees = 1024
	maxOpens = 1024
	// maxPending bounds the unanswered requests; Zeek's limit is 1,000 too, and servers grant at most 512 credits by
	// default.
	maxPending = 1024
	// maxCalls and maxContexts are per pipe. Nearly all calls follow one another; a bind has at most 255 contexts, and
	// clients in captures use up to 3.
	maxCalls    = 64
	maxContexts = 256
	// maxBound bounds the sessions that are remembered beyond their connection: for channels that bind to them, and for
	// connections that are first seen in the middle.
	maxBound = 16384
)

// The memory that state takes in bytes, without its texts: the size of its structs and a share of their maps.
const (
	costState   = 1024
	costSession = 640
	costKeys    = 2560 // of a null session's two directions
	costSaid    = 192
	// costSetup is for a logon in progress with the longest texts: few connections are inside of one at a time, so that
	// nobody else loses room by it.
	costSetup   = 512 + 6*clip.Max
	costOp      = 128
	costTree    = 96
	costPipe    = 512
	costPending = 224
	costCall    = 96
	costContext = 96
)

// Sink receives the rows.
type Sink interface {
	// Add counts a use.
	Add(model.Use)
	// Touch extends an added use to its Last without counting it again.
	Touch(model.Use)
}

// Counts says what happened to the traffic.
type Counts struct {
	Frames int64 // SMB frames whose beginning was seen

	// Every byte of flow.Stream.Data is in one of these; see fate.
	Readable, Opaque, Before, Foreign, Undecodable int64

	// Every byte of flow.Stream.Gap is in one of these.
	Lost     int64
	Unneeded int64 // inside file data, which is skipped

	Decrypted int64 // frames opened with the key of a null session
	Sealed    int64 // frames that stay encrypted

	Decompressed int64            // frames that were compressed, and were decompressed
	GivenUp      map[string]int64 // what could not be followed, by reason
}

// Follower makes a Conversation for each connection and holds what they share. It is not safe for concurrent use.
type Follower struct {
	// Source names the packets' source in the rows.
	Source string

	// Met is called for each answered logon, if not nil.
	Met func(client netip.AddrPort, at time.Time)

	idle    []map[uint64]smb2Request // empty tables for new connections: see modern
	sink    Sink
	limit   int
	used    int
	counts  Counts
	bound   boundTable
	tickets ticketTable
	resume  resumeTable
	spare   [][]byte // buffers of frames for reuse
	failed  bool     // the current frame could not be decoded
}

// NewFollower returns a Follower that sends its rows to sink and is Over its memory beyond limit bytes.
func NewFollower(sink Sink, limit int) *Follower {
	return &Follower{sink: sink, limit: limit, counts: Counts{GivenUp: make(map[string]int64)}}
}

// Open returns the conversation of a new connection, as flow.NewTable wants it.
func (f *Follower) Open(conn flow.Conn, at time.Time) flow.Stream {
	c := &Conversation{f: f, conn: conn}
	if k := f.knownOf(conn, at); k != nil {
		c.start()
		c.st.now = at
		c.restore(k)
	}
	return c
}

// Over reports whether the connections' state exceeds the limit; the caller then evicts idle ones.
func (f *Follower) Over() bool { return f.used > f.limit }

// Used returns the approximate size of the connections' state in bytes.
func (f *Follower) Used() int { return f.used }

// Counts returns how much could be read so far. Its map belongs to the Follower.
func (f *Follower) Counts() Counts { return f.counts }

// giveUp counts something that could not be followed.
func (f *Follower) giveUp(reason string) {
	f.counts.GivenUp[reason]++
	switch reason {
	case badFrame, cutFrame, badToken, badRPC:
		f.failed = true
	}
}

// The reasons for giveUp.
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
