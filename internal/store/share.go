package store

import (
	"context"
	"slices"
	"strconv"
	"time"

	"ipcguard/internal/model"
)

// notShared is a condition on units u of the run $1: no other open run is scanning the same target since $1 was
// created. Otherwise the unit waits, because the other run's result ends it too. There are few open runs: CROSS JOIN
// makes SQLite start with them, instead of scanning all running units.
const notShared = ` NOT EXISTS (SELECT 1 FROM runs a CROSS JOIN runs b CROSS JOIN units o WHERE a.id = $1
	AND b.ended = 0 AND b.id <> a.id
	AND b.kind = a.kind AND (a.quick = 1 OR b.quick = 0) AND o.run_id = b.id AND o.target_id = u.target_id
	AND o.state = 1
	AND o.started >= a.created)`

// free returns the condition of the units u of the run $1 that may be taken. Planning notShared takes PostgreSQL longer
// than taking a job's units, and mostly no other run is open.
func (q *Queries) free(ctx context.Context, runID int64) (string, error) {
	var others int
	if err := q.one(ctx, []any{&others}, `SELECT count(*) FROM runs WHERE ended = 0 AND id <> $1`, runID); err != nil {
		return "", err
	}
	if others == 0 {
		return `state = 0`, nil
	}
	return `state = 0 AND` + notShared, nil
}

// sharing is an open run whose units may be ended by results of other runs.
type sharing struct {
	id      int64
	kind    RunKind
	quick   bool
	created time.Time
}

// takes reports whether a run accepts a result of another run. It refuses a scan that began before the run was created;
// a quick scan only serves quick runs.
func (s *sharing) takes(r *Result, quick bool) bool {
	return s.id != r.RunID && s.kind == r.Kind && (s.quick || !quick) && !r.began().Before(s.created)
}

// began returns when the scan began.
func (r *Result) began() time.Time { return r.At.Add(-time.Duration(r.DurationMS) * time.Millisecond) }

// findSharing reads the open runs, if there are several.
func (rec *recorder) findSharing(ctx context.Context, results []*Result) error {
	if !slices.ContainsFunc(results, func(r *Result) bool { return r.RunID != 0 }) {
		return nil
	}
	open, err := list(ctx, rec.Queries, func(r row, s *sharing) error {
		return r.Scan(&s.id, &s.kind, &s.quick, &s.created)
	},
		`SELECT id, kind, quick, created FROM runs WHERE ended = 0 ORDER BY id`)
	if err == nil && len(open) > 1 {
		rec.open = open
	}
	return err
}

// offer records which units of other open runs end with a result. A later result of such a unit in the group comes too
// late.
func (rec *recorder) offer(i int, r *Result) {
	if r.RunID == 0 || len(rec.open) == 0 {
		return
	}
	at := slices.IndexFunc(rec.open, func(s sharing) bool { return s.id == r.RunID })
	for _, s := range rec.open {
		u := unit{s.id, r.TargetID}
		if _, offered := rec.offered[u]; offered || !s.takes(r, at >= 0 && rec.open[at].quick) {
			continue
		}
		rec.offered[u] = i
		if rec.waiting[u] {
			delete(rec.units, u)
		}
	}
}

// share ends the units of other open runs that wait for what was just recorded: a host is scanned once for all of them.
func (rec *recorder) share(ctx context.Context) error {
	v := &values{columns: "run bigint, target bigint, result bigint"}
	for u, i := range rec.offered {
		v.add(u.run, u.target, i)
	}
	lock := ""
	if rec.pg { // the worker that runs one has just taken it
		lock = ` FOR NO KEY UPDATE OF u SKIP LOCKED`
	}
	ended := &values{columns: "run bigint, target bigint, at bigint, worker text, reason text"}
	if err := rec.find(ctx, v, func(row row) error {
		var run, target int64
		var i int
		if err := row.Scan(&run, &target, &i); err != nil {
			return err
		}
		r := rec.recorded[i]
		ended.add(run, target, r.At, r.Worker, "shared with run "+strconv.FormatInt(r.RunID, 10))
		rec.countRun(run, r.Worker, r.Verdict, r.At)
		return nil
	}, `SELECT u.run_id, u.target_id, v.result FROM v JOIN units u ON u.run_id = v.run AND u.target_id = v.target
		WHERE u.state = 0 ORDER BY u.run_id, u.target_id`+lock); err != nil {
		return err
	}
	return rec.change(ctx, ended, `UPDATE units SET state = 2, ended = v.at, worker = v.worker, reason = v.reason FROM v
		WHERE units.run_id = v.run AND units.target_id = v.target`)
}

// countRun counts a done unit and its verdict.
func (rec *recorder) countRun(run int64, worker string, verdict model.Verdict, at time.Time) {
	k := runShard{run, shardOf(worker)}
	t := rec.runs[k]
	if t == nil {
		t = &tally{}
		rec.runs[k] = t
	}
	t.done++
	t.add(verdict, 1)
	if at.After(t.last) {
		t.last = at
	}
}
