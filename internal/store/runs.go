package store

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// The counters of a run are sums over shards: workers write different rows and do not wait for each other.
const runColumns = `SELECT r.id, r.kind, r.state, COALESCE(r.schedule, 0), COALESCE(r.due, 0), r.selector, r.by_whom,
	r.created, r.ended, r.total, r.reason, r.quick,
	COALESCE(c.done, 0), COALESCE(c.exposed, 0), COALESCE(c.limited, 0), COALESCE(c.closed, 0), COALESCE(c.unknown, 0),
	COALESCE(c.failed, 0), COALESCE(c.started, 0), COALESCE(c.last_at, 0)
	FROM runs r LEFT JOIN (SELECT run_id, CAST(sum(done) AS BIGINT) AS done, CAST(sum(exposed) AS BIGINT) AS exposed,
		CAST(sum(limited) AS BIGINT) AS limited, CAST(sum(closed) AS BIGINT) AS closed,
		CAST(sum(unknown) AS BIGINT) AS unknown,
		CAST(sum(failed) AS BIGINT) AS failed, min(NULLIF(started, 0)) AS started, max(last_at) AS last_at
		FROM run_counts GROUP BY run_id) c ON c.run_id = r.id`

// runSorts are the columns by which runs can be sorted. A run that has not begun has no counters.
var runSorts = map[string]string{
	"id": "r.id", "kind": "r.kind", "state": "r.state", "created": "r.created", "by": "r.by_whom",
	"total": "r.total", "done": "COALESCE(c.done, 0)",
	"exposed": "COALESCE(c.exposed, 0)", "limited": "COALESCE(c.limited, 0)", "closed": "COALESCE(c.closed, 0)",
	"unknown": "COALESCE(c.unknown, 0)", "failed": "COALESCE(c.failed, 0)",
}

func scanRun(r row, v *Run) error {
	return r.Scan(&v.ID, &v.Kind, &v.State, &v.Schedule, &v.Due, &v.Selector, &v.By, &v.Created, &v.Ended, &v.Total,
		&v.Reason, &v.Quick,
		&v.Done, &v.Exposed, &v.Limited, &v.Closed, &v.Unknown, &v.Failed, &v.Started, &v.LastResult)
}

// CreateRun creates a waiting run. If its schedule has already started one for the same time, it returns [ErrConflict].
// The units must be added in the same transaction: a run without open units has ended.
func (q *Queries) CreateRun(ctx context.Context, r *Run) error {
	if r.Created.IsZero() {
		r.Created = q.now()
	}
	r.State = RunWaiting
	var schedule, due any
	if r.Schedule != 0 {
		schedule, due = r.Schedule, r.Due
	}
	return q.insert(ctx, &r.ID,
		`INSERT INTO runs (kind, state, schedule, due, selector, by_whom, created, ended, total, reason, quick)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $9) ON CONFLICT (schedule, due) DO NOTHING RETURNING id`,
		r.Kind, r.State, schedule, due, r.Selector, r.By, r.Created, r.Reason, r.Quick)
}

// where selects the targets of a selector for a kind of run: ranges for a discovery, hosts for the others.
func (s Selector) where(pg bool, kind RunKind) *where {
	w := &where{pg: pg}
	w.and(`t.enabled = 1`)
	if kind == RunDiscover {
		w.and(`t.kind = ?`, TargetRange)
	} else {
		w.and(`t.kind = ?`, TargetHost)
	}
	if s.Site != "" {
		w.and(`t.site_id = (SELECT id FROM sites WHERE name = ?)`, s.Site)
	}
	if s.Tag != "" {
		w.and(`t.id IN (SELECT target_id FROM target_tags WHERE tag = ?)`, normalTag(s.Tag))
	}
	if s.Owner != "" {
		w.and(`t.owner = ?`, s.Owner)
	}
	if len(s.Targets) > 0 {
		w.in(`t.id`, s.Targets)
	}
	if len(s.Hosts) > 0 {
		w.in(`t.host_id`, s.Hosts)
	}
	return w
}

// AddUnits gives a run a unit for each target that the selector matches, and returns its total number of units.
func (q *Queries) AddUnits(ctx context.Context, runID int64, s Selector) (int, error) {
	var total int
	err := q.atomic(ctx, func(q *Queries) error {
		r, err := q.Run(ctx, runID)
		if err != nil {
			return err
		}
		if !r.Ended.IsZero() {
			return fmt.Errorf("%w: the run is over", ErrConflict)
		}
		w := s.where(q.pg, r.Kind)
		n, err := q.exec(ctx, `INSERT INTO units (run_id, target_id, state, attempt, started, ended, worker, reason)
			SELECT CAST(`+w.arg(runID)+` AS BIGINT), t.id, 0, 0, 0, 0, '', '' FROM targets t`+w.String()+
			` ON CONFLICT DO NOTHING`, w.args...)
		if err != nil {
			return err
		}
		total = r.Total + int(n)
		return q.must(ctx, `UPDATE runs SET total = total + $2 WHERE id = $1`, runID, n)
	})
	return total, err
}

