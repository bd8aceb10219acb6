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
	// beat is how often the server checks its runs and schedules.
	beat = time.Second
	// idleBeats is the number of beats between two checks while nothing runs.
	idleBeats = 3
	// leaseName is the lease of the server that supervises, among those on one database.
	leaseName = "supervise"
	// strayAfter is the age of a run's last progress after which its units without a job get new ones.
	strayAfter = time.Minute
	// pruneEvery is how often history is pruned, and firstPrune how long after the start for the first time: a server
	// that is restarted again and again neither works on that each time, nor takes a step of history with each.
	pruneEvery = 6 * time.Hour
	firstPrune = time.Hour
	// pruneStep is how much of the time by which history is pruned may pass between two prunings: whatever the clock
	// says, they delete no more than that each. A server that was off for a while catches up, four times as fast as
	// time.
	pruneStep = 24 * time.Hour
	// prunedKey is the store's key for the time of the last pruning.
	prunedKey = "history.pruned"
	// followEvery is how often the hosts of rollouts are compared with their findings, besides the end of every run.
	followEvery = time.Minute
	// tidyEvery is how often leftovers of runs are removed.
	tidyEvery = time.Hour
	// keepHandouts is how long the results of a job are accepted after its run has ended, and longestJob after it was
	// handed out.
	keepHandouts = 24 * time.Hour
	longestJob   = 30 * 24 * time.Hour
)

// chore is a part of the supervision that is done from time to time.
type chore struct {
	every time.Duration
	do    func(context.Context) error
	done  time.Time // the last time; zero: never
}

// run does the chore if it is time. One that fails is tried again with the next beat.
func (c *chore) run(ctx context.Context) error {
	if time.Since(c.done) < c.every {
		return nil
	}
	if err := c.do(ctx); err != nil {
		return err
	}
	c.done = time.Now()
	return nil
}

// supervision is what only one server must do; the others stand by and take over when it is silent.
type supervision struct {
	*Fleet
	n    int         // beats
	open []store.Run // not ended at the last beat
	// idle says that no run is open: fewer beats look then.
	idle                 bool
	sweep, follow, stray chore
	others               []*chore // whether runs are open or not
}

func (f *Fleet) newSupervision() *supervision {
	s := &supervision{Fleet: f}
	s.sweep = chore{every: f.o.Heartbeat, do: func(ctx context.Context) error { return f.inherit(ctx, f.gone) }}
	s.follow = chore{every: followEvery, do: func(ctx context.Context) error {
		_, err := f.st.FollowRollouts(ctx)
		return err
	}}
	s.stray = chore{every: strayAfter / 2, do: func(ctx context.Context) error {
		if err := f.queue.hasten(ctx); err != nil {
			return err
		}
		return f.strays(ctx, s.open)
	}}
	s.others = []*chore{
		{every: time.Minute, do: f.expire}, {every: watchEvery, do: f.watch}, {every: tidyEvery, do: f.tidy},
	}
	if f.o.Retention+f.o.ActsRetention > 0 {
		s.others = append(s.others, &chore{
			every: pruneEvery, do: f.Prune, done: time.Now().Add(firstPrune - pruneEvery),
		})
	}
	return s
}

