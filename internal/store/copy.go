package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// tables lists the store's tables, in an order in which references precede the rows that have them. A table with an id
// has a sequence.
var tables = []struct{ name, key string }{
	{"meta", "key"},
	{"leases", "name"},
	{"sites", "id"},
	{"credentials", "id"},
	{"snapshots", "id"},
	{"setting_sets", "id"},
	{"set_settings", "setting, set_id"},
	{"postures", "id"},
	{"posture_findings", "posture_id, finding, set_id, severity"},
	{"hosts", "id"},
	{"addresses", "site_id, address"},
	{"host_tags", "tag, host_id"},
	{"host_names", "host_id, kind, name"},
	{"targets", "id"},
	{"target_tags", "tag, target_id"},
	{"schedules", "id"},
	{"runs", "id"},
	{"run_counts", "run_id, shard"},
	{"units", "run_id, target_id"},
	{"results", "id"},
	{"spans", "host_id, kind, since"},
	{"documents", "host_id, kind, seq"},
	{"logons", "host_id, client, strength, package, dialect"},
	{"exceptions", "id"},
	{"findings", "id"},
	{"events", "id"},
	{"rollouts", "id"},
	{"rollout_groups", "id"},
	{"rollout_sets", "id"},
	{"rollout_closes", "set_id, finding"},
	{"rollout_hosts", "rollout_id, host_id"},
	{"rollout_stops", "id"},
	{"rollout_stopped", "stop_id, host_id"},
	{"trend", "day, site_id, shard"},
	{"workers", "name"},
	{"joins", "hash"},
	{"enrolled", "id"},
	{"handouts", "job"},
	{"channels", "id"},
	{"deliveries", "id"},
	{"users", "id"},
	{"site_roles", "user_id, site_id"},
	{"passkeys", "id"},
	{"recovery_codes", "user_id, hash"},
	{"tokens", "id"},
	{"views", "id"},
	{"sessions", "token"},
	{"failures", "id"},
	{"acts", "id"},
}

// copyBatch is how many rows are read and written at a time.
const copyBatch = 1000

// Copy copies everything from one database to an empty one, of either kind; both must have this program's schema. It
// runs in one transaction: if it fails, the new database stays empty. Nothing else may write to from meanwhile. If
// progress is not nil, it is called with the number of copied rows of a table.
//
// It does not copy jobs: they belong to the queue, and open work is planned again from the runs' units.
func Copy(ctx context.Context, from, to *Store, progress func(table string, rows int64)) error {
	for _, s := range []*Store{from, to} {
		if err := s.CheckSchema(ctx); err != nil {
			return err
		}
	}
	if progress == nil {
		progress = func(string, int64) {}
	}
	return to.InTx(ctx, func(tx *Tx) error {
		for _, t := range tables {
			var n int
			if err := tx.one(ctx, []any{&n}, `SELECT count(*) FROM (SELECT 1 FROM `+t.name+` LIMIT 1) t`); err != nil {
				return err
			}
			if n > 0 {
				return fmt.Errorf("%w: the database that is copied to has rows in %s", ErrConflict, t.name)
			}
		}
		for _, t := range tables {
			if err := copyTable(ctx, &from.Queries, &tx.Queries, t.name, t.key, progress); err != nil {
				return fmt.Errorf("store: copying %s: %w", t.name, err)
			}
		}
		return nil
	})
}

func copyTable(ctx context.Context, from, to *Queries, table, key string, progress func(string, int64)) error {
	columns, err := from.columns(ctx, table)
	if err != nil {
		return err
	}
	keys := strings.Split(key, ", ")
	var last []any
	var done int64
	for {
		rows, err := from.page(ctx, table, columns, keys, last)
		if err != nil {
			return err
		}
		if err := to.insertRows(ctx, table, columns, rows); err != nil {
			return err
		}
		done += int64(len(rows))
		progress(table, done)
		if len(rows) < copyBatch {
			break
		}
		last = nil
		for _, k := range keys {
			for i, column := range columns {
				if column == k {
					last = append(last, rows[len(rows)-1][i])
				}
			}
		}
	}
	if key != "id" {
		return nil
	}
	given, err := from.lastGiven(ctx, table)
	if err != nil {
		return err
	}
	return to.setGiven(ctx, table, given)
}

