package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// known is what a group of results needs to know of units, targets and hosts. It is read before the first result is
// recorded, with a few queries for all; each result then updates it as it will update the database.
//
// On PostgreSQL the open units and then the hosts are locked, in the order of their IDs, before anything that depends
// on them is read: no other transaction records for them until this one ends, and two groups that share some do not
// deadlock.
type known struct {
	units     map[unit]bool     // the open ones
	waiting   map[unit]bool     // the open ones that no worker has
	targets   map[int64]*origin // by target
	sites     map[int64]*origin // by site, for results whose target does not exist
	at        map[address]int64 // hosts by address
	hosts     map[int64]*Host   // with the changes of results, but not of targets and findings
	spans     map[hostKind]*span
	names     map[int64]map[hostName]time.Time // of a host, and when each was last seen
	documents map[hostKind]int64               // number of the last one
	results   map[hostKindTime]bool            // the existing ones
	snapshots map[[16]byte]int64
	canonical map[*Result]canonical
}

type (
	unit    struct{ run, target int64 }
	address struct {
		site int64
		text string
	}
	hostKind struct {
		host int64
		kind RunKind
	}
	hostKindTime struct {
		hostKind
		at int64
	}
	hostName struct{ kind, name string }
)

func newKnown() known {
	return known{
		units: map[unit]bool{}, waiting: map[unit]bool{}, targets: map[int64]*origin{},
		sites: map[int64]*origin{}, at: map[address]int64{}, hosts: map[int64]*Host{},
		spans: map[hostKind]*span{}, names: map[int64]map[hostName]time.Time{}, documents: map[hostKind]int64{},
		results: map[hostKindTime]bool{}, snapshots: map[[16]byte]int64{}, canonical: map[*Result]canonical{},
	}
}

// lookUp reads what is known for a group.
func (rec *recorder) lookUp(ctx context.Context, results []*Result) error {
	if err := rec.findUnits(ctx, results); err != nil {
		return err
	}
	results = slices.DeleteFunc(slices.Clone(results), func(r *Result) bool {
		return r.RunID != 0 && !rec.units[unitOf(r)]
	})
	for _, step := range []func(context.Context, []*Result) error{
		rec.findSharing, rec.findTargets, rec.findSites, rec.findHosts, rec.findSpans, rec.findNames, rec.findDocuments,
		rec.findResults, rec.findSnapshots,
	} {
		if err := step(ctx, results); err != nil {
			return err
		}
	}
	return nil
}

func unitOf(r *Result) unit { return unit{r.RunID, r.TargetID} }

// findUnits reads the open units of the results, run by run. A join with a list of units would read the same, but
// PostgreSQL, whose statistics may be of a time when no unit was open, then compares every open unit of the run with
// every one of the list.
func (rec *recorder) findUnits(ctx context.Context, results []*Result) error {
	targets := map[int64][]int64{} // by run
	for _, r := range results {
		if r.RunID != 0 {
			targets[r.RunID] = append(targets[r.RunID], r.TargetID)
		}
	}
	for _, run := range slices.Sorted(maps.Keys(targets)) {
		if err := rec.each(ctx, func(row row) error {
			u := unit{run: run}
			var waits bool
			err := row.Scan(&u.target, &waits)
			rec.units[u], rec.waiting[u] = true, waits
			return err
		}, `SELECT u.target_id, CASE WHEN u.state = 0 THEN 1 ELSE 0 END FROM units u
			WHERE u.run_id = $1 AND u.state < 2 AND u.target_id `+rec.in("$2")+` ORDER BY u.target_id`+rec.locked("u"),
			run, rec.ids(targets[run])); err != nil {
			return err
		}
	}
	return nil
}

// origin is the site and the target that a result belongs to.
type origin struct {
	site     int64
	siteName string
	found    bool // the target exists

	host        int64 // the target's host
	tags        []string
	owner       string
	criticality Criticality
}

