package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/model"
)

// TestTakeWhileRecording: a worker that takes more units does not wait for the results that another transaction records
// at the time.
func TestTakeWhileRecording(t *testing.T) {
	t.Parallel()
	s := newSuite(t, KindPostgres) // SQLite has one writer
	targets := s.targets("a", "b")
	run := s.run(RunScan)
	if _, err := s.TakeUnits(s.ctx, run.ID, []int64{targets[0].ID}, "w1"); err != nil {
		t.Fatal(err)
	}
	s.ok(s.InTx(s.ctx, func(tx *Tx) error {
		if _, err := tx.RecordResult(s.ctx, s.scan(run, targets[0], 1, model.Exposed)); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second) // far more than it takes
		defer cancel()
		_, err := s.TakeUnits(ctx, run.ID, []int64{targets[1].ID}, "w1")
		return err
	}))
}

func TestRuns(t *testing.T) {
	onBoth(t, func(s *suite) {
		targets := s.targets("a", "b", "c", "d")
		s.ok(s.SaveTarget(s.ctx, &Target{SiteID: s.site.ID, Spec: "10.0.0.0/24", Kind: TargetRange, Enabled: true}))
		s.ok(s.SaveTarget(s.ctx, &Target{SiteID: s.site.ID, Spec: "off"}))

		due := s.clock().Add(time.Hour)
		r := Run{Kind: RunScan, By: "nightly", Schedule: 4, Due: due, Quick: true}
		s.ok(s.CreateRun(s.ctx, &r))
		s.fails(s.CreateRun(s.ctx, &Run{Kind: RunScan, Schedule: 4, Due: due}), ErrConflict)
		n, err := s.AddUnits(s.ctx, r.ID, Selector{Site: "main"})
		s.ok(err)
		if n != len(targets) {
			s.Fatalf("%d units, want those of the hosts that are enabled", n)
		}
		if n, err = s.AddUnits(s.ctx, r.ID, Selector{Targets: []int64{targets[0].ID}}); err != nil ||
			n != len(targets) {
			s.Fatalf("%d units after adding one twice, %v", n, err)
		}
		sweep := Run{Kind: RunDiscover}
		s.ok(s.CreateRun(s.ctx, &sweep))
		if n, err = s.AddUnits(s.ctx, sweep.ID, Selector{}); err != nil || n != 1 {
			s.Fatalf("%d ranges, %v", n, err)
		}

		var batches [][]int64
		s.ok(s.EachBatch(s.ctx, r.ID, 3, func(site int64, ids []int64) error {
			if site != s.site.ID {
				s.Errorf("site %d", site)
			}
			batches = append(batches, ids)
			return nil
		}))
		same(s, "batches", batches, [][]int64{{targets[0].ID, targets[1].ID, targets[2].ID}, {targets[3].ID}})

		s.advance(time.Minute)
		units, err := s.TakeUnits(s.ctx, r.ID, batches[0], "w1")
		s.ok(err)
		if len(units) != 3 || units[0].State != UnitRunning || units[0].Spec != "a" || units[0].Attempt != 1 {
			s.Fatalf("took %+v", units)
		}
		s.ok(s.FailUnit(s.ctx, r.ID, targets[0].ID, "no route"))
		s.ok(s.FailUnit(s.ctx, r.ID, targets[0].ID, "twice"))
		s.record(s.scan(r, targets[1], 2, model.Exposed))
		if units, err = s.TakeUnits(s.ctx, r.ID, batches[0], "w2"); err != nil || len(units) != 1 ||
			units[0].Attempt != 2 || units[0].Worker != "w2" {
			s.Fatalf("a second worker takes %+v, %v", units, err)
		}
		if units, err = s.ResetUnits(s.ctx, "w1"); err != nil || len(units) != 0 {
			s.Fatalf("of the first worker are left %+v, %v", units, err)
		}
		if units, err = s.ResetUnits(s.ctx, "w2"); err != nil || len(units) != 1 ||
			units[0].TargetID != targets[2].ID || units[0].State != UnitWaiting {
			s.Fatalf("of the second worker are left %+v, %v", units, err)
		}
		got, err := s.Run(s.ctx, r.ID)
		s.ok(err)
		want := r
		want.State, want.Total, want.Done, want.Exposed, want.Failed = RunRunning, 4, 2, 1, 1
		want.Started, want.LastResult = s.clock(), s.clock()
		same(s, "run", got, want)
		if ended, err := s.FinishRuns(s.ctx); err != nil || len(ended) != 0 {
			s.Fatalf("%v ended, %v", ended, err)
		}
		s.ok(s.DeleteTargets(s.ctx, []int64{targets[3].ID}))
		s.ok(s.SkipUnit(s.ctx, r.ID, targets[2].ID, "done under another name"))
		ended, err := s.FinishRuns(s.ctx)
		s.ok(err)
		same(s, "ended", ended, []int64{r.ID})
		failed, total, err := s.Units(s.ctx, r.ID, UnitFailed, Page{})
		s.ok(err)
		if total != 1 || failed[0].Reason != "no route" {
			s.Errorf("failed: %+v", failed)
		}
		if got, err = s.Run(s.ctx, r.ID); err != nil || got.State != RunDone || got.Done != 4 ||
			!got.Ended.Equal(s.clock()) {
			s.Errorf("at the end %+v, %v", got, err)
		}
		s.fails(s.CancelRun(s.ctx, r.ID), ErrConflict)

		s.ok(s.CancelRun(s.ctx, sweep.ID))
		if got, err = s.Run(s.ctx, sweep.ID); err != nil || got.State != RunCancelled || got.Done != 1 {
			s.Errorf("cancelled: %+v, %v", got, err)
		}
		all, total, err := s.Runs(s.ctx, Page{Size: 1})
		s.ok(err)
		if total != 2 || len(all) != 1 || all[0].ID != sweep.ID {
			s.Errorf("runs: %+v", all)
		}
		open, err := s.OpenRuns(s.ctx)
		s.ok(err)
		same(s, "open runs", open, nil)
	})
}

