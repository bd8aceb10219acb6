package store

import (
	"context"
	"fmt"
)

const siteColumns = `SELECT id, name, rate, concurrency, open_hours, zone, created FROM sites`

func scanSite(r row, s *Site) error {
	return r.Scan(&s.ID, &s.Name, &s.Rate, &s.Concurrency, &s.Window, &s.Zone, &s.Created)
}

// Sites returns all sites by name.
func (q *Queries) Sites(ctx context.Context) ([]Site, error) {
	return list(ctx, q, scanSite, siteColumns+` ORDER BY name`)
}

// SiteByName returns a site.
func (q *Queries) SiteByName(ctx context.Context, name string) (Site, error) {
	return get(ctx, q, scanSite, siteColumns+` WHERE name = $1`, name)
}

// Site returns a site.
func (q *Queries) Site(ctx context.Context, id int64) (Site, error) {
	return get(ctx, q, scanSite, siteColumns+` WHERE id = $1`, id)
}

// SaveSite creates a site if its ID is 0, or updates it. Its name must be unique.
func (q *Queries) SaveSite(ctx context.Context, s *Site) error {
	if s.Name == "" {
		return fmt.Errorf("store: a site needs a name")
	}
	if s.ID != 0 {
		return q.must(ctx,
			`UPDATE sites SET name = $2, rate = $3, concurrency = $4, open_hours = $5, zone = $6 WHERE id = $1`,
			s.ID, s.Name, s.Rate, s.Concurrency, s.Window, s.Zone)
	}
	if s.Created.IsZero() {
		s.Created = q.now()
	}
	return q.insert(ctx, &s.ID, `INSERT INTO sites (name, rate, concurrency, open_hours, zone, created)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING id`,
		s.Name, s.Rate, s.Concurrency, s.Window, s.Zone, s.Created)
}

// DeleteSite deletes a site without targets and hosts; otherwise it returns [ErrConflict].
func (q *Queries) DeleteSite(ctx context.Context, id int64) error {
	return q.atomic(ctx, func(q *Queries) error {
		var used int
		if err := q.one(ctx, []any{&used},
			`SELECT (SELECT count(*) FROM (SELECT 1 FROM targets WHERE site_id = $1 LIMIT 1) AS t)
			+ (SELECT count(*) FROM (SELECT 1 FROM hosts WHERE site_id = $1 LIMIT 1) AS h)`, id); err != nil {
			return err
		}
		if used > 0 {
			return fmt.Errorf("%w: the site has targets or hosts", ErrConflict)
		}
		if _, err := q.exec(ctx, `DELETE FROM trend WHERE site_id = $1`, id); err != nil {
			return err
		}
		return q.must(ctx, `DELETE FROM sites WHERE id = $1`, id)
	})
}