func (rec *recorder) findTargets(ctx context.Context, results []*Result) error {
	ids := distinct(results, func(r *Result) (int64, bool) { return r.TargetID, r.TargetID != 0 })
	if len(ids) == 0 {
		return nil
	}
	return rec.each(ctx, func(row row) error {
		var id int64
		p := &origin{found: true}
		err := row.Scan(&id, &p.site, &p.siteName, &p.host, &p.tags, &p.owner, &p.criticality)
		rec.targets[id] = p
		return err
	}, `SELECT t.id, t.site_id, s.name, COALESCE(t.host_id, 0), t.tags, t.owner, t.criticality FROM targets t
		JOIN sites s ON s.id = t.site_id WHERE t.id `+rec.in("$1"), rec.ids(ids))
}

func (rec *recorder) findSites(ctx context.Context, results []*Result) error {
	ids := distinct(results, func(r *Result) (int64, bool) { return r.Host.SiteID, rec.targets[r.TargetID] == nil })
	if len(ids) == 0 {
		return nil
	}
	return rec.each(ctx, func(row row) error {
		p := &origin{}
		err := row.Scan(&p.site, &p.siteName)
		rec.sites[p.site] = p
		return err
	}, `SELECT id, name FROM sites WHERE id `+rec.in("$1"), rec.ids(ids))
}

func (rec *recorder) originOf(r *Result) (*origin, error) {
	if p := rec.targets[r.TargetID]; p != nil {
		return p, nil
	}
	if p := rec.sites[r.Host.SiteID]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("its site: %w", ErrNotFound)
}

func (rec *recorder) findHosts(ctx context.Context, results []*Result) error {
	v := &values{columns: "site bigint, address text"}
	for _, a := range distinct(results, func(r *Result) (address, bool) {
		p, err := rec.originOf(r)
		if err != nil {
			return address{}, false // reported when its turn comes
		}
		return address{p.site, clean(r.Host.Address)}, true
	}) {
		v.add(a.site, a.text)
	}
	ids := map[int64]bool{}
	err := rec.find(ctx, v, func(row row) error {
		var a address
		var id int64
		err := row.Scan(&a.site, &a.text, &id)
		rec.at[a], ids[id] = id, true
		return err
	}, `SELECT a.site_id, a.address, a.host_id FROM v JOIN addresses a ON a.site_id = v.site AND a.address = v.address`)
	if err != nil || len(ids) == 0 {
		return err
	}
	all, err := list(ctx, rec.Queries, scanHost,
		hostColumns+` WHERE h.id `+rec.in("$1")+` ORDER BY h.id`+rec.locked("h"),
		rec.ids(slices.Sorted(maps.Keys(ids))))
	if err != nil {
		return err
	}
	if len(all) < len(ids) { // one was just merged with another
		return fmt.Errorf("%w: %w", ErrUnavailable, errAgain)
	}
	for _, h := range all {
		rec.hosts[h.ID] = &h
	}
	return nil
}

// hostAt returns the host that has a result's address, or was merged with the one that had it; nil if there is none.
func (rec *recorder) hostAt(site int64, r *Result) *Host {
	return rec.hosts[rec.at[address{site, clean(r.Host.Address)}]]
}

// knownHosts returns the hosts of the results that asks selects.
func (rec *recorder) knownHosts(results []*Result, asks func(*Result) bool) []int64 {
	return distinct(results, func(r *Result) (int64, bool) {
		p, err := rec.originOf(r)
		if err != nil || !asks(r) {
			return 0, false
		}
		h := rec.hostAt(p.site, r)
		if h == nil {
			return 0, false
		}
		return h.ID, true
	})
}

func (rec *recorder) findSpans(ctx context.Context, results []*Result) error {
	hosts := rec.knownHosts(results, func(*Result) bool { return true })
	if len(hosts) == 0 {
		return nil
	}
	return rec.each(ctx, func(row row) error {
		s := &span{stored: true}
		err := row.Scan(&s.host, &s.kind, &s.since, &s.last, &s.snapshot, &s.findings, &s.reported)
		rec.spans[s.hostKind] = s
		return err
	}, `SELECT host_id, kind, since, last_at, snapshot_id, findings, findings_at FROM spans WHERE until = 0
		AND host_id `+rec.in("$1"), rec.ids(hosts))
}

