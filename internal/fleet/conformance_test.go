package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// TestJobs checks the guarantees of the fleet's jobs on both databases.
func TestJobs(t *testing.T) {
	suite := []struct {
		name string
		test func(t *testing.T, open func() *store.Store)
	}{
		{"a run is done once", testRun},
		{"jobs come with the transaction or not", testTransaction},
		{"a job done twice records once", testTwice},
		{"what stops gives back", testStop},
		{"the silent are taken over from", testTakeover},
		{"the clock is set back", testSetBack},
		{"newer jobs are left to others", testNewer},
		{"a shut window is waited for", testWindow},
		{"a cancelled run ends", testCancel},
		{"schedules", testSchedules},
		{"units without a job get one", testStrays},
		{"slow workers elsewhere keep their units", testSlowElsewhere},
		{"the server tells of itself", testWatch},
		{"a clock ahead prunes nothing", testPruneClock},
		{"a start prunes nothing", testPruneStart},
		{"a result is taken back", testRemoving},
		{"names of a result that is taken back", testRemovedNames},
	}
	t.Run("sqlite", func(t *testing.T) {
		for _, s := range suite {
			t.Run(s.name, func(t *testing.T) {
				st, _ := sqlite(t)
				s.test(t, func() *store.Store { return st }) // only one process may open the file
			})
		}
	})
	t.Run("postgres", func(t *testing.T) {
		for _, s := range suite {
			t.Run(s.name, func(t *testing.T) {
				dsn := peer.Postgres(t)
				s.test(t, func() *store.Store { return reopen(t, dsn) })
			})
		}
		t.Run("two servers do nothing twice", func(t *testing.T) {
			dsn := peer.Postgres(t)
			testTwoServers(t, func() *store.Store { return reopen(t, dsn) })
		})
		t.Run("a newer program takes the database", func(t *testing.T) {
			dsn := peer.Postgres(t)
			testOvertaken(t, func() *store.Store { return reopen(t, dsn) })
		})
		t.Run("workers of two sites", func(t *testing.T) {
			dsn := peer.Postgres(t)
			testSites(t, func() *store.Store { return reopen(t, dsn) })
		})
	})
}

// fleetOf returns a fleet on a store with its own connection, with quick options that a test may change.
func fleetOf(t *testing.T, st *store.Store, change func(*Options)) *Fleet {
	t.Helper()
	o, _ := quickOptions(t)
	o.Scan.Quick = true // the content of the answers does not matter here
	if change != nil {
		change(&o)
	}
	return newFleet(t, st, o)
}

