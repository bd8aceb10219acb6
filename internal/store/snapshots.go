package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

func (q *Queries) snapshotOf(body []byte) (Snapshot, error) {
	var s Snapshot
	plain, err := q.st.packer.unpack(body)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(plain, &s); err != nil {
		return s, fmt.Errorf("store: a stored snapshot cannot be read: %w", err)
	}
	return s, nil
}

// shared caches the snapshots of one query: hosts that look alike share one, which is decompressed once. Its maps are
// shared and read-only.
type shared struct {
	q     *Queries
	known map[int64]Snapshot
}

func (q *Queries) shared() *shared { return &shared{q, map[int64]Snapshot{}} }

func (s *shared) read(id int64, body []byte) (Snapshot, error) {
	if known, ok := s.known[id]; ok {
		return known, nil
	}
	snapshot, err := s.q.snapshotOf(body)
	if err == nil {
		s.known[id] = snapshot
	}
	return snapshot, err
}

// canonical is a snapshot as stored: equal ones have equal JSON, since encoding/json sorts maps by key.
type canonical struct {
	hash  [16]byte
	plain []byte
}

// equal reports whether the JSON of two snapshots is equal. It may be false if it is.
func (s *Snapshot) equal(o *Snapshot) bool {
	return s.Verdict == o.Verdict && s.Cells == o.Cells && s.SMB1 == o.SMB1 && s.Signing == o.Signing &&
		slices.Equal(s.Findings, o.Findings) && maps.Equal(s.Pipes, o.Pipes) && maps.Equal(s.Calls, o.Calls) &&
		maps.Equal(s.Settings, o.Settings)
}

func canonicalOf(s Snapshot) (canonical, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return canonical{}, fmt.Errorf("store: %w", err)
	}
	sum := sha256.Sum256(plain)
	return canonical{[16]byte(sum[:16]), plain}, nil
}

// saveSnapshot returns the row of a snapshot, and creates it if needed.
func (q *Queries) saveSnapshot(ctx context.Context, c canonical, known map[[16]byte]int64) (int64, error) {
	if id := known[c.hash]; id != 0 {
		return id, nil
	}
	id, _, err := q.findOrInsert(ctx, `SELECT id FROM snapshots WHERE hash = $1`,
		`INSERT INTO snapshots (hash, body) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING RETURNING id`,
		c.hash[:], func() any { return q.st.packer.pack(c.plain) })
	if err == nil {
		known[c.hash] = id
	}
	return id, err
}

// findOrInsert returns the ID of a shared row, and whether it was created: what belongs to the row is then written in
// the same transaction. body, if not nil, is only called for a new row.
func (q *Queries) findOrInsert(
	ctx context.Context, find, insert string, key any, body func() any,
) (id int64, made bool, err error) {
	// Another transaction may create the row between the two statements; the insert waits for it and then finds it.
	for range 2 {
		err := q.one(ctx, []any{&id}, find, key)
		if err == nil || !errors.Is(err, ErrNotFound) {
			return id, false, err
		}
		args := []any{key}
		if body != nil {
			args = append(args, body())
		}
		if err = q.insert(ctx, &id, insert, args...); err == nil || !errors.Is(err, ErrConflict) {
			return id, err == nil, err
		}
	}
	return 0, false, fmt.Errorf("%w: %w: a shared row came and went", ErrUnavailable, errAgain)
}

// LastSnapshot returns a host's latest snapshot of a kind, and when a result last had it.
func (q *Queries) LastSnapshot(ctx context.Context, hostID int64, kind RunKind) (Snapshot, time.Time, error) {
	var body []byte
	var at time.Time
	if err := q.one(ctx, []any{&body, &at},
		`SELECT p.body, s.last_at FROM spans s JOIN snapshots p ON p.id = s.snapshot_id
		WHERE s.host_id = $1 AND s.kind = $2 AND s.until = 0`, hostID, kind); err != nil {
		return Snapshot{}, time.Time{}, err
	}
	s, err := q.snapshotOf(body)
	return s, at, err
}

// LastSnapshots returns the latest snapshots of a kind of at most [MaxPage] hosts; hosts without one are left out.
func (q *Queries) LastSnapshots(ctx context.Context, hostIDs []int64, kind RunKind) (map[int64]Snapshot, error) {
	if len(hostIDs) > MaxPage {
		return nil, fmt.Errorf("store: snapshots of %d hosts at once, at most %d", len(hostIDs), MaxPage)
	}
	shared, out := q.shared(), map[int64]Snapshot{}
	err := q.each(ctx, func(r row) error {
		var host, id int64
		var body []byte
		if err := r.Scan(&host, &id, &body); err != nil {
			return err
		}
		s, err := shared.read(id, body)
		out[host] = s
		return err
	}, `SELECT s.host_id, s.snapshot_id, p.body FROM spans s JOIN snapshots p ON p.id = s.snapshot_id
		WHERE s.until = 0 AND s.kind = $2 AND s.host_id `+q.in("$1"), q.ids(hostIDs), kind)
	return out, err
}