// TestLateResult checks that a result for a cancelled run changes nothing.
func TestLateResult(t *testing.T) {
	onBoth(t, func(s *suite) {
		targets := s.targets("a")
		r := s.run(RunScan)
		s.ok(s.CancelRun(s.ctx, r.ID))
		if done, err := s.RecordResult(s.ctx, s.scan(r, targets[0], 1, model.Exposed)); done || err != nil {
			s.Fatalf("recorded %v, %v", done, err)
		}
		if n := s.number(`SELECT count(*) FROM hosts`); n != 0 {
			s.Errorf("%d hosts were made", n)
		}
	})
}

// TestRace lets several workers record the same results at the same time: each counts once.
func TestRace(t *testing.T) {
	onBoth(t, func(s *suite) {
		var specs []string
		for i := range 40 {
			specs = append(specs, string(rune('a'+i%26))+string(rune('a'+i/26)))
		}
		targets := s.targets(specs...)
		r := s.run(RunScan)
		var wg sync.WaitGroup
		var mu sync.Mutex
		recorded := 0
		errs := make(chan error, 8)
		for w := range 4 {
			wg.Go(func() {
				var batch []*Result
				for i := range targets {
					i = (i + w*10) % len(targets) // each in a different order, which could deadlock
					result := s.scan(r, targets[i], i, model.Exposed, "f1", "f2")
					result.Worker = string(rune('A' + w))
					result.Events = []Event{{Kind: EventNewHost, Text: "new"}}
					batch = append(batch, result)
				}
				for len(batch) > 0 {
					n, err := s.RecordResults(s.ctx, batch[:5])
					if errors.Is(err, ErrUnavailable) {
						continue
					}
					mu.Lock()
					recorded += n
					mu.Unlock()
					if err != nil {
						errs <- err
						return
					}
					batch = batch[5:]
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			s.Error(err)
		}
		if recorded != len(targets) {
			s.Errorf("%d recorded", recorded)
		}
		s.consistent()
		got, err := s.Run(s.ctx, r.ID)
		s.ok(err)
		if got.Done != len(targets) || got.Exposed != len(targets) {
			s.Errorf("run: %+v", got)
		}
		if n := s.number(`SELECT count(*) FROM events`); n != int64(len(targets)) {
			s.Errorf("%d events", n)
		}
	})
}

// consistent compares every counter with the rows that it counts.
func (s *suite) consistent() {
	s.Helper()
	for what, query := range map[string]string{
		"run counters": `SELECT count(*) FROM runs r WHERE
			COALESCE((SELECT sum(done) FROM run_counts c WHERE c.run_id = r.id), 0) <> (SELECT count(*) FROM units u
			WHERE u.run_id = r.id AND u.state > 1)
			OR r.total <> (SELECT count(*) FROM units u WHERE u.run_id = r.id)`,
		"results of units that are not done": `SELECT count(*) FROM results r WHERE r.run_id <> 0 AND NOT EXISTS
			(SELECT 1 FROM units u WHERE u.state = 2 AND r.run_id = u.run_id AND r.target_id = u.target_id)`,
		"results twice": `SELECT count(*) FROM (SELECT run_id, target_id FROM results WHERE run_id <> 0
			GROUP BY run_id, target_id HAVING count(*) > 1) x`,
		"findings of hosts": `SELECT count(*) FROM hosts h WHERE h.findings <> (SELECT count(*) FROM findings f
			WHERE f.host_id = h.id AND f.ended = 0)
			OR h.excepted <> (SELECT count(*) FROM findings f WHERE f.host_id = h.id AND f.ended = 0
			AND f.exception <> 0)
			OR h.severity <> COALESCE((SELECT max(f.severity) FROM findings f WHERE f.host_id = h.id AND f.ended = 0),
			0)`,
		"postures": `SELECT count(*) FROM hosts h WHERE h.findings <> COALESCE((SELECT sum(n) FROM posture_findings p
			WHERE p.posture_id = h.posture_id), 0)
			OR h.excepted <> COALESCE((SELECT sum(excepted) FROM posture_findings p
			WHERE p.posture_id = h.posture_id), 0)`,
		"trend": `SELECT count(*) FROM sites s WHERE
			COALESCE((SELECT sum(exposed) FROM trend t WHERE t.site_id = s.id), 0) <> (SELECT count(*) FROM hosts h
			WHERE h.site_id = s.id AND h.verdict = 5)
			OR COALESCE((SELECT sum(exposed + limited + closed + unknown) FROM trend t WHERE t.site_id = s.id),
			0) <> (SELECT count(*) FROM hosts h WHERE h.site_id = s.id)`,
		"spans that end before they begin": `SELECT count(*) FROM spans WHERE (until <> 0 AND until <= since)
			OR last_at < since`,
		"open spans": `SELECT count(*) FROM (SELECT host_id, kind FROM spans WHERE until = 0
			GROUP BY host_id, kind HAVING count(*) > 1) x`,
		"spans with gaps": `SELECT count(*) FROM spans a WHERE a.until <> 0 AND NOT EXISTS
			(SELECT 1 FROM spans b WHERE b.host_id = a.host_id AND b.kind = a.kind AND b.since = a.until)`,
		"hosts without address": `SELECT count(*) FROM hosts h WHERE NOT EXISTS
			(SELECT 1 FROM addresses a WHERE a.host_id = h.id AND a.address = h.address AND a.site_id = h.site_id)`,
		"tags": `SELECT count(*) FROM host_tags t WHERE NOT EXISTS (SELECT 1 FROM hosts h WHERE h.id = t.host_id)`,
	} {
		if n := s.number(query); n != 0 {
			s.Errorf("%s: %d rows disagree", what, n)
		}
	}
	s.counted()
}

// counted checks that host_counts has what the hosts say.
func (s *suite) counted() {
	s.Helper()
	if s.pg {
		return // it counts the hosts themselves
	}
	const hosts = `SELECT site_id, owner, verdict, severity, cells, posture_id, count(*) FROM hosts WHERE retired = 0 GROUP BY 1, 2, 3, 4, 5, 6`
	const counts = `SELECT site_id, owner, verdict, severity, cells, posture_id, hosts FROM host_counts`
	for _, query := range []string{hosts + ` EXCEPT ` + counts, counts + ` EXCEPT ` + hosts} {
		if n := s.number(`SELECT count(*) FROM (` + query + `)`); n != 0 {
			s.Errorf("host_counts: %d rows disagree", n)
		}
	}
}
