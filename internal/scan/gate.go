package scan

import (
	"context"
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
	pace  *Pace
	spare chan struct{}
}

// newGate divides files between hosts: it returns how many may be under way at a time, and the gate.
func newGate(concurrency, files int, pace *Pace) (int, *gate) {
	usable := max(files-reservedFiles, 8)
	hosts := min(concurrency, usable*3/4)
	return hosts, &gate{pace: pace, spare: make(chan struct{}, usable-hosts)}
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
