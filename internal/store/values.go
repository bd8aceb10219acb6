package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// values are rows that a statement reads as a table v, all of them at once: PostgreSQL gets an array for each column,
// SQLite gets JSON. columns gives names and types, which are bigint, text or bytea: "host bigint, name text". The
// column n numbers the rows in order.
type values struct {
	columns string
	rows    [][]any
}

func (v *values) add(row ...any) { v.rows = append(v.rows, row) }

type valueColumn struct{ name, kind string }

func (v *values) all() []valueColumn {
	var all []valueColumn
	for part := range strings.SplitSeq(v.columns, ", ") {
		name, kind, _ := strings.Cut(part, " ")
		all = append(all, valueColumn{name, kind})
	}
	return all
}

// array is a column of [values] in the form that pgx expects.
type array struct{ of any }

// with prepends the table v to a statement.
func (q *Queries) with(v *values, statement string) (string, []any, error) {
	var names, parts []string
	var args []any
	for i, c := range v.all() {
		names = append(names, c.name)
		switch {
		case q.pg:
			parts = append(parts, fmt.Sprintf("$%d::%s[]", i+1, c.kind))
			of, err := v.array(i, c.kind)
			if err != nil {
				return "", nil, err
			}
			args = append(args, array{of})
		case c.kind == "bytea":
			parts = append(parts, fmt.Sprintf("unhex(value->>%d)", i))
		default:
			parts = append(parts, fmt.Sprintf("value->>%d", i))
		}
	}
	head := "WITH v (" + strings.Join(names, ", ") + ", n) AS (SELECT "
	if q.pg {
		return head + "* FROM unnest(" + strings.Join(parts, ", ") + ") WITH ORDINALITY) " + statement, args, nil
	}
	text, err := v.json()
	return head + strings.Join(parts, ", ") + ", key FROM json_each($1)) " + statement, []any{text}, err
}

func (v *values) array(i int, kind string) (any, error) {
	switch kind {
	case "bigint":
		return column[int64](v.rows, i)
	case "text":
		return column[string](v.rows, i)
	default:
		return column[[]byte](v.rows, i)
	}
}

func column[T any](rows [][]any, i int) ([]T, error) {
	out := make([]T, len(rows))
	for n, row := range rows {
		v, err := encode(row[i])
		if err != nil {
			return nil, err
		}
		var ok bool
		if out[n], ok = v.(T); !ok {
			return nil, fmt.Errorf("store: %T in a column of %T", v, out[n])
		}
	}
	return out, nil
}

func (v *values) json() (string, error) {
	rows := make([][]any, len(v.rows))
	for n, row := range v.rows {
		encoded, err := encodeAll(row)
		if err != nil {
			return "", err
		}
		for i := range encoded {
			if b, ok := encoded[i].([]byte); ok {
				encoded[i] = hex.EncodeToString(b)
			}
		}
		rows[n] = encoded
	}
	b, err := json.Marshal(rows)
	return string(b), err
}

// oneByOne is the number of rows up to which SQLite gets them one by one, since that is faster than JSON.
const oneByOne = 4

// change runs a statement that writes what v contains. SQLite gets few rows one by one, and also rows with bytes, which
// may be large and would be copied several times in JSON: SQLite needs no network round trips.
func (q *Queries) change(ctx context.Context, v *values, statement string) error {
	if len(v.rows) == 0 {
		return nil
	}
	if !q.pg && (len(v.rows) <= oneByOne || strings.Contains(v.columns, " bytea")) {
		return q.changeEach(ctx, v, statement)
	}
	statement, args, err := q.with(v, statement)
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, statement, args...)
	return err
}

func (q *Queries) changeEach(ctx context.Context, v *values, statement string) error {
	w := &where{pg: q.pg}
	var names, params []string
	for _, c := range v.all() {
		names, params = append(names, c.name), append(params, w.arg(nil))
	}
	statement = "WITH v (" + strings.Join(names, ", ") + ", n) AS (SELECT " + strings.Join(params, ", ") + ", 0) " +
		statement
	for _, row := range v.rows {
		if _, err := q.exec(ctx, statement, row...); err != nil {
			return err
		}
	}
	return nil
}

// find passes every row of a query about v to f.
func (q *Queries) find(ctx context.Context, v *values, f func(row) error, statement string) error {
	if len(v.rows) == 0 {
		return nil
	}
	statement, args, err := q.with(v, statement)
	if err != nil {
		return err
	}
	return q.each(ctx, f, statement, args...)
}

// insertAll runs INSERT … SELECT … FROM v ORDER BY v.n RETURNING id, and returns the IDs in the order of the rows.
func (q *Queries) insertAll(ctx context.Context, v *values, statement string) ([]int64, error) {
	if len(v.rows) == 0 {
		return nil, nil
	}
	statement, args, err := q.with(v, statement)
	if err != nil {
		return nil, err
	}
	if args, err = encodeAll(args); err != nil {
		return nil, err
	}
	answer, err := q.c.write(ctx, statement, args...)
	if err != nil {
		return nil, classify(err)
	}
	var ids []int64
	if err := each(answer, func(r row) error {
		var id int64
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	}); err != nil {
		return nil, err
	}
	if len(ids) != len(v.rows) {
		return nil, fmt.Errorf("store: %d rows inserted of %d", len(ids), len(v.rows))
	}
	slices.Sort(ids) // ids increase, but the order in which they are returned is not guaranteed
	return ids, nil
}
