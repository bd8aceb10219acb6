package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
)

// pruneBatch is the number of rows deleted in one transaction, so that incoming results do not wait.
const pruneBatch = 5000

// Prune deletes history that ended before a time: results, ended findings, spans, events, deliveries, units of runs,
// runs and rollouts. PruneActs prunes the audit log. Open and latest rows stay however old they are. It returns the
// number of deleted rows.
func (s *Store) Prune(ctx context.Context, olderThan time.Time) (int64, error) {
	var total int64
	for _, query := range []string{
		`DELETE FROM results WHERE id IN (SELECT r.id FROM results r WHERE r.at < $1 ORDER BY r.id LIMIT $2)`,
		`DELETE FROM findings WHERE id IN (SELECT id FROM findings WHERE ended <> 0 AND ended < $1 LIMIT $2)`,
		`DELETE FROM spans WHERE (host_id, kind, since) IN (SELECT host_id, kind, since FROM spans WHERE until <> 0
			AND until < $1 LIMIT $2)`,
		`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < $1 LIMIT $2)`,
		`DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE (sent <> 0 AND sent < $1)
			OR (sent = 0 AND tries >= 12 AND due < $1) LIMIT $2)`, // 12 is MaxTries: given up
		`DELETE FROM sessions WHERE token IN (SELECT token FROM sessions WHERE until < $1 LIMIT $2)`,
		`DELETE FROM units WHERE (run_id, target_id) IN (SELECT u.run_id, u.target_id FROM units u
			JOIN runs r ON r.id = u.run_id
			WHERE r.ended <> 0 AND r.ended < $1 LIMIT $2)`,
		`DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE ended <> 0 AND ended < $1 LIMIT $2)`,
		`DELETE FROM exceptions WHERE id IN (SELECT id FROM exceptions WHERE (withdrew <> 0 AND withdrew < $1)
			OR (ended <> 0 AND ended < $1) LIMIT $2)`,
		`DELETE FROM rollouts WHERE id IN (SELECT id FROM rollouts WHERE ended <> 0 AND ended < $1 LIMIT $2)`,
	} {
		for {
			n, err := s.exec(ctx, query, olderThan, pruneBatch)
			if err != nil {
				return total, fmt.Errorf("store: pruning: %w", err)
			}
			total += n
			if n < pruneBatch {
				break
			}
		}
	}
	n, err := s.pruneShared(ctx)
	return total + n, err
}

// pruneShared deletes snapshots and postures that nothing refers to.
func (s *Store) pruneShared(ctx context.Context) (int64, error) {
	var total int64
	for _, query := range []string{
		`DELETE FROM snapshots WHERE NOT EXISTS (SELECT 1 FROM spans s WHERE s.snapshot_id = snapshots.id)
			AND NOT EXISTS (SELECT 1 FROM results r WHERE r.snapshot_id = snapshots.id)`,
		`DELETE FROM postures WHERE NOT EXISTS (SELECT 1 FROM hosts h WHERE h.posture_id = postures.id)`,
	} {
		n, err := s.exec(ctx, query)
		if err != nil {
			return total, fmt.Errorf("store: pruning: %w", err)
		}
		total += n
	}
	return total, nil
}

// Size returns the size of the database in bytes.
func (s *Store) Size(ctx context.Context) (int64, error) {
	if s.pg {
		var n int64
		err := s.one(ctx, []any{&n}, `SELECT pg_database_size(current_database())`)
		return n, err
	}
	var total int64
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(s.path + suffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, fmt.Errorf("store: %w", err)
		}
		if err == nil {
			total += info.Size()
		}
	}
	return total, nil
}

// backupPages is how much is copied before others may write: 4 MB.
const backupPages = 1024

// Backup writes a copy of an SQLite database in use, in its state when the call begins. The path must not exist. The
// copy can be opened like any other database. For PostgreSQL use pg_dump.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	if s.pg {
		return errors.New("store: PostgreSQL is backed up with pg_dump")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	if err := f.Close(); err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	conn, err := s.reader.Conn(ctx)
	if err != nil {
		return fmt.Errorf("store: backup: %w", classify(err))
	}
	defer conn.Close()
	// A read transaction around the copy: without it, every recorded result would restart the backup.
	if _, err := conn.ExecContext(ctx, `BEGIN`); err != nil {
		return fmt.Errorf("store: backup: %w", classify(err))
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`) }()
	var tables int64 // a read starts the transaction
	if err := conn.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master`).Scan(&tables); err != nil {
		return fmt.Errorf("store: backup: %w", classify(err))
	}
	err = conn.Raw(func(dc any) error {
		source, ok := dc.(interface {
			NewBackup(string) (*sqlite.Backup, error)
		})
		if !ok {
			return driver.ErrSkip
		}
		b, err := source.NewBackup(path)
		if err != nil {
			return err
		}
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return errors.Join(err, b.Finish())
			}
			if more, err = b.Step(backupPages); err != nil {
				return errors.Join(err, b.Finish())
			}
		}
		return b.Finish()
	})
	if err != nil {
		return fmt.Errorf("store: backup: %w", classify(err))
	}
	return syncFile(path)
}

// syncFile syncs the file and its directory entry.
func syncFile(path string) error {
	for _, name := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("store: backup: %w", err)
		}
		err = f.Sync()
		if closing := f.Close(); err == nil {
			err = closing
		}
		if err != nil && name == path {
			return fmt.Errorf("store: backup: %w", err)
		}
	}
	return nil
}
