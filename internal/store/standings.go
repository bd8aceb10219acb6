package store

import (
	"context"
	"reflect"
	"time"

	"ipcguard/internal/model"
)

// Standing is the number of hosts of an owner at a site with a verdict, and when the one that is unchanged for longest
// changed.
type Standing struct {
	Site    string        `json:"site"`
	Owner   string        `json:"owner"`
	Verdict model.Verdict `json:"verdict"`
	Hosts   int           `json:"hosts"`
	Oldest  time.Time     `json:"oldest"`
}

// Exposed reports whether these hosts are exposed.
func (s Standing) Exposed() bool { return s.Verdict == model.Exposed }

// Score is the percentage of closed hosts, rounded down, so that 100 is every host. A limited host counts half; an
// exposed or unknown one counts nothing, since nothing shows that it is closed. Without hosts there is no score.
func (c Counts) Score() (n int, ok bool) {
	all := c.Exposed + c.Limited + c.Closed + c.Unknown
	if all <= 0 {
		return 0, false
	}
	return (2*c.Closed + c.Limited) * 100 / (2 * all), true
}

// CountsOf adds up standings by verdict, like [Queries.Counts].
func CountsOf(all []Standing) (c Counts) {
	for _, s := range all {
		c.add(s.Verdict, s.Hosts)
	}
	return c
}

// Standings counts the matching hosts by site, owner and verdict.
func (q *Queries) Standings(ctx context.Context, f HostFilter) ([]Standing, error) {
	c, oldest := counting{f.where(q.pg), "hosts h", "count(*)"}, `min(h.last_changed)`
	if f.standing() {
		// All hosts of a group match: an index has them in the order of their last changes.
		c, oldest = q.counting(f), `(SELECT min(o.last_changed) FROM hosts o
			WHERE o.retired = 0 AND o.site_id = h.site_id AND o.owner = h.owner AND o.verdict = h.verdict)`
	}
	return list(ctx, q, func(r row, s *Standing) error {
		return r.Scan(&s.Site, &s.Owner, &s.Verdict, &s.Hosts, &s.Oldest)
	}, `SELECT s.name, g.owner, g.verdict, g.hosts, g.oldest FROM (
			SELECT h.site_id, h.owner, h.verdict, `+c.hosts+` AS hosts, `+oldest+` AS oldest`+c.source()+`
			GROUP BY h.site_id, h.owner, h.verdict) g
		JOIN sites s ON s.id = g.site_id ORDER BY s.name, g.owner, g.verdict`, c.args...)
}

// standing reports whether a filter asks for nothing but what standings are counted by.
func (f HostFilter) standing() bool {
	f.Within, f.Site, f.Owner, f.Verdict = nil, "", "", ""
	return reflect.ValueOf(f).IsZero()
}

// OpenSince returns since when the oldest open finding of each host is open. Hosts without one are left out.
func (q *Queries) OpenSince(ctx context.Context, f HostFilter) (map[int64]time.Time, error) {
	w := f.where(q.pg)
	out := map[int64]time.Time{}
	err := q.each(ctx, func(r row) error {
		var id int64
		var at time.Time
		err := r.Scan(&id, &at)
		out[id] = at
		return err
	}, `SELECT f.host_id, min(f.first_seen) FROM findings f WHERE f.ended = 0
		AND f.host_id IN (SELECT h.id FROM hosts h`+w.String()+`) GROUP BY f.host_id`, w.args...)
	return out, err
}
