package store

import (
	"context"
	"time"
)

const userColumns = `SELECT id, name, role, password, disabled, created, last_login, last_visit, subject, epoch, totp,
	totp_step FROM users`

func scanUser(r row, u *User) error {
	return r.Scan(&u.ID, &u.Name, &u.Role, &u.Password, &u.Disabled, &u.Created, &u.LastLogin, &u.LastVisit, &u.Subject,
		&u.Epoch, &u.TOTP, &u.TOTPStep)
}

// Users returns all accounts by name.
func (q *Queries) Users(ctx context.Context) ([]User, error) {
	all, err := list(ctx, q, scanUser, userColumns+` ORDER BY name`)
	if err != nil || len(all) == 0 {
		return all, err
	}
	at := make(map[int64]*User, len(all))
	for i := range all {
		at[all[i].ID] = &all[i]
	}
	return all, q.each(ctx, func(r row) error {
		var id int64
		var s SiteRole
		if err := r.Scan(&id, &s.SiteID, &s.Site, &s.Role); err != nil {
			return err
		}
		if u := at[id]; u != nil {
			u.Sites = append(u.Sites, s)
		}
		return nil
	}, `SELECT r.user_id, r.site_id, s.name, r.role FROM site_roles r JOIN sites s ON s.id = r.site_id ORDER BY s.name`)
}

// UserByName returns an account.
func (q *Queries) UserByName(ctx context.Context, name string) (User, error) {
	return q.user(ctx, ` WHERE name = $1`, name)
}

// User returns an account.
func (q *Queries) User(ctx context.Context, id int64) (User, error) {
	return q.user(ctx, ` WHERE id = $1`, id)
}

// UserBySubject returns the account of a user of an identity provider.
func (q *Queries) UserBySubject(ctx context.Context, subject string) (User, error) {
	if subject == "" {
		return User{}, ErrNotFound
	}
	return q.user(ctx, ` WHERE subject = $1`, subject)
}

func (q *Queries) user(ctx context.Context, which string, arg any) (User, error) {
	u, err := get(ctx, q, scanUser, userColumns+which, arg)
	if err != nil {
		return u, err
	}
	u.Sites, err = list(ctx, q, func(r row, s *SiteRole) error { return r.Scan(&s.SiteID, &s.Site, &s.Role) },
		`SELECT r.site_id, s.name, r.role FROM site_roles r JOIN sites s ON s.id = r.site_id WHERE r.user_id = $1
			ORDER BY s.name`, u.ID)
	return u, err
}

// SaveUser creates an account if its ID is 0, or updates it. Its name and its subject must be unique.
// [Queries.SetSiteRoles] sets roles at single sites.
func (q *Queries) SaveUser(ctx context.Context, u *User) error {
	if u.TOTP == nil {
		u.TOTP = []byte{}
	}
	if u.ID != 0 {
		return q.must(ctx,
			`UPDATE users SET name = $2, role = $3, password = $4, disabled = $5, last_login = $6, last_visit = $7,
				epoch = $8, totp = $9,
			totp_step = $10 WHERE id = $1`, u.ID, u.Name, u.Role, u.Password, u.Disabled, u.LastLogin, u.LastVisit,
			u.Epoch, u.TOTP, u.TOTPStep)
	}
	if u.Created.IsZero() {
		u.Created = q.now()
	}
	return q.insert(ctx, &u.ID,
		`INSERT INTO users (name, role, password, disabled, created, last_login, last_visit, subject, epoch, totp,
			totp_step)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING id`,
		u.Name, u.Role, u.Password, u.Disabled, u.Created, u.LastLogin, u.LastVisit, u.Subject, u.Epoch, u.TOTP,
		u.TOTPStep)
}

// SetSiteRoles replaces an account's roles at single sites.
func (q *Queries) SetSiteRoles(ctx context.Context, userID int64, roles []SiteRole) error {
	return q.atomic(ctx, func(q *Queries) error {
		if _, err := q.exec(ctx, `DELETE FROM site_roles WHERE user_id = $1`, userID); err != nil {
			return err
		}
		for _, r := range roles {
			if _, err := q.exec(ctx, `INSERT INTO site_roles (user_id, site_id, role) VALUES ($1, $2, $3)`,
				userID, r.SiteID, r.Role); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetLastVisit records the start of "since your last visit", and changes nothing else of the account.
func (q *Queries) SetLastVisit(ctx context.Context, id int64, at time.Time) error {
	return q.must(ctx, `UPDATE users SET last_visit = $2 WHERE id = $1`, id, at)
}

const tokenColumns = `SELECT id, name, user_id, scope, hash, until, created, used FROM tokens`

func scanToken(r row, t *Token) error {
	return r.Scan(&t.ID, &t.Name, &t.UserID, &t.Scope, &t.Hash, &t.Until, &t.Created, &t.Used)
}

// Tokens returns the tokens of an account, or of all (0), by name: at most 1000.
func (q *Queries) Tokens(ctx context.Context, userID int64) ([]Token, error) {
	return list(ctx, q, scanToken, tokenColumns+` WHERE user_id = $1 OR $1 = 0 ORDER BY name, id LIMIT 1000`, userID)
}

// TokenByHash returns a token.
func (q *Queries) TokenByHash(ctx context.Context, hash []byte) (Token, error) {
	return get(ctx, q, scanToken, tokenColumns+` WHERE hash = $1`, hash)
}

// SaveToken creates a token if its ID is 0, or updates its expiry and last use. Its name must be unique within the
// account.
func (q *Queries) SaveToken(ctx context.Context, t *Token) error {
	if t.ID != 0 {
		return q.must(ctx, `UPDATE tokens SET until = $2, used = $3 WHERE id = $1`, t.ID, t.Until, t.Used)
	}
	if t.Created.IsZero() {
		t.Created = q.now()
	}
	return q.insert(ctx, &t.ID,
		`INSERT INTO tokens (name, user_id, scope, hash, until, created, used) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT DO NOTHING RETURNING id`, t.Name, t.UserID, t.Scope, t.Hash, t.Until, t.Created, t.Used)
}

// DeleteToken deletes a token.
func (q *Queries) DeleteToken(ctx context.Context, id int64) error {
	return q.must(ctx, `DELETE FROM tokens WHERE id = $1`, id)
}

// DeleteTokens deletes all tokens of an account, and returns their number.
func (q *Queries) DeleteTokens(ctx context.Context, userID int64) (int64, error) {
	return q.exec(ctx, `DELETE FROM tokens WHERE user_id = $1`, userID)
}

// Failures returns the number of failures of a key, such as an account or an address, since a time.
func (q *Queries) Failures(ctx context.Context, key string, since time.Time) (int, error) {
	var n int
	err := q.one(ctx, []any{&n}, `SELECT count(*) FROM failures WHERE key = $1 AND at >= $2`, key, since)
	return n, err
}

// AddFailure counts one failure, and deletes those older than a day.
func (q *Queries) AddFailure(ctx context.Context, key string, at time.Time) error {
	return q.atomic(ctx, func(q *Queries) error {
		if _, err := q.exec(ctx, `DELETE FROM failures WHERE at < $1`, at.Add(-24*time.Hour)); err != nil {
			return err
		}
		_, err := q.exec(ctx, `INSERT INTO failures (key, at) VALUES ($1, $2)`, key, at)
		return err
	})
}

// ClearFailures deletes the failures of a key.
func (q *Queries) ClearFailures(ctx context.Context, key string) error {
	_, err := q.exec(ctx, `DELETE FROM failures WHERE key = $1`, key)
	return err
}