// once checks that every host has one result of a run, and that the run counts them.
func once(t *testing.T, st *store.Store, run store.Run, hosts int) {
	t.Helper()
	if run.Done != run.Total || run.Total != hosts || run.Exposed+run.Limited+run.Closed+run.Unknown != hosts {
		t.Errorf("of %d hosts: %+v", hosts, run)
	}
	seen := 0
	err := st.EachHost(t.Context(), store.HostFilter{}, func(h store.Host) error {
		list, _, err := st.Results(t.Context(), h.ID, store.Page{Size: 100})
		n := 0
		for _, r := range list {
			if r.RunID == run.ID {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%s has %d results of run %d", h.Address, n, run.ID)
		}
		seen += n
		return err
	})
	if err != nil || seen != hosts {
		t.Errorf("%d hosts have a result of run %d: %v", seen, run.ID, err)
	}
}

func start(t *testing.T, f *Fleet, sel store.Selector) *store.Run {
	t.Helper()
	r, err := f.StartRun(t.Context(), "anna", store.RunScan, sel, true)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func testRun(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	f := fleetOf(t, open(), func(o *Options) { o.BatchSize = 7 })
	const n = 100
	addTargets(t, f, addresses(n, "127.44.2.1", w.Port())...)
	stop := serve(t, f.Serve)
	for range 2 {
		r := runDone(t, f.st, start(t, f, store.Selector{}).ID)
		once(t, f.st, r, n)
		if r.State != store.RunDone || !r.Quick || r.Started.IsZero() || r.By != "anna" {
			t.Errorf("%+v", r)
		}
	}
	stop()
	if left, err := f.st.Workers(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("after it stopped there are workers: %+v %v", left, err)
	}
	if _, err := f.StartRun(t.Context(), "anna", store.RunScan, store.Selector{Tag: "nobody"}, false); err == nil {
		t.Error("a run of nothing begins")
	}
}

func testTransaction(t *testing.T, open func() *store.Store) {
	f := fleetOf(t, open(), nil)
	addTargets(t, f, addresses(3, "127.44.2.1", 1)...)
	taken := fmt.Errorf("taken back")
	var run store.Run
	err := f.st.InTx(t.Context(), func(tx *store.Tx) error {
		run = store.Run{Kind: store.RunScan, By: "anna"}
		if err := f.begin(t.Context(), tx, &run); err != nil {
			return err
		}
		return taken
	})
	if err != taken || run.Total != 3 {
		t.Fatalf("%v %+v", err, run)
	}
	if n, err := f.queue.alive(t.Context(), run.ID); n != 0 || err != nil {
		t.Errorf("%d jobs of a run that never was: %v", n, err)
	}
	r := start(t, f, store.Selector{})
	if n, err := f.queue.alive(t.Context(), r.ID); n != 1 || err != nil {
		t.Errorf("%d jobs of a run of three hosts: %v", n, err)
	}
}

func testTwice(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	f := fleetOf(t, open(), nil)
	const n = 30
	list := addTargets(t, f, addresses(n, "127.44.2.1", w.Port())...)
	r := start(t, f, store.Selector{})
	ids := make([]int64, n)
	for i := range list {
		ids[i] = list[i].ID
	}
	err := f.st.InTx(t.Context(), func(tx *store.Tx) error { // the same hosts in three more jobs
		job := batch{Protocol: Protocol, Run: r.ID, Site: list[0].SiteID, Of: store.RunScan, Quick: true, Targets: ids}
		return f.queue.put(t.Context(), tx, []batch{job, job, job})
	})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, f.Serve)
	done := runDone(t, f.st, r.ID)
	until(t, "no job is left", func() bool {
		left, err := f.queue.alive(t.Context(), r.ID)
		return err == nil && left == 0
	})
	once(t, f.st, done, n)
}

func testStop(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	w.slow(20 * time.Millisecond)
	st := open()
	f := fleetOf(t, st, func(o *Options) { o.Scan.Concurrency, o.BatchSize = 4, 16 })
	const n = 120
	addTargets(t, f, addresses(n, "127.44.2.1", w.Port())...)
	r := start(t, f, store.Selector{})
	for range 3 { // stopped in the middle, and continued by another
		g := fleetOf(t, st, func(o *Options) { o.Scan.Concurrency, o.BatchSize = 4, 16 })
		stop := serve(t, g.Serve)
		before, err := st.Run(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		until(t, "some hosts are done", func() bool {
			now, err := st.Run(t.Context(), r.ID)
			return err == nil && (now.Done >= before.Done+5 || now.Done == n)
		})
		stop()
		running, total, err := st.Units(t.Context(), r.ID, store.UnitRunning, store.Page{})
		if err != nil || total != 0 {
			t.Errorf("%d units are still running with %+v: %v", total, running, err)
		}
	}
	w.slow(0)
	serve(t, f.Serve)
	once(t, st, runDone(t, st, r.ID), n)
}

// testTakeover lets a worker with units fall silent, as kill -9 does.
func testTakeover(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	st := open()
	f := fleetOf(t, st, nil)
	const n = 40
	list := addTargets(t, f, addresses(n, "127.44.2.1", w.Port())...)
	r := start(t, f, store.Selector{})
	// The dead worker has taken the job and its units.
	dead := fleetOf(t, st, nil)
	took := make(chan struct{})
	end := make(chan struct{})
	var jobs atomic.Int64
	if err := dead.heartbeat(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := dead.queue.start(t.Context(), list[0].SiteID, 1, func(ctx context.Context, b batch) error {
		if _, err := st.TakeUnits(ctx, b.Run, b.Targets, dead.o.Name); err != nil {
			return err
		}
		if jobs.Add(1) == 1 {
			close(took)
		}
		<-end // it never comes back during the test
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		close(end)
		if err := dead.queue.stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	<-took
	serve(t, f.Serve)
	once(t, st, runDone(t, st, r.ID), n)
	workers, err := st.Workers(t.Context())
	if err != nil || slices.ContainsFunc(workers, func(w store.Worker) bool { return w.Name == dead.o.Name }) {
		t.Errorf("the dead one is still among the workers: %v", err)
	}
}

// testSetBack: a server is killed, and the clock is set back by a day before the next one starts. What the first one
// left is of a time to come, and nobody waits for it.
func testSetBack(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	st := open()
	f := fleetOf(t, st, nil)
	const n = 20
	list := addTargets(t, f, addresses(n, "127.44.2.1", w.Port())...)
	run := start(t, f, store.Selector{})
	tomorrow := time.Now().Add(24 * time.Hour)
	if err := st.Heartbeat(t.Context(), store.Worker{Name: "dead", Site: DefaultSite, Seen: tomorrow}); err != nil {
		t.Fatal(err)
	}
	if _, err := st.TakeUnits(t.Context(), run.ID, []int64{list[0].ID, list[1].ID}, "dead"); err != nil {
		t.Fatal(err)
	}
	lease, jobs := `INSERT INTO leases (name, holder, until) VALUES ($1, 'dead', $2)`, `UPDATE river_job SET scheduled_at = `
	var err error
	if pool := st.Pool(); pool != nil {
		_, err = pool.Exec(t.Context(), lease, leaseName, tomorrow.UnixMicro())
		if err == nil {
			_, err = pool.Exec(t.Context(), jobs+`now() + interval '1 day'`)
		}
	} else {
		_, err = st.DB().ExecContext(t.Context(), lease, leaseName, tomorrow.UnixMicro())
		if err == nil {
			_, err = st.DB().ExecContext(t.Context(), jobs+`datetime('now', '+1 day', 'subsec')`)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	serve(t, f.Serve)
	once(t, st, runDone(t, st, run.ID), n)
	until(t, "the dead one is no worker any more", func() bool {
		workers, err := st.Workers(t.Context())
		return err == nil && !slices.ContainsFunc(workers, func(w store.Worker) bool { return w.Name == "dead" })
	})
}

func testNewer(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	st := open()
	f := fleetOf(t, st, nil)
	addTargets(t, f, addresses(5, "127.44.2.1", w.Port())...)
	newer := fleetOf(t, st, func(o *Options) { o.Protocol = Protocol + 1 })
	job := batch{Protocol: Protocol + 1, Of: store.RunScan, Quick: true}
	var run store.Run
	err := st.InTx(t.Context(), func(tx *store.Tx) error { // as a server of the next release inserts it
		run = store.Run{Kind: store.RunScan, Quick: true}
		if err := tx.CreateRun(t.Context(), &run); err != nil {
			return err
		}
		if _, err := tx.AddUnits(t.Context(), run.ID, run.Selector); err != nil {
			return err
		}
		return tx.EachBatch(t.Context(), run.ID, 64, func(site int64, ids []int64) error {
			job.Run, job.Site, job.Targets = run.ID, site, ids
			return f.queue.put(t.Context(), tx, []batch{job})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, f.Serve)
	until(t, "the old one has left it", func() bool {
		return strings.Contains(f.o.Log.Handler().(*heard).text(), "newer than this worker")
	})
	if now, err := st.Run(t.Context(), run.ID); err != nil || now.Done != 0 || !now.Ended.IsZero() {
		t.Errorf("the old one did it: %+v %v", now, err)
	}
	if n, err := f.queue.alive(t.Context(), run.ID); n != 1 || err != nil {
		t.Errorf("%d jobs are left: %v", n, err)
	}
	stop()
	newer.awake(t)
	serve(t, newer.Serve)
	once(t, st, runDone(t, st, run.ID), 5)
}

// testOvertaken upgrades the database under a server that works: it ends and says why, blames no host for it, and the
// newer program finishes the run.
func testOvertaken(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	f := fleetOf(t, open(), nil)
	const n = 200
	addTargets(t, f, addresses(n, "127.44.2.1", w.Port())...)
	change := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := f.st.Pool().Exec(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	ended := make(chan error, 1)
	run := start(t, f, store.Selector{})
	w.after(20, func() {
		change(`BEGIN; ALTER TABLE results RENAME COLUMN reason TO why;
			INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true); COMMIT`)
	})
	go func() { ended <- f.Serve(t.Context()) }()
	select {
	case err := <-ended:
		if !errors.Is(err, store.ErrNewer) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(never):
		t.Fatal("it does not end")
	}
	now, err := f.st.Run(t.Context(), run.ID)
	if err != nil || now.Failed > 0 || now.Done == n {
		t.Errorf("%+v %v", now, err)
	}
	change(`ALTER TABLE results RENAME COLUMN why TO reason`, `DELETE FROM goose_db_version WHERE version_id = 99`)
	serve(t, fleetOf(t, open(), nil).Serve)
	once(t, f.st, runDone(t, f.st, run.ID), n)
}

func testWindow(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	st := open()
	var clock atomic.Int64
	clock.Store(time.Date(2026, 11, 22, 21, 59, 0, 0, time.UTC).UnixNano())
	shut := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC).UnixNano()
	w.after(10, func() { clock.Store(shut) })
	f := fleetOf(t, st, func(o *Options) {
		o.Scan.Concurrency, o.BatchSize = 2, 32
		o.Clock = func() time.Time { return time.Unix(0, clock.Load()).UTC() }
		o.Heartbeat = time.Hour // the clock jumps, and nobody is dead
	})
	site, err := f.site(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	site.Window = "22:00-23:00"
	if err := st.SaveSite(t.Context(), &site); err != nil {
		t.Fatal(err)
	}
	const n = 200
	addTargets(t, f, addresses(n, "127.44.2.1", w.Port())...)
	r := start(t, f, store.Selector{})
	stop := serve(t, f.Serve)
	state := func() store.Run {
		now, err := st.Run(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	until(t, "the run says that it waits", func() bool {
		now := state()
		return now.State == store.RunWaiting && strings.Contains(now.Reason, "22:00-23:00") &&
			strings.Contains(now.Reason, "2026-11-22 22:00")
	})
	if now := state(); now.Done != 0 {
		t.Errorf("it did not wait: %+v", now)
	}
	stop() // a job waits up to a minute; a fresh worker asks at once
	clock.Store(time.Date(2026, 11, 22, 22, 30, 0, 0, time.UTC).UnixNano())
	f.awake(t)
	stop = serve(t, f.Serve)
	// The tenth host closes the window: running scans end, and no other starts.
	rest := func() bool { return clock.Load() == shut && f.jobs(t, "available", "running") == 0 }
	until(t, "the jobs rest", rest)
	until(t, "the run waits again",
		func() bool { now := state(); return now.State == store.RunWaiting && now.Reason != "" })
	middle := state().Done
	if middle == 0 || middle > 20 {
		t.Errorf("%d are done, although the tenth shut the window", middle)
	}
	f.awake(t)
	until(t, "the jobs were looked at and rest again", rest)
	if now := state(); now.Done != middle {
		t.Errorf("it goes on while the window is shut: %d, then %+v", middle, now)
	}
	stop()
	clock.Store(time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC).UnixNano())
	f.awake(t)
	serve(t, f.Serve)
	done := runDone(t, st, r.ID)
	once(t, st, done, n)
	if done.Reason != "" {
		t.Errorf("it is done, and says %q", done.Reason)
	}
}

func testCancel(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	f := fleetOf(t, open(), func(o *Options) { o.Scan.Concurrency = 2 })
	const n = 64
	addTargets(t, f, addresses(n, "127.44.2.1", w.Port())...)
	r := start(t, f, store.Selector{})
	cancelled := make(chan error, 1)
	w.after(10, func() { cancelled <- f.st.CancelRun(t.Context(), r.ID) })
	serve(t, f.Serve)
	if err := <-cancelled; err != nil {
		t.Fatal(err)
	}
	done := runDone(t, f.st, r.ID)
	if done.State != store.RunCancelled || done.Done != n {
		t.Errorf("%+v", done)
	}
	until(t, "its jobs are gone", func() bool {
		left, err := f.queue.alive(t.Context(), r.ID)
		return err == nil && left == 0
	})
	after, err := f.st.Run(t.Context(), r.ID)
	if err != nil || after.Closed+after.Limited+after.Unknown >= n || after.Done != n {
		t.Errorf("it went on: %+v %v", after, err)
	}
	if err := f.st.CancelRun(t.Context(), r.ID); err == nil {
		t.Error("it is cancelled twice")
	}
}

func testSchedules(t *testing.T, open func() *store.Store) {
	st := open()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f := fleetOf(t, st, func(o *Options) { o.Clock = func() time.Time { return now } })
	addTargets(t, f, addresses(2, "127.44.2.1", 1)...)
	s := store.Schedule{
		Name:    "nightly",
		Kind:    store.RunScan,
		Cron:    "0 3 * * *",
		Zone:    "Europe/Berlin",
		Quick:   true,
		Enabled: true,
	}
	if err := st.SaveSchedule(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	tick := func(at time.Time) []store.Run {
		t.Helper()
		now = at
		if err := f.schedules(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, _, err := st.Runs(t.Context(), store.Page{Size: 100})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	end := func() {
		t.Helper()
		open, err := st.OpenRuns(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range open {
			if err := st.CancelRun(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if list := tick(now); len(list) != 0 {
		t.Fatalf("it starts at once: %+v", list)
	}
	if got, err := st.Schedule(t.Context(), s.ID); err != nil ||
		!got.Next.Equal(time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)) {
		t.Fatalf("next %v: %v", got.Next, err)
	}
	due := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	if list := tick(due.Add(-time.Second)); len(list) != 0 {
		t.Errorf("a second early: %+v", list)
	}
	list := tick(due)
	if len(list) != 1 || !list[0].Due.Equal(due) || list[0].Schedule != s.ID || list[0].Total != 2 || !list[0].Quick {
		t.Fatalf("when it is due: %+v", list)
	}
	if list = tick(due.Add(time.Second)); len(list) != 1 {
		t.Errorf("it starts twice: %+v", list)
	}
	if list = tick(due.AddDate(0, 0, 1)); len(list) != 1 {
		t.Errorf("it overtakes its own run: %+v", list)
	}
	end()
	// After five days one run makes up for all due times.
	if list = tick(due.AddDate(0, 0, 5).Add(time.Hour)); len(list) != 2 || !list[0].Due.Equal(due.AddDate(0, 0, 5)) {
		t.Fatalf("after five days: %+v", list)
	}
	end()
	// The clock jumps back over a due time that had its run, and passes it again.
	tick(due.AddDate(0, 0, 5).Add(-time.Hour))
	if list = tick(due.AddDate(0, 0, 5).Add(time.Minute)); len(list) != 2 {
		t.Errorf("a due time has two runs: %+v", list)
	}
	// The clock was years ahead for a while: the schedule must not wait until then.
	tick(due.AddDate(10, 0, 0))
	end()
	n := len(tick(due.AddDate(0, 0, 6).Add(-time.Hour)))
	if list = tick(due.AddDate(0, 0, 6)); len(list) != n+1 {
		t.Errorf("it sleeps for ten years: %+v", list)
	}
	end()
	s.Cron = "never"
	if err := st.SaveSchedule(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	if err := f.schedules(t.Context()); err == nil || !strings.Contains(err.Error(), "nightly") {
		t.Errorf("a schedule that cannot be read: %v", err)
	}
}

func testStrays(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	st := open()
	var ahead atomic.Int64
	f := fleetOf(t, st, func(o *Options) {
		o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	list := addTargets(t, f, addresses(5, "127.44.2.1", w.Port())...)
	var r store.Run
	// A run whose jobs were lost, with one unit of an unknown worker.
	err := st.InTx(t.Context(), func(tx *store.Tx) error {
		r = store.Run{Kind: store.RunScan, Quick: true}
		if err := tx.CreateRun(t.Context(), &r); err != nil {
			return err
		}
		if _, err := tx.AddUnits(t.Context(), r.ID, r.Selector); err != nil {
			return err
		}
		_, err := tx.TakeUnits(t.Context(), r.ID, []int64{list[0].ID}, "nobody")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(2 * strayAfter))
	serve(t, f.Serve)
	once(t, st, runDone(t, st, r.ID), 5)
}

// testSlowElsewhere: the units of a worker on another machine have no job in the queue, and while the worker lives they
// are not given to others, however long they take.
func testSlowElsewhere(t *testing.T, open func() *store.Store) {
	st := open()
	var ahead atomic.Int64
	f := fleetOf(t, st, func(o *Options) {
		o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	ctx := t.Context()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	list := addTargets(t, f, addresses(3, "127.44.2.1", 1)...)
	fatal(st.AddEnrolled(ctx, &store.Enrolled{Name: "branch-1", SiteID: list[0].SiteID}))
	run := store.Run{Kind: store.RunScan, Quick: true}
	fatal(st.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.CreateRun(ctx, &run); err != nil {
			return err
		}
		if _, err := tx.AddUnits(ctx, run.ID, run.Selector); err != nil {
			return err
		}
		_, err := tx.TakeUnits(ctx, run.ID, []int64{list[0].ID, list[1].ID}, "branch-1")
		return err
	}))
	strays := func(want int) {
		t.Helper()
		open, err := st.OpenRuns(ctx)
		fatal(err)
		fatal(f.strays(ctx, open))
		units, _, err := st.Units(ctx, run.ID, store.UnitRunning, store.Page{Size: 10})
		if err != nil || len(units) != want {
			t.Errorf("it has %d units, want %d: %v", len(units), want, err)
		}
	}
	ahead.Store(int64(2 * strayAfter))
	fatal(st.Heartbeat(ctx, store.Worker{Name: "branch-1", Site: DefaultSite, Seen: f.now()}))
	strays(2)
}

// TestSteady: after the clock has jumped nobody is taken over from until everybody could give a sign of life.
func TestSteady(t *testing.T) {
	st, _ := sqlite(t)
	var ahead atomic.Int64
	f := fleetOf(t, st, func(o *Options) {
		o.Heartbeat = time.Hour
		o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	wants := func(want bool, what string) {
		t.Helper()
		if f.steady() != want {
			t.Errorf("%s: steady is %v", what, !want)
		}
	}
	wants(true, "the first time")
	wants(true, "again")
	ahead.Store(int64(30 * time.Minute))
	wants(true, "a small step")
	ahead.Store(int64(3 * time.Hour))
	wants(false, "the machine was asleep")
	wants(false, "still")
	f.jumped = f.jumped.Add(-4 * time.Hour)
	wants(true, "long after that")
	ahead.Store(0)
	wants(false, "the clock was set back")
}

func testTwoServers(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	const n = 200
	fleets := make([]*Fleet, 2)
	for i := range fleets {
		fleets[i] = fleetOf(t, open(), func(o *Options) { o.BatchSize = 8; o.Scan.Concurrency = 16 })
	}
	st := fleets[0].st
	addTargets(t, fleets[0], addresses(n, "127.44.2.1", w.Port())...)
	// Both find the schedule due at the same moment.
	s := store.Schedule{Name: "now", Kind: store.RunScan, Cron: "@every 1h", Quick: true, Enabled: true}
	if err := st.SaveSchedule(t.Context(), &s); err != nil {
		t.Fatal(err)
	}
	if err := st.SetScheduleNext(t.Context(), s.ID, time.Time{}, time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, f := range fleets {
		wg.Go(func() {
			s, err := f.st.Schedule(t.Context(), s.ID)
			if err == nil {
				err = f.due(t.Context(), s)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list, _, err := st.Runs(t.Context(), store.Page{})
	if err != nil || len(list) != 1 {
		t.Fatalf("one due time has %d runs: %v", len(list), err)
	}
	// Wait until each has done something: one could finish everything before the other begins.
	hold(t, fleets[0], true)
	for _, f := range fleets {
		serve(t, f.Serve)
	}
	for _, f := range fleets {
		until(t, f.Name()+" does something", func() bool { return f.done.Load() > 0 })
	}
	hold(t, fleets[0], false)
	once(t, st, runDone(t, st, list[0].ID), n)
}

func testSites(t *testing.T, open func() *store.Store) {
	w := newWorld(t, "samba-2")
	// Nobody is taken for dead, whose hosts would be scanned twice.
	alive := func(o *Options) { o.Heartbeat = 5 * time.Second }
	server := fleetOf(t, open(), alive)
	branch := fleetOf(t, open(), func(o *Options) { alive(o); o.Site = "branch" })
	st := server.st
	addTargets(t, server, addresses(10, "127.44.2.1", w.Port())...)
	addTargets(t, branch, addresses(20, "127.44.2.1", w.Port())...) // the same addresses are different hosts there
	serve(t, server.Serve)
	r := start(t, server, store.Selector{})
	until(t, "the server's site is done", func() bool {
		now, err := st.Run(t.Context(), r.ID)
		return err == nil && now.Done == 10
	})
	time.Sleep(300 * time.Millisecond)
	if now, err := st.Run(t.Context(), r.ID); err != nil || now.Done != 10 || !now.Ended.IsZero() {
		t.Errorf("the server cannot reach the branch: %+v %v", now, err)
	}
	serve(t, branch.Serve)
	once(t, st, runDone(t, st, r.ID), 30)
	if server.done.Load() != 10 || branch.done.Load() != 20 {
		t.Errorf("the server did %d, the branch %d", server.done.Load(), branch.done.Load())
	}
	hosts, total, err := st.Hosts(t.Context(), store.HostFilter{Site: "branch"}, store.Page{})
	if err != nil || total != 20 || hosts[0].Site != "branch" {
		t.Errorf("the branch has %d hosts: %v", total, err)
	}
}
