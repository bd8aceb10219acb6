package store

import (
	"context"
	"errors"
	"slices"
	"time"
)

const exceptionColumns = `SELECT id, finding, host_id, tag, reason, owner, until, created, by_whom, withdrew,
	withdrew_by FROM exceptions`

// inForce is the condition for an active exception. An expired one counts until ExpireExceptions ends it, so that what
// is covered, counted and reported always agrees.
const inForce = `withdrew = 0 AND ended = 0`

func scanException(r row, e *Exception) error {
	return r.Scan(&e.ID, &e.Finding, &e.HostID, &e.Tag, &e.Reason, &e.Owner, &e.Until, &e.Created, &e.By, &e.Withdrew,
		&e.WithdrewBy)
}

// Exceptions returns the active exceptions, or all, the first to end first: at most 1000.
func (q *Queries) Exceptions(ctx context.Context, all bool) ([]Exception, error) {
	only := ` WHERE ` + inForce
	if all {
		only = ``
	}
	return list(ctx, q, scanException, exceptionColumns+only+` ORDER BY until, id LIMIT 1000`)
}

// Exception returns an exception.
func (q *Queries) Exception(ctx context.Context, id int64) (Exception, error) {
	return get(ctx, q, scanException, exceptionColumns+` WHERE id = $1`, id)
}

// SaveException creates an exception if its ID is 0, or changes reason, owner, end, host and tag of an active one. It
// covers findings from now on.
func (q *Queries) SaveException(ctx context.Context, e *Exception) error {
	e.Tag = normalTag(e.Tag)
	switch {
	case e.Finding == "" || e.Reason == "" || e.Owner == "":
		return errors.New("store: an exception needs a finding, a reason and an owner")
	case !e.Until.After(q.now()):
		return errors.New("store: an exception needs an end that is yet to come")
	case e.HostID != 0 && e.Tag != "":
		return errors.New("store: an exception is for a host or for a tag")
	}
	return q.atomic(ctx, func(q *Queries) error {
		if err := q.lockExceptions(ctx); err != nil {
			return err
		}
		if e.ID == 0 {
			if e.Created.IsZero() {
				e.Created = q.now()
			}
			if err := q.insert(ctx, &e.ID,
				`INSERT INTO exceptions (finding, host_id, tag, reason, owner, until, created, by_whom, withdrew,
				withdrew_by, ended) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, '', 0) RETURNING id`,
				e.Finding, e.HostID, e.Tag, e.Reason, e.Owner, e.Until, e.Created, e.By); err != nil {
				return err
			}
			return q.coverAll(ctx, e.Finding)
		}
		var finding string
		if err := q.one(ctx, []any{&finding}, `SELECT finding FROM exceptions WHERE id = $1 AND `+inForce,
			e.ID); err != nil {
			return err
		}
		if finding != e.Finding {
			return errors.New("store: an exception stays with its finding")
		}
		if err := q.must(ctx,
			`UPDATE exceptions SET host_id = $2, tag = $3, reason = $4, owner = $5, until = $6 WHERE id = $1`,
			e.ID, e.HostID, e.Tag, e.Reason, e.Owner, e.Until); err != nil {
			return err
		}
		return q.coverAll(ctx, e.Finding)
	})
}

// WithdrawException ends an exception now; it returns [ErrNotFound] for one that has ended.
func (q *Queries) WithdrawException(ctx context.Context, id int64, by string) error {
	return q.atomic(ctx, func(q *Queries) error {
		if err := q.lockExceptions(ctx); err != nil {
			return err
		}
		e, err := q.Exception(ctx, id)
		if err != nil {
			return err
		}
		if err := q.must(ctx, `UPDATE exceptions SET withdrew = $2, withdrew_by = $3 WHERE id = $1 AND `+inForce,
			id, q.now(), by); err != nil {
			return err
		}
		return q.coverAll(ctx, e.Finding)
	})
}

// ExpireExceptions ends the expired exceptions and returns them: each only once, whoever calls.
func (q *Queries) ExpireExceptions(ctx context.Context, now time.Time) ([]Exception, error) {
	var ended []Exception
	err := q.atomic(ctx, func(q *Queries) error {
		if err := q.lockExceptions(ctx); err != nil {
			return err
		}
		var err error
		if ended, err = list(ctx, q, scanException, exceptionColumns+` WHERE `+inForce+` AND until <= $1 ORDER BY id`,
			now); err != nil {
			return err
		}
		var findings []string
		for _, e := range ended {
			if _, err := q.exec(ctx, `UPDATE exceptions SET ended = $2 WHERE id = $1`, e.ID, now); err != nil {
				return err
			}
			findings = append(findings, e.Finding)
		}
		slices.Sort(findings)
		for _, finding := range slices.Compact(findings) {
			if err := q.coverAll(ctx, finding); err != nil {
				return err
			}
		}
		return nil
	})
	return ended, err
}

// lockExceptions lets one transaction at a time change exceptions. Transactions that record findings read them without
// waiting; the lock on hosts that both take orders them.
func (q *Queries) lockExceptions(ctx context.Context) error {
	if !q.pg {
		return nil
	}
	_, err := q.exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockExceptions)
	return err
}

