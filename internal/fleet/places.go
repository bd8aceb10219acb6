package fleet

import (
	"context"
	"sync"
)

// places bounds how many hosts are under way at a time. Its size may change while it is used.
type places struct {
	lock  sync.Mutex
	size  int
	taken int
	queue []chan struct{}
}

func newPlaces(size int) *places { return &places{size: size} }

// take waits for a place.
func (p *places) take(ctx context.Context) error {
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

// free gives a place back.
func (p *places) free() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.taken--
	p.next()
}

// resize changes how many there are; those that are taken stay so.
func (p *places) resize(size int) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.size = max(size, 1)
	p.next()
}

// next lets those in who wait, in their order.
func (p *places) next() {
	for p.taken < p.size && len(p.queue) > 0 {
		close(p.queue[0])
		p.queue = p.queue[1:]
		p.taken++
	}
}

// busy is how many are taken.
func (p *places) busy() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.taken
}