// lastGiven returns the last id that a table assigned, even if its row is gone.
func (q *Queries) lastGiven(ctx context.Context, table string) (int64, error) {
	query := `SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = $1), 0)`
	if q.pg {
		query = `SELECT COALESCE((SELECT last_value FROM pg_sequences WHERE schemaname = current_schema()
			AND sequencename = $1 || '_id_seq'), 0)`
	}
	var given, highest int64
	if err := q.one(ctx, []any{&given}, query, table); err != nil {
		return 0, err
	}
	err := q.one(ctx, []any{&highest}, `SELECT COALESCE(max(id), 0) FROM `+table)
	return max(given, highest), err
}

// setGiven makes a table continue after an id.
func (q *Queries) setGiven(ctx context.Context, table string, given int64) error {
	if q.pg {
		_, err := q.exec(ctx, `SELECT setval(pg_get_serial_sequence('`+table+`', 'id'), $1, false)`, given+1)
		return err
	}
	_, err := q.exec(ctx, `DELETE FROM sqlite_sequence WHERE name = $1`, table)
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, `INSERT INTO sqlite_sequence (name, seq) SELECT name, CAST($2 AS INTEGER) FROM sqlite_master
		WHERE type = 'table' AND name = $1 AND sql LIKE '%AUTOINCREMENT%'`, table, given)
	return err
}

// columns returns a table's columns in the order of the schema, which is the same in both databases.
func (q *Queries) columns(ctx context.Context, table string) ([]string, error) {
	query := `SELECT name FROM pragma_table_info($1) ORDER BY cid`
	if q.pg {
		query = `SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema()
			AND table_name = $1 ORDER BY ordinal_position`
	}
	columns, err := q.strings(ctx, query, table)
	if err == nil && len(columns) == 0 {
		err = errors.New("no such table")
	}
	return columns, err
}

// page reads the rows of a table after a key.
func (q *Queries) page(ctx context.Context, table string, columns, keys []string, after []any) ([][]any, error) {
	w := &where{pg: q.pg}
	if after != nil {
		w.and(`(`+strings.Join(keys, ", ")+`) > (`+marks(len(keys))+`)`, after...)
	}
	order := ` ORDER BY ` + strings.Join(keys, ", ") + ` LIMIT ` + w.arg(copyBatch)
	return list(ctx, q, func(r row, out *[]any) error {
		*out = make([]any, len(columns))
		dest := make([]any, len(columns))
		for i := range dest {
			dest[i] = scanner(func(v any) error {
				if b, ok := v.([]byte); ok { // the driver reuses its memory
					v = append([]byte{}, b...)
				}
				(*out)[i] = v
				return nil
			})
		}
		return r.Scan(dest...)
	}, `SELECT `+strings.Join(columns, ", ")+` FROM `+table+w.String()+order, w.args...)
}

// insertRows writes rows as they were read. PostgreSQL gets them as a stream: millions of round trips would take many
// minutes.
func (q *Queries) insertRows(ctx context.Context, table string, columns []string, rows [][]any) error {
	if q.pg {
		for i, row := range rows {
			var err error
			if rows[i], err = encodeAll(row); err != nil {
				return err
			}
		}
		_, err := q.pgtx.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
		return classify(err)
	}
	marks := make([]string, len(columns))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	query := `INSERT INTO ` + table + ` (` + strings.Join(columns, ", ") + `) VALUES (` + strings.Join(marks, ", ") +
		`)`
	for _, row := range rows {
		if _, err := q.exec(ctx, query, row...); err != nil {
			return err
		}
	}
	return nil
}
