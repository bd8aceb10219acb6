package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options of a store. The zero value serves one server.
type Options struct {
	// Conns bounds the connections to PostgreSQL, or the readers of SQLite; 0 is 8: enough for the pages of a few
	// people and the jobs of one process, and few enough for many workers on one PostgreSQL (100 by default).
	Conns int
	// Shared leaves the lock on an SQLite file alone: for reading beside a running server, such as a backup.
	Shared bool
	// Clock is time.Now where it is nil.
	Clock func() time.Time
}

// Store is an open database. It is safe for use by many goroutines.
type Store struct {
	Queries
	clock  func() time.Time
	path   string // of SQLite
	reader *sql.DB
	writer *sql.DB
	pool   *pgxpool.Pool
	lock   *fileLock
	packer *packer

	prepared *prepared // of writer
}

// Tx is a transaction. Inside one, use its methods alone: on SQLite there is one writer, and a change through the [Store]
// would wait for the transaction that it is called from.
type Tx struct {
	Queries
	after []func()
}

// AfterCommit has something done once the transaction has ended well: what is told outside must not be told of what was not
// kept. It must not use the transaction.
func (tx *Tx) AfterCommit(do func()) { tx.after = append(tx.after, do) }

func (tx *Tx) told(err error) error {
	if err == nil {
		for _, do := range tx.after {
			do()
		}
	}
	return err
}

// The kinds of database.
const (
	KindSQLite   = "sqlite"
	KindPostgres = "postgres"
)

// Open opens a database: a path or sqlite:PATH (made when it is not there), or postgres://…. It does not migrate: see
// [Store.Migrate]. Where another server has the SQLite file it fails with [ErrBusy], and says which.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Conns <= 0 {
		o.Conns = 8
	}
	packer, err := newPacker()
	if err != nil {
		return nil, err
	}
	st := &Store{clock: o.Clock, packer: packer}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		err = st.openPostgres(ctx, dsn, o)
	} else {
		err = st.openSQLite(ctx, strings.TrimPrefix(dsn, "sqlite:"), o)
	}
	if err != nil {
		st.Close()
		return nil, err
	}
	st.st = st
	return st, nil
}

// Close closes the database and gives its lock back. Closing again does nothing.
func (s *Store) Close() error {
	var errs []error
	if s.pool != nil {
		s.pool.Close()
	}
	for _, db := range []*sql.DB{s.reader, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.release())
		s.lock = nil
	}
	return errors.Join(errs...)
}

// Kind is [KindSQLite] or [KindPostgres].
func (s *Store) Kind() string {
	if s.pool != nil {
		return KindPostgres
	}
	return KindSQLite
}

// Pool is PostgreSQL's, nil on SQLite.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// DB is SQLite's one writing connection, nil on PostgreSQL.
func (s *Store) DB() *sql.DB { return s.writer }

// PGX is PostgreSQL's transaction, nil on SQLite.
func (tx *Tx) PGX() pgx.Tx { return tx.pgtx }

// SQL is SQLite's transaction, nil on PostgreSQL.
func (tx *Tx) SQL() *sql.Tx { return tx.sqtx }

func (q *Queries) now() time.Time { return q.st.clock() }

// attempts bounds how often a transaction that met another one is run again: each time the wait grows, to about a second
// altogether, after which the database is too busy to serve anybody.
const attempts = 8

// InTx runs f in a transaction, and commits when it returns nil. f may run several times, when the transaction met another
// one, and must not change anything but the database.
func (s *Store) InTx(ctx context.Context, f func(tx *Tx) error) error {
	for i := 0; ; i++ {
		err := s.try(ctx, f)
		if err == nil || !errors.Is(err, errAgain) || i+1 == attempts {
			return err
		}
		wait := time.Duration(1+rand.IntN(8<<i)) * time.Millisecond
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(wait):
		}
	}
}

func (s *Store) try(ctx context.Context, f func(tx *Tx) error) error {
	if s.pool != nil {
		return s.tryPostgres(ctx, f)
	}
	return s.trySQLite(ctx, f)
}

func (s *Store) trySQLite(ctx context.Context, f func(tx *Tx) error) (err error) {
	s.prepared.catchUp(ctx, s.writer)
	sqtx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return classify(err)
	}
	defer func() { _ = sqtx.Rollback() }() // after a commit it does nothing
	tx := &Tx{Queries: Queries{c: &liteTx{tx: sqtx, prepared: s.prepared, known: map[string]*sql.Stmt{}}, st: s, sqtx: sqtx}}
	if err := f(tx); err != nil {
		return err
	}
	return tx.told(classify(sqtx.Commit()))
}

func (s *Store) tryPostgres(ctx context.Context, f func(tx *Tx) error) error {
	pgtx, err := s.pool.Begin(ctx)
	if err != nil {
		return classify(err)
	}
	defer func() { // also where ctx has ended; after a commit it does nothing
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = pgtx.Rollback(ctx)
	}()
	tx := &Tx{Queries: Queries{c: post{pgtx}, st: s, pg: true, pgtx: pgtx}}
	if err := f(tx); err != nil {
		return err
	}
	return tx.told(classify(pgtx.Commit(ctx)))
}

// Ping asks the database whether it is there.
func (q *Queries) Ping(ctx context.Context) error {
	var n int
	if err := q.one(ctx, []any{&n}, `SELECT 1`); err != nil {
		return fmt.Errorf("store: ping: %w", err)
	}
	return nil
}
