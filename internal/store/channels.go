package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const credentialColumns = `SELECT id, name, kind, account, sealed, created, used FROM credentials`

func scanCredential(r row, c *Credential) error {
	return r.Scan(&c.ID, &c.Name, &c.Kind, &c.Account, &c.Sealed, &c.Created, &c.Used)
}

// Credentials returns all credentials by name.
func (q *Queries) Credentials(ctx context.Context) ([]Credential, error) {
	return list(ctx, q, scanCredential, credentialColumns+` ORDER BY name`)
}

// Credential returns a credential.
func (q *Queries) Credential(ctx context.Context, id int64) (Credential, error) {
	return get(ctx, q, scanCredential, credentialColumns+` WHERE id = $1`, id)
}

// SaveCredential creates a credential if its ID is 0, or updates it; if Sealed is nil, it keeps its secret.
func (q *Queries) SaveCredential(ctx context.Context, c *Credential) error {
	if c.ID != 0 {
		return q.must(ctx,
			`UPDATE credentials SET name = $2, kind = $3, account = $4, sealed = COALESCE($5, sealed), used = $6
				WHERE id = $1`,
			c.ID, c.Name, c.Kind, c.Account, orNothing(c.Sealed), c.Used)
	}
	if c.Sealed == nil {
		return errors.New("store: a credential needs a sealed secret")
	}
	if c.Created.IsZero() {
		c.Created = q.now()
	}
	return q.insert(ctx, &c.ID,
		`INSERT INTO credentials (name, kind, account, sealed, created, used) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT DO NOTHING RETURNING id`, c.Name, c.Kind, c.Account, c.Sealed, c.Created, c.Used)
}

