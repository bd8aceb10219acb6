package scan

import (
	"context"
	"sync"
	"time"
)

// Pace bounds how many connections begin in a second, over all scanners that share it. Its rate may change at any time.
// It is safe for concurrent use; the zero value has no limit.
type Pace struct {
	lock     sync.Mutex
	interval time.Duration // between two connections; 0 is no limit
	next     time.Time
}

// NewPace returns a pace of that many connections a second; 0 is no limit.
func NewPace(rate float64) *Pace {
	p := new(Pace)
	p.Set(rate)
	return p
}

// Set changes the rate, in connections a second; 0 is no limit.
func (p *Pace) Set(rate float64) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.interval = 0; rate > 0 {
		p.interval = time.Duration(float64(time.Second) / rate)
	}
}

// Interval is the time between two connections; 0 is no limit.
func (p *Pace) Interval() time.Duration {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.interval
}

// Wait waits until the next connection may begin.
func (p *Pace) Wait(ctx context.Context) error {
	p.lock.Lock()
	if p.interval == 0 {
		p.lock.Unlock()
		return ctx.Err()
	}
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	at := p.next
	p.next = p.next.Add(p.interval)
	p.lock.Unlock()
	return sleep(ctx, at.Sub(now))
}
