package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// Migrate upgrades the database to this program's schema. A newer database fails with [ErrNewer], and one that an older
// server works on with [ErrBusy]; both stay unchanged.
func (s *Store) Migrate(ctx context.Context) error {
	err := s.withGoose(func(p *goose.Provider) error {
		if err := tooNew(ctx, p); err != nil {
			return err
		}
		if err := s.alone(ctx, p); err != nil {
			return err
		}
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("store: migrating: %w", classify(err))
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mine.Store(true)
	return s.readLogons(ctx)
}

// aliveFor is how long a server that works gives no sign of life.
const aliveFor = MissedBeats * Beat

// alone returns [ErrBusy] if an upgrade would change the tables of a server that works: one that gives a sign of life
// within a while. One that was killed gives none. On SQLite the lock file has made sure of that.
func (s *Store) alone(ctx context.Context, p *goose.Provider) error {
	return s.quiet(ctx, "stop every older server before the upgrade", func() (bool, error) {
		pending, err := p.HasPending(ctx)
		return !pending, classify(err) // nothing to do, or another has just done it
	})
}

// Alone returns [ErrBusy] if a server works on the database, with what to do first. One that was killed gives no sign
// of life: to tell takes a few seconds. On SQLite the lock file has made sure of it.
func (s *Store) Alone(ctx context.Context, first string) error {
	return s.quiet(ctx, first, func() (bool, error) { return false, nil })
}

// quiet waits until no server has given a sign of life for a while, or until enough says so.
func (s *Store) quiet(ctx context.Context, advice string, enough func() (bool, error)) error {
	if s.pool == nil {
		return nil
	}
	var seen map[string]time.Time
	for end := time.Now().Add(aliveFor); ; {
		if ok, err := enough(); err != nil || ok {
			return err
		}
		var tables int
		if err := s.one(ctx, []any{&tables},
			`SELECT count(*) FROM pg_class WHERE oid = to_regclass('workers')`); err != nil || tables == 0 {
			return err
		}
		all, err := s.Workers(ctx)
		if err != nil {
			return err
		}
		first, now := seen == nil, map[string]time.Time{}
		for _, w := range all {
			if s.now().Sub(w.Seen) > aliveFor {
				continue
			}
			if before, known := seen[w.Name]; !first && (!known || w.Seen.After(before)) {
				return fmt.Errorf("%w: %s (version %s) works on the database; %s", ErrBusy, w.Name, w.Version, advice)
			}
			now[w.Name] = w.Seen
		}
		if seen = now; len(seen) == 0 || time.Now().After(end) {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// CheckSchema returns [ErrNewer] or [ErrOlder] if the database's schema is not this program's.
func (s *Store) CheckSchema(ctx context.Context) error {
	return s.withGoose(func(p *goose.Provider) error {
		if err := tooNew(ctx, p); err != nil {
			return err
		}
		pending, err := p.HasPending(ctx)
		if err == nil && pending {
			err = ErrOlder
		}
		if err == nil {
			s.mine.Store(true)
		}
		return classify(err)
	})
}

// Guard returns [ErrNewer] if a newer program has upgraded the database while this one has it open. From then on every
// write through this store fails with it: the tables may have come to mean something else.
func (s *Store) Guard(ctx context.Context) error {
	if s.newer.Load() {
		return errOvertaken
	}
	var now int64
	if err := s.one(ctx, []any{&now}, `SELECT max(version_id) FROM goose_db_version`); err != nil {
		return fmt.Errorf("store: asking for the schema's version: %w", err)
	}
	if now > s.known {
		s.newer.Store(true)
		return errOvertaken
	}
	s.mine.Store(true)
	if s.pool == nil {
		return nil
	}
	return classify(s.measure(ctx)) // this is asked regularly
}

// lastMigration returns the version of this program's schema for a kind of database.
func lastMigration(kind string) (int64, error) {
	files, err := fs.ReadDir(migrations, "migrations/"+kind)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	last, err := goose.NumericComponent(files[len(files)-1].Name()) // sorted by name
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return last, nil
}

// beginning is the statement that begins a transaction of PostgreSQL. It fails if a newer program has upgraded the
// database, which [Store.Guard] would notice only when it is called next. Both together are one round trip.
func (s *Store) beginning() string {
	if !s.mine.Load() { // the table of versions may not exist
		return "begin"
	}
	return "begin; " + strings.ReplaceAll(versionCheck, "$1", strconv.FormatInt(s.known, 10))
}

// versionCheck fails with a division by zero if the schema is newer than $1.
const versionCheck = `SELECT 1 / CASE WHEN max(version_id) > $1 THEN 0 ELSE 1 END FROM goose_db_version`

// refused returns the store's error for one of versionCheck. The schema of a newer program ends this one's writes.
func (s *Store) refused(err error) error {
	var post *pgconn.PgError
	if errors.As(err, &post) && post.Code == "22012" { // division_by_zero
		s.newer.Store(true)
		return errOvertaken
	}
	return classify(err)
}

func tooNew(ctx context.Context, p *goose.Provider) error {
	now, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("store: asking for the schema's version: %w", classify(err))
	}
	if known := p.ListSources(); now > known[len(known)-1].Version {
		return fmt.Errorf("%w: its schema is %d, this one knows %d", ErrNewer, now, known[len(known)-1].Version)
	}
	return nil
}

func (s *Store) withGoose(f func(*goose.Provider) error) (err error) {
	dialect, db := goose.DialectSQLite3, s.writer
	var options []goose.ProviderOption
	if s.pool != nil {
		// Many servers and workers may start at once.
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
		var pooled *sql.DB = stdlib.OpenDBFromPool(s.pool)
		defer func() { err = errors.Join(err, pooled.Close()) }()
		dialect, db = goose.DialectPostgres, pooled
	}
	files, err := fs.Sub(migrations, "migrations/"+s.Kind())
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	p, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return f(p)
}