// The advisory locks of PostgreSQL: numbers that only have to be distinct.
const (
	lockExceptions int64 = 0x697063_0001
	lockEvents     int64 = 0x697063_0002
	lockActs       int64 = 0x697063_0003
)

// match adds the condition for a finding f that an exception covers.
func (e *Exception) match(w *where) {
	switch {
	case e.HostID != 0:
		w.and(`host_id = ?`, e.HostID)
	case e.Tag != "":
		w.and(`host_id IN (SELECT host_id FROM host_tags WHERE tag = ?)`, e.Tag)
	}
}

// coverAll updates all open findings of one name: the oldest active exception that matches covers each. It runs a few
// statements over many rows and then one for each posture, since an exception may apply to 50,000 hosts.
func (q *Queries) coverAll(ctx context.Context, finding string) error {
	fitting, err := list(ctx, q, scanException, exceptionColumns+` WHERE finding = $1 AND `+inForce+` ORDER BY id`,
		finding)
	if err != nil {
		return err
	}
	before := `CASE`
	w := &where{pg: q.pg}
	for _, e := range fitting {
		one := &where{pg: q.pg, args: w.args}
		one.and(`1 = 1`)
		e.match(one)
		condition := one.String()[len(" WHERE "):]
		w.args = one.args
		before += ` WHEN ` + condition + ` THEN CAST(` + w.arg(e.ID) + ` AS BIGINT)`
	}
	cover := `0`
	if len(fitting) > 0 {
		cover = before + ` ELSE 0 END`
	}
	w.and(`ended = 0`)
	w.and(`finding = ?`, finding)
	w.parts = append(w.parts, `exception <> `+cover)
	if err := q.lockHosts(ctx, `id IN (SELECT host_id FROM findings`+w.String()+`)`, w.args...); err != nil {
		return err
	}
	if _, err := q.exec(ctx, `UPDATE findings SET exception = `+cover+w.String(), w.args...); err != nil {
		return err
	}
	return q.repose(ctx, finding)
}

// repose moves the hosts with a finding to the posture in which it is covered or not.
func (q *Queries) repose(ctx context.Context, finding string) error {
	type line struct {
		posture int64
		postureLine
	}
	lines, err := list(ctx, q, func(r row, l *line) error {
		return r.Scan(&l.posture, &l.finding, &l.set, &l.severity, &l.n, &l.excepted)
	}, `SELECT posture_id, finding, set_id, severity, n, excepted FROM posture_findings
		WHERE posture_id IN (SELECT posture_id FROM posture_findings WHERE finding = $1)
		AND EXISTS (SELECT 1 FROM hosts h WHERE h.posture_id = posture_findings.posture_id)
		ORDER BY posture_id, finding, set_id, severity`, finding)
	if err != nil {
		return err
	}
	known := map[[16]byte]posture{}
	covered := `id IN (SELECT host_id FROM findings WHERE ended = 0 AND finding = $6 AND exception <> 0)`
	for len(lines) > 0 {
		n := slices.IndexFunc(lines, func(l line) bool { return l.posture != lines[0].posture })
		if n < 0 {
			n = len(lines)
		}
		was := lines[0].posture
		for _, with := range []bool{true, false} {
			var changed []postureLine
			differs := false
			for _, l := range lines[:n] {
				if l.finding == finding {
					excepted := 0
					if with {
						excepted = l.n
					}
					differs = differs || excepted != l.excepted
					l.excepted = excepted
				}
				changed = append(changed, l.postureLine)
			}
			if !differs {
				continue
			}
			p, err := q.savePosture(ctx, changed, known)
			if err != nil {
				return err
			}
			condition := covered
			if !with {
				condition = `NOT ` + covered
			}
			if _, err := q.exec(ctx, `UPDATE hosts SET posture_id = $2, severity = $3, findings = $4, excepted = $5
				WHERE posture_id = $1 AND `+condition, was, p.id, p.severity, p.findings, p.excepted,
				finding); err != nil {
				return err
			}
		}
		lines = lines[n:]
	}
	return nil
}

// coverFindings sets for each open finding of one host the oldest active exception that matches.
func (q *Queries) coverFindings(ctx context.Context, hostID int64) error {
	const fits = `COALESCE((SELECT min(e.id) FROM exceptions e WHERE e.finding = findings.finding AND e.withdrew = 0
		AND e.ended = 0
		AND (e.host_id = findings.host_id OR (e.host_id = 0 AND (e.tag = ''
		OR e.tag IN (SELECT tag FROM host_tags WHERE host_id = $1))))), 0)`
	_, err := q.exec(ctx, `UPDATE findings SET exception = `+fits+` WHERE `+openOf+` AND exception <> `+fits, hostID)
	return err
}

// cover runs [Queries.coverFindings] and recounts.
func (q *Queries) cover(ctx context.Context, hostID int64) error {
	if err := q.coverFindings(ctx, hostID); err != nil {
		return err
	}
	return q.setPosture(ctx, hostID, map[[16]byte]posture{})
}
