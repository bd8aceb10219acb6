package store

import (
	"context"
	"errors"
	"time"
)

// MergeHosts merges two hosts of a site that are the same machine. keep gets the addresses, names, targets, results,
// events and ended findings of gone, and future results from its addresses. If keep has history of a kind, keep's
// spans, open findings and documents stay, and gone's open findings end; otherwise keep takes over gone's, with the
// state that they describe.
func (q *Queries) MergeHosts(ctx context.Context, keep, gone int64) error {
	if keep == gone {
		return errors.New("store: a host cannot be merged with itself")
	}
	return q.atomic(ctx, func(q *Queries) error {
		if err := q.lockHosts(ctx, `id IN ($1, $2)`, keep, gone); err != nil {
			return err
		}
		a, err := q.Host(ctx, min(keep, gone))
		if err != nil {
			return err
		}
		b, err := q.Host(ctx, max(keep, gone))
		if err != nil {
			return err
		}
		if a.ID != keep {
			a, b = b, a
		}
		if a.SiteID != b.SiteID {
			return errors.New("store: hosts of two sites are two hosts")
		}
		return q.merge(ctx, a, b)
	})
}

func (q *Queries) merge(ctx context.Context, keep, gone Host) error {
	now := q.now()
	merged, err := q.merged(ctx, keep, gone, now)
	if err != nil {
		return err
	}
	if err := q.moveRows(ctx, keep.ID, gone.ID, now); err != nil {
		return err
	}
	if _, err := q.exec(ctx, `DELETE FROM hosts WHERE id = $1`, gone.ID); err != nil {
		return err
	}
	if _, err := q.exec(ctx, `UPDATE hosts SET verdict = $2, cells = $3, smb1 = $4, signing = $5, first_seen = $6,
		last_seen = $7, last_changed = $8, last_audit = $9, same_as = $10, identity = $11, system = $12, os = $13,
		retired = $14, logon = $15 WHERE id = $1`, keep.ID, merged.Verdict, merged.Cells, merged.SMB1, merged.Signing,
		merged.FirstSeen, merged.LastSeen, merged.LastChanged, merged.LastAudit, merged.SameAs, merged.Identity,
		merged.System, merged.OS, merged.Retired, merged.Logon); err != nil {
		return err
	}
	t := &tally{}
	for _, h := range []Host{keep, gone} {
		if h.Retired.IsZero() {
			t.add(h.Verdict, -1)
		}
	}
	if merged.Retired.IsZero() {
		t.add(merged.Verdict, 1)
	}
	if err := q.addTrend(ctx, trendKey{day(now), keep.SiteID, 0}, *t); err != nil {
		return err
	}
	if err := q.searchable(ctx, &merged); err != nil {
		return err
	}
	if err := q.refreshHost(ctx, keep.ID); err != nil {
		return err
	}
	return q.cover(ctx, keep.ID)
}

// merged returns the host that keep becomes: of a kind of which it has no history, gone's state is its own.
func (q *Queries) merged(ctx context.Context, keep, gone Host, now time.Time) (Host, error) {
	scanned, audited, err := q.history(ctx, keep.ID)
	if err != nil {
		return keep, err
	}
	var observed int
	if err := q.one(ctx, []any{&observed}, `SELECT count(*) FROM documents WHERE host_id = $1 AND kind = $2`,
		keep.ID, KindObserve); err != nil {
		return keep, err
	}
	merged := keep
	if observed == 0 {
		merged.Logon = gone.Logon
	}
	if !scanned {
		merged.Verdict, merged.Cells, merged.SMB1, merged.Signing = gone.Verdict, gone.Cells, gone.SMB1, gone.Signing
	}
	if !audited {
		merged.LastAudit = gone.LastAudit
	}
	if gone.FirstSeen.Before(merged.FirstSeen) {
		merged.FirstSeen = gone.FirstSeen
	}
	if gone.LastSeen.After(merged.LastSeen) {
		merged.LastSeen = gone.LastSeen
	}
	merged.LastChanged = now
	if gone.Retired.IsZero() { // if one of the two is in the fleet, the merged host is
		merged.Retired = gone.Retired
	}
	if merged.SameAs == gone.ID {
		merged.SameAs = 0
	}
	merged.Identity = orElse(keep.Identity, gone.Identity)
	merged.System, merged.OS = orElse(keep.System, gone.System), orElse(keep.OS, gone.OS)
	return merged, nil
}

