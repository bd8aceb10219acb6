package gateway

import (
	"slices"
	"sync/atomic"
	"time"
)

// latencyBounds are the upper ends of the counted ranges. A gateway on a quiet machine adds some 20 to 60 µs.
var latencyBounds = [...]time.Duration{
	20 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 200 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, time.Second,
}

// Latency is how long bytes stayed in the gateway: from the moment they were read until the other end had taken them.
// What streams through without being kept, frames of more than 72 KiB, is not counted.
type Latency struct {
	Bounds []time.Duration `json:"bounds"` // upper ends, in nanoseconds
	Counts []int64         `json:"counts"` // one more than the bounds: the last is of what took longer
	Sum    time.Duration   `json:"sum"`
}

// Count is how often it was measured.
func (l Latency) Count() (n int64) {
	for _, c := range l.Counts {
		n += c
	}
	return n
}

// Below is the smallest bound below which this part (such as 0.99) of all stayed; 0 where nothing was measured, and
// the largest bound where more took longer.
func (l Latency) Below(part float64) time.Duration {
	total, seen := l.Count(), int64(0)
	if total == 0 {
		return 0
	}
	for i, bound := range l.Bounds {
		if seen += l.Counts[i]; float64(seen) >= part*float64(total) {
			return bound
		}
	}
	return l.Bounds[len(l.Bounds)-1]
}

// latency counts, from many goroutines.
type latency struct {
	counts [len(latencyBounds) + 1]atomic.Int64
	sum    atomic.Int64
}

func (l *latency) add(d time.Duration) {
	i, _ := slices.BinarySearch(latencyBounds[:], d)
	l.counts[i].Add(1)
	l.sum.Add(int64(d))
}

func (l *latency) snapshot() Latency {
	out := Latency{Bounds: slices.Clone(latencyBounds[:]), Sum: time.Duration(l.sum.Load())}
	for i := range l.counts {
		out.Counts = append(out.Counts, l.counts[i].Load())
	}
	return out
}
