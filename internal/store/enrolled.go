package store

import (
	"context"
	"time"
)

// Enrolled is a worker that has joined the fleet with a certificate. The certificate contains its ID; its site is only
// stored here.
type Enrolled struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	SiteID   int64     `json:"site_id"`
	Site     string    `json:"site"`
	Serial   string    `json:"-"` // of its newest certificate
	Earlier  string    `json:"-"` // of the previous certificate, until the newest is used
	Until    time.Time `json:"until"`
	Renewed  time.Time `json:"renewed"`
	Origin   string    `json:"origin"` // the address of its last request
	Protocol int       `json:"protocol"`
	Created  time.Time `json:"created"`
	Revoked  time.Time `json:"revoked,omitzero"`
}

// Join is the right to enrol one worker. Hash is that of its code, which is stored nowhere.
type Join struct {
	Hash   string
	SiteID int64
	Name   string
	By     string
	Until  time.Time
}

// AddJoin stores a right to enrol, and deletes expired ones.
func (q *Queries) AddJoin(ctx context.Context, j Join) error {
	return q.atomic(ctx, func(q *Queries) error {
		if _, err := q.exec(ctx, `DELETE FROM joins WHERE until <= $1`, q.now()); err != nil {
			return err
		}
		_, err := q.exec(ctx, `INSERT INTO joins (hash, site_id, name, by_whom, until) VALUES ($1, $2, $3, $4, $5)`,
			j.Hash, j.SiteID, j.Name, j.By, j.Until)
		return err
	})
}

// TakeJoin uses up a right to enrol that has not expired.
func (q *Queries) TakeJoin(ctx context.Context, hash string) (j Join, err error) {
	err = q.atomic(ctx, func(q *Queries) error {
		if err := q.one(ctx, []any{&j.Hash, &j.SiteID, &j.Name, &j.By, &j.Until},
			`SELECT hash, site_id, name, by_whom, until FROM joins
			WHERE hash = $1 AND until > $2`, hash, q.now()); err != nil {
			return err
		}
		return q.must(ctx, `DELETE FROM joins WHERE hash = $1`, hash)
	})
	return j, err
}

const enrolledColumns = `SELECT e.id, e.name, e.site_id, s.name, e.serial, e.earlier, e.until, e.renewed, e.origin,
	e.protocol, e.created, e.revoked
	FROM enrolled e JOIN sites s ON s.id = e.site_id`

func scanEnrolled(r row, e *Enrolled) error {
	return r.Scan(&e.ID, &e.Name, &e.SiteID, &e.Site, &e.Serial, &e.Earlier, &e.Until, &e.Renewed, &e.Origin,
		&e.Protocol, &e.Created, &e.Revoked)
}

// EnrolledWorkers returns the first thousand by site and name, including revoked ones.
func (q *Queries) EnrolledWorkers(ctx context.Context) ([]Enrolled, error) {
	return list(ctx, q, scanEnrolled, enrolledColumns+` ORDER BY s.name, e.name LIMIT 1000`)
}

// EnrolledWorker returns an enrolled worker.
func (q *Queries) EnrolledWorker(ctx context.Context, id int64) (Enrolled, error) {
	return get(ctx, q, scanEnrolled, enrolledColumns+` WHERE e.id = $1`, id)
}

// SetCertificate stores a worker's new certificate in addition to the one that it presented, which stays valid until
// the new one is used.
func (q *Queries) SetCertificate(ctx context.Context, id int64, serial, shown string, until, at time.Time) error {
	return q.must(ctx, `UPDATE enrolled SET serial = $2, earlier = $3, until = $4, renewed = $5 WHERE id = $1`,
		id, serial, shown, until, at)
}

// CertificateUsed invalidates a worker's previous certificate: the newest was presented.
func (q *Queries) CertificateUsed(ctx context.Context, id int64, serial string) error {
	_, err := q.exec(ctx, `UPDATE enrolled SET earlier = '' WHERE id = $1 AND serial = $2`, id, serial)
	return err
}

// SetOrigin stores the address of a worker's request and its protocol.
func (q *Queries) SetOrigin(ctx context.Context, id int64, origin string, protocol int) error {
	return q.must(ctx, `UPDATE enrolled SET origin = $2, protocol = $3 WHERE id = $1`, id, origin, protocol)
}

// RevokeEnrolled revokes a worker's certificates. If they are already revoked, it returns [ErrNotFound].
func (q *Queries) RevokeEnrolled(ctx context.Context, id int64) error {
	return q.must(ctx, `UPDATE enrolled SET revoked = $2 WHERE id = $1 AND revoked = 0`, id, q.now())
}

