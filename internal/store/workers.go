package store

import (
	"context"
	"time"
)

// A worker that works gives a sign of life every Beat; after MissedBeats without one it counts as dead.
const (
	Beat        = 5 * time.Second
	MissedBeats = 3
)

// common returns the time by the clock that the servers of a database have in common, given that of this process. own
// is its reverse.
func (q *Queries) common(t time.Time) time.Time { return t.Add(time.Duration(q.st.apart.Load())) }

func (q *Queries) own(t time.Time) time.Time { return t.Add(-time.Duration(q.st.apart.Load())) }

// Heartbeat records that a worker is alive, and what it does.
func (q *Queries) Heartbeat(ctx context.Context, w Worker) error {
	if w.Seen.IsZero() {
		w.Seen = q.now()
	}
	if w.Started.IsZero() {
		w.Started = w.Seen
	}
	_, err := q.exec(ctx,
		`INSERT INTO workers (name, site, version, protocol, started, seen, busy, done)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (name) DO UPDATE SET site = excluded.site, version = excluded.version, protocol = excluded.protocol,
		started = excluded.started, seen = excluded.seen, busy = excluded.busy, done = excluded.done`,
		w.Name, w.Site, w.Version, w.Protocol, q.common(w.Started), q.common(w.Seen), w.Busy, w.Done)
	return err
}

// Workers returns the first thousand by site and name.
func (q *Queries) Workers(ctx context.Context) ([]Worker, error) {
	return list(ctx, q, func(r row, w *Worker) error {
		err := r.Scan(&w.Name, &w.Site, &w.Version, &w.Protocol, &w.Started, &w.Seen, &w.Busy, &w.Done)
		w.Started, w.Seen = q.own(w.Started), q.own(w.Seen)
		return err
	}, `SELECT name, site, version, protocol, started, seen, busy, done FROM workers ORDER BY site, name LIMIT 1000`)
}

// RemoveWorker removes a worker that has left.
func (q *Queries) RemoveWorker(ctx context.Context, name string) error {
	_, err := q.exec(ctx, `DELETE FROM workers WHERE name = $1`, name)
	return err
}

// Lease acquires or extends an exclusive right by name, such as that of the one server that plans. It reports whether
// holder has it now, until ttl from now. A holder that is gone loses it after that. A lease that lasts longer than
// twice ttl is void: the clock was set back since, and nobody must wait until it is that late again. On PostgreSQL its
// clock counts: those of the servers may be further apart than ttl.
func (q *Queries) Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	now := q.common(q.now())
	n, err := q.exec(ctx, `INSERT INTO leases AS l (name, holder, until) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE l.holder = excluded.holder OR l.until <= $4 OR l.until > $5`,
		name, holder, now.Add(ttl), now, now.Add(2*ttl))
	return n == 1, err
}

// ReleaseLease releases a lease early.
func (q *Queries) ReleaseLease(ctx context.Context, name, holder string) error {
	_, err := q.exec(ctx, `DELETE FROM leases WHERE name = $1 AND holder = $2`, name, holder)
	return err
}

// Meta returns a single stored value, such as the set-up token's hash; ErrNotFound if it was never set.
func (q *Queries) Meta(ctx context.Context, key string) (string, error) {
	var value string
	err := q.one(ctx, []any{&value}, `SELECT value FROM meta WHERE key = $1`, key)
	return value, err
}

// SetMeta stores a value; an empty one deletes it.
func (q *Queries) SetMeta(ctx context.Context, key, value string) error {
	if value == "" {
		_, err := q.exec(ctx, `DELETE FROM meta WHERE key = $1`, key)
		return err
	}
	_, err := q.exec(ctx,
		`INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key,
		value)
	return err
}
