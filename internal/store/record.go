package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// recordBatch is how many results are recorded in one transaction: enough that its cost does not count, few enough that
// nobody else waits for the writer longer than about a fifth of a second.
const recordBatch = 500

// RecordResult records the answer of a unit with everything that follows from it, in one transaction. It says false, and
// changes nothing, where the unit is done, failed or skipped already: the same result may be recorded again by whoever
// is not sure that it was. A result with RunID 0, made elsewhere, is recorded once for its host, kind and time.
//
// r.Host.Address and (r.Host.SiteID or r.TargetID) say which host it is; a host of which nobody knew is made. Of r.Host:
//
//   - a scan sets everything but what the store keeps itself (findings, severity, tags and the like of its targets, times); empty
//     texts leave what was known, and a host that is unreachable keeps all but its verdict;
//   - an audit sets what is empty yet, and never verdict, cells, SMB1 or signing.
//
// r.Findings are all that are open now of the result's kind: others end. Nil says that nothing is known of them, as where a host
// did not answer, and leaves them; so does a result that is Partial for those that it does not have. Of two with the same
// finding, identity and pipe the first counts.
//
// What is recorded last counts as the latest, whatever its clock says: spans begin no earlier than the one before.
func (q *Queries) RecordResult(ctx context.Context, r *Result) (bool, error) {
	n, err := q.RecordResults(ctx, []*Result{r})
	return n == 1, err
}