// Run returns a run.
func (q *Queries) Run(ctx context.Context, id int64) (Run, error) {
	return get(ctx, q, scanRun, runColumns+` WHERE r.id = $1`, id)
}

// Runs returns a page of runs, the last first, and their total number.
func (q *Queries) Runs(ctx context.Context, p Page) ([]Run, int, error) {
	order, err := p.order(runSorts, "-id", "r.id")
	if err != nil {
		return nil, 0, err
	}
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM runs`); err != nil {
		return nil, 0, err
	}
	w := &where{pg: q.pg}
	all, err := list(ctx, q, scanRun, runColumns+order+p.limits(w), w.args...)
	return all, total, err
}

// RunsOf is [Queries.Runs] for the runs that were started for one of some sites, given by name.
func (q *Queries) RunsOf(ctx context.Context, sites []string, p Page) ([]Run, int, error) {
	order, err := p.order(runSorts, "-id", "r.id")
	if err != nil {
		return nil, 0, err
	}
	if sites == nil {
		sites = []string{}
	}
	w := &where{pg: q.pg}
	if q.pg {
		w.and(`r.selector::json->>'site' IN (SELECT json_array_elements_text(CAST(? AS json)))`, sites)
	} else {
		w.and(`json_extract(r.selector, '$.site') IN (SELECT value FROM json_each(?))`, sites)
	}
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM runs r`+w.String(), w.args...); err != nil {
		return nil, 0, err
	}
	all, err := list(ctx, q, scanRun, runColumns+w.String()+order+p.limits(w), w.args...)
	return all, total, err
}

// OpenRuns returns the runs that have not ended, at most [MaxPage].
func (q *Queries) OpenRuns(ctx context.Context) ([]Run, error) {
	w := &where{pg: q.pg}
	return list(ctx, q, scanRun, runColumns+` WHERE r.ended = 0 ORDER BY r.id`+Page{}.limits(w), w.args...)
}

// CancelRun ends a run at once: open units are skipped, and results that arrive later are not recorded. For a run that
// has ended it returns [ErrConflict].
func (q *Queries) CancelRun(ctx context.Context, id int64) error {
	return q.atomic(ctx, func(q *Queries) error {
		r, err := q.Run(ctx, id)
		if err != nil {
			return err
		}
		n, err := q.exec(ctx, `UPDATE runs SET state = $2, ended = $3 WHERE id = $1 AND ended = 0`,
			id, RunCancelled, q.now())
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%w: the run is over", ErrConflict)
		}
		skipped, err := q.exec(ctx, `UPDATE units SET state = $2, ended = $3 WHERE run_id = $1 AND state < 2`,
			id, UnitSkipped, q.now())
		if err != nil {
			return err
		}
		return q.count(ctx, r.ID, "", tally{done: skipped})
	})
}

// FinishRuns ends the runs that have no open unit, and returns their IDs.
func (q *Queries) FinishRuns(ctx context.Context) ([]int64, error) {
	var ended []int64
	err := q.atomic(ctx, func(q *Queries) error {
		var err error
		ended, err = list(ctx, q, scanID, `SELECT r.id FROM runs r WHERE r.ended = 0
			AND NOT EXISTS (SELECT 1 FROM units u WHERE u.run_id = r.id AND u.state < 2) ORDER BY r.id`)
		if err != nil || len(ended) == 0 {
			return err
		}
		really := ended[:0]
		for _, id := range ended {
			n, err := q.exec(ctx, `UPDATE runs SET state = $2, ended = $3 WHERE id = $1 AND ended = 0`,
				id, RunDone, q.now())
			if err != nil {
				return err
			}
			if n > 0 {
				really = append(really, id)
			}
		}
		ended = really
		return nil
	})
	return ended, err
}

func scanID(r row, id *int64) error { return r.Scan(id) }

// tally is what is added to the counters of a run.
type tally struct {
	done, exposed, limited, closed, unknown, failed int64
	started, last                                   time.Time
}

// shards is the number of workers that can count at the same time without waiting for each other.
const shards = 16

func shardOf(worker string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(worker))
	return int(h.Sum32() % shards)
}

