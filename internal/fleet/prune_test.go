package fleet

import (
	"errors"
	"testing"
	"time"

	"ipcguard/internal/store"
)

// testPruneClock: history is pruned when it is old; a clock that is years ahead deletes next to nothing, and one that
// was years behind keeps nothing for longer.
func testPruneClock(t *testing.T, open func() *store.Store) {
	st := open()
	began := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	now := began
	const day = 24 * time.Hour
	f := fleetOf(t, st, func(o *Options) {
		o.Clock = func() time.Time { return now }
		o.Retention, o.ActsRetention = 20*day, 30*day
	})
	ctx := t.Context()
	if err := f.Prune(ctx); err != nil { // as for the life of a server: the time of the last one is known
		t.Fatal(err)
	}
	for i := range 10 {
		at := began.Add(time.Duration(i) * day)
		act := store.Act{At: at, Who: "ada", Action: "target.add"}
		if err := errors.Join(
			st.AddAct(ctx, &act),
			st.AddEvents(ctx, []store.Event{{At: at, Kind: store.EventRetired, Host: "h", Text: "x"}}),
		); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(what string, acts, events int) {
		t.Helper()
		_, a, err := st.Acts(ctx, "", store.Page{Size: 100})
		if err != nil {
			t.Fatal(err)
		}
		if e := len(eventsOf(t, st, store.EventFilter{})); a != acts || e != events {
			t.Errorf("%s: %d acts and %d events are left, want %d and %d", what, a, e, acts, events)
		}
	}
	prune := func() {
		t.Helper()
		if err := f.Prune(ctx); err != nil {
			t.Fatal(err)
		}
	}
	now = began.AddDate(10, 0, 0)
	prune()
	prune()
	kept("the clock is ten years ahead", 10, 10)
	now = began.Add(10 * day)
	prune()
	kept("the clock is right again", 10, 10)
	for now.Before(began.Add(25 * day)) {
		now = now.Add(day)
		prune()
		prune() // four times a day in truth
	}
	kept("time has passed", 10, 5)
	now = began.Add(100 * day) // it was off
	for range 10 {
		prune()
	}
	kept("a server that was off catches up", 5, 0)
	for range 65 {
		prune()
	}
	kept("it has caught up", 0, 0)

	right := now
	act := store.Act{At: right.Add(-10 * day), Who: "ada", Action: "target.add"}
	if err := st.AddAct(ctx, &act); err != nil {
		t.Fatal(err)
	}
	now = began.AddDate(-20, 0, 0) // a start without a battery
	prune()
	kept("the clock is years behind", 1, 0)
	now = right.Add(25 * day)
	for range 27 {
		prune()
	}
	kept("a clock that was years behind is right again", 0, 0)
}

// testPruneStart: a server that starts deletes nothing at once, whatever is old.
func testPruneStart(t *testing.T, open func() *store.Store) {
	st := open()
	now := time.Now()
	f := fleetOf(t, st, func(o *Options) { o.Retention, o.ActsRetention = time.Hour, time.Hour })
	ctx := t.Context()
	act := store.Act{At: now.Add(-2 * time.Hour), Who: "ada", Action: "target.add"}
	if err := errors.Join(f.Prune(ctx), st.AddAct(ctx, &act)); err != nil { // the first only notes the time
		t.Fatal(err)
	}
	stop := serve(t, f.Serve)
	for _, name := range []string{"one", "two"} { // when the second is planned, a whole beat has passed since the first
		s := store.Schedule{Name: name, Kind: store.RunScan, Cron: "0 3 * * *", Enabled: true}
		if err := st.SaveSchedule(ctx, &s); err != nil {
			t.Fatal(err)
		}
		until(t, "the schedule is planned", func() bool {
			now, err := st.Schedule(ctx, s.ID)
			return err == nil && !now.Next.IsZero()
		})
	}
	stop()
	acts := func() int {
		t.Helper()
		_, n, err := st.Acts(ctx, "", store.Page{})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := acts(); n != 1 {
		t.Errorf("%d acts are left right after the start", n)
	}
	if err := f.Prune(ctx); err != nil {
		t.Fatal(err)
	}
	if n := acts(); n != 0 {
		t.Errorf("%d acts are left after it was old", n)
	}
}
