package transport

import "sync/atomic"

// Counters count what connections cost.
type Counters struct {
	Connections atomic.Int64
	Requests    atomic.Int64 // SMB requests, each of a compound counted; a NetBIOS session request counts too
	// The longest chain of waits of one Conn: connect is 1, a request is 1 + the chain of what was read before it was
	// sent.
	RoundTrips    atomic.Int64
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
