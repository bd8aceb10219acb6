package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// conn is the interface to both databases, inside a transaction or outside. Placeholders are $1, $2 … on both.
type conn interface {
	// exec runs a statement and returns the number of affected rows.
	exec(ctx context.Context, query string, args ...any) (int64, error)
	// read runs a statement that changes nothing.
	read(ctx context.Context, query string, args ...any) (rows, error)
	// write runs a statement that changes rows and returns some (RETURNING).
	write(ctx context.Context, query string, args ...any) (rows, error)
}

// row is one row of a result.
type row interface {
	Scan(dest ...any) error
}

// rows is the result of a statement. Only [each] closes it.
type rows interface {
	row
	Next() bool
	Err() error
	close()
}

// Queries are all reads and writes. [Store] runs each by itself, [Tx] in its transaction.
type Queries struct {
	c    conn
	st   *Store
	pg   bool
	pgtx pgx.Tx
	sqtx *sql.Tx
}

// atomic runs several statements as one: in the current transaction, or in a new one.
func (q *Queries) atomic(ctx context.Context, f func(q *Queries) error) error {
	if q.inTx() {
		return f(q)
	}
	return q.st.InTx(ctx, func(tx *Tx) error { return f(&tx.Queries) })
}

// checks reports whether a write has to check what a newer program has done: in a transaction, its beginning has.
func (q *Queries) checks() bool { return q.pg && !q.inTx() && q.st.mine.Load() }

func (q *Queries) inTx() bool { return q.pgtx != nil || q.sqtx != nil }

func (q *Queries) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if q.st.newer.Load() {
		return 0, errOvertaken
	}
	args, err := encodeAll(args)
	if err != nil {
		return 0, err
	}
	if q.checks() {
		var n int64
		err := q.st.once(ctx, func(r pgx.BatchResults) error {
			tag, err := r.Exec()
			n = tag.RowsAffected()
			return classify(err)
		}, query, args...)
		return n, err
	}
	n, err := q.c.exec(ctx, query, args...)
	return n, classify(err)
}

