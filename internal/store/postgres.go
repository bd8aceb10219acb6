package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

func (s *Store) openPostgres(ctx context.Context, dsn string, o Options) error {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("store: the database's address cannot be read: %w", err) // pgx leaves the password out
	}
	config.MaxConns = int32(o.Conns)
	config.MaxConnIdleTime = 5 * time.Minute
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	config.ConnConfig.RuntimeParams["application_name"] = "ipcguard"
	// A process that is gone without a word must not keep locks: the server asks whether it is still there.
	config.ConnConfig.RuntimeParams["tcp_keepalives_idle"] = "30"
	// One that hangs in the middle of a transaction neither.
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "60000"
	// The pages' questions take milliseconds; compiling them first would take a tenth of a second.
	config.ConnConfig.RuntimeParams["jit"] = "off"
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("store: %w", classify(err))
	}
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("store: opening the database: %w", classify(err))
	}
	s.c, s.pg = post{s.pool}, true
	return nil
}
