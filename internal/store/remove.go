package store

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"ipcguard/internal/model"
)

// ErrHistory says that a result cannot be removed, because its host's state does not follow from its results only: the
// host was retired or merged, or older results were pruned.
var ErrHistory = errors.New("store: what is known of the host does not follow from its results alone")

// Removed is a removed result, with the other results of its host and kind.
type Removed struct {
	Host   Host // before the removal
	Result Result
	Gone   bool       // there was no other result: the host was deleted too
	Before []Snapshot // what earlier results of the host showed, oldest first
	After  []Result   // the later results, in the order in which they were recorded
}

// RemoveResult removes a result as if it had never been recorded: everything that follows from a host's results is
// recomputed from the others, in the order in which they were recorded. That covers spans, the host's state, the trend,
// open and ended findings and the last documents; events of the result are deleted. The caller must recompute later
// events, and call [Queries.SeeNames] with what the documents of the other results contain: a name that only the
// removed result is known to have reported is deleted. The evidence and severity of a finding that others found too,
// and the host's name, stay as last reported. The run keeps its counts: it did take place.
func (q *Queries) RemoveResult(ctx context.Context, id int64) (out Removed, err error) {
	err = q.atomic(ctx, func(q *Queries) error {
		var host, retired int64
		if err := q.one(ctx, []any{&host}, `SELECT host_id FROM results WHERE id = $1`, id); err != nil {
			return err
		}
		if err := q.lockHosts(ctx, `id = $1`, host); err != nil {
			return err
		}
		h, err := q.Host(ctx, host)
		if err != nil {
			return err
		}
		if err := q.one(ctx, []any{&retired}, `SELECT count(*) FROM events WHERE host_id = $1 AND kind = $2`,
			host, EventRetired); err != nil {
			return err
		}
		if !h.Retired.IsZero() || retired > 0 {
			return ErrHistory
		}
		rem := &removal{Queries: q, host: h, reported: values{columns: "host bigint, kind bigint, at bigint, " +
			"reported bigint"}}
		if err := rem.read(ctx, id); err != nil {
			return err
		}
		out, err = rem.do(ctx)
		return err
	})
	return out, err
}

// held is a stored result.
type held struct {
	Result
	snapshot int64
}

func (k *held) reported() bool { return k.Verdict != model.Unreachable }

// removal is the removal of one result.
type removal struct {
	*Queries
	host Host
	all  []held // all results of the host, in the order in which they were recorded
	gone held
	rest []held // all except the removed one
	// When findings were last reported before each later result, which is when those that end with it were last seen.
	reported values
}

func (rem *removal) read(ctx context.Context, id int64) error {
	shared := rem.shared()
	var err error
	rem.all, err = list(ctx, rem.Queries, func(r row, k *held) error {
		var body []byte
		if err := r.Scan(&k.ID, &k.RunID, &k.TargetID, &k.HostID, &k.Kind, &k.At, &k.Verdict, &k.Partial, &k.snapshot,
			&body); err != nil {
			return err
		}
		var err error
		k.Snapshot, err = shared.read(k.snapshot, body)
		return err
	}, `SELECT r.id, r.run_id, r.target_id, r.host_id, r.kind, r.at, r.verdict, r.partial, p.id, p.body
		FROM results r JOIN snapshots p ON p.id = r.snapshot_id WHERE r.host_id = $1 ORDER BY r.id`, rem.host.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rem.all, func(k held) bool { return k.ID == id })
	if i < 0 {
		return ErrNotFound
	}
	rem.gone, rem.rest = rem.all[i], slices.Delete(slices.Clone(rem.all), i, i+1)
	if i == 0 && !rem.host.FirstSeen.Equal(rem.gone.At) {
		return ErrHistory // it is the oldest that is left, and was not the first
	}
	if scan := last(rem.all, isScan); scan != nil && scan.Verdict != rem.host.Verdict {
		return ErrHistory
	}
	return nil
}

func isScan(k *held) bool { return k.Kind != RunAudit }

// last returns the last result for which is returns true.
func last(of []held, is func(*held) bool) *held {
	for i := range slices.Backward(of) {
		if is(&of[i]) {
			return &of[i]
		}
	}
	return nil
}

