package fleet

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ipcguard/internal/store"
)

// Results are written in groups, because a transaction costs far more than a row: when there are groupSize of them,
// groupTime after the first, or when a remote worker or the end of a run waits for them. What is not written when a
// process is killed is scanned again.
const (
	groupSize = 128
	groupTime = time.Second
	// retryAfter is the pause between attempts while the database is down or full.
	retryAfter = time.Second
)

// entry contains one unit's results: its own, and those of further addresses of its name.
type entry struct {
	own     *store.Result
	further []*store.Result
	also    []alias      // units of the same run that lead to the same host
	moved   *store.Host  // the host that had another address until now
	done    chan<- error // receives nil once it is written, or the error
}

// alias is a unit that ends because its host was scanned under another name.
type alias struct {
	target int64
	reason string
}

// recorder writes results in groups for all jobs of the process.
type recorder struct {
	st  *store.Store
	log *slog.Logger

	full    atomic.Bool // the last write found no space
	lock    sync.Mutex
	waiting []entry
	wake    chan struct{}
	rush    chan struct{} // a caller has no more to add, and waits
}

func newRecorder(st *store.Store, log *slog.Logger) *recorder {
	return &recorder{st: st, log: log, wake: make(chan struct{}, 1), rush: make(chan struct{}, 1)}
}

// add passes an entry to the recorder.
func (r *recorder) add(e entry) {
	r.lock.Lock()
	r.waiting = append(r.waiting, e)
	n := len(r.waiting)
	r.lock.Unlock()
	if n == 1 || n >= groupSize {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// flush writes pending entries at once, for a caller that has no more to add and waits for the result. Entries that
// arrive during a write still go together.
func (r *recorder) flush() {
	select {
	case r.rush <- struct{}{}:
	default:
	}
}

func (r *recorder) take() []entry {
	r.lock.Lock()
	defer r.lock.Unlock()
	n := min(len(r.waiting), 2*groupSize)
	group := r.waiting[:n:n]
	r.waiting = r.waiting[n:]
	if len(r.waiting) == 0 {
		r.waiting = nil
	}
	return group
}

func (r *recorder) pending() int {
	r.lock.Lock()
	defer r.lock.Unlock()
	return len(r.waiting)
}

// run writes until ctx ends, and then the rest, once. While the database is down it retries: results stay in memory, at
// most as many as the running jobs have targets.
func (r *recorder) run(ctx context.Context) {
	for {
		select {
		case <-r.wake:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*retryAfter)
			for r.pending() > 0 {
				r.write(last, r.take())
			}
			cancel()
			return
		}
		for r.pending() > 0 {
			if r.pending() < groupSize {
				select {
				case <-time.After(groupTime):
				case <-r.rush:
				case <-ctx.Done():
				}
			}
			r.write(ctx, r.take())
		}
	}
}

// write writes one group and notifies the callers that wait for it.
func (r *recorder) write(ctx context.Context, group []entry) {
	var err error
	for said := (time.Time{}); ; {
		err = r.record(ctx, group)
		r.full.Store(errors.Is(err, store.ErrFull))
		if !later(err) || ctx.Err() != nil {
			break
		}
		if time.Since(said) > time.Minute {
			said = time.Now()
			r.log.Warn("results wait: the database does not take them", "results", len(group), "err", err)
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
		}
	}
	if err != nil && len(group) > 1 && ctx.Err() == nil {
		// Write them one by one, so that one bad entry does not affect the others.
		for _, e := range group {
			r.write(ctx, []entry{e})
		}
		return
	}
	if err != nil {
		if newer := r.st.Guard(ctx); errors.Is(newer, store.ErrNewer) { // it is no fault of the result
			err = newer
		}
		r.log.Error("a result is not written", "err", err)
		if ctx.Err() == nil && len(group) == 1 && !errors.Is(err, store.ErrNewer) { // its unit would be retried for ever
			e := group[0].own
			err = r.st.FailUnit(ctx, e.RunID, e.TargetID, "the result cannot be stored: "+shown(err.Error()))
		}
	}
	for _, e := range group {
		e.done <- err
	}
}

// later reports whether the database may accept it later from this process.
func later(err error) bool {
	return !errors.Is(err, store.ErrNewer) && (errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrFull))
}

// record writes the plain entries together, and the few others one after the other. If it fails, it does not write
// again what it has already written.
func (r *recorder) record(ctx context.Context, group []entry) error {
	var plain []*store.Result
	var rest []entry
	for _, e := range group {
		if len(e.further) == 0 && len(e.also) == 0 && e.moved == nil {
			plain = append(plain, e.own)
		} else {
			rest = append(rest, e)
		}
	}
	if len(plain) > 0 {
		if _, err := r.st.RecordResults(ctx, plain); err != nil {
			return err
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return r.st.InTx(ctx, func(tx *store.Tx) error {
		for _, e := range rest {
			if e.moved != nil {
				if err := tx.MoveHost(ctx, e.moved.ID, e.own.Host.Address); err != nil &&
					!errors.Is(err, store.ErrConflict) {
					return err
				}
			}
			recorded, err := tx.RecordResult(ctx, e.own)
			if err != nil {
				return err
			}
			for _, a := range e.also {
				if err := tx.SkipUnit(ctx, e.own.RunID, a.target, a.reason); err != nil {
					return err
				}
			}
			if !recorded {
				continue
			}
			for _, a := range e.also {
				if err := tx.SetTargetHost(ctx, a.target, e.own.HostID); err != nil &&
					!errors.Is(err, store.ErrNotFound) {
					return err
				}
			}
			if len(e.further) > 0 {
				if _, err := tx.RecordResults(ctx, e.further); err != nil {
					return err
				}
				for _, x := range e.further {
					if x.Host.Identity != "" && x.Host.Identity == e.own.Host.Identity && x.Host.SameAs == 0 &&
						x.HostID != e.own.HostID {
						if err := tx.SetSameAs(ctx, x.HostID, e.own.HostID); err != nil {
							return err
						}
					}
				}
			}
		}
		return nil
	})
}
