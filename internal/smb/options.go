package smb

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// Options is how a Conn is made and kept. The zero value offers every dialect and waits the default times.
type Options struct {
	// Dialects are offered in this order; nil is all of them. With SMB1 among them the first question is the SMB1
	// negotiate that a server may answer in SMB2, else it is a plain SMB2 negotiate.
	Dialects []Dialect
	// NoExtendedSecurity asks an SMB1 server for the older session setup, with WordCount 13.
	NoExtendedSecurity bool
	// OEM speaks SMB1 without Unicode.
	OEM bool
	// NetBIOS sends a session request first, as port 139 wants it, for CalledName, or *SMBSERVER and then the host's
	// name where CalledName is empty.
	NetBIOS    bool
	CalledName string

	Timeouts Timeouts
	// Encrypt wishes encryption where the server can, for authenticated sessions.
	Encrypt bool
	// RequireSigning refuses an authenticated session that cannot be signed. Anonymous and guest sessions are never
	// held to it: they have no secret.
	RequireSigning bool
	// MaxFrame bounds an incoming frame, in bytes; zero is DefaultMaxFrame.
	MaxFrame int
	// Dial makes the TCP connection; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Counters may be shared by several Conns of one target; nil counts for nobody.
	Counters *Counters
}

// DefaultMaxFrame holds the largest answer that a pipe conversation asks for (64 KiB) many times over.
const DefaultMaxFrame = 1<<20 + 64<<10

// Timeouts bound the wait of each layer: TCP connect, negotiate with all its requests, one session setup with all its
// requests, tree connect, open, and each request on an open pipe. Zero is the default.
type Timeouts struct {
	Connect, Negotiate, Session, Tree, Open, Call time.Duration
}

// The default waits. A first pipe may take 4 s (the server starts a helper), a failed logon 2 s (Server 2025).
const (
	defaultConnect = 5 * time.Second
	defaultWait    = 10 * time.Second
)

func (t Timeouts) withDefaults() Timeouts {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Connect, defaultConnect},
		{&t.Negotiate, defaultWait},
		{&t.Session, defaultWait},
		{&t.Tree, defaultWait},
		{&t.Open, defaultWait},
		{&t.Call, defaultWait},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return t
}

// Counters count what connections cost.
type Counters struct {
	Connections   atomic.Int64
	Requests      atomic.Int64 // SMB requests, each of a compound counted; a NetBIOS session request counts too
	RoundTrips    atomic.Int64 // the longest chain of waits of one Conn: connect is 1, a request is 1 + the chain of what was read before it was sent
	BytesSent     atomic.Int64 // with frame headers
	BytesReceived atomic.Int64
}

// chain notes that a connection has come to a chain of depth waits.
func (c *Counters) chain(depth int64) {
	for {
		old := c.RoundTrips.Load()
		if depth <= old || c.RoundTrips.CompareAndSwap(old, depth) {
			return
		}
	}
}

// of is the wait for an answer in a layer of a session.
func (t *Timeouts) of(layer string) time.Duration {
	switch layer {
	case layerSession:
		return t.Session
	case layerTree:
		return t.Tree
	case layerOpen:
		return t.Open
	}
	return t.Call
}
