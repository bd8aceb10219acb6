package scan

import (
	"context"
	"sync"
	"time"
)

// reservedFiles is what the process needs besides sockets: standard streams, the output, the resolver's sockets, the
// poller; 20 are used, the rest is air.
const reservedFiles = 64

// defaultFiles stands where the system names no limit; it bounds memory as well: 16,384 sockets are 1 GiB of kernel
// buffers at worst.
const defaultFiles = 16 << 10

// gate bounds connections: how many begin in a second, and how many are open, over all hosts together.
//
// A host's first connection takes a place that its worker owns. Further ones take a place of a common stock, and none
// of them waits for another while it holds one, so that hosts cannot wait for one another in a ring.
type gate struct {
	wait     func(context.Context) error // in the place of interval; may be nil
	interval time.Duration               // between two connections; 0 is no limit
	lock     sync.Mutex
	next     time.Time
	spare    chan struct{}
}

// newGate divides files between hosts: it returns how many may be under way at a time, and the gate.
func newGate(concurrency, files int, rate float64) (int, *gate) {
	usable := max(files-reservedFiles, 8)
	hosts := min(concurrency, usable*3/4)
	g := &gate{spare: make(chan struct{}, usable-hosts)}
	if rate > 0 {
		g.interval = time.Duration(float64(time.Second) / rate)
	}
	return hosts, g
}

// pace waits until the next connection may begin.
func (g *gate) pace(ctx context.Context) error {
	switch {
	case g.wait != nil:
		return g.wait(ctx)
	case g.interval == 0:
		return ctx.Err()
	}
	g.lock.Lock()
	now := time.Now()
	if g.next.Before(now) {
		g.next = now
	}
	at := g.next
	g.next = g.next.Add(g.interval)
	g.lock.Unlock()
	return sleep(ctx, at.Sub(now))
}

// take gets a place of the common stock; the caller gives it back.
func (g *gate) take(ctx context.Context) (release func(), err error) {
	select {
	case g.spare <- struct{}{}:
		return func() { <-g.spare }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
