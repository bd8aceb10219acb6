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

// Room is how many connections may be open at a time, over all hosts together, for one scanner or several that share it.
//
// A host's first connection takes a place that its worker owns. Further ones take a place of a common stock, and none
// of them waits for another while it holds one, so that hosts cannot wait for one another in a ring.
type Room struct {
	hosts int
	spare chan struct{}
}

// NewRoom divides open files between as many hosts as are wanted at a time, or fewer. 0 files asks the system.
func NewRoom(concurrency, files int) *Room {
	if files <= 0 {
		files = OpenFiles()
	}
	usable := max(files-reservedFiles, 8)
	hosts := min(concurrency, usable*3/4)
	return &Room{hosts: hosts, spare: make(chan struct{}, usable-hosts)}
}

// Hosts is how many may be under way at a time. Who shares a room among scanners sees to it that all together are no more.
func (r *Room) Hosts() int { return r.hosts }

// free gets a place of the common stock where one is free at once; the caller gives it back.
func (r *Room) free() (release func(), ok bool) {
	select {
	case r.spare <- struct{}{}:
		return r.leave, true
	default:
		return nil, false
	}
}

func (r *Room) leave() { <-r.spare }

// take waits for a place of the common stock; the caller gives it back.
func (r *Room) take(ctx context.Context) (release func(), err error) {
	select {
	case r.spare <- struct{}{}:
		return r.leave, nil
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