func (rem *removal) do(ctx context.Context) (Removed, error) {
	out := Removed{Host: rem.host, Result: rem.gone.Result, Gone: len(rem.rest) == 0}
	mine, err := rem.history(ctx, rem.gone.Kind)
	if err != nil {
		return out, err
	}
	out.Before, out.After = mine.around(rem.gone.ID)
	for _, step := range []struct {
		query string
		args  []any
	}{
		{`DELETE FROM results WHERE id = $1`, []any{rem.gone.ID}},
		{
			`DELETE FROM events WHERE host_id = $1 AND run_id = $2 AND at = $3`,
			[]any{rem.host.ID, rem.gone.RunID, rem.gone.At},
		},
		{
			`DELETE FROM documents WHERE host_id = $1 AND kind = $2 AND at = $3`,
			[]any{rem.host.ID, string(rem.gone.Kind), rem.gone.At},
		},
	} {
		if _, err := rem.exec(ctx, step.query, step.args...); err != nil {
			return out, err
		}
	}
	if err := rem.trend(ctx); err != nil {
		return out, err
	}
	if out.Gone {
		for _, query := range []string{
			`DELETE FROM events WHERE host_id = $1`, `UPDATE hosts SET same_as = 0 WHERE same_as = $1`,
			`DELETE FROM hosts WHERE id = $1`,
		} {
			if _, err := rem.exec(ctx, query, rem.host.ID); err != nil {
				return out, err
			}
		}
		return out, nil
	}
	began, err := mine.without(ctx, rem)
	if err != nil {
		return out, err
	}
	for _, kind := range []RunKind{RunScan, RunAudit} {
		if kind != rem.gone.Kind {
			other, err := rem.history(ctx, kind)
			if err != nil {
				return out, err
			}
			began = append(began, other.begins()...)
		}
	}
	if err := rem.state(ctx, began); err != nil {
		return out, err
	}
	if err := rem.names(ctx); err != nil {
		return out, err
	}
	if err := rem.findings(ctx, out.After); err != nil {
		return out, err
	}
	return out, rem.cover(ctx, rem.host.ID)
}

// trend undoes what the result and the next one added, and adds what the latter would have added.
func (rem *removal) trend(ctx context.Context) error {
	days := map[int64]*tally{}
	count := func(results []held, n int64) {
		var verdict model.Verdict
		for i := range results {
			k := &results[i]
			next := verdict
			if isScan(k) {
				next = k.Verdict
			}
			if i > 0 && next == verdict {
				continue
			}
			t := days[day(k.At)]
			if t == nil {
				t = &tally{}
				days[day(k.At)] = t
			}
			t.add(next, n)
			if i > 0 {
				t.add(verdict, -n)
			}
			verdict = next
		}
	}
	count(rem.all, -1)
	count(rem.rest, 1)
	for _, at := range slices.Sorted(maps.Keys(days)) {
		if t := days[at]; *t != (tally{}) {
			if err := rem.addTrend(ctx, trendKey{at, rem.host.SiteID, 0}, *t); err != nil {
				return err
			}
		}
	}
	return nil
}

// history is the spans of a kind with their results.
type history struct {
	kind    RunKind
	results []held
	spans   []*span
	bodies  []Snapshot // of the spans
	of      []int      // the span of each result
	older   int        // pruned results of the first of these spans
}

// history reads the spans of a kind, and assigns the results: the last results belong to the last spans.
func (rem *removal) history(ctx context.Context, kind RunKind) (*history, error) {
	x := &history{kind: kind}
	for _, k := range rem.all {
		if k.Kind == kind {
			x.results = append(x.results, k)
		}
	}
	shared := rem.shared()
	err := rem.each(ctx, func(r row) error {
		s := &span{hostKind: hostKind{rem.host.ID, kind}}
		var body []byte
		if err := r.Scan(&s.since, &s.until, &s.last, &s.results, &s.snapshot, &s.findings, &s.reported,
			&body); err != nil {
			return err
		}
		b, err := shared.read(s.snapshot, body)
		x.spans, x.bodies = append(x.spans, s), append(x.bodies, b)
		return err
	}, `SELECT s.since, s.until, s.last_at, s.results, s.snapshot_id, s.findings, s.findings_at, p.body FROM spans s
		JOIN snapshots p ON p.id = s.snapshot_id WHERE s.host_id = $1 AND s.kind = $2 ORDER BY s.since`, rem.host.ID,
		kind)
	if err != nil {
		return nil, err
	}
	x.of = make([]int, len(x.results))
	at, left := len(x.spans), 0
	for i := range slices.Backward(x.results) {
		for left == 0 {
			if at--; at < 0 {
				return nil, ErrHistory
			}
			left = x.spans[at].results
		}
		if x.spans[at].snapshot != x.results[i].snapshot {
			return nil, ErrHistory
		}
		x.of[i] = at
		left--
	}
	x.older = left
	return x, nil
}

