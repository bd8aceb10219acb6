package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// Migrate upgrades the database to this program's schema. A newer database fails with [ErrNewer] and stays unchanged.
func (s *Store) Migrate(ctx context.Context) error {
	err := s.withGoose(func(p *goose.Provider) error {
		if err := tooNew(ctx, p); err != nil {
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
	return s.readLogons(ctx)
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
		return classify(err)
	})
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
