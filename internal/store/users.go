package store

import (
	"context"
	"strings"
	"time"
)

const userColumns = `SELECT id, name, role, password, disabled, created, last_login, last_visit FROM users`

func scanUser(r row, u *User) error {
	return r.Scan(&u.ID, &u.Name, &u.Role, &u.Password, &u.Disabled, &u.Created, &u.LastLogin, &u.LastVisit)
}

// Users lists all by name.
func (q *Queries) Users(ctx context.Context) ([]User, error) {
	return list(ctx, q, scanUser, userColumns+` ORDER BY name`)
}

// UserByName finds an account.
func (q *Queries) UserByName(ctx context.Context, name string) (User, error) {
	return get(ctx, q, scanUser, userColumns+` WHERE name = $1`, name)
}

// User finds an account.
func (q *Queries) User(ctx context.Context, id int64) (User, error) {
	return get(ctx, q, scanUser, userColumns+` WHERE id = $1`, id)
}

// SaveUser makes an account where its ID is 0, or changes it. Its name must be its own.
func (q *Queries) SaveUser(ctx context.Context, u *User) error {
	if u.ID != 0 {
		return q.must(ctx, `UPDATE users SET name = $2, role = $3, password = $4, disabled = $5, last_login = $6, last_visit = $7 WHERE id = $1`,
			u.ID, u.Name, u.Role, u.Password, u.Disabled, u.LastLogin, u.LastVisit)
	}
	if u.Created.IsZero() {
		u.Created = q.now()
	}
	return q.insert(ctx, &u.ID, `INSERT INTO users (name, role, password, disabled, created, last_login, last_visit)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id`,
		u.Name, u.Role, u.Password, u.Disabled, u.Created, u.LastLogin, u.LastVisit)
}

// SetLastVisit writes what "since your last visit" counts from, and nothing else of the account.
func (q *Queries) SetLastVisit(ctx context.Context, id int64, at time.Time) error {
	return q.must(ctx, `UPDATE users SET last_visit = $2 WHERE id = $1`, id, at)
}

const tokenColumns = `SELECT id, name, user_id, scope, hash, until, created, used FROM tokens`

func scanToken(r row, t *Token) error {
	return r.Scan(&t.ID, &t.Name, &t.UserID, &t.Scope, &t.Hash, &t.Until, &t.Created, &t.Used)
}

// Tokens lists those of an account, or of all (0), by name: 1000 at most.
func (q *Queries) Tokens(ctx context.Context, userID int64) ([]Token, error) {
	return list(ctx, q, scanToken, tokenColumns+` WHERE user_id = $1 OR $1 = 0 ORDER BY name, id LIMIT 1000`, userID)
}

// TokenByHash finds a token.
func (q *Queries) TokenByHash(ctx context.Context, hash []byte) (Token, error) {
	return get(ctx, q, scanToken, tokenColumns+` WHERE hash = $1`, hash)
}

// SaveToken makes a token where its ID is 0, or writes when it ends and was used. Its name must be its own within the account.
func (q *Queries) SaveToken(ctx context.Context, t *Token) error {
	if t.ID != 0 {
		return q.must(ctx, `UPDATE tokens SET until = $2, used = $3 WHERE id = $1`, t.ID, t.Until, t.Used)
	}
	if t.Created.IsZero() {
		t.Created = q.now()
	}
	return q.insert(ctx, &t.ID, `INSERT INTO tokens (name, user_id, scope, hash, until, created, used) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT DO NOTHING RETURNING id`, t.Name, t.UserID, t.Scope, t.Hash, t.Until, t.Created, t.Used)
}

// DeleteToken ends a token.
func (q *Queries) DeleteToken(ctx context.Context, id int64) error {
	return q.must(ctx, `DELETE FROM tokens WHERE id = $1`, id)
}

// Failures counts what failed for a key, such as an account or an address, since a time.
func (q *Queries) Failures(ctx context.Context, key string, since time.Time) (int, error) {
	var n int
	err := q.one(ctx, []any{&n}, `SELECT count(*) FROM failures WHERE key = $1 AND at >= $2`, key, since)
	return n, err
}

// AddFailure counts one failure, and forgets those of a day before it.
func (q *Queries) AddFailure(ctx context.Context, key string, at time.Time) error {
	return q.atomic(ctx, func(q *Queries) error {
		if _, err := q.exec(ctx, `DELETE FROM failures WHERE at < $1`, at.Add(-24*time.Hour)); err != nil {
			return err
		}
		_, err := q.exec(ctx, `INSERT INTO failures (key, at) VALUES ($1, $2)`, key, at)
		return err
	})
}

// ClearFailures forgets the failures of a key.
func (q *Queries) ClearFailures(ctx context.Context, key string) error {
	_, err := q.exec(ctx, `DELETE FROM failures WHERE key = $1`, key)
	return err
}

// AddAct writes a line of the audit log. Lines are never changed; Prune removes old ones.
func (q *Queries) AddAct(ctx context.Context, a Act) error {
	if a.At.IsZero() {
		a.At = q.now()
	}
	search := strings.ToLower(strings.Join([]string{a.Who, a.From, a.Action, a.Subject, a.Detail}, "\n"))
	_, err := q.exec(ctx, `INSERT INTO acts (at, who, origin, action, subject, detail, search) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		a.At, a.Who, a.From, a.Action, a.Subject, a.Detail, search)
	return err
}

// Acts lists a page of the lines that hold the text, the last first, and says how many there are.
func (q *Queries) Acts(ctx context.Context, text string, p Page) ([]Act, int, error) {
	order, err := p.order(map[string]string{"id": "id"}, "-id", "id")
	if err != nil {
		return nil, 0, err
	}
	w := &where{pg: q.pg}
	if text != "" {
		w.like("search", text)
	}
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM acts`+w.String(), w.args...); err != nil {
		return nil, 0, err
	}
	all, err := list(ctx, q, func(r row, a *Act) error {
		return r.Scan(&a.ID, &a.At, &a.Who, &a.From, &a.Action, &a.Subject, &a.Detail)
	}, `SELECT id, at, who, origin, action, subject, detail FROM acts`+w.String()+order+p.limits(w), w.args...)
	return all, total, err
}