func (x *history) find(id int64) int {
	return slices.IndexFunc(x.results, func(k held) bool { return k.ID == id })
}

// around returns the snapshots before a result, and the results after it.
func (x *history) around(id int64) (before []Snapshot, after []Result) {
	i := x.find(id)
	n := x.of[i]
	if i > 0 && x.of[i-1] == n || x.older > 0 && n == x.of[0] {
		n++
	}
	for _, k := range x.results[i+1:] {
		after = append(after, k.Result)
	}
	return x.bodies[:n], after
}

// begins returns the results with which spans begin.
func (x *history) begins() []held {
	var out []held
	for i, k := range x.results {
		if i == 0 && x.older == 0 || i > 0 && x.of[i] != x.of[i-1] {
			out = append(out, k)
		}
	}
	return out
}

// without writes the spans as they are without a result, and returns the results that begin one.
func (x *history) without(ctx context.Context, rem *removal) (began []held, err error) {
	i := x.find(rem.gone.ID)
	from := x.of[i]
	if i == 0 && (from > 0 || x.older > 0) {
		return nil, ErrHistory // its predecessor is only known as a span
	}
	first := slices.Index(x.of, from)
	l := line{removal: rem, kind: x.kind}
	switch {
	case first == 0 && x.older > 0:
		s := *x.spans[from]
		s.results, s.last, s.reported = x.older, s.since, s.since
		l.open = &s
	case from > 0:
		from--
		l.open = x.spans[from]
	}
	since := x.spans[from].since
	if l.open != nil {
		l.open.until = time.Time{}
		l.spans = append(l.spans, l.open)
	}
	for j, k := range x.results {
		switch {
		case j == i:
		case j < first:
			if j == 0 && x.older == 0 || j > 0 && x.of[j] != x.of[j-1] {
				l.began = append(l.began, k)
			}
		default:
			l.add(k, j > i)
		}
	}
	if l.open != nil {
		l.open.findings = 0 // the next result is compared with the rows
	}
	if _, err := rem.exec(ctx, `DELETE FROM spans WHERE host_id = $1 AND kind = $2 AND since >= $3`,
		rem.host.ID, x.kind, since); err != nil {
		return nil, err
	}
	v := &values{columns: "host bigint, kind bigint, since bigint, until bigint, last bigint, results bigint, " +
		"snapshot bigint, findings bigint, reported bigint"}
	for _, s := range l.spans {
		v.add(s.host, s.kind, s.since, s.until, s.last, s.results, s.snapshot, s.findings, s.reported)
	}
	return l.began, rem.change(ctx, v,
		`INSERT INTO spans (host_id, kind, since, until, last_at, results, snapshot_id, findings, findings_at)
		SELECT v.host, v.kind, v.since, v.until, v.last, v.results, v.snapshot, v.findings, v.reported FROM v`)
}

// line is the spans of a kind, made anew from results.
type line struct {
	*removal
	kind  RunKind
	spans []*span
	open  *span  // the last one; nil: none yet
	began []held // the results with which spans begin
}

