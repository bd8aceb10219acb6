package gateway

import (
	"slices"
	"sync/atomic"
	"time"
)

// latencyBounds are the upper bounds of the buckets. A gateway on an idle machine adds about 20 to 60 µs.
var latencyBounds = [...]time.Duration{
	20 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 200 * time.Microsecond,
	500 * time.Microsecond,
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, time.Second,
}

// Latency is the distribution of the time that bytes stayed in the gateway: from when they were read until the other
// end had accepted them. Frames over 72 KiB, which stream through unbuffered, are not counted.
type Latency struct {
	Bounds []time.Duration `json:"bounds"` // upper bounds, in nanoseconds
	Counts []int64         `json:"counts"` // one more than the bounds: the last counts what took longer
	Sum    time.Duration   `json:"sum"`
}

// Count returns the number of measurements.
func (l Latency) Count() (n int64) {
	for _, c := range l.Counts {
		n += c
	}
	return n
}

// Below returns the smallest bound that a fraction (such as 0.99) of all measurements stayed below; 0 without
// measurements, and the largest bound if more took longer.
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

// latency counts; it is safe for concurrent use.
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
