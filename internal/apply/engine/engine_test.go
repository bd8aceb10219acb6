package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/applytest"
	"ipcguard/internal/apply/private"
	"ipcguard/internal/format/registry"
)

func TestApplyAndRollback(t *testing.T) {
	f, plan := weakFake()
	before := applytest.Dump(f.Tree, "HKLM")
	e := engineFor(t, f)
	j, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	after := applytest.Dump(f.Tree, "HKLM")
	for _, want := range []string{
		"RestrictAnonymous REG_DWORD 01000000", "RestrictAnonymousSAM REG_DWORD 01000000",
		"NullSessionPipes REG_MULTI_SZ 0000",
		`Lsa\New\Deep`, "left alone"[:0],
	} {
		if !strings.Contains(after, want) {
			t.Errorf("after the apply there is no %q in\n%s", want, after)
		}
	}
	if strings.Contains(after, "TurnOff") {
		t.Error("a value that was to be removed is still there")
	}
	if j.Phase() != PhaseKept || f.Settled != 1 {
		t.Errorf("phase %s, settled %d times", j.Phase(), f.Settled)
	}
	if _, err := e.Confirm(t.Context(), j.ID); err == nil {
		t.Error("confirmed what needs no confirmation")
	}
	if j, err = e.Rollback(t.Context(), j.ID, false); err != nil {
		t.Fatal(err)
	}
	if got := applytest.Dump(f.Tree, "HKLM"); got != before {
		t.Errorf("rolled back to\n%s\nfrom\n%s", got, before)
	}
	if j.Phase() != PhaseUndone {
		t.Errorf("phase %s", j.Phase())
	}
	if _, err := e.Rollback(t.Context(), j.ID, false); err == nil {
		t.Error("rolled back twice")
	}
	records, err := e.Records(j)
	if err != nil || len(records) != 2 || records[0].Action != "applied" || records[1].Action != "rolled-back" {
		t.Errorf("records %+v, %v", records, err)
	}
	if records[0].Proof == "" || !records[0].Passed || len(records[0].Alerts) != 1 {
		t.Errorf("the record does not tell about its proof and its alerts: %+v", records[0])
	}
}

func TestFailuresRollBack(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	for name, c := range map[string]struct {
		prepare func(*applytest.Fake)
		verify  func(context.Context) (apply.Evidence, error)
		ctx     context.Context
		want    string
	}{
		"one value in the middle is refused": {
			func(f *applytest.Fake) { f.Refuse = "RestrictAnonymousSAM" },
			applytest.Good, t.Context(), "access is denied",
		},
		"the service does not take it": {func(f *applytest.Fake) {
			f.Unsettle = errors.New("testparm fails")
		}, applytest.Good, t.Context(), "testparm fails"},
		"verification fails": {
			func(*applytest.Fake) {}, applytest.Bad, t.Context(),
			"tcp:h:1 failed: refused",
		},
		"verification cannot be done": {
			func(*applytest.Fake) {},
			func(context.Context) (apply.Evidence, error) { return nil, errors.New("no network") }, t.Context(),
			"no network",
		},
		"interrupted": {func(*applytest.Fake) {}, func(ctx context.Context) (apply.Evidence, error) {
			cancel()
			return nil, ctx.Err()
		}, canceled, "context canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			f, plan := weakFake()
			c.prepare(f)
			before := applytest.Dump(f.Tree, "HKLM")
			e := engineFor(t, f)
			j, err := e.Apply(c.ctx, Request{
				Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
				Bytes: []byte(`{}`), Target: f, Verify: c.verify,
			})
			var back *RolledBackError
			if !errors.As(err, &back) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want one that says %q", err, c.want)
			}
			if got := applytest.Dump(f.Tree, "HKLM"); got != before {
				t.Errorf("not as before:\n%s", got)
			}
			if j.Phase() != PhaseUndone {
				t.Errorf("phase %s", j.Phase())
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	f, plan := weakFake()
	e := engineFor(t, f)
	f.Tree.Set(registry.NewDWord(applytest.LSA, "RestrictAnonymous", 1))
	_, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good,
	})
	var stale *apply.StaleError
	if !errors.As(err, &stale) {
		t.Errorf("a host that has changed: %v", err)
	}
	if all, err := e.History(); len(all) != 0 || err != nil {
		t.Errorf("a refused apply left %d journals, %v", len(all), err)
	}

	f, plan = weakFake()
	e = engineFor(t, f)
	unlock, err := e.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good,
	}); !errors.Is(err, ErrBusy) {
		t.Errorf("two at once: %v", err)
	}
	unlock()
	if _, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good, Within: time.Hour,
	}); err != nil {
		t.Fatal(err)
	}
	var unfinished *UnfinishedError
	if _, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good,
	}); !errors.As(err, &unfinished) {
		t.Errorf("a second apply while the first waits: %v", err)
	}

	_, plan = weakFake()
	plan.Changes[0].Where = "[System Access] LSAAnonymousNameLookup"
	f, _ = weakFake()
	var refused *apply.RefusedError
	if _, err := f.Resolve(t.Context(), applytest.Changes("windows", plan.Changes)); !errors.As(err, &refused) {
		t.Errorf("a place that is no registry value: %v", err)
	}
}