// add records a result in the order of the spans: in the open one if it shows the same, otherwise in a new one. later
// says that it came after the removed result.
func (l *line) add(k held, later bool) {
	open := l.open
	if later && open != nil && !open.reported.IsZero() {
		l.reported.add(l.host.ID, l.kind, k.At, open.reported)
	}
	at := k.At
	if open != nil && at.Before(open.last) {
		at = open.last
	}
	reported := at
	if open != nil && !k.reported() {
		reported = open.reported
	}
	if open != nil && open.snapshot == k.snapshot {
		open.last, open.reported = at, reported
		open.results++
		return
	}
	if open != nil {
		if !at.After(open.since) {
			at = open.since.Add(time.Microsecond)
		}
		open.until = at
	}
	if !k.reported() && open == nil {
		reported = time.Time{}
	}
	l.open = &span{
		hostKind: hostKind{l.host.ID, l.kind},
		since:    at,
		last:     at,
		results:  1,
		snapshot: k.snapshot,
		reported: reported,
	}
	l.spans = append(l.spans, l.open)
	l.began = append(l.began, k)
}

// state writes the host's state after the other results.
func (rem *removal) state(ctx context.Context, began []held) error {
	h := rem.host
	if isScan(&rem.gone) {
		h.Verdict, h.Cells, h.SMB1, h.Signing = "", "", false, ""
		if k := last(rem.rest, isScan); k != nil {
			h.Verdict = k.Verdict
		}
		if k := last(rem.rest, func(k *held) bool { return isScan(k) && k.reported() }); k != nil {
			h.Cells, h.SMB1, h.Signing = k.Snapshot.Cells, k.Snapshot.SMB1, k.Snapshot.Signing
		}
	}
	if h.FirstSeen.Equal(rem.gone.At) {
		h.FirstSeen = rem.rest[0].At
	}
	h.LastSeen = timeAfter(rem.rest)
	if rem.gone.Kind == RunAudit {
		h.LastAudit = time.Time{}
		if k := last(rem.rest, func(k *held) bool { return k.Kind == RunAudit }); k != nil {
			h.LastAudit = k.At
		}
	}
	if len(began) > 0 {
		slices.SortFunc(began, func(a, b held) int { return int(a.ID - b.ID) })
		h.LastChanged = timeAfter(began)
	}
	_, err := rem.exec(ctx,
		`UPDATE hosts SET verdict = $2, cells = $3, smb1 = $4, signing = $5, first_seen = $6, last_seen = $7,
			last_changed = $8,
		last_audit = $9 WHERE id = $1`, h.ID, h.Verdict, h.Cells, h.SMB1, h.Signing, h.FirstSeen, h.LastSeen,
		h.LastChanged, h.LastAudit)
	return err
}

// timeAfter returns the time of a host after results, in the order in which they were recorded.
func timeAfter(all []held) time.Time {
	var at time.Time
	for i := range all {
		at = all[i].after(at)
	}
	return at
}

// names deletes what the result alone is known to have reported, and corrects the times of names that it reported first
// or last: a time in the future would stay. Names of targets and addresses are reported by every result.
func (rem *removal) names(ctx context.Context) error {
	i := slices.IndexFunc(rem.all, func(k held) bool { return k.ID == rem.gone.ID })
	before, after := rem.all[max(i-1, 0)], rem.all[min(i+1, len(rem.all)-1)]
	if i == 0 {
		before = after
	}
	if i == len(rem.all)-1 {
		after = before
	}
	for _, step := range []struct {
		query string
		args  []any
	}{
		{
			`DELETE FROM host_names WHERE host_id = $1 AND first_seen = $2 AND last_seen = $2
			AND kind NOT IN ('target', 'address')`,
			[]any{rem.host.ID, rem.gone.At},
		},
		{
			`UPDATE host_names SET first_seen = $3 WHERE host_id = $1 AND first_seen = $2`,
			[]any{rem.host.ID, rem.gone.At, after.At},
		},
		{
			`UPDATE host_names SET last_seen = $3 WHERE host_id = $1 AND last_seen = $2`,
			[]any{rem.host.ID, rem.gone.At, before.At},
		},
		{
			`UPDATE host_names SET last_seen = first_seen WHERE host_id = $1 AND last_seen < first_seen`,
			[]any{rem.host.ID},
		},
	} {
		if _, err := rem.exec(ctx, step.query, step.args...); err != nil {
			return err
		}
	}
	return rem.searchable(ctx, &rem.host)
}

