package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// onlyTLS keeps connections to other machines encrypted: pgx, like libpq, falls back to plain text if a server, or an
// attacker on the path, says that it does not support TLS. An explicit sslmode=disable in the address allows that.
func onlyTLS(c *pgx.ConnConfig, dsn string) error {
	u, err := url.Parse(dsn)
	if err == nil && u.Query().Get("sslmode") == "disable" {
		return nil
	}
	local := func(host string) bool {
		ip := net.ParseIP(host)
		return host == "" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" ||
			ip != nil && ip.IsLoopback()
	}
	kept := []*pgconn.FallbackConfig{}
	for _, f := range c.Fallbacks {
		if f.TLSConfig != nil || local(f.Host) {
			kept = append(kept, f)
		}
	}
	c.Fallbacks = kept
	if c.TLSConfig != nil || local(c.Host) {
		return nil
	}
	if len(kept) == 0 {
		return errors.New("store: PostgreSQL on another machine is reached over TLS; write sslmode=disable into its " +
			"address where it is meant to be without")
	}
	first := kept[0]
	c.Host, c.Port, c.TLSConfig, c.Fallbacks = first.Host, first.Port, first.TLSConfig, kept[1:]
	return nil
}

func (s *Store) openPostgres(ctx context.Context, dsn string, o Options) error {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("store: the database's address cannot be read: %w", err) // pgx leaves the password out
	}
	if err := onlyTLS(config.ConnConfig, dsn); err != nil {
		return err
	}
	config.MaxConns = int32(o.Conns)
	config.MaxConnIdleTime = 5 * time.Minute
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	config.ConnConfig.RuntimeParams["application_name"] = "ipcguard"
	// A process that vanished must not keep locks: the server probes the connection.
	config.ConnConfig.RuntimeParams["tcp_keepalives_idle"] = "30"
	// Nor may one that hangs inside a transaction.
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "60000"
	// The pages' queries take milliseconds; compiling them first would take a tenth of a second.
	config.ConnConfig.RuntimeParams["jit"] = "off"
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("store: %w", classify(err))
	}
	s.c, s.pg = post{s.pool}, true
	if err := s.measure(ctx); err != nil {
		return fmt.Errorf("store: opening the database: %w", classify(err))
	}
	return nil
}

const (
	// littleApart is by how much the clocks' difference must change to be taken: times that are compared with each
	// other do not differ by what each measurement is wrong.
	littleApart = time.Second
	// slowAnswer is how long an answer may take to say how late it is.
	slowAnswer = time.Second
)

// measure finds out how far PostgreSQL's clock is ahead of this process's.
func (s *Store) measure(ctx context.Context) error {
	var now int64
	asked, began := s.clock(), time.Now()
	err := s.pool.QueryRow(ctx, `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`).Scan(&now)
	took := time.Since(began)
	if err != nil || !s.measures || took > slowAnswer {
		return err
	}
	apart := time.UnixMicro(now).Sub(asked.Add(took / 2))
	if (apart - time.Duration(s.apart.Load())).Abs() >= littleApart {
		s.apart.Store(int64(apart))
	}
	return nil
}