func (s *supervision) beat(ctx context.Context) error {
	if s.n++; s.idle && s.n%idleBeats != 0 {
		return nil
	}
	mine, err := s.st.Lease(ctx, leaseName, s.o.Name, store.MissedBeats*s.o.Heartbeat)
	if err != nil || !mine {
		return err
	}
	if err := s.schedules(ctx); err != nil {
		return err
	}
	if s.steady() {
		if err := s.sweep.run(ctx); err != nil {
			return err
		}
	}
	if err := s.finish(ctx); err != nil {
		return err
	}
	if err := s.follow.run(ctx); err != nil {
		return err
	}
	if s.open, err = s.st.OpenRuns(ctx); err != nil {
		return err
	}
	s.idle = len(s.open) == 0
	if err := s.tell(ctx, s.open); err != nil {
		return err
	}
	if !s.idle {
		if err := s.stray.run(ctx); err != nil {
			return err
		}
	}
	for _, c := range s.others {
		if err := c.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// supervise supervises until ctx ends.
func (f *Fleet) supervise(ctx context.Context) {
	f.every(ctx, beat, "supervision", f.newSupervision().beat)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = f.st.ReleaseLease(ctx, leaseName, f.o.Name) // for the next server; otherwise it expires
}

// Prune deletes history older than Options.Retention and entries of the audit log older than Options.ActsRetention.
// What is old goes by a time that follows the clock in steps: a clock that is years ahead would delete everything at
// once, and nothing brings it back. The first call only notes the time.
func (f *Fleet) Prune(ctx context.Context) error {
	now, err := f.pruneTime(ctx)
	if err != nil || now.IsZero() {
		return err
	}
	for _, part := range []struct {
		what  string
		keep  time.Duration
		prune func(context.Context, time.Time) (int64, error)
	}{{"history", f.o.Retention, f.st.Prune}, {"audit log", f.o.ActsRetention, f.st.PruneActs}} {
		if part.keep <= 0 {
			continue
		}
		n, err := part.prune(ctx, now.Add(-part.keep))
		if n > 0 {
			f.o.Log.Info("what was old was removed", "of", part.what, "rows", n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pruneTime returns the time by which history is pruned: that of the clock, but at most a step after the one before. It
// is zero if there was none before. What it notes for the next one is at most a step before the one before, too: a
// clock that was years behind for a moment, as after a start without a battery, would keep pruning behind for years.
func (f *Fleet) pruneTime(ctx context.Context) (time.Time, error) {
	text, err := f.st.Meta(ctx, prunedKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return time.Time{}, err
	}
	now := f.now()
	last, err := time.Parse(time.RFC3339, text)
	if err != nil { // there is none
		return time.Time{}, f.st.SetMeta(ctx, prunedKey, now.UTC().Format(time.RFC3339))
	}
	if most := last.Add(pruneStep); now.After(most) {
		f.o.Log.Warn("the clock is far ahead of the last pruning: history is pruned step by step, in case it is wrong",
			"last", last, "now", now)
		now = most
	}
	noted := now
	if least := last.Add(-pruneStep); noted.Before(least) {
		noted = least
	}
	return now, f.st.SetMeta(ctx, prunedKey, noted.UTC().Format(time.RFC3339))
}

// finish ends the runs that have nothing left to do, and reports each. Their results close hosts of rollouts.
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

// sayRun logs a state of a run, always with the same fields.
func (f *Fleet) sayRun(what string, r store.Run) {
	line := []any{"run", r.ID, "kind", r.Kind, "by", r.By, "targets", r.Total}
	if !r.Ended.IsZero() {
		line = append(line, "done", r.Done, "exposed", r.Exposed, "limited", r.Limited, "closed", r.Closed, "unknown",
			r.Unknown, "failed", r.Failed, "took", r.Ended.Sub(r.Created).Round(time.Millisecond))
	}
	f.o.Log.Info(what, line...)
}

// Began announces a new run, after its transaction.
func (f *Fleet) Began(r store.Run) {
	f.sayRun("a run begins", r)
	f.lock.Lock()
	defer f.lock.Unlock()
	close(f.began)
	f.began = make(chan struct{})
}

// Next returns a channel that is closed when the next run begins in this process. Runs of other servers do not close
// it.
func (f *Fleet) Next() <-chan struct{} {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.began
}

// Cancelled logs a run that a user cancelled.
func (f *Fleet) Cancelled(r store.Run) { f.sayRun("a run is cancelled", r) }

// tidy retires hosts and removes leftovers of runs: jobs of the queue that nobody took, as at a site with remote
// workers only, and old handouts.
func (f *Fleet) tidy(ctx context.Context) error {
	if err := f.queue.tidy(ctx); err != nil {
		return err
	}
	if err := f.retire(ctx); err != nil {
		return err
	}
	return f.st.PruneHandouts(ctx, f.now().Add(-keepHandouts), f.now().Add(-longestJob))
}

// inherit takes over from workers that are gone: it releases their units and gives their jobs to others, in the
// transaction that removes them.
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

// strays finds runs with open units that have no job any more: the queue gave one up, or a worker vanished. Their units
// get new jobs.
func (f *Fleet) strays(ctx context.Context, open []store.Run) error {
	var remote map[string]bool // asked for once, if at all
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
		if remote == nil {
			if remote, err = f.remote(ctx); err != nil {
				return err
			}
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
				if !slices.Contains(names, u.Worker) && !remote[u.Worker] {
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

// remote returns the workers on other machines that live. Their hosts have no job in the queue.
func (f *Fleet) remote(ctx context.Context) (map[string]bool, error) {
	enrolled, err := f.st.EnrolledWorkers(ctx)
	if err != nil {
		return nil, err
	}
	all, err := f.st.Workers(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, w := range all {
		if !f.silent(w) && isEnrolled(enrolled, w) {
			out[w.Name] = true
		}
	}
	return out, nil
}

// schedules starts runs that are due.
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

// due starts a schedule's run if it is time for one. If several due times have passed, one run makes up for them. It
// does not start a run while the schedule's last one is active. If the clock was set back, it recomputes the next due
// time; the store refuses a second run for the same due time.
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
		return nil // it is made up for when that run has ended
	}
	var r store.Run
	err = f.st.InTx(ctx, func(tx *store.Tx) error {
		r = store.Run{
			Kind: s.Kind, Schedule: s.ID, Due: due, Selector: s.Selector, By: "schedule " + s.Name,
			Quick: s.Quick && s.Kind == store.RunScan,
		}
		if err := f.begin(ctx, tx, &r); err != nil {
			return err
		}
		return tx.SetScheduleNext(ctx, s.ID, due, next)
	})
	// It already had its run, from another server or before the clock was set back.
	if errors.Is(err, store.ErrConflict) {
		return f.st.SetScheduleNext(ctx, s.ID, due, next)
	}
	if err == nil {
		f.Began(r)
	}
	return err
}