// maxSpans bounds a host's returned history: more changes than this are noise, and the latest matter.
const maxSpans = 1000

// Spans returns a host's history of a kind, oldest first: the last 1000 spans.
func (q *Queries) Spans(ctx context.Context, hostID int64, kind RunKind) ([]Span, error) {
	shared := q.shared()
	out, err := list(ctx, q, func(r row, s *Span) error {
		var id int64
		var body []byte
		if err := r.Scan(&s.HostID, &s.Kind, &s.From, &s.Until, &s.Last, &s.Results, &id, &body); err != nil {
			return err
		}
		var err error
		s.Snapshot, err = shared.read(id, body)
		return err
	}, `SELECT s.host_id, s.kind, s.since, s.until, s.last_at, s.results, p.id, p.body FROM spans s
		JOIN snapshots p ON p.id = s.snapshot_id
		WHERE s.host_id = $1 AND s.kind = $2 ORDER BY s.since DESC LIMIT $3`, hostID, kind, maxSpans)
	slices.Reverse(out)
	return out, err
}

// Result returns a result without its snapshot.
func (q *Queries) Result(ctx context.Context, id int64) (r Result, err error) {
	err = q.one(ctx, []any{&r.ID, &r.RunID, &r.TargetID, &r.HostID, &r.Kind, &r.At, &r.Verdict, &r.Reason},
		`SELECT id, run_id, target_id, host_id, kind, at, verdict, reason FROM results WHERE id = $1`, id)
	return r, err
}

// Results returns a page of a host's results, the last first, and their total number.
func (q *Queries) Results(ctx context.Context, hostID int64, p Page) ([]Result, int, error) {
	order, err := p.order(map[string]string{"at": "r.at"}, "-at", "r.id")
	if err != nil {
		return nil, 0, err
	}
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM results WHERE host_id = $1`, hostID); err != nil {
		return nil, 0, err
	}
	w := &where{pg: q.pg}
	w.and(`r.host_id = ?`, hostID)
	shared := q.shared()
	out, err := list(ctx, q, func(r row, v *Result) error {
		var id int64
		var body []byte
		if err := r.Scan(&v.ID, &v.RunID, &v.TargetID, &v.HostID, &v.Kind, &v.At, &v.Verdict, &v.Reason, &v.Partial,
			&v.DurationMS,
			&v.Requests, &v.Worker, &id, &body); err != nil {
			return err
		}
		var err error
		v.Snapshot, err = shared.read(id, body)
		return err
	}, `SELECT r.id, r.run_id, r.target_id, r.host_id, r.kind, r.at, r.verdict, r.reason, r.partial, r.duration_ms,
		r.requests, COALESCE(u.worker, ''), p.id, p.body FROM results r JOIN snapshots p ON p.id = r.snapshot_id
		LEFT JOIN units u ON u.run_id = r.run_id AND u.target_id = r.target_id`+w.String()+order+p.limits(w), w.args...)
	return out, total, err
}

// fewChanges is the number of changes up to which changed hosts are looked up one by one; beyond it, scanning all spans
// is faster.
const fewChanges = 5000

// Compare returns the hosts whose snapshot of a kind differs between two times, by host and kind. A host that did not
// exist at the first has an empty snapshot without a verdict. Sorting by name or site is slower than by id, the
// default.
func (q *Queries) Compare(ctx context.Context, from, to time.Time, f HostFilter, p Page) ([]Difference, int, error) {
	if to.Before(from) {
		return nil, 0, fmt.Errorf("%w: the second time is before the first", ErrAsked)
	}
	order, err := p.order(map[string]string{
		// Hosts with the same change are adjacent when sorted by before or after.
		"id": "c.host_id", "name": "h.sort_name", "site": "h.site_id", "before": "COALESCE(c.x, 0)", "after": "c.y",
	}, "id", "c.host_id")
	if err != nil {
		return nil, 0, err
	}
	var begun int
	if err := q.one(ctx, []any{&begun},
		`SELECT count(*) FROM (SELECT 1 FROM spans WHERE since > $1 AND since <= $2 LIMIT $3) b`, from, to,
		fewChanges); err != nil {
		return nil, 0, err
	}
	w := &where{pg: q.pg}
	a, b := w.arg(from), w.arg(to)
	then := func(t string) string {
		return `max(CASE WHEN since <= ` + t + ` AND (until = 0 OR until > ` + t + `) THEN snapshot_id END)`
	}
	if only := f.append(&where{pg: q.pg, args: w.args}); len(only.parts) > 0 {
		w.args = only.args
		w.parts = append(w.parts, `host_id IN (SELECT h.id FROM hosts h`+only.String()+`)`)
	}
	if begun < fewChanges { // only hosts with a span that began between the two can differ
		w.parts = append(w.parts, `host_id IN (SELECT host_id FROM spans WHERE since > `+a+` AND since <= `+b+`)`)
	}
	x, y := then(a), then(b)
	changed := `SELECT host_id, kind, ` + x + ` AS x, ` + y + ` AS y FROM spans` + w.String() + ` GROUP BY host_id, kind
		HAVING ` + y + ` IS NOT NULL AND (` + x + ` IS NULL OR ` + x + ` <> ` + y + `)`
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM (`+changed+`) c`, w.args...); err != nil {
		return nil, 0, err
	}
	// In index order: the query stops at the end of the page.
	page := changed + strings.ReplaceAll(order, "c.", "") + `, kind`
	if sort := strings.TrimPrefix(p.Sort, "-"); sort != "" && sort != "id" {
		page = `SELECT c.* FROM (` + changed + `) c JOIN hosts h ON h.id = c.host_id` + order + `, c.kind`
	}
	page += p.limits(w)
	shared := q.shared()
	out, err := list(ctx, q, func(r row, d *Difference) error {
		var x, y int64
		var before, after []byte
		if err := r.Scan(&d.HostID, &d.Host, &d.Site, &d.Kind, &x, &before, &y, &after); err != nil {
			return err
		}
		var err error
		if x != 0 {
			if d.Before, err = shared.read(x, before); err != nil {
				return err
			}
		}
		d.After, err = shared.read(y, after)
		return err
	}, `SELECT h.id, h.name, (SELECT s.name FROM sites s WHERE s.id = h.site_id), c.kind, COALESCE(c.x, 0), p.body,
		c.y, n.body FROM (`+page+`) c
		JOIN hosts h ON h.id = c.host_id LEFT JOIN snapshots p ON p.id = c.x JOIN snapshots n ON n.id = c.y`+order+
		`, c.kind`, w.args...)
	return out, total, err
}