// SeeNames records that a host had names at a time that may be earlier than others at which it had them.
func (q *Queries) SeeNames(ctx context.Context, hostID int64, at time.Time, names []HostName) error {
	return q.atomic(ctx, func(q *Queries) error {
		for _, n := range namesIn(&Result{Names: names}) {
			if _, err := q.exec(ctx, `INSERT INTO host_names AS n (host_id, kind, name, first_seen, last_seen)
				VALUES ($1, $2, $3, $4, $4) ON CONFLICT (host_id, kind, name) DO UPDATE SET
				first_seen = CASE WHEN excluded.first_seen < n.first_seen THEN excluded.first_seen ELSE n.first_seen END,
				last_seen = CASE WHEN excluded.last_seen > n.last_seen THEN excluded.last_seen ELSE n.last_seen END`,
				hostID, n.kind, n.name, at); err != nil {
				return err
			}
		}
		h, err := q.Host(ctx, hostID)
		if err != nil {
			return err
		}
		return q.searchable(ctx, &h)
	})
}

// findingRow is a finding that a removed result may have changed.
type findingRow struct {
	id               int64
	key              findingKey
	firstSeen, ended time.Time
}

// findings undoes what the result began and ended. after are the later results of its kind.
func (rem *removal) findings(ctx context.Context, after []Result) error {
	at := rem.gone.At
	rows, err := list(ctx, rem.Queries, func(r row, f *findingRow) error {
		return r.Scan(&f.id, &f.key.finding, &f.key.identity, &f.key.pipe, &f.firstSeen, &f.ended)
	}, `SELECT id, finding, identity, pipe, first_seen, ended FROM findings
		WHERE host_id = $1 AND kind = $2 AND (first_seen = $3 OR ended = $3) ORDER BY id`, rem.host.ID, rem.gone.Kind,
		at)
	if err != nil {
		return err
	}
	for _, f := range rows {
		step := rem.ended
		if f.firstSeen.Equal(at) {
			step = rem.began
		}
		if err := step(ctx, f, after); err != nil {
			return err
		}
	}
	return rem.change(ctx, &rem.reported,
		`UPDATE findings SET last_seen = CASE WHEN v.reported > first_seen THEN v.reported ELSE first_seen END FROM v
		WHERE findings.host_id = v.host AND findings.kind = v.kind AND findings.ended = v.at`)
}

// began moves the start of a finding to the next result that has it, or deletes the finding if it ended before.
func (rem *removal) began(ctx context.Context, f findingRow, after []Result) error {
	for _, r := range after {
		if r.At.Equal(f.ended) {
			break
		}
		if r.Verdict == model.Unreachable || !slices.Contains(r.Snapshot.Findings, f.key.finding) {
			continue
		}
		_, err := rem.exec(ctx, `UPDATE findings SET first_seen = $2, last_seen = $2 WHERE id = $1`, f.id, r.At)
		return err
	}
	_, err := rem.exec(ctx, `DELETE FROM findings WHERE id = $1`, f.id)
	return err
}

// ended reopens a finding until the next result that does not have it; if a later result has it, the finding that began
// there is merged with it.
func (rem *removal) ended(ctx context.Context, f findingRow, after []Result) error {
	for _, r := range after {
		switch {
		case r.Verdict == model.Unreachable:
		case slices.Contains(r.Snapshot.Findings, f.key.finding):
			n, err := rem.exec(ctx,
				`UPDATE findings SET first_seen = $2 WHERE host_id = $1 AND kind = $3 AND first_seen = $4
					AND finding = $5 AND identity = $6
				AND pipe = $7`, rem.host.ID, f.firstSeen, rem.gone.Kind, r.At, f.key.finding, f.key.identity,
				f.key.pipe)
			if err != nil {
				return err
			}
			if n > 0 {
				_, err = rem.exec(ctx, `DELETE FROM findings WHERE id = $1`, f.id)
				return err
			}
		case !r.Partial:
			_, err := rem.exec(ctx, `UPDATE findings SET ended = $2 WHERE id = $1`, f.id, r.At)
			return err
		}
	}
	_, err := rem.exec(ctx, `UPDATE findings SET ended = 0, last_seen = first_seen WHERE id = $1`, f.id)
	return err
}
