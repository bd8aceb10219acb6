package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// recordBatch is the number of results recorded in one transaction: enough to make its cost negligible, few enough that
// nobody waits for the writer longer than about a fifth of a second.
const recordBatch = 500

// RecordResult records the result of a unit with everything that follows from it, in one transaction. If the unit is
// already done, failed or skipped, it changes nothing and returns false: a caller that is not sure may record a result
// again. A result with RunID 0, made elsewhere, is recorded once for its host, kind and time.
//
// r.Host.Address and (r.Host.SiteID or r.TargetID) identify the host; an unknown host is created. Of r.Host:
//
//   - a scan sets everything except what the store maintains itself (findings, severity, tags and the like of its
//     targets, times); empty texts keep the old value, and an unreachable host keeps everything but its verdict;
//   - an audit sets what is still empty, and never verdict, cells, SMB1 or signing.
//
// r.Findings are all open findings of the result's kind: others end. Nil says that they are unknown, as when a host did
// not answer, and keeps them; a Partial result also keeps those that it does not have. Of two with the same finding,
// identity and pipe the first counts.
//
// The result recorded last is the latest, whatever its clock says: a span begins no earlier than the previous one.
func (q *Queries) RecordResult(ctx context.Context, r *Result) (bool, error) {
	n, err := q.RecordResults(ctx, []*Result{r})
	return n == 1, err
}

