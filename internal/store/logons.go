package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ipcguard/internal/model"
)

// KindObserve is the kind of a host's document with observations.
const KindObserve = "observe"

// maxLogonText bounds the stored names of a client and of a protocol in bytes: a DNS name is shorter, and PostgreSQL
// accepts no index row over 2704 bytes.
const maxLogonText = 255

// ClientLogon is one way in which a client logs on, over all selected hosts. Ways that were only refused are left
// out, and those of a capture that shows no answer; a log that tells no results does show who uses a way.
type ClientLogon struct {
	Client    string         `json:"client"`
	Agent     string         `json:"agent,omitempty"` // what the client says about itself
	Strength  model.Strength `json:"strength"`
	Package   string         `json:"package,omitempty"`
	Dialect   string         `json:"dialect,omitempty"`
	Hosts     int            `json:"hosts"` // the number of hosts it logs on to in this way
	FirstSeen time.Time      `json:"first_seen,omitzero"`
	LastSeen  time.Time      `json:"last_seen,omitzero"`
}

// clientWay identifies a [ClientLogon] of a host.
type clientWay struct {
	client, pkg, dialect string
	strength             model.Strength
}

// clientLogons returns the ways in which clients logged on: with success, or with a result that is not told.
func clientLogons(o *model.Observation) []ClientLogon {
	byWay := map[clientWay]*ClientLogon{}
	for _, l := range model.Logons(o.Uses) {
		if !l.LetIn() && !l.Untold() {
			continue
		}
		w := clientWay{briefly(l.Client), briefly(l.Package), briefly(l.Dialect), l.Strength}
		c := byWay[w]
		if c == nil {
			c = &ClientLogon{
				Client:    w.client,
				Strength:  w.strength,
				Package:   w.pkg,
				Dialect:   w.dialect,
				FirstSeen: l.First,
				LastSeen:  l.Last,
			}
			byWay[w] = c
		}
		c.Agent = cmp.Or(c.Agent, briefly(l.Agent))
		if !l.First.IsZero() && (c.FirstSeen.IsZero() || l.First.Before(c.FirstSeen)) {
			c.FirstSeen = l.First
		}
		if l.Last.After(c.LastSeen) {
			c.LastSeen = l.Last
		}
	}
	out := make([]ClientLogon, 0, len(byWay))
	for _, c := range byWay {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b ClientLogon) int {
		return cmp.Or(strings.Compare(a.Client,
			b.Client), slices.Index(strengths, b.Strength)-slices.Index(strengths, a.Strength),
			strings.Compare(a.Package, b.Package), strings.Compare(a.Dialect, b.Dialect))
	})
	return out
}

// briefly returns a text from elsewhere as it is stored, cut at a rune.
func briefly(s string) string {
	if s = clean(s); len(s) <= maxLogonText {
		return s
	}
	n := maxLogonText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// saveLogons replaces a host's stored logons by those of an observation's document.
func (q *Queries) saveLogons(ctx context.Context, hostID int64, document []byte) error {
	var o model.Observation
	if err := json.Unmarshal(document, &o); err != nil {
		return fmt.Errorf("%w: an observation that is no JSON: %w", ErrAsked, err)
	}
	if err := q.lockHosts(ctx, `id = $1`, hostID); err != nil {
		return err
	}
	if _, err := q.exec(ctx, `DELETE FROM logons WHERE host_id = $1`, hostID); err != nil {
		return err
	}
	v := &values{columns: "host bigint, client text, strength bigint, package text, dialect text, agent text, first " +
		"bigint, last bigint"}
	weakest := model.Strength("")
	for _, l := range clientLogons(&o) {
		if slices.Index(strengths, l.Strength) > slices.Index(strengths, weakest) {
			weakest = l.Strength
		}
		v.add(hostID, l.Client, l.Strength, l.Package, l.Dialect, l.Agent, l.FirstSeen, l.LastSeen)
	}
	if err := q.change(ctx, v,
		`INSERT INTO logons (host_id, client, strength, package, dialect, agent, first_seen, last_seen)
		SELECT v.host, v.client, v.strength, v.package, v.dialect, v.agent, v.first, v.last FROM v`); err != nil {
		return err
	}
	return q.must(ctx, `UPDATE hosts SET logon = $2 WHERE id = $1`, hostID, weakest)
}

// metaLogons is set to logonsUnread if the database is older than the table of logons and its observations must still
// be read.
const (
	metaLogons   = "logons"
	logonsUnread = "unread"
)

// readLogons fills the table from the observations of a database that was just migrated. It skips documents that cannot
// be read.
func (s *Store) readLogons(ctx context.Context) error {
	if state, err := s.Meta(ctx, metaLogons); err != nil || state != logonsUnread {
		return ignoreMissing(err)
	}
	hosts, err := list(ctx, &s.Queries, func(r row, id *int64) error { return r.Scan(id) },
		`SELECT DISTINCT host_id FROM documents WHERE kind = $1 ORDER BY host_id`, KindObserve)
	if err != nil {
		return err
	}
	for _, id := range hosts {
		err := s.InTx(ctx, func(tx *Tx) error {
			if err := tx.lockHosts(ctx, `id = $1`, id); err != nil {
				return err
			}
			body, _, err := tx.Document(ctx, id, KindObserve)
			if err != nil || !json.Valid(body) {
				return ignoreMissing(err)
			}
			return tx.saveLogons(ctx, id, body)
		})
		if err := ignoreMissing(err); err != nil {
			return err
		}
	}
	return s.SetMeta(ctx, metaLogons, "")
}

// ignoreMissing returns nil for [ErrNotFound], and other errors unchanged.
func ignoreMissing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// clientSorts are the columns by which ClientLogons can be sorted. A stronger way has a smaller number.
var clientSorts = map[string]string{
	"client": "client", "strength": "strength", "hosts": "hosts", "package": "package",
	"dialect": "dialect", "first_seen": "first_seen",
	"last_seen": "last_seen",
}

// ClientLogons returns which clients log on to the matching hosts, and how; the filter's Logon, Client and Text select
// ways and clients.
func (q *Queries) ClientLogons(ctx context.Context, f HostFilter, p Page) ([]ClientLogon, int, error) {
	order, err := p.order(clientSorts, "-strength", "client")
	if err != nil {
		return nil, 0, err
	}
	logon, client, text := f.Logon, f.Client, f.Text
	f.Logon, f.Client, f.Text = "", "", ""
	w := f.where(q.pg)
	if logon != "" {
		w.and(`l.strength = ?`, logon)
	}
	if client != "" {
		w.and(`l.client = ?`, briefly(client))
	}
	if text != "" {
		w.like("lower(l.client)", text)
	}
	ways := `SELECT l.client AS client, max(l.agent) AS agent, l.strength AS strength, l.package AS package,
		l.dialect AS dialect, count(*) AS hosts, COALESCE(min(NULLIF(l.first_seen, 0)), 0) AS first_seen,
		max(l.last_seen) AS last_seen FROM logons l
		JOIN hosts h ON h.id = l.host_id` + w.String() +
		` GROUP BY l.client, l.strength, l.package, l.dialect`
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM (`+ways+`) t`, w.args...); err != nil {
		return nil, 0, err
	}
	all, err := list(ctx, q, func(r row, c *ClientLogon) error {
		return r.Scan(&c.Client, &c.Agent, &c.Strength, &c.Package, &c.Dialect, &c.Hosts, &c.FirstSeen, &c.LastSeen)
	}, `SELECT * FROM (`+ways+`) t`+order+`, strength, package, dialect`+p.limits(w), w.args...)
	return all, total, err
}
