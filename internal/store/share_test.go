package store

import (
	"testing"
	"time"

	"ipcguard/internal/model"
)

// TestShare: overlapping runs share one scan of a host, and each counts it.
func TestShare(t *testing.T) {
	onBoth(t, func(s *suite) {
		targets := s.targets("alpha", "beta", "gamma")
		old := s.run(RunScan)
		s.advance(time.Minute)
		began := s.clock()
		s.advance(time.Second)
		full, quick, audit := s.run(RunScan), s.run(RunScan), s.run(RunAudit)
		if _, err := s.exec(s.ctx, `UPDATE runs SET quick = 1 WHERE id = $1`, quick.ID); err != nil {
			s.Fatal(err)
		}
		state := func(run Run, i int) UnitState {
			s.Helper()
			all, _, err := s.Units(s.ctx, run.ID, "", Page{})
			s.ok(err)
			return all[i].State
		}
		take := func(run Run, i int) int {
			s.Helper()
			u, err := s.TakeUnits(s.ctx, run.ID, []int64{targets[i].ID}, "w1")
			s.ok(err)
			return len(u)
		}
		look := func(run Run, i int, began time.Time) {
			s.Helper()
			r := s.scan(run, targets[i], i+1, model.Exposed)
			r.At = s.clock()
			r.DurationMS = r.At.Sub(began).Milliseconds()
			s.record(r)
		}
		// A unit in progress elsewhere waits, and the result counts for every run that was created before the scan
		// began.
		s.advance(time.Second)
		if take(old, 0) != 1 || take(full, 0) != 0 || take(quick, 0) != 0 {
			s.Error("a unit that another run is at was taken, or the first was not")
		}
		if take(audit, 0) != 1 {
			s.Error("an audit waits for a scan")
		}
		look(old, 0, s.clock())
		for _, run := range []Run{old, full, quick} {
			if state(run, 0) != UnitDone {
				s.Errorf("run %d: %s", run.ID, state(run, 0))
			}
		}
		if state(audit, 0) != UnitRunning {
			s.Errorf("a scan ended an audit: %s", state(audit, 0))
		}
		// A scan that began before a run was created does not count for it.
		look(old, 1, began)
		if state(full, 1) != UnitWaiting {
			s.Error("an older look was shared")
		}
		// A quick scan does not serve a full run.
		if take(quick, 2) != 1 || take(full, 2) != 1 {
			s.Error("a full run waits for a quick one")
		}
		s.ok(s.must(s.ctx, `UPDATE units SET state = 0 WHERE run_id = $1 AND target_id = $2`, full.ID, targets[2].ID))
		look(quick, 2, s.clock())
		if state(full, 2) != UnitWaiting {
			s.Error("a quick look ended a full run's unit")
		}
		for _, want := range []struct {
			run  Run
			done int
		}{{old, 2}, {full, 1}, {quick, 2}, {audit, 0}} {
			r, err := s.Run(s.ctx, want.run.ID)
			s.ok(err)
			if r.Done != want.done || r.Exposed != want.done {
				s.Errorf("run %d: %d done, %d exposed, want %d", r.ID, r.Done, r.Exposed, want.done)
			}
		}
		if n := s.number(`SELECT count(*) FROM results`); n != 3 {
			s.Errorf("%d results of three looks", n)
		}
	})
}
