package store

import (
	"context"
	"time"
)

// span is a row of spans as a group of results knows it: the open one of a host and kind, or one that the group closed.
type span struct {
	hostKind
	since, until, last time.Time
	results            int // added by the group
	snapshot           int64
	findings           int64 // the hash of those last reported, and when
	reported           time.Time
	stored             bool // it is in the database
	changed            bool
}

// recordSpan extends the open span, or ends it and begins another, and then records the findings; a host that stays
// retired has none. old is the host before the result.
func (rec *recorder) recordSpan(
	ctx context.Context, r *Result, snapshot int64, old *Host, retired bool,
) (changed bool, err error) {
	key := hostKind{r.HostID, r.Kind}
	open := rec.spans[key]
	first := open == nil
	if first {
		open = &span{}
	}
	at := r.At
	if at.Before(open.last) {
		at = open.last
	}
	findings, reported := open.findings, open.reported
	switch {
	case r.Findings == nil:
	case retired && r.Kind == RunAudit:
		if err := rec.recordAside(ctx, r, old, open.reported); err != nil {
			return false, err
		}
	case !retired:
		findings, reported = findingsHash(r), at
		if findings != open.findings || r.Partial {
			if err := rec.recordFindings(ctx, r, open.reported, first); err != nil {
				return false, err
			}
		}
	}
	if !first && open.snapshot == snapshot {
		open.last, open.findings, open.reported = at, findings, reported
		open.results++
		rec.keepSpan(open)
		return false, nil
	}
	if !first {
		if !at.After(open.since) {
			at = open.since.Add(time.Microsecond)
		}
		open.until = at
		rec.keepSpan(open)
	}
	next := &span{
		hostKind: key, since: at, last: at, results: 1, snapshot: snapshot, findings: findings,
		reported: reported,
	}
	rec.spans[key] = next
	rec.keepSpan(next)
	return true, nil
}

func (rec *recorder) keepSpan(s *span) {
	if !s.changed {
		s.changed = true
		rec.spanning = append(rec.spanning, s)
	}
}

func (rec *recorder) writeSpans(ctx context.Context) error {
	const columns = "host bigint, kind bigint, since bigint, until bigint, last bigint, results bigint, snapshot " +
		"bigint, findings bigint, reported bigint"
	longer, begun := &values{columns: columns}, &values{columns: columns}
	for _, s := range rec.spanning {
		v := longer
		if !s.stored {
			v = begun
		}
		v.add(s.host, s.kind, s.since, s.until, s.last, s.results, s.snapshot, s.findings, s.reported)
	}
	if err := rec.change(ctx, longer,
		`UPDATE spans SET until = v.until, last_at = v.last, results = spans.results + v.results,
		findings = v.findings, findings_at = v.reported FROM v WHERE spans.host_id = v.host AND spans.kind = v.kind
		AND spans.since = v.since`); err != nil {
		return err
	}
	return rec.change(ctx, begun,
		`INSERT INTO spans (host_id, kind, since, until, last_at, results, snapshot_id, findings, findings_at)
		SELECT v.host, v.kind, v.since, v.until, v.last, v.results, v.snapshot, v.findings, v.reported FROM v`)
}