// RecordResults records many results like [Queries.RecordResult], 500 in a transaction, and says how many were recorded. IDs
// and HostIDs are filled in for those.
func (q *Queries) RecordResults(ctx context.Context, results []*Result) (int, error) {
	total := 0
	for part := range slices.Chunk(results, recordBatch) {
		// All transactions touch hosts in one order: they wait for one another, but not in a circle.
		part = slices.Clone(part)
		slices.SortStableFunc(part, func(a, b *Result) int { return strings.Compare(a.Host.Address, b.Host.Address) })
		n := 0
		err := q.atomic(ctx, func(q *Queries) error {
			rec := &recorder{
				Queries: q, snapshots: map[[16]byte]int64{}, sets: map[string]int64{}, postures: map[[16]byte]posture{},
				runs: map[runShard]*tally{}, trend: map[trendKey]*tally{},
			}
			n = 0
			for _, r := range part {
				done, err := rec.record(ctx, r)
				if err != nil {
					return fmt.Errorf("store: recording %s: %w", r.Host.Address, err)
				}
				if done {
					n++
				}
			}
			return rec.flush(ctx)
		})
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

type runShard struct {
	run   int64
	shard int
}

type trendKey struct {
	day, site int64
	shard     int
}

// recorder is one transaction of results: what many of them share is looked up once and counted at the end.
type recorder struct {
	*Queries
	snapshots map[[16]byte]int64
	sets      map[string]int64
	postures  map[[16]byte]posture
	runs      map[runShard]*tally
	trend     map[trendKey]*tally
	events    []Event
}

func (rec *recorder) record(ctx context.Context, r *Result) (bool, error) {
	if r.Host.Address == "" || r.At.IsZero() {
		return false, errors.New("a result needs an address and a time")
	}
	r.At = r.At.Truncate(time.Microsecond) // as the database keeps it: spans begin one after the other
	if r.RunID != 0 {
		n, err := rec.exec(ctx, `UPDATE units SET state = $3, ended = $4, worker = $5 WHERE run_id = $1 AND target_id = $2 AND state < 2`,
			r.RunID, r.TargetID, UnitDone, r.At, r.Worker)
		if err != nil || n == 0 {
			return false, err
		}
	}
	target, err := rec.targetOf(ctx, r)
	if err != nil {
		return false, err
	}
	old, err := rec.HostByAddress(ctx, target.site, r.Host.Address)
	isNew := errors.Is(err, ErrNotFound)
	if err != nil && !isNew {
		return false, err
	}
	if r.RunID == 0 && !isNew {
		var n int
		if err := rec.one(ctx, []any{&n}, `SELECT count(*) FROM results WHERE host_id = $1 AND at = $2 AND kind = $3`, old.ID, r.At, r.Kind); err != nil {
			return false, err
		}
		if n > 0 {
			return false, nil
		}
	}
	host := old.with(r)
	host.SiteID = target.site
	if isNew {
		host.Tags, host.Owner, host.Criticality = normalTags(r.Host.Tags), clean(r.Host.Owner), r.Host.Criticality
		if target.found { // what refreshHost would take over
			host.Tags, host.Owner, host.Criticality = target.tags, target.owner, target.criticality
		}
		if err := rec.insertHost(ctx, &host, r); err != nil {
			return false, err
		}
	}
	r.HostID = host.ID
	if err := rec.recordNames(ctx, &host, r, isNew); err != nil {
		return false, err
	}
	snapshot, err := rec.saveSnapshot(ctx, r.Snapshot, rec.snapshots)
	if err != nil {
		return false, err
	}
	changed, err := rec.recordSpan(ctx, r, snapshot)
	if err != nil {
		return false, err
	}
	if changed {
		host.LastChanged = r.At
	}
	if !isNew {
		if err := rec.updateHost(ctx, &old, &host); err != nil {
			return false, err
		}
	}
	if target.found && target.host != host.ID {
		if _, err := rec.exec(ctx, `UPDATE targets SET host_id = $2 WHERE id = $1`, r.TargetID, host.ID); err != nil {
			return false, err
		}
		if err := rec.refreshHost(ctx, host.ID); err != nil {
			return false, err
		}
	}
	if r.Document != nil {
		if err := rec.SaveDocument(ctx, host.ID, string(r.Kind), r.At, r.Document); err != nil {
			return false, err
		}
	}
	if err := rec.insert(ctx, &r.ID, `INSERT INTO results (host_id, at, run_id, target_id, kind, verdict, partial, duration_ms, requests,
		snapshot_id, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id`,
		host.ID, r.At, r.RunID, r.TargetID, r.Kind, r.Verdict, r.Partial, r.DurationMS, r.Requests, snapshot, r.Reason); err != nil {
		return false, err
	}
	for _, e := range r.Events {
		e.HostID, e.RunID = host.ID, r.RunID
		e.Host, e.Site = orElse(e.Host, host.Name), orElse(e.Site, target.siteName)
		rec.events = append(rec.events, e)
	}
	rec.tally(r, &old, &host, isNew)
	return true, nil
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// place is where a result belongs.
type place struct {
	site     int64
	siteName string
	host     int64 // that its target had before
	found    bool  // the target is there

	tags        []string // of the target
	owner       string
	criticality Criticality
}

func (rec *recorder) targetOf(ctx context.Context, r *Result) (place, error) {
	var p place
	if r.TargetID != 0 {
		err := rec.one(ctx, []any{&p.site, &p.siteName, &p.host, &p.tags, &p.owner, &p.criticality}, `SELECT t.site_id, s.name,
			COALESCE(t.host_id, 0), t.tags, t.owner, t.criticality FROM targets t
			JOIN sites s ON s.id = t.site_id WHERE t.id = $1`, r.TargetID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return p, err
		}
		if p.found = err == nil; p.found {
			return p, nil
		}
	}
	site, err := rec.Site(ctx, r.Host.SiteID)
	if err != nil {
		return p, fmt.Errorf("its site: %w", err)
	}
	return place{site: site.ID, siteName: site.Name}, nil
}

// with is the host after a result. What the store keeps itself stays as it was.
func (h Host) with(r *Result) Host {
	n := r.Host
	set := func(p *string, v string, overwrite bool) {
		if v != "" && (overwrite || *p == "") {
			*p = v
		}
	}
	scan := r.Kind != RunAudit && r.Verdict != model.Unreachable
	set(&h.Name, clean(n.Name), scan)
	set(&h.OS, clean(n.OS), scan)
	set(&h.System, clean(n.System), scan)
	set(&h.Identity, clean(n.Identity), scan)
	if n.SameAs != 0 {
		h.SameAs = n.SameAs
	}
	if r.Kind != RunAudit {
		h.Verdict = r.Verdict
	}
	if scan {
		set(&h.Signing, clean(n.Signing), true)
		if n.Cells != "" {
			h.Cells = n.Cells
		}
		h.SMB1 = n.SMB1
	}
	h.LastSeen = r.At
	if r.Kind == RunAudit {
		h.LastAudit = r.At
	}
	return h
}

func (rec *recorder) insertHost(ctx context.Context, h *Host, r *Result) error {
	h.Address = clean(r.Host.Address)
	h.Name = orElse(h.Name, h.Address)
	h.FirstSeen, h.LastChanged = r.At, r.At
	if err := rec.insert(ctx, &h.ID, `INSERT INTO hosts (site_id, verdict, severity, findings, excepted, criticality, smb1, posture_id, cells,
		first_seen, last_seen, last_changed, last_audit, owner, sort_name, search, address, name, identity, same_as, tags, system, os, signing)
		VALUES ($1, $2, 0, 0, 0, $3, $4, 0, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
		ON CONFLICT (site_id, address) DO NOTHING RETURNING id`,
		h.SiteID, h.Verdict, h.Criticality, h.SMB1, h.Cells, h.FirstSeen, h.LastSeen, h.LastChanged, h.LastAudit, h.Owner, sortName(h),
		searchText(h, nil), h.Address, h.Name, h.Identity, h.SameAs, h.Tags, h.System, h.OS, h.Signing); err != nil {
		if errors.Is(err, ErrConflict) { // another worker made it in this moment
			return fmt.Errorf("%w: %w", ErrUnavailable, errAgain)
		}
		return err
	}
	if _, err := rec.exec(ctx, `INSERT INTO addresses (site_id, address, host_id) VALUES ($1, $2, $3)`, h.SiteID, h.Address, h.ID); err != nil {
		return err
	}
	return rec.insertTags(ctx, `INSERT INTO host_tags (tag, host_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, h.ID, h.Tags)
}

// updateHost writes what differs; mostly that is when the host was last seen.
func (rec *recorder) updateHost(ctx context.Context, old, h *Host) error {
	if _, err := rec.exec(ctx, `UPDATE hosts SET last_seen = $2 WHERE id = $1`, h.ID, h.LastSeen); err != nil {
		return err
	}
	if h.LastAudit != old.LastAudit {
		if _, err := rec.exec(ctx, `UPDATE hosts SET last_audit = $2 WHERE id = $1`, h.ID, h.LastAudit); err != nil {
			return err
		}
	}
	if h.Verdict != old.Verdict || h.Cells != old.Cells || h.SMB1 != old.SMB1 || !h.LastChanged.Equal(old.LastChanged) {
		if _, err := rec.exec(ctx, `UPDATE hosts SET verdict = $2, cells = $3, smb1 = $4, last_changed = $5 WHERE id = $1`,
			h.ID, h.Verdict, h.Cells, h.SMB1, h.LastChanged); err != nil {
			return err
		}
	}
	if h.Identity != old.Identity || h.SameAs != old.SameAs || h.System != old.System || h.OS != old.OS || h.Signing != old.Signing {
		if _, err := rec.exec(ctx, `UPDATE hosts SET identity = $2, same_as = $3, system = $4, os = $5, signing = $6 WHERE id = $1`,
			h.ID, h.Identity, h.SameAs, h.System, h.OS, h.Signing); err != nil {
			return err
		}
	}
	if h.Name != old.Name {
		if _, err := rec.exec(ctx, `UPDATE hosts SET name = $2, sort_name = $3 WHERE id = $1`, h.ID, h.Name, sortName(h)); err != nil {
			return err
		}
		return rec.searchable(ctx, h)
	}
	return nil
}

// maxNames bounds the names that are kept of a host: more are a load balancer's, or a liar's. The oldest go.
const maxNames = 100

func (rec *recorder) recordNames(ctx context.Context, h *Host, r *Result, isNew bool) error {
	if len(r.Names) == 0 {
		return nil
	}
	type key struct{ kind, name string }
	known := map[key]time.Time{}
	if !isNew {
		if err := rec.each(ctx, func(row row) error {
			var k key
			var last time.Time
			if err := row.Scan(&k.kind, &k.name, &last); err != nil {
				return err
			}
			known[k] = last
			return nil
		}, `SELECT kind, name, last_seen FROM host_names WHERE host_id = $1`, h.ID); err != nil {
			return err
		}
	}
	added := false
	for _, n := range r.Names[:min(len(r.Names), maxNames)] {
		k := key{clean(n.Kind), clean(n.Name)}
		if k.name == "" {
			continue
		}
		last, seen := known[k]
		if seen && !r.At.After(last) {
			continue
		}
		known[k] = r.At
		added = added || !seen
		if _, err := rec.exec(ctx, `INSERT INTO host_names (host_id, kind, name, first_seen, last_seen) VALUES ($1, $2, $3, $4, $4)
			ON CONFLICT (host_id, kind, name) DO UPDATE SET last_seen = excluded.last_seen`, h.ID, k.kind, k.name, r.At); err != nil {
			return err
		}
	}
	if !added {
		return nil
	}
	if len(known) > maxNames {
		if _, err := rec.exec(ctx, `DELETE FROM host_names WHERE host_id = $1 AND (kind, name) NOT IN
			(SELECT kind, name FROM host_names WHERE host_id = $1 ORDER BY last_seen DESC, kind, name LIMIT $2)`, h.ID, maxNames); err != nil {
			return err
		}
	}
	return rec.searchable(ctx, h)
}

// searchable writes the text that a host is found by.
func (q *Queries) searchable(ctx context.Context, h *Host) error {
	names, err := q.strings(ctx, `SELECT name FROM (SELECT name, last_seen FROM host_names WHERE host_id = $1 UNION
		SELECT address, 0 FROM addresses WHERE host_id = $1) n ORDER BY last_seen DESC, name LIMIT $2`, h.ID, maxSearchNames)
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, `UPDATE hosts SET search = $2 WHERE id = $1`, h.ID, searchText(h, names))
	return err
}

// recordSpan makes the open span longer, or ends it and begins another, and then the findings follow.
func (rec *recorder) recordSpan(ctx context.Context, r *Result, snapshot int64) (changed bool, err error) {
	var since, last, told time.Time
	var before, hash int64
	err = rec.one(ctx, []any{&since, &last, &before, &hash, &told}, `SELECT since, last_at, snapshot_id, findings, findings_at FROM spans
		WHERE host_id = $1 AND kind = $2 AND until = 0`, r.HostID, r.Kind)
	first := errors.Is(err, ErrNotFound)
	if err != nil && !first {
		return false, err
	}
	at := r.At
	if at.Before(last) {
		at = last
	}
	newHash, newTold := hash, told
	if r.Findings != nil {
		newHash, newTold = findingsHash(r), at
		if newHash != hash || r.Partial {
			if err := rec.recordFindings(ctx, r, told); err != nil {
				return false, err
			}
		}
	}
	if !first && before == snapshot {
		_, err := rec.exec(ctx, `UPDATE spans SET last_at = $4, results = results + 1, findings = $5, findings_at = $6
			WHERE host_id = $1 AND kind = $2 AND since = $3`, r.HostID, r.Kind, since, at, newHash, newTold)
		return false, err
	}
	if !first {
		if !at.After(since) {
			at = since.Add(time.Microsecond)
		}
		if _, err := rec.exec(ctx, `UPDATE spans SET until = $4 WHERE host_id = $1 AND kind = $2 AND since = $3`,
			r.HostID, r.Kind, since, at); err != nil {
			return false, err
		}
	}
	_, err = rec.exec(ctx, `INSERT INTO spans (host_id, kind, since, until, last_at, results, snapshot_id, findings, findings_at)
		VALUES ($1, $2, $3, 0, $3, 1, $4, $5, $6)`, r.HostID, r.Kind, at, snapshot, newHash, newTold)
	return true, err
}

// tally counts a result for its run and for the trend.
func (rec *recorder) tally(r *Result, old, host *Host, isNew bool) {
	shard := shardOf(r.Worker)
	if r.RunID != 0 {
		k := runShard{r.RunID, shard}
		t := rec.runs[k]
		if t == nil {
			t = &tally{}
			rec.runs[k] = t
		}
		t.done++
		t.add(r.Verdict, 1)
		if r.At.After(t.last) {
			t.last = r.At
		}
	}
	if !isNew && old.Verdict == host.Verdict {
		return
	}
	k := trendKey{day(r.At), host.SiteID, shard}
	t := rec.trend[k]
	if t == nil {
		t = &tally{}
		rec.trend[k] = t
	}
	t.add(host.Verdict, 1)
	if !isNew {
		t.add(old.Verdict, -1)
	}
}

// flush writes the counters, in one order for all transactions, and the events last: see AddEvents.
func (rec *recorder) flush(ctx context.Context) error {
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
	return rec.AddEvents(ctx, rec.events)
}

func (q *Queries) addTrend(ctx context.Context, k trendKey, t tally) error {
	_, err := q.exec(ctx, `INSERT INTO trend AS t (day, site_id, shard, exposed, limited, closed, unknown) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (day, site_id, shard) DO UPDATE SET exposed = t.exposed + excluded.exposed, limited = t.limited + excluded.limited,
		closed = t.closed + excluded.closed, unknown = t.unknown + excluded.unknown`,
		k.day, k.site, k.shard, t.exposed, t.limited, t.closed, t.unknown)
	return err
}
