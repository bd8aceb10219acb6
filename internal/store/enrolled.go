package store

import (
	"context"
	"time"
)

// Enrolled is a worker that has joined the fleet with a certificate. Its ID is in the certificate, and its site here alone.
type Enrolled struct {
	ID       int64     `json:"id"`
	Name     string    `json:"name"`
	SiteID   int64     `json:"site_id"`
	Site     string    `json:"site"`
	Serial   string    `json:"-"` // of its last certificate
	Earlier  string    `json:"-"` // of the one before, while the last was not used yet
	Until    time.Time `json:"until"`
	Renewed  time.Time `json:"renewed"`
	Origin   string    `json:"origin"` // the address that it called from last
	Protocol int       `json:"protocol"`
	Created  time.Time `json:"created"`
	Revoked  time.Time `json:"revoked,omitzero"`
}

// Join is the right to enrol one worker. Hash is of its code, which is kept nowhere.
type Join struct {
	Hash   string
	SiteID int64
	Name   string
	By     string
	Until  time.Time
}

// AddJoin keeps a right to enrol, and forgets those that have ended.
func (q *Queries) AddJoin(ctx context.Context, j Join) error {
	return q.atomic(ctx, func(q *Queries) error {
		if _, err := q.exec(ctx, `DELETE FROM joins WHERE until <= $1`, q.now()); err != nil {
			return err
		}
		_, err := q.exec(ctx, `INSERT INTO joins (hash, site_id, name, by_whom, until) VALUES ($1, $2, $3, $4, $5)`, j.Hash, j.SiteID, j.Name, j.By, j.Until)
		return err
	})
}

// TakeJoin finds a right to enrol that has not ended, and uses it up.
func (q *Queries) TakeJoin(ctx context.Context, hash string) (j Join, err error) {
	err = q.atomic(ctx, func(q *Queries) error {
		if err := q.one(ctx, []any{&j.Hash, &j.SiteID, &j.Name, &j.By, &j.Until}, `SELECT hash, site_id, name, by_whom, until FROM joins
			WHERE hash = $1 AND until > $2`, hash, q.now()); err != nil {
			return err
		}
		return q.must(ctx, `DELETE FROM joins WHERE hash = $1`, hash)
	})
	return j, err
}

const enrolledColumns = `SELECT e.id, e.name, e.site_id, s.name, e.serial, e.earlier, e.until, e.renewed, e.origin, e.protocol, e.created, e.revoked
	FROM enrolled e JOIN sites s ON s.id = e.site_id`

func scanEnrolled(r row, e *Enrolled) error {
	return r.Scan(&e.ID, &e.Name, &e.SiteID, &e.Site, &e.Serial, &e.Earlier, &e.Until, &e.Renewed, &e.Origin, &e.Protocol, &e.Created, &e.Revoked)
}

// EnrolledWorkers lists the first thousand by site and name, those that were revoked among them.
func (q *Queries) EnrolledWorkers(ctx context.Context) ([]Enrolled, error) {
	return list(ctx, q, scanEnrolled, enrolledColumns+` ORDER BY s.name, e.name LIMIT 1000`)
}

// EnrolledWorker finds one.
func (q *Queries) EnrolledWorker(ctx context.Context, id int64) (Enrolled, error) {
	return get(ctx, q, scanEnrolled, enrolledColumns+` WHERE e.id = $1`, id)
}

// SetCertificate keeps a worker's new certificate beside the one that it showed, which stays good until the new one is used.
func (q *Queries) SetCertificate(ctx context.Context, id int64, serial, shown string, until, at time.Time) error {
	return q.must(ctx, `UPDATE enrolled SET serial = $2, earlier = $3, until = $4, renewed = $5 WHERE id = $1`, id, serial, shown, until, at)
}

// CertificateUsed ends the certificate before a worker's last: this one was shown.
func (q *Queries) CertificateUsed(ctx context.Context, id int64, serial string) error {
	_, err := q.exec(ctx, `UPDATE enrolled SET earlier = '' WHERE id = $1 AND serial = $2`, id, serial)
	return err
}

// SetOrigin keeps where a worker called from, and what it speaks.
func (q *Queries) SetOrigin(ctx context.Context, id int64, origin string, protocol int) error {
	return q.must(ctx, `UPDATE enrolled SET origin = $2, protocol = $3 WHERE id = $1`, id, origin, protocol)
}

