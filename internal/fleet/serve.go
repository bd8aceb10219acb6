package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"ipcguard/internal/store"
)

// stopTime bounds a graceful stop: open connections are closed at once, and finished results are written.
const stopTime = 20 * time.Second

// Serve runs the jobs of this process's site, runs schedules, takes over from dead workers, ends exceptions, prunes,
// and runs Options.Beside, until ctx ends. Then it gives back what it has not done. Two servers on one PostgreSQL share
// the work and do nothing twice. If a newer program upgrades the database meanwhile, it ends with [store.ErrNewer]:
// what it has in hand is left to the newer one.
func (f *Fleet) Serve(ctx context.Context) error {
	f.lock.Lock()
	if f.busy {
		f.lock.Unlock()
		return errors.New("fleet: it works already")
	}
	f.busy = true
	f.lock.Unlock()
	defer func() {
		f.lock.Lock()
		f.busy = false
		f.lock.Unlock()
	}()
	site, err := f.arrive(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	writing, endWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer endWriting()
	var writer, loops sync.WaitGroup
	writer.Go(func() { f.records.run(writing) })

	if err := f.try(ctx, func() error { return f.queue.start(ctx, site.ID, f.atOnce(), f.work) }); err != nil {
		endWriting()
		writer.Wait()
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	f.o.Log.Info("at work", "site", site.Name, "worker", f.o.Name)
	loops.Go(func() {
		f.every(ctx, f.o.Heartbeat, "heartbeat", func(ctx context.Context) error {
			if err := f.st.Guard(ctx); errors.Is(err, store.ErrNewer) {
				end(err)
			} else if err != nil {
				return err
			}
			err := f.heartbeat(ctx)
			f.full.Store(errors.Is(err, store.ErrFull))
			return err
		})
	})
	loops.Go(func() { f.every(ctx, watchEvery, "trying the key", f.tryKeys()) })
	loops.Go(func() { f.supervise(ctx) })
	loops.Go(func() { f.every(ctx, beat, "planning", f.PlanRollouts) })
	for _, beside := range f.o.Beside {
		loops.Go(func() { f.keep(ctx, beside) })
	}
	<-ctx.Done()
	loops.Wait()
	err = f.leave(ctx, endWriting, &writer)
	if newer := context.Cause(ctx); errors.Is(newer, store.ErrNewer) { // nothing could be given back
		return newer
	}
	return err
}

// atOnce returns the number of concurrent jobs: enough that the last hosts of one do not leave places empty.
func (f *Fleet) atOnce() int { return f.o.Scan.Concurrency/f.o.BatchSize + 4 }

// arrive registers this process. An SQLite file has one process only: units of earlier ones are released at once, but
// not those of workers on other machines, which go on.
func (f *Fleet) arrive(ctx context.Context) (site store.Site, err error) {
	err = f.try(ctx, func() error {
		if site, err = f.site(ctx); err != nil {
			return err
		}
		enrolled, err := f.st.EnrolledWorkers(ctx)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(enrolled, func(e store.Enrolled) bool {
			return e.Name == f.o.Name &&
				e.Revoked.IsZero()
		}) {
			return fmt.Errorf("fleet: a worker of another machine has the name %s: give this process another", f.o.Name)
		}
		if err := f.heartbeat(ctx); err != nil {
			return err
		}
		if f.st.Kind() == store.KindSQLite {
			return f.inherit(ctx, func(w store.Worker) bool {
				return !isEnrolled(enrolled, w)
			})
		}
		return nil
	})
	return site, err
}

// leave gives back what is not done and deregisters the process.
func (f *Fleet) leave(ctx context.Context, endWriting context.CancelFunc, writer *sync.WaitGroup) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	err := f.queue.stop(ctx)
	endWriting()
	writer.Wait()
	if _, reset := f.st.ResetUnits(ctx, f.o.Name); reset != nil {
		err = errors.Join(err, fmt.Errorf("fleet: giving units back: %w", reset))
	} else if gone := f.st.RemoveWorker(ctx, f.o.Name); gone != nil && !errors.Is(gone, store.ErrNotFound) {
		err = errors.Join(err, gone)
	}
	if err == nil {
		f.o.Log.Info("stopped, and gave back what was not done", "worker", f.o.Name)
	}
	return err
}

// try repeats do until the database answers or ctx ends.
func (f *Fleet) try(ctx context.Context, do func() error) error {
	for said := (time.Time{}); ; {
		err := do()
		if !later(err) {
			return err
		}
		if time.Since(said) > time.Minute {
			said = time.Now()
			f.o.Log.Warn("waiting for the database", "err", err)
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// every calls do at once and then at an interval until ctx ends. It logs an error once, and again when it changes.
func (f *Fleet) every(ctx context.Context, interval time.Duration, what string, do func(context.Context) error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	last := ""
	for {
		err := do(ctx)
		switch {
		case err == nil && last != "":
			f.o.Log.Info(what + ": goes on again")
			last = ""
		case err != nil && ctx.Err() == nil && kindOf(err) != last:
			last = kindOf(err)
			f.o.Log.Warn(what+": is tried again", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// kindOf returns the kind of an error, without details that differ each time.
func kindOf(err error) string {
	for _, known := range []error{store.ErrUnavailable, store.ErrFull, store.ErrConflict} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// keep calls run until ctx ends, again after a pause when it fails.
func (f *Fleet) keep(ctx context.Context, run func(context.Context) error) {
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, time.Minute) {
		began := time.Now()
		if err := run(ctx); err != nil && ctx.Err() == nil {
			f.o.Log.Warn("what runs beside the server failed, and is started again", "err", err)
		}
		if time.Since(began) > time.Minute {
			pause = time.Second
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// Full reports whether the disk of the database has no space left for what this process writes: for results, or for the
// sign of life of every few seconds.
func (f *Fleet) Full() bool { return f.full.Load() || f.records.full.Load() }

// heartbeat records that this process lives, and applies the site's settings: this process's share of the rate, and the
// number of concurrent hosts.
func (f *Fleet) heartbeat(ctx context.Context) error {
	if err := f.st.Heartbeat(ctx, store.Worker{
		Name: f.o.Name, Site: f.o.Site, Version: f.o.Version, Protocol: f.o.Protocol, Started: f.started, Seen: f.now(),
		Busy: f.places.Busy(), Done: f.done.Load(),
	}); err != nil {
		return err
	}
	site, rate, err := f.share(ctx, f.o.Site)
	if err != nil {
		return err
	}
	hosts := f.o.Scan.Concurrency
	if site.Concurrency > 0 {
		hosts = min(hosts, site.Concurrency)
	}
	if rate > 0 { // a host waits for the rate with each connection, and its time runs
		hosts = max(1, min(hosts, int(2*rate)))
	}
	f.pace.Set(rate)
	f.places.Resize(hosts)
	return nil
}

// share returns a site, and the share of its rate for each of its workers.
func (f *Fleet) share(ctx context.Context, name string) (site store.Site, rate float64, err error) {
	if site, err = f.st.SiteByName(ctx, name); err != nil {
		return site, 0, err
	}
	all, err := f.st.Workers(ctx)
	if err != nil {
		return site, 0, err
	}
	share := 0
	for _, w := range all {
		if w.Site == name && !f.silent(w) {
			share++
		}
	}
	return site, site.Rate / float64(max(share, 1)), nil
}

// silent reports whether a worker has missed too many heartbeats. Clocks of other machines differ a little, and a clock
// that is ahead is no sign of death.
func (f *Fleet) silent(w store.Worker) bool {
	return f.now().Sub(w.Seen) > store.MissedBeats*f.o.Heartbeat
}

// isEnrolled reports whether a worker is one of another machine.
func isEnrolled(enrolled []store.Enrolled, w store.Worker) bool {
	return slices.ContainsFunc(enrolled, func(e store.Enrolled) bool { return e.Name == w.Name })
}

// sighting is a time that somebody told, and when it was first read, by the clock that nobody sets.
type sighting struct{ seen, read time.Time }

// steady reports whether the clock has not jumped for as long as a worker may be silent. Right after a jump, as of a
// machine that was asleep, the last sign of life of everybody is old.
func (f *Fleet) steady() bool {
	now, read := f.now(), time.Now()
	if last := f.looked; !last.read.IsZero() && (now.Sub(last.seen)-read.Sub(last.read)).Abs() > f.o.Heartbeat {
		f.jumped = read
	}
	f.looked = sighting{now, read}
	return f.jumped.IsZero() || read.Sub(f.jumped) > store.MissedBeats*f.o.Heartbeat
}

// gone is silent for the supervisor, which reads the signs of life again and again: a worker whose last one is in the
// future, because the clock was set back since or the worker's is ahead, is gone if no other follows.
func (f *Fleet) gone(w store.Worker) bool {
	if w.Seen.Sub(f.now()) <= store.MissedBeats*f.o.Heartbeat {
		delete(f.ahead, w.Name)
		return f.silent(w)
	}
	if s, ok := f.ahead[w.Name]; ok && s.seen.Equal(w.Seen) {
		return time.Since(s.read) > store.MissedBeats*f.o.Heartbeat
	}
	f.ahead[w.Name] = sighting{w.Seen, time.Now()}
	return false
}
