package store

import (
	"context"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2"
)

// Sessions stores the sessions of the web page. It implements the store interface of scs.
type Sessions struct{ q *Queries }

var (
	_ scs.CtxStore         = Sessions{}
	_ scs.IterableCtxStore = Sessions{}
)

// Sessions returns the store of sessions.
func (s *Store) Sessions() Sessions { return Sessions{&s.Queries} }

// FindCtx returns a session that has not expired.
func (s Sessions) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	var data []byte
	err := s.q.one(ctx, []any{&data}, `SELECT data FROM sessions WHERE token = $1 AND until > $2`, token, s.q.now())
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// CommitCtx saves a session.
func (s Sessions) CommitCtx(ctx context.Context, token string, data []byte, until time.Time) error {
	if data == nil {
		data = []byte{}
	}
	_, err := s.q.exec(ctx, `INSERT INTO sessions (token, data, until) VALUES ($1, $2, $3)
		ON CONFLICT (token) DO UPDATE SET data = excluded.data, until = excluded.until`, token, data, until)
	return err
}

// DeleteCtx deletes a session.
func (s Sessions) DeleteCtx(ctx context.Context, token string) error {
	_, err := s.q.exec(ctx, `DELETE FROM sessions WHERE token = $1`, token)
	return err
}

// AllCtx returns all sessions that have not expired, at most ten thousand: "sign out everywhere" for local accounts
// uses it.
func (s Sessions) AllCtx(ctx context.Context) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := s.q.each(ctx, func(r row) error {
		var token string
		var data []byte
		if err := r.Scan(&token, &data); err != nil {
			return err
		}
		all[token] = data
		return nil
	}, `SELECT token, data FROM sessions WHERE until > $1 LIMIT 10000`, s.q.now())
	return all, err
}

// Find is FindCtx without a context.
func (s Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (s Sessions) Commit(token string, data []byte, until time.Time) error {
	return s.CommitCtx(context.Background(), token, data, until)
}

// Delete is DeleteCtx without a context.
func (s Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