// AddEnrolled adds a worker. No other worker may have its name, be it enrolled or a server's own process: units are
// assigned by name. The name of a revoked worker is free.
func (q *Queries) AddEnrolled(ctx context.Context, e *Enrolled) error {
	if _, err := q.exec(ctx, `DELETE FROM enrolled WHERE name = $1 AND revoked <> 0`, e.Name); err != nil {
		return err
	}
	if e.Created.IsZero() {
		e.Created = q.now()
	}
	return q.insert(ctx, &e.ID,
		`INSERT INTO enrolled (name, site_id, serial, earlier, until, renewed, origin, protocol, created, revoked)
		SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BIGINT),
		CAST($6 AS BIGINT), CAST($7 AS TEXT), CAST($8 AS BIGINT), CAST($9 AS BIGINT), CAST($10 AS BIGINT)
		WHERE NOT EXISTS (SELECT 1 FROM workers WHERE name = $1)
		ON CONFLICT DO NOTHING RETURNING id`,
		e.Name, e.SiteID, e.Serial, e.Earlier, e.Until, e.Renewed, e.Origin, e.Protocol, e.Created, e.Revoked)
}

// Handout is a job that an enrolled worker has.
type Handout struct {
	ID      string
	Worker  int64 // Enrolled.ID
	RunID   int64
	At      time.Time
	Targets []int64
}

// AddHandout records which worker has which job.
func (q *Queries) AddHandout(ctx context.Context, h Handout) error {
	_, err := q.exec(ctx, `INSERT INTO handouts (job, worker_id, run_id, at, targets) VALUES ($1, $2, $3, $4, $5)`,
		h.ID, h.Worker, h.RunID, q.common(h.At), h.Targets)
	return err
}

func (q *Queries) scanHandout(r row, h *Handout) error {
	err := r.Scan(&h.ID, &h.Worker, &h.RunID, &h.At, &h.Targets)
	h.At = q.own(h.At)
	return err
}

// Handout returns a job of a worker; for a job of another worker, and for a revoked worker, it returns [ErrNotFound].
func (q *Queries) Handout(ctx context.Context, id string, worker int64) (Handout, error) {
	return get(ctx, q, q.scanHandout,
		`SELECT job, worker_id, run_id, at, targets FROM handouts WHERE job = $1 AND worker_id = $2
			AND worker_id IN (SELECT id FROM enrolled WHERE revoked = 0)`, id, worker)
}

// PruneHandouts deletes the jobs of runs that ended before a time, or that were handed out before another.
func (q *Queries) PruneHandouts(ctx context.Context, ended, given time.Time) error {
	_, err := q.exec(ctx,
		`DELETE FROM handouts WHERE at < $2 OR run_id IN (SELECT id FROM runs WHERE ended <> 0 AND ended < $1)`, ended,
		q.common(given))
	return err
}

// WaitingTargets returns the ids of a site's waiting targets in a run, sorted.
func (q *Queries) WaitingTargets(ctx context.Context, runID, siteID int64, most int) ([]int64, error) {
	lock := ""
	if q.pg && q.inTx() {
		lock = ` FOR UPDATE OF u SKIP LOCKED`
	}
	return list(ctx, q, scanID, `SELECT u.target_id FROM units u JOIN targets t ON t.id = u.target_id
		WHERE u.run_id = $1 AND u.state < 2 AND u.state = 0 AND t.site_id = $2 AND`+notShared+
		` ORDER BY u.target_id LIMIT $3`+lock, runID, siteID, min(most, MaxPage))
}

// ReturnUnits releases a worker's units of a run and some targets, and returns their number.
func (q *Queries) ReturnUnits(ctx context.Context, runID int64, targetIDs []int64, worker string) (int64, error) {
	return q.exec(ctx,
		`UPDATE units SET state = 0, worker = '' WHERE run_id = $1 AND state = 1 AND worker = $3 AND target_id `+
			q.in("$2"), runID, q.ids(targetIDs), worker)
}

// RecentHandouts returns the jobs that a worker was given between two times.
func (q *Queries) RecentHandouts(ctx context.Context, worker int64, since, until time.Time) ([]Handout, error) {
	return list(ctx, q, q.scanHandout,
		`SELECT job, worker_id, run_id, at, targets FROM handouts WHERE worker_id = $1 AND at >= $2 AND at <= $3`, worker,
		q.common(since), q.common(until))
}

// RunningUnits returns a worker's running units by run: at most 10,000, more than it can have.
func (q *Queries) RunningUnits(ctx context.Context, worker string) (map[int64][]int64, error) {
	out := map[int64][]int64{}
	err := q.each(ctx, func(r row) error {
		var run, target int64
		if err := r.Scan(&run, &target); err != nil {
			return err
		}
		out[run] = append(out[run], target)
		return nil
	}, `SELECT run_id, target_id FROM units WHERE worker = $1 AND state = 1 LIMIT 10000`, worker)
	return out, err
}
