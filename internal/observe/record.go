package observe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ipcguard/internal/model"
)

// Recorder saves rows that others make, one by one and from many goroutines, in a state directory like a live
// observation: a result a day, continued after a restart.
type Recorder struct {
	mu    sync.Mutex
	state *State
	agg   *Aggregator
	cov   *Coverage
	day   time.Time
}

// NewRecorder locks a state directory and continues its result of today.
func NewRecorder(dir string) (*Recorder, error) {
	s, err := OpenState(dir)
	if err != nil {
		return nil, err
	}
	r := &Recorder{state: s, agg: NewAggregator(0), cov: new(Coverage), day: Today(time.Now())}
	o, err := s.Load(r.day)
	if err == nil {
		err = s.Expire()
	}
	if err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("the state directory: %w", err)
	}
	if o != nil {
		Merge(r.agg, r.cov, o)
	}
	return r, nil
}

// Add counts a row.
func (r *Recorder) Add(u model.Use) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.agg.Add(u)
	r.cov.Saw(u.Last)
	r.cov.CountRead(u.Source, u.Count)
}

// Run saves every few seconds until the context ends, and then once more.
func (r *Recorder) Run(ctx context.Context) error {
	t := time.NewTicker(saveEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			err := r.save(time.Now())
			if cerr := r.state.Close(); err == nil {
				err = cerr
			}
			return err
		case now := <-t.C:
			if err := r.save(now); err != nil {
				return err
			}
		}
	}
}

// save writes the current result, and begins a new one each day.
func (r *Recorder) save(now time.Time) error {
	r.mu.Lock()
	o, day := Result(r.agg, r.cov), r.day
	next := Today(now)
	if !next.Equal(day) {
		r.agg.Reset()
		*r.cov = Coverage{}
		r.day = next
	}
	r.mu.Unlock()
	if err := r.state.Save(day, o); err != nil {
		return err
	}
	if !next.Equal(day) {
		return r.state.Expire()
	}
	return nil
}