// RecordResults records many results like [Queries.RecordResult], 500 in a transaction, and returns the number
// recorded, whose IDs and HostIDs it fills in. A unit, target or host may occur several times: the effect is as if they
// were recorded one after the other, by address and, at one address, in order.
func (q *Queries) RecordResults(ctx context.Context, results []*Result) (int, error) {
	total := 0
	for part := range slices.Chunk(results, recordBatch) {
		// All transactions create hosts in the same order, which prevents deadlocks.
		part = slices.Clone(part)
		slices.SortStableFunc(part, func(a, b *Result) int { return strings.Compare(a.Host.Address, b.Host.Address) })
		n := 0
		err := q.atomic(ctx, func(q *Queries) error {
			var err error
			n, err = newRecorder(q).recordAll(ctx, part)
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// recorder is one transaction of results. What they need is read at its start, for all of them; most writes are queued
// and executed at the end, for all of them. Rare writes are executed at once.
type recorder struct {
	*Queries
	known
	sets     map[string]int64
	postures map[[16]byte]posture
	runs     map[runShard]*tally
	open     []sharing    // open runs, if there are several
	offered  map[unit]int // units of other runs, with the index of the result that may end them
	trend    map[trendKey]*tally

	ended    values          // units
	led      map[int64]int64 // targets that lead to a different host now
	seen     map[int64]bool  // hosts, with whether they were audited
	audited  map[int64]bool
	named    map[int64]map[hostName]calledSo
	spanning []*span
	kept     []numbered // results with documents
	recorded []*Result
	showed   []int64 // their snapshots
	events   []Event
}

type runShard struct {
	run   int64
	shard int
}

type trendKey struct {
	day, site int64
	shard     int
}

func newRecorder(q *Queries) *recorder {
	return &recorder{
		Queries: q, known: newKnown(), sets: map[string]int64{}, postures: map[[16]byte]posture{},
		runs: map[runShard]*tally{}, offered: map[unit]int{},
		trend: map[trendKey]*tally{}, seen: map[int64]bool{}, audited: map[int64]bool{},
		named: map[int64]map[hostName]calledSo{},
		ended: values{columns: "run bigint, target bigint, at bigint, worker text"}, led: map[int64]int64{},
	}
}

func (rec *recorder) recordAll(ctx context.Context, results []*Result) (int, error) {
	for _, r := range results {
		if r.Host.Address == "" || r.At.IsZero() {
			return 0, fmt.Errorf("store: recording %q: a result needs an address and a time", r.Host.Address)
		}
		r.At = r.At.Truncate(time.Microsecond) // the database's precision: spans begin one after the other
	}
	if err := rec.lookUp(ctx, results); err != nil {
		return 0, fmt.Errorf("store: recording %d results: %w", len(results), err)
	}
	for _, r := range results {
		if err := rec.record(ctx, r); err != nil {
			return 0, fmt.Errorf("store: recording %s: %w", r.Host.Address, err)
		}
	}
	if err := rec.flush(ctx); err != nil {
		return 0, fmt.Errorf("store: recording %d results: %w", len(results), err)
	}
	return len(rec.recorded), nil
}

func (rec *recorder) record(ctx context.Context, r *Result) error {
	if r.RunID != 0 && !rec.units[unitOf(r)] {
		return nil
	}
	target, err := rec.originOf(r)
	if err != nil {
		return err
	}
	old, isNew := Host{}, true
	if h := rec.hostAt(target.site, r); h != nil {
		old, isNew = *h, false
	}
	if r.RunID == 0 && !isNew && rec.results[timeOf(r, old.ID)] {
		return nil
	}
	back, err := rec.returns(ctx, &old, r)
	if err != nil {
		return err
	}
	host := old.with(r, back)
	host.SiteID = target.site
	if isNew {
		if err := rec.insertHost(ctx, &host, target, r); err != nil {
			return err
		}
	}
	r.HostID = host.ID
	if err := rec.recordNames(ctx, &host, r, isNew); err != nil {
		return err
	}
	snapshot, err := rec.saveSnapshot(ctx, rec.canonical[r], rec.snapshots)
	if err != nil {
		return err
	}
	if !old.Retired.IsZero() && host.Retired.IsZero() {
		if err := rec.resume(ctx, r, &old); err != nil {
			return err
		}
	}
	changed, err := rec.recordSpan(ctx, r, snapshot, &old, !host.Retired.IsZero())
	if err != nil {
		return err
	}
	if changed {
		host.LastChanged = r.after(host.LastChanged)
	}
	if !isNew {
		if err := rec.updateHost(ctx, &old, &host); err != nil {
			return err
		}
	}
	rec.hosts[host.ID] = &host
	if err := rec.lead(ctx, r, target, isNew); err != nil {
		return err
	}
	if err := rec.keepDocument(r); err != nil {
		return err
	}
	if r.RunID != 0 {
		delete(rec.units, unitOf(r))
		rec.ended.add(r.RunID, r.TargetID, r.At, r.Worker)
	}
	rec.results[timeOf(r, host.ID)] = true
	rec.recorded, rec.showed = append(rec.recorded, r), append(rec.showed, snapshot)
	rec.offer(len(rec.recorded)-1, r)
	rec.recordEvents(r, &host, target)
	rec.tally(r, &old, &host, isNew)
	return nil
}

func (rec *recorder) recordEvents(r *Result, host *Host, target *origin) {
	for _, e := range r.Events {
		if e.Kind == EventReturned && e.Before == "retired" && !host.Retired.IsZero() {
			continue // it was retired during the scan
		}
		e.HostID, e.RunID = host.ID, r.RunID
		e.Host, e.Site = orElse(e.Host, host.Name), orElse(e.Site, target.siteName)
		rec.events = append(rec.events, e)
	}
}

func timeOf(r *Result, host int64) hostKindTime {
	return hostKindTime{hostKind{host, r.Kind}, r.At.UnixMicro()}
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// lead records which host the result's target leads to, and updates what the host takes from the target. A new host
// already has it.
func (rec *recorder) lead(ctx context.Context, r *Result, target *origin, isNew bool) error {
	if !target.found || target.host == r.HostID {
		return nil
	}
	target.host = r.HostID
	rec.led[r.TargetID] = r.HostID
	if isNew {
		return nil
	}
	if err := rec.writeTargets(ctx); err != nil {
		return err
	}
	return rec.refreshHost(ctx, r.HostID)
}

// flush executes the queued writes. All transactions write the counters in the same order, and the events last: see
// AddEvents.
func (rec *recorder) flush(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		rec.writeUnits, rec.share, rec.writeTargets, rec.writeHosts, rec.writeNames, rec.writeSpans, rec.writeDocuments,
		rec.writeResults, rec.writeCounters,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return rec.AddEvents(ctx, rec.events)
}

func (rec *recorder) writeUnits(ctx context.Context) error {
	return rec.change(ctx, &rec.ended, `UPDATE units SET state = 2, ended = v.at, worker = v.worker FROM v
		WHERE units.run_id = v.run AND units.target_id = v.target`)
}

func (rec *recorder) writeTargets(ctx context.Context) error {
	v := &values{columns: "target bigint, host bigint"}
	for _, id := range slices.Sorted(maps.Keys(rec.led)) {
		v.add(id, rec.led[id])
	}
	clear(rec.led)
	return rec.change(ctx, v, `UPDATE targets SET host_id = v.host FROM v WHERE targets.id = v.target`)
}

func (rec *recorder) writeResults(ctx context.Context) error {
	v := &values{columns: "host bigint, at bigint, run bigint, target bigint, kind bigint, verdict bigint, partial " +
		"bigint, ms bigint, " +
		"requests bigint, snapshot bigint, reason text"}
	for i, r := range rec.recorded {
		v.add(r.HostID, r.At, r.RunID, r.TargetID, r.Kind, r.Verdict, r.Partial, r.DurationMS, r.Requests,
			rec.showed[i], r.Reason)
	}
	ids, err := rec.insertAll(ctx, v,
		`INSERT INTO results (host_id, at, run_id, target_id, kind, verdict, partial, duration_ms, requests,
		snapshot_id, reason) SELECT v.host, v.at, v.run, v.target, v.kind, v.verdict, v.partial, v.ms, v.requests,
		v.snapshot, v.reason
		FROM v ORDER BY v.n RETURNING id`)
	for i, id := range ids {
		rec.recorded[i].ID = id
	}
	return err
}

// tally counts a result for its run and for the trend.
func (rec *recorder) tally(r *Result, old, host *Host, isNew bool) {
	shard := shardOf(r.Worker)
	if r.RunID != 0 {
		rec.countRun(r.RunID, r.Worker, r.Verdict, r.At)
	}
	if was := !isNew && old.Retired.IsZero(); !host.Retired.IsZero() || was && old.Verdict == host.Verdict {
		return
	}
	k := trendKey{day(r.At), host.SiteID, shard}
	t := rec.trend[k]
	if t == nil {
		t = &tally{}
		rec.trend[k] = t
	}
	t.add(host.Verdict, 1)
	if !isNew && old.Retired.IsZero() {
		t.add(old.Verdict, -1)
	}
}

func (rec *recorder) writeCounters(ctx context.Context) error {
	keys := slices.SortedFunc(maps.Keys(rec.runs), func(a, b runShard) int {
		if a.run != b.run {
			return int(a.run - b.run)
		}
		return a.shard - b.shard
	})
	for _, k := range keys {
		if err := rec.countShard(ctx, k.run, k.shard, *rec.runs[k]); err != nil {
			return err
		}
	}
	days := slices.SortedFunc(maps.Keys(rec.trend), func(a, b trendKey) int {
		switch {
		case a.day != b.day:
			return int((a.day - b.day) / 1e6)
		case a.site != b.site:
			return int(a.site - b.site)
		}
		return a.shard - b.shard
	})
	for _, k := range days {
		if err := rec.addTrend(ctx, k, *rec.trend[k]); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queries) addTrend(ctx context.Context, k trendKey, t tally) error {
	_, err := q.exec(ctx,
		`INSERT INTO trend AS t (day, site_id, shard, exposed, limited, closed, unknown)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (day, site_id, shard) DO UPDATE SET exposed = t.exposed + excluded.exposed,
		limited = t.limited + excluded.limited,
		closed = t.closed + excluded.closed, unknown = t.unknown + excluded.unknown`,
		k.day, k.site, k.shard, t.exposed, t.limited, t.closed, t.unknown)
	return err
}