// at returns a clock that the test sets.
func at(now *Instant) Clock { return func() Instant { return *now } }

func TestConfirmation(t *testing.T) {
	now := Instant{Wall: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Boot: "a", Uptime: time.Hour}
	start := func(t *testing.T) (*Engine, *applytest.Fake, string, string) {
		t.Helper()
		now = Instant{Wall: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Boot: "a", Uptime: time.Hour}
		f, plan := weakFake()
		before := applytest.Dump(f.Tree, "HKLM")
		e := engineFor(t, f)
		e.Clock = at(&now)
		j, err := e.Apply(t.Context(), Request{
			Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
			Bytes: []byte(`{}`), Target: f, Verify: applytest.Good, Within: 10 * time.Minute,
		})
		if err != nil || j.Phase() != PhaseWaiting {
			t.Fatalf("%v, %v", j, err)
		}
		return e, f, j.ID, before
	}
	pass := func(d time.Duration) {
		now.Wall, now.Uptime = now.Wall.Add(d), now.Uptime+d
	}
	t.Run("in time", func(t *testing.T) {
		e, f, id, before := start(t)
		pass(9 * time.Minute)
		if j, err := e.Confirm(t.Context(), id); err != nil || j.Phase() != PhaseKept {
			t.Fatalf("%v", err)
		}
		pass(time.Hour)
		if r, err := e.Recover(t.Context()); err != nil || len(r) != 1 || r[0].Did != "" || r[0].Host != "after" {
			t.Errorf("recovery after the confirmation: %+v, %v", r, err)
		}
		if applytest.Dump(f.Tree, "HKLM") == before {
			t.Error("what was confirmed is gone")
		}
	})
	t.Run("late", func(t *testing.T) {
		e, f, id, before := start(t)
		pass(10*time.Minute + time.Second)
		var late *LateError
		if _, err := e.Confirm(t.Context(), id); !errors.As(err, &late) || late.Back != nil {
			t.Fatalf("%v", err)
		}
		if applytest.Dump(f.Tree, "HKLM") != before {
			t.Error("not as before")
		}
		if _, err := e.Confirm(t.Context(), id); !errors.As(err, &late) {
			t.Errorf("a second late confirmation: %v", err)
		}
	})
	t.Run("never", func(t *testing.T) {
		e, f, _, before := start(t)
		pass(5 * time.Minute)
		if r, err := e.Recover(t.Context()); err != nil || r[0].Did != "" || r[0].Left != 5*time.Minute {
			t.Errorf("recovery while there is time: %+v, %v", r, err)
		}
		pass(6 * time.Minute)
		if r, err := e.Recover(t.Context()); err != nil || r[0].Host != "before" {
			t.Errorf("recovery: %+v, %v", r, err)
		}
		if applytest.Dump(f.Tree, "HKLM") != before {
			t.Error("not as before")
		}
	})
}

func TestDeadline(t *testing.T) {
	wall := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d := Deadline{Instant{wall, "a", time.Hour}, Duration(10 * time.Minute)}
	for name, c := range map[string]struct {
		now  Instant
		left time.Duration
	}{
		"half": {
			Instant{wall.Add(5 * time.Minute), "a", time.Hour + 5*time.Minute},
			5 * time.Minute,
		},
		"the wall clock jumps ahead": {
			Instant{wall.Add(5 * time.Hour), "a", time.Hour + 5*time.Minute},
			5 * time.Minute,
		},
		"the wall clock jumps back": {
			Instant{wall.Add(-5 * time.Hour), "a", time.Hour + 11*time.Minute},
			-time.Minute,
		},
		"rebooted, in time":               {Instant{wall.Add(8 * time.Minute), "b", time.Minute}, 2 * time.Minute},
		"rebooted, late":                  {Instant{wall.Add(12 * time.Minute), "b", 2 * time.Hour}, -2 * time.Minute},
		"rebooted into the past":          {Instant{wall.Add(-time.Hour), "b", time.Minute}, 0},
		"no name for the boot, uptime up": {Instant{wall, "", 2 * time.Hour}, 10 * time.Minute},
	} {
		if got := d.Left(c.now); got != c.left {
			t.Errorf("%s: %v left, want %v", name, got, c.left)
		}
	}
	nameless := Deadline{Instant{wall, "", time.Hour}, Duration(10 * time.Minute)}
	if left := nameless.Left(Instant{wall.Add(time.Hour), "", time.Minute}); left > 0 {
		t.Errorf("time since boot went back, and an hour passed: %v left", left)
	}
}