// RevokeEnrolled ends a worker's certificates. One that was revoked is [ErrNotFound].
func (q *Queries) RevokeEnrolled(ctx context.Context, id int64) error {
	return q.must(ctx, `UPDATE enrolled SET revoked = $2 WHERE id = $1 AND revoked = 0`, id, q.now())
}

// AddEnrolled makes one. Its name must be its own; that of one that was revoked is free.
func (q *Queries) AddEnrolled(ctx context.Context, e *Enrolled) error {
	if _, err := q.exec(ctx, `DELETE FROM enrolled WHERE name = $1 AND revoked <> 0`, e.Name); err != nil {
		return err
	}
	if e.Created.IsZero() {
		e.Created = q.now()
	}
	return q.insert(ctx, &e.ID, `INSERT INTO enrolled (name, site_id, serial, earlier, until, renewed, origin, protocol, created, revoked)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING id`,
		e.Name, e.SiteID, e.Serial, e.Earlier, e.Until, e.Renewed, e.Origin, e.Protocol, e.Created, e.Revoked)
}

// Handout is a job in the hands of an enrolled worker.
type Handout struct {
	ID      string
	Worker  int64 // Enrolled.ID
	RunID   int64
	At      time.Time
	Targets []int64
}

// AddHandout keeps who has which job.
func (q *Queries) AddHandout(ctx context.Context, h Handout) error {
	_, err := q.exec(ctx, `INSERT INTO handouts (job, worker_id, run_id, at, targets) VALUES ($1, $2, $3, $4, $5)`, h.ID, h.Worker, h.RunID, h.At, h.Targets)
	return err
}

func scanHandout(r row, h *Handout) error {
	return r.Scan(&h.ID, &h.Worker, &h.RunID, &h.At, &h.Targets)
}

// Handout finds a job of a worker; somebody else's is [ErrNotFound].
func (q *Queries) Handout(ctx context.Context, id string, worker int64) (Handout, error) {
	return get(ctx, q, scanHandout, `SELECT job, worker_id, run_id, at, targets FROM handouts WHERE job = $1 AND worker_id = $2`, id, worker)
}

// PruneHandouts forgets the jobs of runs that ended before a time, or that were given out before another.
func (q *Queries) PruneHandouts(ctx context.Context, ended, given time.Time) error {
	_, err := q.exec(ctx, `DELETE FROM handouts WHERE at < $2 OR run_id IN (SELECT id FROM runs WHERE ended <> 0 AND ended < $1)`, ended, given)
	return err
}

// WaitingTargets are targets of one site that wait in a run, by ID.
func (q *Queries) WaitingTargets(ctx context.Context, runID, siteID int64, most int) ([]int64, error) {
	lock := ""
	if q.pg && q.inTx() {
		lock = ` FOR UPDATE OF u SKIP LOCKED`
	}
	return list(ctx, q, scanID, `SELECT u.target_id FROM units u JOIN targets t ON t.id = u.target_id
		WHERE u.run_id = $1 AND u.state < 2 AND u.state = 0 AND t.site_id = $2 AND`+notShared+` ORDER BY u.target_id LIMIT $3`+lock, runID, siteID, min(most, MaxPage))
}

// ReturnUnits lets those units of a worker wait again that are of a run and some targets, and says how many there were.
func (q *Queries) ReturnUnits(ctx context.Context, runID int64, targetIDs []int64, worker string) (int64, error) {
	return q.exec(ctx, `UPDATE units SET state = 0, worker = '' WHERE run_id = $1 AND state = 1 AND worker = $3 AND target_id `+q.in("$2"),
		runID, q.ids(targetIDs), worker)
}

// RecentHandouts are the jobs that a worker was given since a time.
func (q *Queries) RecentHandouts(ctx context.Context, worker int64, since time.Time) ([]Handout, error) {
	return list(ctx, q, scanHandout, `SELECT job, worker_id, run_id, at, targets FROM handouts WHERE worker_id = $1 AND at >= $2`, worker, since)
}

// RunningUnits are those that a worker has in hand, by run: 10,000 at most, more than one can have.
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