// moveRows gives keep what refers to gone.
func (q *Queries) moveRows(ctx context.Context, keep, gone int64, now time.Time) error {
	for _, step := range []struct {
		query string
		args  []any // after keep and gone
	}{
		{`UPDATE addresses SET host_id = $1 WHERE host_id = $2`, nil},
		{`INSERT INTO host_names (host_id, kind, name, first_seen, last_seen)
			SELECT CAST($1 AS BIGINT), kind, name, first_seen, last_seen FROM host_names WHERE host_id = $2
			ON CONFLICT (host_id, kind, name) DO UPDATE SET
			first_seen = CASE WHEN excluded.first_seen < host_names.first_seen THEN excluded.first_seen
			ELSE host_names.first_seen END,
			last_seen = CASE WHEN excluded.last_seen > host_names.last_seen THEN excluded.last_seen
			ELSE host_names.last_seen END`, nil},
		{`UPDATE targets SET host_id = $1 WHERE host_id = $2`, nil},
		{`UPDATE results SET host_id = $1 WHERE host_id = $2`, nil},
		{`UPDATE events SET host_id = $1 WHERE host_id = $2`, nil},
		{`UPDATE exceptions SET host_id = $1 WHERE host_id = $2`, nil},
		{`UPDATE rollout_hosts SET host_id = $1 WHERE host_id = $2 AND rollout_id NOT IN (SELECT rollout_id
			FROM rollout_hosts WHERE host_id = $1)`, nil},
		{`UPDATE rollout_stopped SET host_id = $1 WHERE host_id = $2
			AND stop_id NOT IN (SELECT stop_id FROM rollout_stopped WHERE host_id = $1)`, nil},
		{`UPDATE hosts SET same_as = 0 WHERE same_as = $2 OR (id = $1 AND same_as = $2)`, nil},
		// The open findings end for the kinds of which keep has history; their last_seen is when they were last
		// reported.
		{`UPDATE findings SET ended = $3, exception = 0, last_seen = COALESCE((SELECT s.findings_at FROM spans s
			WHERE s.host_id = findings.host_id AND s.kind = findings.kind AND s.until = 0), last_seen)
			WHERE host_id = $2 AND ended = 0 AND kind IN (SELECT kind FROM spans WHERE host_id = $1)`, []any{now}},
		{`UPDATE findings SET host_id = $1 WHERE host_id = $2`, nil},
		{`UPDATE logons SET host_id = $1 WHERE host_id = $2 AND NOT EXISTS (SELECT 1 FROM documents
			WHERE host_id = $1 AND kind = $3)`, []any{KindObserve}},
		{`UPDATE documents SET host_id = $1 WHERE host_id = $2 AND kind NOT IN (SELECT kind FROM documents
			WHERE host_id = $1)`, nil},
		{`UPDATE spans SET host_id = $1 WHERE host_id = $2 AND kind NOT IN (SELECT kind FROM spans
			WHERE host_id = $1)`, nil},
	} {
		if _, err := q.exec(ctx, step.query, append([]any{keep, gone}, step.args...)...); err != nil {
			return err
		}
	}
	return nil
}

// history reports for which kinds a host has results.
func (q *Queries) history(ctx context.Context, hostID int64) (scanned, audited bool, err error) {
	err = q.each(ctx, func(r row) error {
		var kind RunKind
		if err := r.Scan(&kind); err != nil {
			return err
		}
		scanned, audited = scanned || kind != RunAudit, audited || kind == RunAudit
		return nil
	}, `SELECT DISTINCT kind FROM spans WHERE host_id = $1`, hostID)
	return scanned, audited, err
}

// DeleteHost deletes a host with everything that is known of it. Its targets stay.
func (q *Queries) DeleteHost(ctx context.Context, id int64) error {
	return q.atomic(ctx, func(q *Queries) error {
		h, err := q.Host(ctx, id)
		if err != nil {
			return err
		}
		for _, query := range []string{
			`DELETE FROM results WHERE host_id = $1`, `DELETE FROM events WHERE host_id = $1`,
			`UPDATE hosts SET same_as = 0 WHERE same_as = $1`,
			`DELETE FROM hosts WHERE id = $1`,
		} {
			if _, err := q.exec(ctx, query, id); err != nil {
				return err
			}
		}
		if !h.Retired.IsZero() {
			return nil
		}
		t := &tally{}
		t.add(h.Verdict, -1)
		return q.addTrend(ctx, trendKey{day(q.now()), h.SiteID, 0}, *t)
	})
}
