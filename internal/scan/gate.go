package scan

import (
	"context"
	"time"
)

// reservedFiles is what the process needs besides sockets: standard streams, the output, the resolver's sockets, the
// poller. They are about 20; the rest is reserve.
const reservedFiles = 64

// defaultFiles is used if the system has no limit; it also bounds memory: 16,384 sockets are at most 1 GiB of kernel
// buffers.
const defaultFiles = 16 << 10

// Room bounds the open connections of all hosts together, for one scanner or several that share it.
//
// A host's first connection takes a place that its worker owns. Further ones take a place from a common pool, and none
// of them waits for another while it holds one, so that hosts cannot deadlock.
type Room struct {
	hosts int
	spare chan struct{}
}

// NewRoom divides open files between the requested number of hosts, or fewer. 0 files asks the system.
func NewRoom(concurrency, files int) *Room {
	if files <= 0 {
		files = OpenFiles()
	}
	usable := max(files-reservedFiles, 8)
	hosts := min(concurrency, usable*3/4)
	return &Room{hosts: hosts, spare: make(chan struct{}, usable-hosts)}
}

// Hosts returns the number of hosts that may be scanned at a time. Scanners that share a room must keep to it together.
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
