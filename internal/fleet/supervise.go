package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ipcguard/internal/fleet/when"
	"ipcguard/internal/store"
)

const (
	// beat is how often the server looks at its runs and schedules.
	beat = time.Second
	// idleBeats is how many of them pass between two looks while nothing runs.
	idleBeats = 3
	// leaseName is held by the server that supervises, of those on one database.
	leaseName = "supervise"
	// strayAfter is how old the last sign of a run is when its units without a job get new ones.
	strayAfter = time.Minute
	// pruneEvery is how often history is pruned.
	pruneEvery = 6 * time.Hour
	// followEvery is how often the hosts of rollouts are compared with their findings, beside the end of every run.
	followEvery = time.Minute
	// tidyEvery is how often what runs have left behind is removed.
	tidyEvery = time.Hour
	// keepHandouts is how long the results of a job are taken after its run has ended, and longestJob after it was given out.
	keepHandouts = 24 * time.Hour
	longestJob   = 30 * 24 * time.Hour
)

// supervise does what one server of all has to: others stand by and take its place when it is silent.
func (f *Fleet) supervise(ctx context.Context) {
	var pruned, swept, expired, orphans, tidied, watched, followed time.Time
	n, running := 0, true
	f.every(ctx, beat, "supervision", func(ctx context.Context) error {
		if n++; !running && n%idleBeats != 0 {
			return nil
		}
		mine, err := f.st.Lease(ctx, leaseName, f.o.Name, silentFor*f.o.Heartbeat)
		if err != nil || !mine {
			return err
		}
		if err := f.schedules(ctx); err != nil {
			return err
		}
		if time.Since(swept) >= f.o.Heartbeat {
			if err := f.inherit(ctx, f.silent); err != nil {
				return err
			}
			swept = time.Now()
		}
		if err := f.finish(ctx); err != nil {
			return err
		}
		if time.Since(followed) >= followEvery {
			if _, err := f.st.FollowRollouts(ctx); err != nil {
				return err
			}
			followed = time.Now()
		}
		open, err := f.st.OpenRuns(ctx)
		if err != nil {
			return err
		}
		running = len(open) > 0
		if err := f.tell(ctx, open); err != nil {
			return err
		}
		if running && time.Since(orphans) >= strayAfter/2 {
			if err := f.strays(ctx, open); err != nil {
				return err
			}
			orphans = time.Now()
		}
		if time.Since(expired) >= time.Minute {
			if err := f.expire(ctx); err != nil {
				return err
			}
			expired = time.Now()
		}
		if time.Since(watched) >= watchEvery {
			if err := f.watch(ctx); err != nil {
				return err
			}
			watched = time.Now()
		}
		if time.Since(tidied) >= tidyEvery {
			if err := f.tidy(ctx); err != nil {
				return err
			}
			tidied = time.Now()
		}
		if f.o.Retention+f.o.ActsRetention > 0 && time.Since(pruned) >= pruneEvery {
			if err := f.Prune(ctx); err != nil {
				return err
			}
			pruned = time.Now()
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = f.st.ReleaseLease(ctx, leaseName, f.o.Name) // for the next one; it ends by itself else
}

// Prune removes history that is older than Options.Retention, and lines of the audit log older than Options.ActsRetention.
func (f *Fleet) Prune(ctx context.Context) error {
	for _, part := range []struct {
		what  string
		keep  time.Duration
		prune func(context.Context, time.Time) (int64, error)
	}{{"history", f.o.Retention, f.st.Prune}, {"audit log", f.o.ActsRetention, f.st.PruneActs}} {
		if part.keep <= 0 {
			continue
		}
		n, err := part.prune(ctx, f.now().Add(-part.keep))
		if n > 0 {
			f.o.Log.Info("what was old was removed", "of", part.what, "rows", n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// finish ends the runs that have nothing left to do, and tells of each. What they found closes hosts of rollouts.
func (f *Fleet) finish(ctx context.Context) error {
	var ended []store.Run
	err := f.st.InTx(ctx, func(tx *store.Tx) error {
		ended = nil
		var events []store.Event
		ids, err := tx.FinishRuns(ctx)
		if err != nil {
			return err
		}
		for _, id := range ids {
			run, err := tx.Run(ctx, id)
			if err != nil {
				return err
			}
			ended, events = append(ended, run), append(events, f.failed(run)...)
		}
		return tx.AddEvents(ctx, events)
	})
	if err != nil || len(ended) == 0 {
		return err
	}
	for _, r := range ended {
		f.sayRun("a run is done", r)
	}
	_, err = f.st.FollowRollouts(ctx)
	return err
}

// sayRun logs a moment in the life of a run, always with the same words.
func (f *Fleet) sayRun(what string, r store.Run) {
	line := []any{"run", r.ID, "kind", r.Kind, "by", r.By, "targets", r.Total}
	if !r.Ended.IsZero() {
		line = append(line, "done", r.Done, "exposed", r.Exposed, "limited", r.Limited, "closed", r.Closed, "unknown", r.Unknown, "failed", r.Failed,
			"took", r.Ended.Sub(r.Created).Round(time.Millisecond))
	}
	f.o.Log.Info(what, line...)
}

// Began says that a run has begun: its transaction is over.
func (f *Fleet) Began(r store.Run) {
	f.sayRun("a run begins", r)
	f.lock.Lock()
	defer f.lock.Unlock()
	close(f.began)
	f.began = make(chan struct{})
}

// Next is closed when the next run begins in this process. One that another server began is not told of.
func (f *Fleet) Next() <-chan struct{} {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.began
}

// Cancelled logs a run that a person ended.
func (f *Fleet) Cancelled(r store.Run) { f.sayRun("a run is cancelled", r) }

// tidy retires hosts, and removes what runs have left behind: jobs of the queue that nobody worked, as at a site whose workers are far away, and
// who had which job.
func (f *Fleet) tidy(ctx context.Context) error {
	if err := f.queue.tidy(ctx); err != nil {
		return err
	}
	if err := f.retire(ctx); err != nil {
		return err
	}
	return f.st.PruneHandouts(ctx, f.now().Add(-keepHandouts), f.now().Add(-longestJob))
}

// inherit takes over from workers: their units wait again, and their jobs are given to others, in one transaction with
// their end.
func (f *Fleet) inherit(ctx context.Context, gone func(store.Worker) bool) error {
	all, err := f.st.Workers(ctx)
	if err != nil {
		return err
	}
	for _, w := range all {
		if w.Name == f.o.Name || !gone(w) {
			continue
		}
		units := 0
		err := f.st.InTx(ctx, func(tx *store.Tx) error {
			list, err := tx.ResetUnits(ctx, w.Name)
			if err != nil {
				return err
			}
			units = len(list)
			if err := f.queue.release(ctx, tx, w.Name); err != nil {
				return err
			}
			if err := tx.RemoveWorker(ctx, w.Name); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("taking over from %s: %w", w.Name, err)
		}
		f.o.Log.Warn("a worker is silent, and is taken over from", "worker", w.Name, "site", w.Site, "units", units)
	}
	return nil
}

// strays finds runs with open units that no job leads to any more: the queue gave one up, or a worker went without a
// trace. Their units get new jobs.
func (f *Fleet) strays(ctx context.Context, open []store.Run) error {
	for _, r := range open {
		last := r.Created
		for _, t := range []time.Time{r.Started, r.LastResult} {
			if t.After(last) {
				last = t
			}
		}
		if f.now().Sub(last) < strayAfter {
			continue
		}
		n, err := f.queue.alive(ctx, r.ID)
		if err != nil || n > 0 {
			if err != nil {
				return fmt.Errorf("fleet: counting jobs: %w", err)
			}
			continue
		}
		units := 0
		err = f.st.InTx(ctx, func(tx *store.Tx) error {
			units = 0
			running, _, err := tx.Units(ctx, r.ID, store.UnitRunning, store.Page{Size: store.MaxPage})
			if err != nil {
				return err
			}
			var names []string
			for _, u := range running {
				if !slices.Contains(names, u.Worker) {
					names = append(names, u.Worker)
				}
			}
			for _, name := range names {
				if _, err := tx.ResetUnits(ctx, name); err != nil {
					return err
				}
			}
			units, err = f.enqueue(ctx, tx, r)
			return err
		})
		if err != nil {
			return err
		}
		if units > 0 {
			f.o.Log.Warn("units of a run were without a job, and have one now", "run", r.ID, "units", units)
		}
	}
	return nil
}

// schedules starts what is due.
func (f *Fleet) schedules(ctx context.Context) error {
	all, err := f.st.Schedules(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range all {
		if s.Enabled {
			if err := f.due(ctx, s); err != nil {
				errs = append(errs, fmt.Errorf("schedule %s: %w", s.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// due starts one schedule's run where it is time for one. However many due times have passed, the last of them counts and
// the others are made up for by it. A run of the schedule that still goes on is not overtaken. Where the clock was put
// back, the next due time is found anew from what it shows now; a due time that had its run has it in the store, which
// keeps it from a second one.
func (f *Fleet) due(ctx context.Context, s store.Schedule) error {
	line, err := when.ParseSchedule(s.Cron, s.Zone)
	if err != nil {
		return err
	}
	now := f.now()
	next := line.Next(now)
	if s.Next.IsZero() || s.Next.After(next) && !next.IsZero() {
		return f.st.SetScheduleNext(ctx, s.ID, s.Last, next)
	}
	if s.Next.After(now) {
		return nil
	}
	due := s.Next
	if last := line.Last(due, now); !last.IsZero() {
		due = last
	}
	open, err := f.st.OpenRuns(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(open, func(r store.Run) bool { return r.Schedule == s.ID }) {
		return nil // it is made up for when that one is done
	}
	var r store.Run
	err = f.st.InTx(ctx, func(tx *store.Tx) error {
		r = store.Run{
			Kind: s.Kind, Schedule: s.ID, Due: due, Selector: s.Selector, By: "schedule " + s.Name, Quick: s.Quick && s.Kind == store.RunScan,
		}
		if err := f.begin(ctx, tx, &r); err != nil {
			return err
		}
		return tx.SetScheduleNext(ctx, s.ID, due, next)
	})
	if errors.Is(err, store.ErrConflict) { // it had its run, from another server or before the clock was put back
		return f.st.SetScheduleNext(ctx, s.ID, due, next)
	}
	if err == nil {
		f.Began(r)
	}
	return err
}