// Trend returns the number of hosts of a site, or of all (""), with each verdict at the end of every day of a period,
// in UTC. The period is at most ten years.
func (q *Queries) Trend(ctx context.Context, from, to time.Time, site string) ([]TrendPoint, error) {
	first, last := time.UnixMicro(day(from)).UTC(), time.UnixMicro(day(to)).UTC()
	if days := last.Sub(first) / (24 * time.Hour); days < 0 || days > 3660 {
		return nil, fmt.Errorf("%w: want a first day before the last, and at most ten years between them", ErrAsked)
	}
	w := &where{pg: q.pg}
	w.and(`day <= ?`, last)
	if site != "" {
		w.and(`site_id = (SELECT id FROM sites WHERE name = ?)`, site)
	}
	type step struct {
		day                               time.Time
		exposed, limited, closed, unknown int
	}
	steps, err := list(ctx, q, func(r row, s *step) error {
		return r.Scan(&s.day, &s.exposed, &s.limited, &s.closed, &s.unknown)
	},
		`SELECT day, CAST(sum(exposed) AS BIGINT), CAST(sum(limited) AS BIGINT), CAST(sum(closed) AS BIGINT),
			CAST(sum(unknown) AS BIGINT)
		FROM trend`+w.String()+` GROUP BY day ORDER BY day`, w.args...)
	if err != nil {
		return nil, err
	}
	var points []TrendPoint
	var now TrendPoint
	for d := first; !d.After(last); d = d.AddDate(0, 0, 1) {
		for len(steps) > 0 && !steps[0].day.After(d) {
			s := steps[0]
			steps = steps[1:]
			now.Exposed, now.Limited, now.Closed, now.Unknown = now.Exposed+
				s.exposed, now.Limited+s.limited, now.Closed+s.closed, now.Unknown+s.unknown
		}
		now.Day = d
		points = append(points, now)
	}
	return points, nil
}

// add adds n to the counter of a verdict.
func (t *tally) add(v model.Verdict, n int64) {
	switch v {
	case model.Exposed:
		t.exposed += n
	case model.Limited:
		t.limited += n
	case model.Closed:
		t.closed += n
	default:
		t.unknown += n
	}
}