func (q *Queries) count(ctx context.Context, runID int64, worker string, t tally) error {
	return q.countShard(ctx, runID, shardOf(worker), t)
}

func (q *Queries) countShard(ctx context.Context, runID int64, shard int, t tally) error {
	_, err := q.exec(ctx,
		`INSERT INTO run_counts AS c (run_id, shard, done, exposed, limited, closed, unknown, failed, started, last_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (run_id, shard) DO UPDATE SET
		done = c.done + excluded.done, exposed = c.exposed + excluded.exposed, limited = c.limited + excluded.limited,
		closed = c.closed + excluded.closed, unknown = c.unknown + excluded.unknown, failed = c.failed + excluded.failed,
		started = CASE WHEN c.started = 0 THEN excluded.started ELSE c.started END,
		last_at = CASE WHEN excluded.last_at > c.last_at THEN excluded.last_at ELSE c.last_at END`,
		runID, shard, t.done, t.exposed, t.limited, t.closed, t.unknown, t.failed, t.started, t.last)
	return err
}

const unitColumns = `SELECT u.run_id, u.target_id, COALESCE(t.spec, ''), COALESCE(t.site_id, 0), u.state, u.worker,
	u.attempt, u.started, u.ended, u.reason FROM units u LEFT JOIN targets t ON t.id = u.target_id`

func scanUnit(r row, u *Unit) error {
	return r.Scan(&u.RunID, &u.TargetID, &u.Spec, &u.SiteID, &u.State, &u.Worker, &u.Attempt, &u.Started, &u.Ended,
		&u.Reason)
}

