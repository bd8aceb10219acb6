// Package places bounds how many hosts are scanned at a time.
package places

import (
	"context"
	"sync"
)

// Places is a semaphore whose size may change while it is used. It is safe for concurrent use.
type Places struct {
	lock  sync.Mutex
	size  int
	taken int
	queue []chan struct{}
}

// New returns size places.
func New(size int) *Places { return &Places{size: size} }

// Take waits for a place.
func (p *Places) Take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.lock.Lock()
	if p.taken < p.size && len(p.queue) == 0 {
		p.taken++
		p.lock.Unlock()
		return nil
	}
	mine := make(chan struct{})
	p.queue = append(p.queue, mine)
	p.lock.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	for i, c := range p.queue {
		if c == mine {
			p.queue = append(p.queue[:i], p.queue[i+1:]...)
			return ctx.Err()
		}
	}
	p.taken-- // it was assigned at the same moment
	p.next()
	return ctx.Err()
}

// Free releases a place.
func (p *Places) Free() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.taken--
	p.next()
}

// Resize changes the number of places; taken ones stay taken.
func (p *Places) Resize(size int) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.size = max(size, 1)
	p.next()
}

// next admits waiting callers in order.
func (p *Places) next() {
	for p.taken < p.size && len(p.queue) > 0 {
		close(p.queue[0])
		p.queue = p.queue[1:]
		p.taken++
	}
}

// Busy returns the number of taken places.
func (p *Places) Busy() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.taken
}

// Size returns the number of places.
func (p *Places) Size() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.size
}
