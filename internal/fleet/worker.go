package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ipcguard/internal/fleet/places"
	"ipcguard/internal/fleet/when"
	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/store"
)

const (
	// newerWait is how long a job that is newer than this worker is left to others.
	newerWait = 30 * time.Second
	// awayWait is how long a job waits for a database that is down.
	awayWait = 2 * time.Second
	// windowWait bounds one wait for a window, so that a changed window is noticed.
	windowWait = time.Minute
	// lookups is the number of names of one job resolved at a time.
	lookups = 16
)

// errStopped ends a job because this process stops.
var errStopped = again{0, "the worker stops"}

// work does one job: all its open units, as far as time and the window allow.
func (f *Fleet) work(ctx context.Context, b batch) error {
	if b.Protocol > f.o.Protocol {
		f.o.Log.Warn("a job is newer than this worker, and is left to others", "job", b.Protocol,
			"worker", f.o.Protocol)
		return again{newerWait, "the job is newer than this worker"}
	}
	err := f.batch(ctx, b)
	switch {
	case err == nil:
		return nil
	case later(err):
		return again{awayWait, err.Error()}
	case ctx.Err() != nil: // the process stops, or the job timed out: the rest is done later
		return errStopped
	}
	return err
}

func (f *Fleet) batch(ctx context.Context, b batch) error {
	run, err := f.st.Run(ctx, b.Run)
	if errors.Is(err, store.ErrNotFound) || err == nil && !run.Ended.IsZero() {
		return nil // pruned, done by others, or cancelled
	}
	if err != nil {
		return err
	}
	windows, err := f.windowsOf(ctx, b.Site, run.Schedule)
	if err != nil {
		return err
	}
	if wait := windows.wait(f.now()); wait > 0 {
		return again{min(wait, windowWait), "the window is shut"}
	}
	units, err := f.st.TakeUnits(ctx, run.ID, b.Targets, f.o.Name)
	if err != nil || len(units) == 0 {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	j := &job{Fleet: f, run: run, windows: windows, cancel: cancel, byAddress: map[string]*visit{}, seats: f.places}
	j.probe = j
	if err := j.load(ctx, units); err != nil {
		return err
	}
	switch run.Kind {
	case store.RunScan:
		err = j.scan(ctx)
	case store.RunAudit:
		err = j.audit(ctx)
	case store.RunDiscover:
		err = j.discover(ctx)
	default:
		err = fmt.Errorf("fleet: a run of kind %q", run.Kind)
	}
	if err == nil && j.shut {
		return again{min(max(windows.wait(f.now()), time.Second), windowWait), "the window is shut"}
	}
	if err != nil {
		return err
	}
	return j.maybeLast(ctx) // the last job ends the run; otherwise the server does
}

// job is one batch in progress.
type job struct {
	*Fleet
	run     store.Run
	windows windows
	cancel  context.CancelFunc
	targets []store.Target

	probe     prober         // the job itself, or the reports of a remote worker
	seats     *places.Places // limits concurrent hosts
	by        string         // the remote worker
	visits    []*visit
	byAddress map[string]*visit
	wg        sync.WaitGroup
	lock      sync.Mutex
	entries   int   // results passed to the recorder
	err       error // the first error that ends the job
	shut      bool  // the window closed, and something is left
}

// prober answers a job's questions: by scanning hosts, or from the reports of a remote worker.
type prober interface {
	// resolve returns the addresses of every target of the job.
	resolve(ctx context.Context) ([][]targets.Target, error)
	// ask scans a host. It returns nil if the job ended during the scan.
	ask(ctx context.Context, v *visit) (*model.Scan, error)
}

func (j *job) fail(err error) {
	j.lock.Lock()
	defer j.lock.Unlock()
	if j.err == nil {
		j.err = err
	}
}

// load reads the targets of the units and skips units whose target was deleted.
func (j *job) load(ctx context.Context, units []store.Unit) error {
	ids := make([]int64, len(units))
	for i, u := range units {
		ids[i] = u.TargetID
	}
	var err error
	if j.targets, err = j.st.TargetsByID(ctx, ids); err != nil {
		return err
	}
	slices.SortFunc(j.targets, func(a, b store.Target) int { return cmp.Compare(a.ID, b.ID) })
	for _, id := range ids {
		if _, found := slices.BinarySearchFunc(j.targets, id, func(t store.Target, id int64) int {
			return cmp.Compare(t.ID, id)
		}); !found {
			if err := j.st.SkipUnit(ctx, j.run.ID, id, "the target was deleted"); err != nil {
				return err
			}
		}
	}
	return nil
}

// open reports whether the next host may start.
func (j *job) open(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	if j.windows.wait(j.now()) == 0 {
		return true
	}
	j.lock.Lock()
	j.shut = true
	j.lock.Unlock()
	return false
}

// resolve returns the addresses of every target: literal ones as they are, names several at a time.
func (j *job) resolve(ctx context.Context) ([][]targets.Target, error) {
	out := make([][]targets.Target, len(j.targets))
	side := make(chan struct{}, lookups)
	var wg sync.WaitGroup
	for i, t := range j.targets {
		if a, ok := literal(t.Spec); ok {
			out[i] = []targets.Target{{Name: t.Spec, Addr: a}}
			continue
		}
		wg.Go(func() {
			side <- struct{}{}
			defer func() { <-side }()
			list, err := targets.Parse(ctx, []string{t.Spec}, targets.Options{Lookup: j.o.Lookup})
			if err != nil {
				out[i] = []targets.Target{{Name: t.Spec, Err: err}}
				return
			}
			out[i] = slices.Collect(list.All())
		})
	}
	wg.Wait()
	return out, ctx.Err()
}

// windows are the windows that apply to a job: its site's and its schedule's.
type windows []when.Window

// wait returns the time until all are open; 0 if they are.
func (w windows) wait(now time.Time) time.Duration {
	var longest time.Duration
	for _, x := range w {
		if !x.Open(now) {
			next := x.Next(now)
			if next.IsZero() {
				next = now.Add(windowWait)
			}
			longest = max(longest, next.Sub(now))
		}
	}
	return longest
}

// windowKey and windowEntry cache parsed windows: every job needs them, and they seldom change.
type windowKey struct{ site, schedule int64 }

type windowEntry struct {
	windows windows
	text    string
	read    time.Time
}

// windowAge is how long a window is cached.
const windowAge = 10 * time.Second

// windowsOf returns the windows of a site and a schedule (0 is none). An invalid window is ignored: the page accepts
// none, and work must not stop for ever because of one.
func (f *Fleet) windowsOf(ctx context.Context, site, schedule int64) (windows, error) {
	e, err := f.windowEntry(ctx, site, schedule)
	return e.windows, err
}

func (f *Fleet) windowEntry(ctx context.Context, site, schedule int64) (windowEntry, error) {
	key := windowKey{site, schedule}
	f.lock.Lock()
	e, ok := f.windows[key]
	f.lock.Unlock()
	if ok && time.Since(e.read) < windowAge {
		return e, nil
	}
	e = windowEntry{read: time.Now()}
	s, err := f.st.Site(ctx, site)
	if err != nil {
		return e, fmt.Errorf("fleet: the site of a job: %w", err)
	}
	texts := []string{}
	add := func(text, zone string) {
		w, err := when.ParseWindow(text, zone)
		if err != nil {
			f.o.Log.Error("a window is not understood, and shuts nothing", "site", s.Name, "err", err)
			return
		}
		if !w.Always() {
			e.windows = append(e.windows, w)
			texts = append(texts, strings.TrimSpace(text+" "+zone))
		}
	}
	add(s.Window, s.Zone)
	if schedule != 0 {
		sc, err := f.st.Schedule(ctx, schedule)
		if err == nil {
			add(sc.Window, sc.Zone)
		} else if !errors.Is(err, store.ErrNotFound) {
			return e, err
		}
	}
	e.text = strings.Join(texts, " and ")
	f.lock.Lock()
	defer f.lock.Unlock()
	if len(f.windows) > 1000 { // schedules come and go
		clear(f.windows)
	}
	f.windows[key] = e
	return e, nil
}
