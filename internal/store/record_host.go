package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ipcguard/internal/model"
)

// with returns the host after a result. back says that the result ends a retirement. What the store maintains itself
// stays unchanged.
func (h Host) with(r *Result, back bool) Host {
	n := r.Host
	set := func(p *string, v string, overwrite bool) {
		if v != "" && (overwrite || *p == "") {
			*p = v
		}
	}
	scan := r.Kind != RunAudit && r.Verdict != model.Unreachable
	set(&h.Name, clean(n.Name), scan)
	set(&h.OS, clean(n.OS), scan)
	set(&h.System, clean(n.System), scan)
	set(&h.Identity, clean(n.Identity), scan)
	if n.SameAs != 0 {
		h.SameAs = n.SameAs
	}
	if r.Kind != RunAudit {
		h.Verdict = r.Verdict
	}
	if back {
		h.Retired = time.Time{}
	}
	if scan {
		set(&h.Signing, clean(n.Signing), true)
		if n.Cells != "" {
			h.Cells = n.Cells
		}
		h.SMB1 = n.SMB1
	}
	h.LastSeen = r.after(h.LastSeen)
	if r.Kind == RunAudit {
		h.LastAudit = r.At
	}
	return h
}

// after returns the later state of a time of its host: that of the result, except for an audit that somebody uploads
// and that is from before. What a run brings is always newer, even if the clock was set back.
func (r *Result) after(was time.Time) time.Time {
	if r.Kind == RunAudit && r.RunID == 0 && r.At.Before(was) {
		return was
	}
	return r.At
}