func TestRollbackKeepsWhatOthersChanged(t *testing.T) {
	f, plan := weakFake()
	before := applytest.Dump(f.Tree, "HKLM")
	e := engineFor(t, f)
	j, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Tree.Set(registry.NewStrings(applytest.LMS, "NullSessionPipes", []string{"spoolss"}))
	changed := applytest.Dump(f.Tree, "HKLM")
	var conflict *apply.ConflictError
	if _, err = e.Rollback(t.Context(), j.ID, false); !errors.As(err, &conflict) {
		t.Fatalf("%v", err)
	}
	if len(conflict.Diffs) != 1 || !strings.Contains(conflict.Diffs[0], "spoolss") {
		t.Errorf("the difference: %q", conflict.Diffs)
	}
	if applytest.Dump(f.Tree, "HKLM") != changed {
		t.Error("something was touched")
	}
	if _, err = e.Rollback(t.Context(), j.ID, true); err != nil {
		t.Fatal(err)
	}
	if got := applytest.Dump(f.Tree, "HKLM"); got != before {
		t.Errorf("not as before:\n%s", got)
	}
}

func TestAnotherHostIsNotTouched(t *testing.T) {
	f, plan := weakFake()
	e := engineFor(t, f)
	j, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Machine = apply.Host{Name: "FAKE", ID: "another"}
	after := applytest.Dump(f.Tree, "HKLM")
	if _, err := e.Rollback(t.Context(), j.ID, true); err == nil || !strings.Contains(err.Error(), "was made on") {
		t.Errorf("%v", err)
	}
	if applytest.Dump(f.Tree, "HKLM") != after {
		t.Error("another host was touched")
	}
}

func TestSignedRecords(t *testing.T) {
	f, plan := weakFake()
	e := engineFor(t, f)
	j, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(e.State, "key"))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("key: %v %v", info.Mode(), err)
	}
	name := filepath.Join(j.Dir, "record-1.json")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	forged := strings.Replace(string(b), "tester", "nobody", 1)
	if _, _, err := ReadRecord([]byte(forged)); err == nil {
		t.Error("a record that was changed is believed")
	}
	other := engineFor(t, f)
	own, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.makeKey(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadRecord(own); err != nil {
		t.Error(err)
	}
	if _, err := other.Records(j); err == nil {
		t.Error("a record signed with another key is believed")
	}
}

// TestOutlook distinguishes a guarded wait from an unguarded one, before and after its deadline.
func TestOutlook(t *testing.T) {
	now := Instant{Wall: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Boot: "a", Uptime: time.Hour}
	f, plan := weakFake()
	e := engineFor(t, f)
	e.Clock = at(&now)
	j, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good, Within: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	look := func(overdue, guarded bool, says string) {
		t.Helper()
		o, err := e.Outlook(j)
		if err != nil || o == nil || o.Overdue != overdue || o.Guarded != guarded ||
			!strings.Contains(o.String(), says) {
			t.Errorf("%+v, %v; want overdue %v, guarded %v and %q", o, err, overdue, guarded, says)
		}
	}
	look(false, false, "nobody watches")
	if err := private.Make(e.guards()); err != nil {
		t.Fatal(err)
	}
	unlock, err := private.Lock(e.guardFile(j.ID, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	look(false, true, "unless it is confirmed")
	now.Wall, now.Uptime = now.Wall.Add(time.Hour), now.Uptime+time.Hour
	look(true, true, "the guard takes it back")
	unlock()
	look(true, false, "nobody watches: ipcguard recover takes it back")
	if _, err := e.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if j, err = e.open(j.ID); err != nil {
		t.Fatal(err)
	}
	if o, err := e.Outlook(j); o != nil || err != nil {
		t.Errorf("over: %+v, %v", o, err)
	}
}

// TestAppliedAs finds an apply of the same plan on the same target while it is in force.
func TestAppliedAs(t *testing.T) {
	f, plan := weakFake()
	e := engineFor(t, f)
	if j := e.AppliedAs(plan, f.Spec()); j != nil {
		t.Errorf("nothing was applied, and %s is it", j.ID)
	}
	j, err := e.Apply(t.Context(), Request{
		Plan: plan, Changes: applytest.Changes("windows", plan.Changes),
		Bytes: []byte(`{}`), Target: f, Verify: applytest.Good,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := e.AppliedAs(plan, f.Spec()); got == nil || got.ID != j.ID {
		t.Errorf("%+v", got)
	}
	other := plan
	other.Hash = "another"
	if e.AppliedAs(other, f.Spec()) != nil || e.AppliedAs(plan, "elsewhere:") != nil {
		t.Error("another plan, or another target, is taken for it")
	}
	if _, err := e.Rollback(t.Context(), j.ID, false); err != nil {
		t.Fatal(err)
	}
	if e.AppliedAs(plan, f.Spec()) != nil {
		t.Error("what was rolled back is taken for it")
	}
}
