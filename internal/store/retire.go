package store

import (
	"context"
	"time"

	"ipcguard/internal/model"
)

// RetireHost removes a host from the fleet at a time: lists and counts leave it out, its open findings end, and the
// trend no longer counts it. Its history stays. A scan that it answers brings it back. It returns false if the host was
// already retired.
func (q *Queries) RetireHost(ctx context.Context, id int64, at time.Time) (bool, error) {
	retired := false
	err := q.atomic(ctx, func(q *Queries) error {
		retired = false
		if err := q.lockHosts(ctx, `id = $1`, id); err != nil {
			return err
		}
		h, err := q.Host(ctx, id)
		if err != nil || !h.Retired.IsZero() {
			return err
		}
		retired = true
		for _, query := range []string{
			`UPDATE findings SET ended = $2, exception = 0, last_seen = COALESCE((SELECT s.findings_at FROM spans s
				WHERE s.host_id = findings.host_id AND s.kind = findings.kind AND s.until = 0), last_seen)
				WHERE ended <= 0 AND host_id = $1`,
			`UPDATE hosts SET retired = $2, posture_id = 0, severity = 0, findings = 0, excepted = 0 WHERE id = $1`,
		} {
			if _, err := q.exec(ctx, query, id, at); err != nil {
				return err
			}
		}
		// The findings of the next scan are compared with the rows, not with the last hash.
		if _, err := q.exec(ctx, `UPDATE spans SET findings = 0 WHERE until = 0 AND host_id = $1`, id); err != nil {
			return err
		}
		t := &tally{}
		t.add(h.Verdict, -1)
		return q.addTrend(ctx, trendKey{day(at), h.SiteID, 0}, *t)
	})
	return retired, err
}

// StrayHosts returns at most [MaxPage] hosts of the fleet to which no target leads, by its link or by its name. among,
// if not nil, limits the search.
func (q *Queries) StrayHosts(ctx context.Context, among []int64) ([]Host, error) {
	w := &where{pg: q.pg}
	w.and(`h.retired = 0`)
	w.and(`NOT EXISTS (SELECT 1 FROM targets t WHERE t.host_id = h.id)`)
	w.and(`NOT EXISTS (SELECT 1 FROM host_names n JOIN targets t ON t.site_id = h.site_id AND t.spec = n.name
		WHERE n.host_id = h.id AND n.kind = 'target')`)
	if among != nil {
		w.in("h.id", among)
	}
	return list(ctx, q, scanHost, hostColumns+w.String()+` ORDER BY h.id`+Page{}.limits(w), w.args...)
}

// SilentHosts returns at most [MaxPage] hosts of the fleet that were scanned for at least this long without an answer.
func (q *Queries) SilentHosts(ctx context.Context, silent time.Duration) ([]Host, error) {
	w := &where{pg: q.pg}
	w.and(`h.retired = 0`)
	w.and(`h.verdict = ?`, model.Unreachable)
	w.and(`h.last_seen - h.last_changed >= ?`, silent.Microseconds())
	return list(ctx, q, scanHost, hostColumns+w.String()+` ORDER BY h.id`+Page{}.limits(w), w.args...)
}

// returns reports whether a result brings a retired host back into the fleet. A run that was under way when the host
// was retired does not, even if it came to the host later: somebody retired it, knowing that it answers.
func (rec *recorder) returns(ctx context.Context, h *Host, r *Result) (bool, error) {
	if h.Retired.IsZero() || r.Kind == RunAudit || r.Verdict == model.Unreachable || r.began().Before(h.Retired) {
		return false, nil
	}
	if r.RunID == 0 {
		return true, nil
	}
	var created time.Time
	err := rec.one(ctx, []any{&created}, `SELECT created FROM runs WHERE id = $1`, r.RunID)
	return !created.Before(h.Retired), err
}

// aside returns when the findings of a retired host's last audit ended: they did with the retirement, or with an audit
// that came afterwards. They are open again when the host is back.
func (h *Host) aside() time.Time {
	if h.LastAudit.After(h.Retired) {
		return h.LastAudit
	}
	return h.Retired
}

// resume opens the findings of a returning host that the result says nothing about: those of its last audit, and those
// of its last scan if the result keeps them.
func (rec *recorder) resume(ctx context.Context, r *Result, old *Host) error {
	ended := map[RunKind]time.Time{RunAudit: old.aside()}
	if r.Findings == nil {
		ended[RunScan] = old.Retired
	}
	for kind, at := range ended {
		if _, err := rec.exec(ctx, `UPDATE findings SET ended = 0 WHERE host_id = $1 AND kind = $2 AND ended = $3`,
			old.ID, kind, at); err != nil {
			return err
		}
	}
	if err := rec.coverFindings(ctx, old.ID); err != nil {
		return err
	}
	return rec.setPosture(ctx, old.ID, rec.postures)
}

// recordAside records the findings of an audit of a host that stays retired: they count when it is back. Those that the
// audit no longer has ended with the retirement.
func (rec *recorder) recordAside(ctx context.Context, r *Result, old *Host, reported time.Time) error {
	const ofAudit = ` WHERE host_id = $1 AND kind = $2 AND ended = $3`
	if _, err := rec.exec(ctx, `UPDATE findings SET ended = 0`+ofAudit, old.ID, r.Kind, old.aside()); err != nil {
		return err
	}
	if err := rec.recordFindings(ctx, r, reported, false); err != nil {
		return err
	}
	for _, move := range []struct{ from, to time.Time }{{r.At, old.Retired}, {time.Time{}, r.At}} {
		if _, err := rec.exec(ctx, `UPDATE findings SET ended = $4, exception = 0`+ofAudit, old.ID, r.Kind, move.from,
			move.to); err != nil {
			return err
		}
	}
	return rec.setPosture(ctx, old.ID, rec.postures)
}
