// Package places bounds how many hosts are under way at a time.
package places

import (
	"context"
	"sync"
)

// Places are so many. Their number may change while they are used. They are safe for use by many goroutines.
type Places struct {
	lock  sync.Mutex
	size  int
	taken int
	queue []chan struct{}
}

// New makes so many places.
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
	p.taken-- // it was given to us at the same moment
	p.next()
	return ctx.Err()
}

// Free gives a place back.
func (p *Places) Free() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.taken--
	p.next()
}

// Resize changes how many there are; those that are taken stay so.
func (p *Places) Resize(size int) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.size = max(size, 1)
	p.next()
}

// next lets those in who wait, in their order.
func (p *Places) next() {
	for p.taken < p.size && len(p.queue) > 0 {
		close(p.queue[0])
		p.queue = p.queue[1:]
		p.taken++
	}
}

// Busy is how many are taken.
func (p *Places) Busy() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.taken
}

// Size is how many there are.
func (p *Places) Size() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.size
}