func (rec *recorder) findNames(ctx context.Context, results []*Result) error {
	return rec.namesOf(ctx, rec.knownHosts(results, func(r *Result) bool { return len(r.Names) > 0 }))
}

func (rec *recorder) namesOf(ctx context.Context, hosts []int64) error {
	if len(hosts) == 0 {
		return nil
	}
	for _, id := range hosts {
		rec.names[id] = map[hostName]time.Time{}
	}
	return rec.each(ctx, func(row row) error {
		var host int64
		var n hostName
		var last time.Time
		err := row.Scan(&host, &n.kind, &n.name, &last)
		if err == nil {
			rec.names[host][n] = last
		}
		return err
	}, `SELECT host_id, kind, name, last_seen FROM host_names WHERE host_id `+rec.in("$1"), rec.ids(hosts))
}

func (rec *recorder) findDocuments(ctx context.Context, results []*Result) error {
	hosts := rec.knownHosts(results, func(r *Result) bool { return r.Document != nil })
	if len(hosts) == 0 {
		return nil
	}
	return rec.each(ctx, func(row row) error {
		var host, seq int64
		var kind string
		err := row.Scan(&host, &kind, &seq)
		rec.documents[hostKind{host, RunKind(kind)}] = seq
		return err
	}, `SELECT host_id, kind, max(seq) FROM documents WHERE host_id `+rec.in("$1")+` GROUP BY host_id, kind`,
		rec.ids(hosts))
}

// findResults reads which of the results from elsewhere exist already.
func (rec *recorder) findResults(ctx context.Context, results []*Result) error {
	v := &values{columns: "host bigint, kind bigint, at bigint"}
	for _, r := range results {
		if p, err := rec.originOf(r); err == nil && r.RunID == 0 {
			if h := rec.hostAt(p.site, r); h != nil {
				v.add(h.ID, r.Kind, r.At)
			}
		}
	}
	return rec.find(ctx, v, func(row row) error {
		var k hostKindTime
		err := row.Scan(&k.host, &k.kind, &k.at)
		rec.results[k] = true
		return err
	}, `SELECT r.host_id, r.kind, r.at FROM v JOIN results r ON r.host_id = v.host AND r.at = v.at AND r.kind = v.kind`)
}

// maxRecent is how many snapshots a result's is compared with before its JSON is made, which takes ten times as long as
// one comparison: many hosts of a network look like one of a few others.
const maxRecent = 4

func (rec *recorder) findSnapshots(ctx context.Context, results []*Result) error {
	v := &values{columns: "hash bytea"}
	seen := map[[16]byte]bool{}
	var recent []*Result // with different snapshots
	for _, r := range results {
		if i := slices.IndexFunc(recent, func(o *Result) bool { return o.Snapshot.equal(&r.Snapshot) }); i >= 0 {
			rec.canonical[r] = rec.canonical[recent[i]]
			continue
		}
		c, err := canonicalOf(r.Snapshot)
		if err != nil {
			return err
		}
		rec.canonical[r] = c
		recent = append(recent[max(0, len(recent)+1-maxRecent):], r)
		if !seen[c.hash] {
			seen[c.hash] = true
			v.add(c.hash[:])
		}
	}
	return rec.find(ctx, v, func(row row) error {
		var id int64
		var hash []byte
		err := row.Scan(&id, &hash)
		if err == nil && len(hash) != 16 {
			err = errors.New("a snapshot's hash is cut short")
		}
		if err == nil {
			rec.snapshots[[16]byte(hash)] = id
		}
		return err
	}, `SELECT s.id, s.hash FROM v JOIN snapshots s ON s.hash = v.hash`)
}

// distinct returns the distinct keys of results, unsorted.
func distinct[K comparable](results []*Result, key func(*Result) (K, bool)) []K {
	var out []K
	seen := map[K]bool{}
	for _, r := range results {
		if k, ok := key(r); ok && !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	return out
}