// Units returns a page of a run's units ordered by target, in one state or (with "") in all, and their total number.
func (q *Queries) Units(ctx context.Context, runID int64, state UnitState, p Page) ([]Unit, int, error) {
	order, err := p.order(map[string]string{
		"target": "u.target_id", "spec": "t.spec", "state": "u.state", "worker": "u.worker",
		"attempt": "u.attempt", "ended": "u.ended", "reason": "u.reason",
	}, "target", "u.target_id")
	if err != nil {
		return nil, 0, err
	}
	w := &where{pg: q.pg}
	w.and(`u.run_id = ?`, runID)
	if state != "" {
		w.and(`u.state = ?`, state)
	}
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM units u`+w.String(), w.args...); err != nil {
		return nil, 0, err
	}
	all, err := list(ctx, q, scanUnit, unitColumns+w.String()+order+p.limits(w), w.args...)
	return all, total, err
}

// UnitsOf returns the units of a run for at most [MaxPage] targets; those that do not exist are left out.
func (q *Queries) UnitsOf(ctx context.Context, runID int64, targetIDs []int64) ([]Unit, error) {
	if len(targetIDs) > MaxPage {
		return nil, fmt.Errorf("store: %d units at once, at most %d may be read", len(targetIDs), MaxPage)
	}
	return list(ctx, q, scanUnit, unitColumns+` WHERE u.run_id = $1 AND u.target_id `+q.in("$2"), runID,
		q.ids(targetIDs))
}

// EachBatch calls f with the targets of a run's waiting units, at most size of one site at a time. f may use the store,
// and the transaction of q.
func (q *Queries) EachBatch(
	ctx context.Context, runID int64, size int, f func(siteID int64, targetIDs []int64) error,
) error {
	size = min(max(size, 1), MaxPage)
	sites, err := q.Sites(ctx)
	if err != nil {
		return err
	}
	for _, site := range sites {
		for after := int64(0); ; {
			part, err := list(ctx, q, scanID, `SELECT u.target_id FROM units u JOIN targets t ON t.id = u.target_id
				WHERE u.run_id = $1 AND u.state = 0 AND u.target_id > $2 AND t.site_id = $3 ORDER BY u.target_id
				LIMIT $4`,
				runID, after, site.ID, size)
			if err != nil {
				return err
			}
			if len(part) > 0 {
				if err := f(site.ID, part); err != nil {
					return err
				}
				after = part[len(part)-1]
			}
			if len(part) < size {
				break
			}
		}
	}
	return nil
}

// TakeUnits marks the targets' open units as running with a worker, and returns them. It takes over units of other
// workers, except those of an enrolled worker that is alive, whose jobs are not in the queue. Units whose host another
// run is scanning stay waiting for that result. It accepts at most [MaxPage] targets.
func (q *Queries) TakeUnits(ctx context.Context, runID int64, targetIDs []int64, worker string) ([]Unit, error) {
	if len(targetIDs) > MaxPage {
		return nil, fmt.Errorf("store: %d units at once, at most %d may be taken", len(targetIDs), MaxPage)
	}
	targetIDs = slices.Clone(targetIDs)
	slices.Sort(targetIDs) // all workers lock in the same order
	var units []Unit
	err := q.atomic(ctx, func(q *Queries) error {
		free, err := q.free(ctx, runID)
		if err != nil {
			return err
		}
		n, err := q.exec(ctx, `UPDATE units AS u SET state = 1, attempt = attempt + 1, worker = $3, started = $4
			WHERE run_id = $1 AND state < 2 AND target_id `+q.in("$2")+` AND (`+free+` OR state = 1 AND worker NOT IN
			(SELECT w.name FROM workers w JOIN enrolled e ON e.name = w.name))`, runID, q.ids(targetIDs), worker,
			q.now())
		if err != nil {
			return err
		}
		if n == 0 {
			units = nil
			return nil
		}
		begun, err := q.exec(ctx, `UPDATE runs SET state = $2 WHERE id = $1 AND state = $3`,
			runID, RunRunning, RunWaiting)
		if err != nil {
			return err
		}
		if begun > 0 { // later, this would wait for the results that are being counted
			if err := q.count(ctx, runID, worker, tally{started: q.now()}); err != nil {
				return err
			}
		}
		units, err = list(ctx, q, scanUnit,
			unitColumns+` WHERE u.run_id = $1 AND u.state = 1 AND u.worker = $3 AND u.target_id `+q.in("$2")+
				` ORDER BY u.target_id`, runID, q.ids(targetIDs), worker)
		return err
	})
	return units, err
}

// FailUnit ends a unit without a result. A unit that has ended stays unchanged.
func (q *Queries) FailUnit(ctx context.Context, runID, targetID int64, reason string) error {
	return q.endUnit(ctx, runID, targetID, UnitFailed, reason)
}

// SkipUnit ends a unit that is not needed, such as one whose host was scanned under another name.
func (q *Queries) SkipUnit(ctx context.Context, runID, targetID int64, reason string) error {
	return q.endUnit(ctx, runID, targetID, UnitSkipped, reason)
}

func (q *Queries) endUnit(ctx context.Context, runID, targetID int64, state UnitState, reason string) error {
	return q.atomic(ctx, func(q *Queries) error {
		var worker string
		err := q.one(ctx, []any{&worker}, `SELECT worker FROM units WHERE run_id = $1 AND target_id = $2 AND state < 2`,
			runID, targetID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := q.exec(ctx,
			`UPDATE units SET state = $3, reason = $4, ended = $5 WHERE run_id = $1 AND target_id = $2 AND state < 2`,
			runID, targetID, state, reason, q.now())
		if err != nil || n == 0 {
			return err
		}
		t := tally{done: n, last: q.now()}
		if state == UnitFailed {
			t.failed = n
		}
		return q.count(ctx, runID, worker, t)
	})
}

// ResetUnits releases the running units of a worker that is gone, and returns them.
func (q *Queries) ResetUnits(ctx context.Context, worker string) ([]Unit, error) {
	var units []Unit
	err := q.atomic(ctx, func(q *Queries) error {
		var err error
		if units, err = list(ctx, q, scanUnit,
			unitColumns+` WHERE u.worker = $1 AND u.state = 1 ORDER BY u.run_id, u.target_id`, worker); err != nil {
			return err
		}
		kept := units[:0]
		for _, u := range units {
			n, err := q.exec(ctx,
				`UPDATE units SET state = 0, worker = '' WHERE run_id = $1 AND target_id = $2 AND state = 1
					AND worker = $3`, u.RunID, u.TargetID, worker)
			if err != nil {
				return err
			}
			if n > 0 {
				u.State, u.Worker = UnitWaiting, ""
				kept = append(kept, u)
			}
		}
		units = kept
		return nil
	})
	return units, err
}

// skipUnits skips the open units of deleted targets.
func (q *Queries) skipUnits(ctx context.Context, targetIDs []int64) error {
	open, err := list(ctx, q, scanID, `SELECT id FROM runs WHERE ended = 0 ORDER BY id`)
	if err != nil {
		return err
	}
	for _, id := range open {
		n, err := q.exec(ctx, `UPDATE units SET state = $3, ended = $4, reason = 'the target was deleted'
			WHERE run_id = $1 AND state < 2 AND target_id `+q.in("$2"), id, q.ids(targetIDs), UnitSkipped, q.now())
		if err != nil {
			return err
		}
		if n > 0 {
			if err := q.count(ctx, id, "", tally{done: n}); err != nil {
				return err
			}
		}
	}
	return nil
}
