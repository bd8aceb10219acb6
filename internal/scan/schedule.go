package scan

import (
	"context"
	"iter"
	"sync"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
)

// Tally counts a run's progress; it may be read during the run.
type Tally struct {
	lock     sync.Mutex
	started  time.Time
	done     int
	verdicts map[model.Verdict]int
}

func (t *Tally) add(r *model.Scan) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.done++
	if t.verdicts == nil {
		t.verdicts = map[model.Verdict]int{}
	}
	t.verdicts[r.Verdict]++
}

func (t *Tally) start() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.started = time.Now()
}

// Done returns how many targets are finished, and how many of them have a verdict.
func (t *Tally) Done(v model.Verdict) (all, with int) {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.done, t.verdicts[v]
}

// Elapsed is how long the run has taken so far.
func (t *Tally) Elapsed() time.Duration {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.started.IsZero() {
		return 0
	}
	return time.Since(t.started)
}

// Schedule says how many targets are scanned at a time.
type Schedule struct {
	Concurrency int
	Tally       *Tally // may be nil
}

// Run scans every target with work, and passes each result to emit, one at a time as it is ready. When ctx ends, no
// further target is begun, and targets in progress end with what they have, as partial: a later run must repeat them. A
// target without any answer is omitted. Run returns the first error of emit, after which nothing more is begun.
func (s Schedule) Run(ctx context.Context, all iter.Seq[targets.Target], work func(context.Context,
	targets.Target) *model.Scan, emit func(*model.Scan) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tally := s.Tally
	if tally == nil {
		tally = &Tally{}
	}
	tally.start()
	queue := make(chan targets.Target)
	var failed error
	var lock sync.Mutex
	deliver := func(r *model.Scan) {
		lock.Lock()
		defer lock.Unlock()
		if failed != nil {
			return
		}
		if err := emit(r); err != nil {
			failed = err
			cancel(err)
		}
	}
	var wg sync.WaitGroup
	begin := func() {
		wg.Go(func() {
			for t := range queue {
				r := work(ctx, t)
				if ctx.Err() != nil && !finished(r) {
					if !heard(r) {
						continue
					}
					r.Partial = true
				} else {
					tally.add(r)
				}
				deliver(r)
			}
		})
	}
	// Workers start as needed, so that a scan of one host does not start hundreds.
	workers := 0
feed:
	for t := range all {
		if ctx.Err() != nil {
			break
		}
		if workers < s.Concurrency {
			select {
			case queue <- t:
				continue
			default:
				begin()
				workers++
			}
		}
		select {
		case queue <- t:
		case <-ctx.Done():
			break feed
		}
	}
	close(queue)
	wg.Wait()
	return failed
}

// heard reports whether a result contains anything from the server.
func heard(r *model.Scan) bool { return r.Server.Signing != "" || len(r.Findings) > 0 }

// finished reports whether a result that is ready after the end was requested is complete.
func finished(r *model.Scan) bool {
	return !r.Partial && (r.Verdict == model.Exposed || r.Verdict == model.Limited || r.Verdict == model.Closed)
}
