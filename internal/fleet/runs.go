package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ipcguard/internal/store"
)

// Start creates a run over the targets that its selector matches, with its jobs, in the caller's transaction. r has
// kind, selector, quick and by; Start fills in the rest. If nothing matches it returns [ErrNothing].
func (f *Fleet) Start(ctx context.Context, tx *store.Tx, r *store.Run) error {
	switch r.Kind {
	case store.RunScan, store.RunAudit, store.RunDiscover:
	default:
		return fmt.Errorf("fleet: %q is no kind of run: scan, audit or discover", r.Kind)
	}
	r.Quick = r.Quick && r.Kind == store.RunScan
	if err := f.begin(ctx, tx, r); err != nil {
		return err
	}
	if r.Total == 0 {
		return ErrNothing
	}
	return nil
}

// ErrNothing says that a run would have nothing to do.
var ErrNothing = errors.New("fleet: no target that is enabled fits")

// begin creates a run, its units and its jobs in a transaction.
func (f *Fleet) begin(ctx context.Context, tx *store.Tx, r *store.Run) error {
	if err := tx.CreateRun(ctx, r); err != nil {
		return err
	}
	total, err := tx.AddUnits(ctx, r.ID, r.Selector)
	if err != nil {
		return err
	}
	r.Total = total
	_, err = f.enqueue(ctx, tx, *r)
	return err
}

// enqueue adds a job to the queue for every batch of waiting units, and counts the units.
func (f *Fleet) enqueue(ctx context.Context, tx *store.Tx, r store.Run) (int, error) {
	const group = 100 // jobs inserted at once
	sizes := map[int64]int{}
	n := 0
	var jobs []batch
	err := tx.EachBatch(ctx, r.ID, f.o.BatchSize, func(site int64, ids []int64) error {
		size, ok := sizes[site]
		if !ok {
			s, err := tx.Site(ctx, site)
			if err != nil {
				return err
			}
			size = f.batchSize(r.Kind, s.Rate)
			sizes[site] = size
		}
		n += len(ids)
		for len(ids) > 0 {
			k := min(size, len(ids))
			jobs = append(jobs, batch{
				Protocol: Protocol,
				Run:      r.ID,
				Site:     site,
				Of:       r.Kind,
				Quick:    r.Quick,
				Targets:  ids[:k:k],
			})
			ids = ids[k:]
		}
		if len(jobs) < group {
			return nil
		}
		err := f.queue.put(ctx, tx, jobs)
		jobs = nil
		return err
	})
	if err != nil {
		return n, err
	}
	return n, f.queue.put(ctx, tx, jobs)
}

// batchSize returns the number of targets of a job: no more than a slow site does in about two minutes, so that its
// workers share the work and lose little of it. A full scan of a host takes about ten connections. A range is a job of
// its own.
func (f *Fleet) batchSize(kind store.RunKind, rate float64) int {
	switch {
	case kind == store.RunDiscover:
		return 1
	case rate > 0:
		return max(1, min(f.o.BatchSize, int(rate*120/10)))
	}
	return f.o.BatchSize
}

// tell records which window the open runs wait for, for people.
func (f *Fleet) tell(ctx context.Context, open []store.Run) error {
	sites, err := f.st.Sites(ctx)
	if err != nil {
		return err
	}
	for _, r := range open {
		var waits []string
		working := false
		for _, s := range sites {
			if r.Selector.Site != "" && r.Selector.Site != s.Name {
				continue
			}
			e, err := f.windowEntry(ctx, s.ID, r.Schedule)
			if err != nil {
				return err
			}
			if wait := e.windows.wait(f.now()); wait > 0 {
				waits = append(waits,
					fmt.Sprintf("%s waits for its window %s, which opens %s",
						s.Name, e.text, f.now().Add(wait).UTC().Format("2006-01-02 15:04 MST")))
			} else {
				working = true
			}
		}
		reason, state := strings.Join(waits, "; "), r.State
		switch {
		case len(waits) > 0 && !working:
			state = store.RunWaiting
		case r.State == store.RunWaiting && r.Done > 0:
			state = store.RunRunning
		}
		if reason == r.Reason && state == r.State {
			continue
		}
		if err := f.st.SetRunState(ctx, r.ID, state, reason); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}
