package store

import (
	"context"
	"slices"
	"strings"
)

// RemoveEvent deletes an event of a host's result, by its kind, subject, and the values before and after.
func (q *Queries) RemoveEvent(ctx context.Context, e Event) error {
	_, err := q.exec(ctx,
		`DELETE FROM events WHERE host_id = $1 AND run_id = $2 AND at = $3 AND kind = $4 AND subject = $5 AND was = $6
			AND became = $7`,
		e.HostID, e.RunID, e.At, e.Kind, e.Subject, e.Before, e.After)
	return err
}

// AddEvents writes events. A reader that asks for events AfterID relies on ids that become visible in order: on
// PostgreSQL the transactions that write events therefore commit one after the other, and write them last.
func (q *Queries) AddEvents(ctx context.Context, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	return q.atomic(ctx, func(q *Queries) error {
		if q.pg {
			if _, err := q.exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockEvents); err != nil {
				return err
			}
		}
		sites := map[string]int64{}
		v := &values{columns: "at bigint, host bigint, site bigint, run bigint, severity bigint, excepted bigint, " +
			"exception bigint, kind text, " +
			"name text, subject text, was text, became text, text text"}
		for i := range events {
			e := &events[i]
			if e.At.IsZero() {
				e.At = q.now()
			}
			site, known := sites[e.Site]
			if !known && e.Site != "" {
				s, err := q.SiteByName(ctx, e.Site)
				if err != nil {
					return err
				}
				site, sites[e.Site] = s.ID, s.ID
			}
			v.add(e.At, e.HostID, site, e.RunID, e.Severity, e.Excepted, e.Exception, e.Kind, e.Host, e.Subject,
				e.Before, e.After, e.Text)
		}
		ids, err := q.insertAll(ctx, v,
			`INSERT INTO events (at, host_id, site_id, run_id, severity, excepted, exception, kind, host,
			subject, was, became, text) SELECT v.at, v.host, v.site, v.run, v.severity, v.excepted, v.exception,
			v.kind, v.name, v.subject, v.was, v.became, v.text FROM v ORDER BY v.n RETURNING id`)
		for i, id := range ids {
			events[i].ID = id
		}
		return err
	})
}

func (f EventFilter) where(pg bool) *where {
	w := &where{pg: pg}
	w.within("e.site_id", f.Within)
	if f.Site != "" {
		w.and(`e.site_id = (SELECT id FROM sites WHERE name = ?)`, f.Site)
	}
	if f.HostID != 0 {
		w.and(`e.host_id = ?`, f.HostID)
	}
	if f.RunID != 0 {
		w.and(`e.run_id = ?`, f.RunID)
	}
	if len(f.Kinds) > 0 {
		w.and(`e.kind IN (`+marks(len(f.Kinds))+`)`, anys(f.Kinds)...)
	}
	if f.Least != "" {
		w.and(`e.severity >= ?`, f.Least)
	}
	if !f.Since.IsZero() {
		w.and(`e.at >= ?`, f.Since)
	}
	if !f.Until.IsZero() {
		w.and(`e.at < ?`, f.Until)
	}
	if f.AfterID != 0 {
		w.and(`e.id > ?`, f.AfterID)
	}
	if f.NotExcepted {
		w.and(`e.excepted = 0`)
	}
	return w
}

func marks(n int) string {
	b := slices.Repeat([]byte("?,"), n)
	return string(b[:len(b)-1])
}

func anys[T any](all []T) []any {
	out := make([]any, len(all))
	for i, v := range all {
		out[i] = v
	}
	return out
}

// Events returns a page of events, the last first unless Sort is "id", and their total number.
func (q *Queries) Events(ctx context.Context, f EventFilter, p Page) ([]Event, int, error) {
	order, err := p.order(map[string]string{
		"id": "e.id", "at": "e.at", "severity": "e.severity", "kind": "e.kind", "host": "e.host",
		"text": "e.text", "before": "e.was", "after": "e.became",
	}, "-id", "e.id")
	if err != nil {
		return nil, 0, err
	}
	w := f.where(q.pg)
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM events e`+w.String(), w.args...); err != nil {
		return nil, 0, err
	}
	if !q.pg && total > mostSorted { // keeps SQLite from sorting all events of a kind: the order's index has a page soon
		for i, part := range w.parts {
			if strings.HasPrefix(part, "e.kind ") {
				w.parts[i] = "+" + part
			}
		}
	}
	all, err := list(ctx, q, func(r row, e *Event) error {
		return r.Scan(&e.ID, &e.At, &e.Kind, &e.HostID, &e.Host, &e.Site, &e.RunID, &e.Severity, &e.Subject, &e.Before,
			&e.After, &e.Text,
			&e.Excepted, &e.Exception)
	}, `SELECT e.id, e.at, e.kind, e.host_id, e.host, COALESCE(s.name, ''), e.run_id, e.severity, e.subject, e.was,
		e.became, e.text,
		e.excepted, e.exception FROM events e LEFT JOIN sites s ON s.id = e.site_id
		WHERE e.id IN (SELECT e.id FROM events e`+w.String()+order+p.limits(w)+`)`+order, w.args...)
	return all, total, err
}