// insertHost creates the host of a result with what its target says, or what the result says if the target was deleted.
func (rec *recorder) insertHost(ctx context.Context, h *Host, target *origin, r *Result) error {
	h.Address = clean(r.Host.Address)
	h.Name = orElse(h.Name, h.Address)
	h.FirstSeen, h.LastChanged = r.At, r.At
	h.Tags, h.Owner, h.Criticality = normalTags(r.Host.Tags), clean(r.Host.Owner), r.Host.Criticality
	if target.found { // as refreshHost does
		h.Tags, h.Owner, h.Criticality = target.tags, target.owner, target.criticality
	}
	err := rec.insert(ctx, &h.ID,
		`INSERT INTO hosts (site_id, verdict, severity, findings, excepted, criticality, smb1, posture_id, cells,
		first_seen, last_seen, last_changed, last_audit, owner, sort_name, search, address, name, identity, same_as,
		tags, system, os, signing)
		VALUES ($1, $2, 0, 0, 0, $3, $4, 0, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
		ON CONFLICT (site_id, address) DO NOTHING RETURNING id`,
		h.SiteID, h.Verdict, h.Criticality, h.SMB1, h.Cells, h.FirstSeen, h.LastSeen, h.LastChanged, h.LastAudit,
		h.Owner, sortName(h),
		searchText(h, firstNames(r)), h.Address, h.Name, h.Identity, h.SameAs, h.Tags, h.System, h.OS, h.Signing)
	if err == nil {
		err = rec.insertAddress(ctx, h)
	}
	if errors.Is(err, ErrConflict) { // another worker has just created it
		return fmt.Errorf("%w: %w", ErrUnavailable, errAgain)
	}
	if err != nil {
		return err
	}
	rec.at[address{h.SiteID, h.Address}] = h.ID
	rec.names[h.ID] = map[hostName]time.Time{}
	return rec.insertTags(ctx, `INSERT INTO host_tags (tag, host_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		h.ID, h.Tags)
}

func (rec *recorder) insertAddress(ctx context.Context, h *Host) error {
	n, err := rec.exec(ctx,
		`INSERT INTO addresses (site_id, address, host_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, h.SiteID,
		h.Address, h.ID)
	if err == nil && n == 0 {
		return ErrConflict
	}
	return err
}

// firstNames returns the searchable names of a host that has only those of its first result.
func firstNames(r *Result) []string {
	var names []string
	for _, n := range namesIn(r) {
		names = append(names, n.name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxSearchNames)]
}

// updateHost writes what differs; usually only the time when the host was last seen, which is queued.
func (rec *recorder) updateHost(ctx context.Context, old, h *Host) error {
	rec.seen[h.ID] = true
	if h.LastAudit != old.LastAudit {
		rec.audited[h.ID] = true
	}
	if h.Verdict != old.Verdict || h.Cells != old.Cells || h.SMB1 != old.SMB1 || !h.LastChanged.Equal(old.LastChanged) {
		if _, err := rec.exec(ctx,
			`UPDATE hosts SET verdict = $2, cells = $3, smb1 = $4, last_changed = $5 WHERE id = $1`,
			h.ID, h.Verdict, h.Cells, h.SMB1, h.LastChanged); err != nil {
			return err
		}
	}
	if !h.Retired.Equal(old.Retired) {
		if _, err := rec.exec(ctx, `UPDATE hosts SET retired = $2 WHERE id = $1`, h.ID, h.Retired); err != nil {
			return err
		}
	}
	if h.Identity != old.Identity || h.SameAs != old.SameAs || h.System != old.System || h.OS != old.OS ||
		h.Signing != old.Signing {
		if _, err := rec.exec(ctx,
			`UPDATE hosts SET identity = $2, same_as = $3, system = $4, os = $5, signing = $6 WHERE id = $1`,
			h.ID, h.Identity, h.SameAs, h.System, h.OS, h.Signing); err != nil {
			return err
		}
	}
	if h.Name != old.Name {
		if _, err := rec.exec(ctx, `UPDATE hosts SET name = $2, sort_name = $3 WHERE id = $1`,
			h.ID, h.Name, sortName(h)); err != nil {
			return err
		}
		return rec.findable(ctx, h)
	}
	return nil
}

// writeHosts writes when hosts were seen, sorted by id for locality of the pages that they are on.
func (rec *recorder) writeHosts(ctx context.Context) error {
	seen, audited := &values{columns: "host bigint, at bigint"}, &values{columns: "host bigint, at bigint"}
	for _, id := range slices.Sorted(maps.Keys(rec.seen)) {
		seen.add(id, rec.hosts[id].LastSeen)
	}
	for _, id := range slices.Sorted(maps.Keys(rec.audited)) {
		audited.add(id, rec.hosts[id].LastAudit)
	}
	if err := rec.change(ctx, seen, `UPDATE hosts SET last_seen = v.at FROM v WHERE hosts.id = v.host`); err != nil {
		return err
	}
	return rec.change(ctx, audited, `UPDATE hosts SET last_audit = v.at FROM v WHERE hosts.id = v.host`)
}

// maxNames bounds a host's stored names: a host with more is a load balancer or lies. The oldest are deleted.
const maxNames = 100

// nameAge is how much later a name must be seen again for its time to be written, unless the result has a new name too:
// most results report the names of the result before, and only a new one may displace the oldest.
const nameAge = time.Hour

// namesIn returns the names in a result as they are stored.
func namesIn(r *Result) []hostName {
	var names []hostName
	for _, n := range r.Names[:min(len(r.Names), maxNames)] {
		if k := (hostName{clean(n.Kind), clean(n.Name)}); k.name != "" {
			names = append(names, k)
		}
	}
	return names
}

// recordNames queues the names of a result. If an existing host has a new one, all queued names are written at once:
// which names are too many, and by which it is found, depends on what is written.
func (rec *recorder) recordNames(ctx context.Context, h *Host, r *Result, isNew bool) error {
	if len(r.Names) > 0 && rec.names[h.ID] == nil { // deleted below
		if err := rec.namesOf(ctx, []int64{h.ID}); err != nil {
			return err
		}
	}
	known, names := rec.names[h.ID], namesIn(r)
	added := slices.ContainsFunc(names, func(k hostName) bool { return known[k].IsZero() })
	for _, k := range names {
		last := known[k]
		// A time that is far ahead was told by a clock that has been set back.
		if age := r.At.Sub(last); !last.IsZero() && age > -nameAge && (age <= 0 || age < nameAge && !added) {
			continue
		}
		known[k] = r.At
		rec.keepName(h.ID, k, r.At)
	}
	if isNew || !added {
		return nil
	}
	if len(known) > maxNames {
		if err := rec.writeNames(ctx); err != nil {
			return err
		}
		if _, err := rec.exec(ctx, `DELETE FROM host_names WHERE host_id = $1 AND (kind, name) NOT IN
			(SELECT kind, name FROM host_names WHERE host_id = $1 ORDER BY last_seen DESC, kind, name LIMIT $2)`, h.ID,
			maxNames); err != nil {
			return err
		}
		delete(rec.names, h.ID)
	}
	return rec.findable(ctx, h)
}

// calledSo is a queued name; first is set if it is new.
type calledSo struct{ first, last time.Time }

func (rec *recorder) keepName(host int64, name hostName, at time.Time) {
	if rec.named[host] == nil {
		rec.named[host] = map[hostName]calledSo{}
	}
	first := at
	if before, ok := rec.named[host][name]; ok && before.first.Before(at) {
		first = before.first
	}
	rec.named[host][name] = calledSo{first, at}
}

func (rec *recorder) writeNames(ctx context.Context) error {
	v := &values{columns: "host bigint, kind text, name text, first bigint, last bigint"}
	for _, host := range slices.Sorted(maps.Keys(rec.named)) {
		names := rec.named[host]
		for _, n := range slices.SortedFunc(maps.Keys(names), hostName.compare) {
			v.add(host, n.kind, n.name, names[n].first, names[n].last)
		}
	}
	clear(rec.named)
	return rec.change(ctx, v, `INSERT INTO host_names (host_id, kind, name, first_seen, last_seen)
		SELECT v.host, v.kind, v.name, v.first, v.last FROM v WHERE true
		ON CONFLICT (host_id, kind, name) DO UPDATE SET last_seen = excluded.last_seen, first_seen = CASE
		WHEN excluded.first_seen < host_names.first_seen THEN excluded.first_seen ELSE host_names.first_seen END`)
}

func (n hostName) compare(m hostName) int {
	return cmp.Or(cmp.Compare(n.kind, m.kind), cmp.Compare(n.name, m.name))
}

// findable writes the text that a search for a host matches, and before it the queued names that it contains.
func (rec *recorder) findable(ctx context.Context, h *Host) error {
	if err := rec.writeNames(ctx); err != nil {
		return err
	}
	return rec.searchable(ctx, h)
}

// searchable writes the text that a search for a host matches.
func (q *Queries) searchable(ctx context.Context, h *Host) error {
	names, err := q.strings(ctx, `SELECT name FROM (SELECT name, last_seen FROM host_names WHERE host_id = $1 UNION
		SELECT address, 0 FROM addresses WHERE host_id = $1) n ORDER BY last_seen DESC, name LIMIT $2`, h.ID,
		maxSearchNames)
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, `UPDATE hosts SET search = $2 WHERE id = $1`, h.ID, searchText(h, names))
	return err
}