func orNothing(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// DeleteCredential deletes a credential. It returns [ErrConflict] if a target uses it.
func (q *Queries) DeleteCredential(ctx context.Context, id int64) error {
	return q.atomic(ctx, func(q *Queries) error {
		var used int
		if err := q.one(ctx, []any{&used},
			`SELECT count(*) FROM (SELECT 1 FROM targets WHERE credential = $1 LIMIT 1) t`, id); err != nil {
			return err
		}
		if used > 0 {
			return fmt.Errorf("%w: targets use the credential", ErrConflict)
		}
		return q.must(ctx, `DELETE FROM credentials WHERE id = $1`, id)
	})
}

const channelColumns = `SELECT id, name, kind, config, sealed, kinds, least, acts, digest, quiet, zone, enabled,
	created, last_ok, last_fail FROM channels`

func scanChannel(r row, c *Channel) error {
	return r.Scan(&c.ID, &c.Name, &c.Kind, &c.Config, &c.Sealed, &c.Kinds, &c.Least, &c.Acts, &c.Digest, &c.Quiet,
		&c.Zone, &c.Enabled, &c.Created, &c.LastOK, &c.LastFail)
}

// Channels returns all channels by name.
func (q *Queries) Channels(ctx context.Context) ([]Channel, error) {
	return list(ctx, q, scanChannel, channelColumns+` ORDER BY name`)
}

// Channel returns a channel.
func (q *Queries) Channel(ctx context.Context, id int64) (Channel, error) {
	return get(ctx, q, scanChannel, channelColumns+` WHERE id = $1`, id)
}

// SaveChannel creates a channel if its ID is 0, or updates it; if Sealed is nil, it keeps its secrets.
func (q *Queries) SaveChannel(ctx context.Context, c *Channel) error {
	if c.Kinds == nil {
		c.Kinds = []EventKind{}
	}
	if c.ID != 0 {
		return q.must(ctx,
			`UPDATE channels SET name = $2, kind = $3, config = $4, sealed = COALESCE($5, sealed), kinds = $6,
				least = $7, acts = $8, digest = $9, quiet = $10, zone = $11, enabled = $12, last_ok = $13,
				last_fail = $14 WHERE id = $1`,
			c.ID, c.Name, c.Kind, c.Config, orNothing(c.Sealed), c.Kinds, c.Least, c.Acts, c.Digest, c.Quiet, c.Zone,
			c.Enabled, c.LastOK, c.LastFail)
	}
	if c.Sealed == nil {
		c.Sealed = []byte{}
	}
	if c.Created.IsZero() {
		c.Created = q.now()
	}
	return q.insert(ctx, &c.ID,
		`INSERT INTO channels (name, kind, config, sealed, kinds, least, acts, digest, quiet, zone, enabled, created,
			last_ok, last_fail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING RETURNING id`,
		c.Name, c.Kind, c.Config, c.Sealed, c.Kinds, c.Least, c.Acts, c.Digest, c.Quiet, c.Zone, c.Enabled, c.Created,
		c.LastOK, c.LastFail)
}

// DeleteChannel deletes a channel with its deliveries.
func (q *Queries) DeleteChannel(ctx context.Context, id int64) error {
	return q.must(ctx, `DELETE FROM channels WHERE id = $1`, id)
}

// AddDelivery adds a message to send. It returns [ErrConflict] if the channel already has one with this key, which is
// sent once.
func (q *Queries) AddDelivery(ctx context.Context, d *Delivery) error {
	if d.Events == nil {
		d.Events = []int64{}
	}
	if d.Acts == nil {
		d.Acts = []int64{}
	}
	return q.insert(ctx, &d.ID,
		`INSERT INTO deliveries (channel, key, events, acts, due, sent, tries, error)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (channel, key) DO NOTHING RETURNING id`, d.Channel, d.Key, d.Events, d.Acts, d.Due, d.Sent, d.Tries,
		d.Error)
}

// DueDeliveries returns at most limit messages that are due, in the order in which they were created. A channel's
// messages wait for earlier ones: a failed one that is due later holds back the rest.
func (q *Queries) DueDeliveries(ctx context.Context, now time.Time, limit int) ([]Delivery, error) {
	return list(ctx, q, scanDelivery, `SELECT id, channel, key, events, acts, due, sent, tries, error FROM (
			SELECT *, min(CASE WHEN due > $1 THEN id END) OVER (PARTITION BY channel) AS waits FROM deliveries
			WHERE sent = 0 AND tries < $3
		) d WHERE due <= $1 AND (waits IS NULL OR id < waits) ORDER BY id LIMIT $2`,
		now, min(max(limit, 0), MaxPage), MaxTries)
}

const deliveryColumns = `SELECT id, channel, key, events, acts, due, sent, tries, error FROM deliveries`

func scanDelivery(r row, d *Delivery) error {
	return r.Scan(&d.ID, &d.Channel, &d.Key, &d.Events, &d.Acts, &d.Due, &d.Sent, &d.Tries, &d.Error)
}

// Deliveries returns a page of a channel's deliveries, the last first, and their total number.
func (q *Queries) Deliveries(ctx context.Context, channel int64, p Page) ([]Delivery, int, error) {
	order, err := p.order(map[string]string{"id": "id"}, "-id", "id")
	if err != nil {
		return nil, 0, err
	}
	w := &where{pg: q.pg}
	w.and(`channel = ?`, channel)
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM deliveries`+w.String(), w.args...); err != nil {
		return nil, 0, err
	}
	all, err := list(ctx, q, scanDelivery, deliveryColumns+w.String()+order+p.limits(w), w.args...)
	return all, total, err
}

// A failed message is retried after a minute, then two, four and so on up to six hours, and given up after twelve
// attempts, which is about a day and a half.
const (
	firstRetry = time.Minute
	lastRetry  = 6 * time.Hour

	// MaxTries is the number of attempts before a message is given up.
	MaxTries = 12
)

// DeliveryDone records that a message was sent, or (with a text) why not; then it is due again later, or given up.
func (q *Queries) DeliveryDone(ctx context.Context, id int64, errText string) error {
	return q.atomic(ctx, func(q *Queries) error {
		d, err := get(ctx, q, scanDelivery, deliveryColumns+` WHERE id = $1`, id)
		if err != nil {
			return err
		}
		now := q.now()
		if errText == "" {
			if err := q.must(ctx, `UPDATE deliveries SET sent = $2, tries = tries + 1, error = '' WHERE id = $1`,
				id, now); err != nil {
				return err
			}
			return q.must(ctx, `UPDATE channels SET last_ok = $2, last_fail = '' WHERE id = $1`, d.Channel, now)
		}
		d.Tries++
		due := now.Add(min(firstRetry<<min(d.Tries-1, 20), lastRetry))
		if err := q.must(ctx, `UPDATE deliveries SET due = $2, tries = $3, error = $4 WHERE id = $1`,
			id, due, d.Tries, errText); err != nil {
			return err
		}
		return q.must(ctx, `UPDATE channels SET last_fail = $2 WHERE id = $1`, d.Channel, errText)
	})
}
