package smb2client

import (
	"context"
	"sync"
	"time"

	"ipcguard/internal/smb/transport"
)

// wantedCredits is how many requests a Conn wants to have in flight: some thirty pipes, with room.
const wantedCredits = 64

// credits assigns MessageIds as the server grants them. See [MS-SMB2] 3.2.4.1.2 and 3.2.4.1.6.
type credits struct {
	mu      sync.Mutex
	free    int
	next    uint64
	waiting []*creditWait // first come, first served
}

type creditWait struct {
	n  int
	id chan uint64 // of capacity 1
}

// take returns the first of n MessageIds in a row, and how many credits to ask for. Without free credits it waits
// until the deadline, the end of the connection or of the context.
func (c *credits) take(ctx context.Context, n int, conn *transport.Conn, layer string, deadline time.Time) (id uint64,
	ask uint16, err error,
) {
	c.mu.Lock()
	if len(c.waiting) == 0 && c.free >= n {
		id, ask = c.spend(n)
		c.mu.Unlock()
		return id, ask, nil
	}
	w := &creditWait{n, make(chan uint64, 1)}
	c.waiting = append(c.waiting, w)
	c.mu.Unlock()

	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case id = <-w.id:
		return id, uint16(n), nil
	case <-conn.Down():
		err = conn.Err(layer)
	case <-timer.C:
		err = transport.TimedOut(layer, "timed out: the server granted no credits")
	case <-ctx.Done():
		err = transport.NetError(layer, ctx.Err())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.waiting {
		if other == w {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			return 0, 0, err
		}
	}
	return <-w.id, uint16(n), nil // granted in this moment
}

// has reports whether n requests can be sent now.
func (c *credits) has(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) == 0 && c.free >= n
}

// spend is called with the lock held.
func (c *credits) spend(n int) (id uint64, ask uint16) {
	id = c.next
	c.next += uint64(n)
	c.free -= n
	return id, uint16(max(n, n+wantedCredits-c.free))
}

// grant adds the credits of a response. More than any honest server grants is ignored.
func (c *credits) grant(n uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free = min(c.free+int(n), 1<<16)
	for len(c.waiting) > 0 && c.waiting[0].n <= c.free {
		w := c.waiting[0]
		c.waiting = c.waiting[1:]
		id, _ := c.spend(w.n)
		w.id <- id
	}
}
