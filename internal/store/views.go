package store

import (
	"context"
	"time"
)

// SavedView is a list view that an account saved under a name: a page's path, and its query as in a URL.
type SavedView struct {
	ID      int64     `json:"id"`
	UserID  int64     `json:"user_id"`
	Name    string    `json:"name"`
	Path    string    `json:"path"`
	Query   string    `json:"query"`
	Created time.Time `json:"created"`
}

// MaxViews bounds the views of an account: a longer list is no shortcut.
const MaxViews = 100

const viewColumns = `SELECT id, user_id, name, path, query, created FROM views`

func scanView(r row, v *SavedView) error {
	return r.Scan(&v.ID, &v.UserID, &v.Name, &v.Path, &v.Query, &v.Created)
}

// Views returns an account's views by name.
func (q *Queries) Views(ctx context.Context, userID int64) ([]SavedView, error) {
	return list(ctx, q, scanView, viewColumns+` WHERE user_id = $1 ORDER BY name LIMIT $2`, userID, MaxViews)
}

// View returns a view of an account.
func (q *Queries) View(ctx context.Context, userID, id int64) (SavedView, error) {
	return get(ctx, q, scanView, viewColumns+` WHERE user_id = $1 AND id = $2`, userID, id)
}

// SaveView saves a view. It replaces the account's view of the same name.
func (q *Queries) SaveView(ctx context.Context, v *SavedView) error {
	v.Created = q.now()
	return q.insert(ctx, &v.ID, `INSERT INTO views (user_id, name, path, query, created) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (user_id, name) DO UPDATE SET path = excluded.path, query = excluded.query,
		created = excluded.created RETURNING id`,
		v.UserID, v.Name, v.Path, v.Query, v.Created)
}

// DeleteView deletes a view of an account.
func (q *Queries) DeleteView(ctx context.Context, userID, id int64) error {
	return q.must(ctx, `DELETE FROM views WHERE user_id = $1 AND id = $2`, userID, id)
}