// must runs a statement that has to affect a row.
func (q *Queries) must(ctx context.Context, query string, args ...any) error {
	n, err := q.exec(ctx, query, args...)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// insert runs INSERT … ON CONFLICT DO NOTHING RETURNING id: no row is a conflict. The statement must not fail, since
// that would abort a transaction of PostgreSQL.
func (q *Queries) insert(ctx context.Context, id *int64, query string, args ...any) error {
	if q.st.newer.Load() {
		return errOvertaken
	}
	args, err := encodeAll(args)
	if err != nil {
		return err
	}
	found := false
	take := func(answer rows, err error) error {
		if err != nil {
			return classify(err)
		}
		found = false
		return each(answer, func(r row) error {
			found = true
			return r.Scan(id)
		})
	}
	if q.checks() {
		err = q.st.once(ctx, func(r pgx.BatchResults) error {
			answer, err := r.Query()
			return take(postRows{answer}, err)
		}, query, args...)
	} else {
		err = take(q.c.write(ctx, query, args...))
	}
	if err == nil && !found {
		return ErrConflict
	}
	return err
}

// each passes every row to f, and closes the result.
func each(answer rows, f func(row) error) error {
	defer answer.close()
	for answer.Next() {
		if err := f(decoding{answer}); err != nil {
			return err
		}
	}
	return classify(answer.Err())
}

// decoding is a row whose destinations may have any of the store's types.
type decoding struct{ row }

func (d decoding) Scan(dest ...any) error {
	if err := d.row.Scan(decodeAll(dest)...); err != nil {
		return fmt.Errorf("reading a row: %w", err)
	}
	return nil
}

func (q *Queries) each(ctx context.Context, f func(row) error, query string, args ...any) error {
	args, err := encodeAll(args)
	if err != nil {
		return err
	}
	answer, err := q.c.read(ctx, query, args...)
	if err != nil {
		return classify(err)
	}
	return each(answer, f)
}

// one reads the only row into dest, or returns ErrNotFound.
func (q *Queries) one(ctx context.Context, dest []any, query string, args ...any) error {
	found := false
	err := q.each(ctx, func(r row) error {
		if found {
			return errors.New("two rows where one was asked for")
		}
		found = true
		return r.Scan(dest...)
	}, query, args...)
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

// list reads every row with scan.
func list[T any](ctx context.Context, q *Queries, scan func(row, *T) error, query string, args ...any) ([]T, error) {
	var out []T
	err := q.each(ctx, func(r row) error {
		var v T
		if err := scan(r, &v); err != nil {
			return err
		}
		out = append(out, v)
		return nil
	}, query, args...)
	return out, err
}

// get reads the only row with scan.
func get[T any](ctx context.Context, q *Queries, scan func(row, *T) error, query string, args ...any) (T, error) {
	all, err := list(ctx, q, scan, query, args...)
	var none T
	switch {
	case err != nil:
		return none, err
	case len(all) == 0:
		return none, ErrNotFound
	case len(all) > 1:
		return none, errors.New("two rows where one was asked for")
	}
	return all[0], nil
}

// lite is SQLite outside a transaction: reads use the readers, writes the only writer.
type lite struct{ reader, writer *sql.DB }

type liteRows struct{ *sql.Rows }

func (r liteRows) close() { _ = r.Close() } // errors are in Err

func (l lite) exec(ctx context.Context, query string, args ...any) (int64, error) {
	return affected(l.writer.ExecContext(ctx, query, args...))
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (l lite) read(ctx context.Context, query string, args ...any) (rows, error) {
	r, err := l.reader.QueryContext(ctx, query, args...)
	return liteRows{r}, err
}

func (l lite) write(ctx context.Context, query string, args ...any) (rows, error) {
	r, err := l.writer.QueryContext(ctx, query, args...)
	return liteRows{r}, err
}

// liteTx is a transaction of SQLite.
type liteTx struct {
	tx       *sql.Tx
	prepared *prepared
	known    map[string]*sql.Stmt // of this transaction; nil for a statement that ran once and is not prepared
}

// prepare returns a prepared statement, or nil the first time, when preparing it is not worthwhile.
func (l *liteTx) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	stmt, seen := l.known[query]
	if stmt != nil {
		return stmt, nil
	}
	var err error
	if kept := l.prepared.take(query); kept != nil {
		stmt = l.tx.StmtContext(ctx, kept)
	} else if seen {
		stmt, err = l.tx.PrepareContext(ctx, query)
	}
	if err == nil && (stmt != nil || len(l.known) < maxPrepared) {
		l.known[query] = stmt
	}
	return stmt, err
}

// prepared caches the repeated statements of SQLite's writer. Preparing one takes longer than running most.
type prepared struct {
	mu   sync.Mutex
	kept map[string]*sql.Stmt
	seen map[string]bool // seen, and not prepared yet
	due  []string        // seen twice: prepared before the next transaction begins
}

// maxPrepared bounds the statements that a transaction or the writer caches: the store has fewer with a constant text.
const maxPrepared = 200

// take returns a prepared statement. Otherwise it records the request; a statement is prepared after its second one.
func (p *prepared) take(query string) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stmt := p.kept[query]; stmt != nil {
		return stmt
	}
	if len(p.seen) >= maxPrepared { // most of them never occur again
		clear(p.seen)
	}
	if p.seen[query] && len(p.kept)+len(p.due) < maxPrepared && !slices.Contains(p.due, query) {
		p.due = append(p.due, query)
	}
	p.seen[query] = true
	return nil
}

// catchUp prepares what is due, before a transaction: there is only one writer. A statement that cannot be prepared
// runs unprepared and reports its error then.
func (p *prepared) catchUp(ctx context.Context, writer *sql.DB) {
	p.mu.Lock()
	due := p.due
	p.due = nil
	p.mu.Unlock()
	for _, query := range due {
		stmt, err := writer.PrepareContext(ctx, query)
		if err != nil {
			continue
		}
		p.mu.Lock()
		p.kept[query] = stmt
		p.mu.Unlock()
	}
}

func (l *liteTx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	stmt, err := l.prepare(ctx, query)
	switch {
	case err != nil:
		return 0, err
	case stmt != nil:
		return affected(stmt.ExecContext(ctx, args...))
	}
	return affected(l.tx.ExecContext(ctx, query, args...))
}

func (l *liteTx) read(ctx context.Context, query string, args ...any) (rows, error) {
	stmt, err := l.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	var r *sql.Rows
	if stmt != nil {
		r, err = stmt.QueryContext(ctx, args...)
	} else {
		r, err = l.tx.QueryContext(ctx, query, args...)
	}
	return liteRows{r}, err
}

func (l *liteTx) write(ctx context.Context, query string, args ...any) (rows, error) {
	return l.read(ctx, query, args...)
}

// post is PostgreSQL, inside a transaction or outside.
type post struct {
	c interface {
		Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
		Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	}
}

var (
	_ = post{(*pgxpool.Pool)(nil)}
	_ = post{pgx.Tx(nil)}
)

type postRows struct{ pgx.Rows }

func (r postRows) close() { r.Close() }

func (p post) exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := p.c.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (p post) read(ctx context.Context, query string, args ...any) (rows, error) {
	r, err := p.c.Query(ctx, query, args...)
	return postRows{r}, err
}

func (p post) write(ctx context.Context, query string, args ...any) (rows, error) {
	return p.read(ctx, query, args...)
}
