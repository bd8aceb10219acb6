package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options configure a store. The zero value suits one server.
type Options struct {
	// Conns bounds the connections to PostgreSQL, or the readers of SQLite; 0 is 8: enough for the pages of a few
	// people and the jobs of one process, and few enough for many workers on one PostgreSQL (100 by default).
	Conns int
	// Shared skips the lock on an SQLite file: for reading beside a running server, such as a backup.
	Shared bool
	// Clock returns the time; nil is time.Now, whose difference from PostgreSQL's clock is then measured.
	Clock func() time.Time
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	Queries
	clock  func() time.Time
	path   string // of SQLite
	reader *sql.DB
	writer *sql.DB
	pool   *pgxpool.Pool
	lock   *fileLock
	packer *packer
	newer  atomic.Bool // see Guard
	known  int64       // the version of this program's schema
	mine   atomic.Bool // the database has had this schema

	apart    atomic.Int64 // how far PostgreSQL's clock is ahead of this process's, in nanoseconds
	measures bool         // it is measured

	prepared *prepared // of writer
}

// Tx is a transaction. Inside one, use only its methods: SQLite has one writer, and a write through the [Store] would
// wait for the transaction that calls it.
type Tx struct {
	Queries
	after []func()
}

// AfterCommit calls do after the transaction has committed, so that only what was stored is reported elsewhere. do must
// not use the transaction.
func (tx *Tx) AfterCommit(do func()) { tx.after = append(tx.after, do) }

func (tx *Tx) committed(err error) error {
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

// foreign matches addresses that would be taken for the path of an SQLite file: of other databases, and PostgreSQL's
// own list of words.
var foreign = regexp.MustCompile(`^(\w+://|\s*(host|hostaddr|port|dbname|user|service)\s*=)`)

// Open opens a database: a path or sqlite:PATH (created if it does not exist), or postgres://…. It does not migrate:
// see [Store.Migrate]. If another server has the SQLite file, it fails with [ErrBusy] and names it.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	measures := o.Clock == nil
	if measures {
		o.Clock = time.Now
	}
	if o.Conns <= 0 {
		o.Conns = 8
	}
	if foreign.MatchString(dsn) && !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return nil, errors.New("store: want postgres://USER@HOST/NAME or sqlite:FILE as the address of the database")
	}
	packer, err := newPacker()
	if err != nil {
		return nil, err
	}
	st := &Store{clock: o.Clock, packer: packer, measures: measures}
	st.st = st
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		err = st.openPostgres(ctx, dsn, o)
	} else {
		err = st.openSQLite(ctx, strings.TrimPrefix(dsn, "sqlite:"), o)
	}
	if err == nil {
		st.known, err = lastMigration(st.Kind())
	}
	if err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

// Close closes the database and releases its lock. Further calls do nothing.
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

// Kind returns [KindSQLite] or [KindPostgres].
func (s *Store) Kind() string {
	if s.pool != nil {
		return KindPostgres
	}
	return KindSQLite
}

// Pool returns PostgreSQL's connection pool, nil on SQLite.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// DB returns SQLite's only write connection, nil on PostgreSQL.
func (s *Store) DB() *sql.DB { return s.writer }

// PGX returns PostgreSQL's transaction, nil on SQLite.
func (tx *Tx) PGX() pgx.Tx { return tx.pgtx }

// SQL returns SQLite's transaction, nil on PostgreSQL.
func (tx *Tx) SQL() *sql.Tx { return tx.sqtx }

func (q *Queries) now() time.Time { return q.st.clock() }

// attempts bounds the retries of a transaction that conflicted with another: the wait grows each time, to about a
// second in total, after which the database is too busy to serve anybody.
const attempts = 8

// InTx runs f in a transaction, and commits if it returns nil. f may run several times if the transaction conflicts
// with another one, and must change nothing but the database.
func (s *Store) InTx(ctx context.Context, f func(tx *Tx) error) error {
	return s.again(ctx, func() error { return s.try(ctx, f) })
}

// again calls try until it does not conflict with another transaction.
func (s *Store) again(ctx context.Context, try func() error) error {
	for i := 0; ; i++ {
		err := try()
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
	if s.newer.Load() {
		return errOvertaken
	}
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
	defer func() { _ = sqtx.Rollback() }() // does nothing after a commit
	tx := &Tx{Queries: Queries{
		c:    &liteTx{tx: sqtx, prepared: s.prepared, known: map[string]*sql.Stmt{}},
		st:   s,
		sqtx: sqtx,
	}}
	if err := f(tx); err != nil {
		return err
	}
	return tx.committed(classify(sqtx.Commit()))
}

func (s *Store) tryPostgres(ctx context.Context, f func(tx *Tx) error) error {
	pgtx, err := s.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: s.beginning()})
	if err != nil {
		return s.refused(err)
	}
	defer func() { // even if ctx has ended; does nothing after a commit
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = pgtx.Rollback(ctx)
	}()
	tx := &Tx{Queries: Queries{c: post{pgtx}, st: s, pg: true, pgtx: pgtx}}
	if err := f(tx); err != nil {
		return err
	}
	return tx.committed(classify(pgtx.Commit(ctx)))
}

// once runs a statement of PostgreSQL in a transaction of its own, which begins with the check of the schema's version,
// in one round trip. read reads its result and classifies its error, and is called again if the transaction conflicted
// with another.
func (s *Store) once(ctx context.Context, read func(pgx.BatchResults) error, query string, args ...any) error {
	return s.again(ctx, func() error {
		both := &pgx.Batch{} // between two synchronizations: one transaction
		both.Queue(versionCheck, s.known)
		both.Queue(query, args...)
		results := s.pool.SendBatch(ctx, both)
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // it is the same error
			var post *pgconn.PgError
			if errors.As(err, &post) { // statements are prepared first: a changed table is met before the check
				if newer := s.Guard(ctx); errors.Is(newer, ErrNewer) {
					return newer
				}
			}
			return classify(err)
		}
		err := read(results)
		if closed := results.Close(); err == nil { // where the commit fails
			err = classify(closed)
		}
		return err
	})
}

// Ping checks that the database answers.
func (q *Queries) Ping(ctx context.Context) error {
	var n int
	if err := q.one(ctx, []any{&n}, `SELECT 1`); err != nil {
		return fmt.Errorf("store: ping: %w", err)
	}
	return nil
}
