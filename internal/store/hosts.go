package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// The site's name is a subquery for each row of the page: with a join SQLite may start with the sites and then sort all
// hosts.
const hostColumns = `SELECT h.id, h.site_id, (SELECT s.name FROM sites s WHERE s.id = h.site_id), h.address, h.name,
	h.identity, h.same_as, h.tags, h.owner, h.criticality, h.system, h.os, h.verdict, h.cells, h.smb1, h.signing,
	h.severity, h.findings, h.excepted, h.first_seen, h.last_seen,
	h.last_changed, h.last_audit, h.logon, h.retired FROM hosts h`

func scanHost(r row, h *Host) error {
	return r.Scan(&h.ID, &h.SiteID, &h.Site, &h.Address, &h.Name, &h.Identity, &h.SameAs, &h.Tags, &h.Owner,
		&h.Criticality, &h.System,
		&h.OS, &h.Verdict, &h.Cells, &h.SMB1, &h.Signing, &h.Severity, &h.Findings, &h.Excepted, &h.FirstSeen,
		&h.LastSeen,
		&h.LastChanged, &h.LastAudit, &h.Logon, &h.Retired)
}

// hostSorts are the columns by which hosts can be sorted: each has an index, but last_audit, and last_seen on
// PostgreSQL. Verdict, severity and logon sort by how bad they are, and hosts of one severity by verdict and number of
// findings, so that "-severity" starts with the worst.
var hostSorts = map[string]string{
	"id": "h.id", "name": "h.sort_name", "site": "h.site_id", "verdict": "h.verdict",
	"severity": "h.severity; h.verdict; h.findings", "findings": "h.findings",
	"owner": "h.owner", "criticality": "h.criticality", "cells": "h.cells",
	"last_seen": "h.last_seen", "last_changed": "h.last_changed", "last_audit": "h.last_audit",
	"logon": "h.logon",
}

// GivesSort returns the column that sorts hosts by whether strangers get one kind of data; it has no index.
func GivesSort(d model.Disclosure) string { return "gives-" + string(d) }

func hostOrder(p Page) (string, error) {
	sorts := maps.Clone(hostSorts)
	for i, d := range model.Disclosures() {
		sorts[GivesSort(d)] = fmt.Sprintf("CASE substr(h.cells, %d, 1) WHEN 'a' THEN 4 WHEN '?' THEN 3 WHEN '-' "+
			"THEN 2 WHEN 'd' THEN 1 ELSE 0 END", i+1)
	}
	return p.order(sorts, "name", "h.id")
}

// oldAudit is true for a host h that changed since its audit. It is a query of its own, which has an index.
const oldAudit = `h.id IN (SELECT o.id FROM hosts o WHERE o.last_audit > 0 AND o.last_changed > o.last_audit)`

// where returns the conditions for queries about hosts only: in the fleet, or retired.
func (f HostFilter) where(pg bool) *where {
	w := f.indexed(pg)
	switch {
	case pg:
	case f.Audit == AuditOld: // keeps SQLite from going over all hosts that fit: few of them have old audits
		w.plain(func(part string) bool { return part != oldAudit })
	case f.Text != "": // a text is in no index: reading the table in its own order takes a tenth of the time
		w.plain(func(part string) bool { return !strings.HasPrefix(part, "h.id ") })
	}
	return w
}

// indexed returns the same conditions, for a query that follows an index.
func (f HostFilter) indexed(pg bool) *where {
	w := &where{pg: pg}
	switch {
	case f.Retired:
		w.and(`h.retired > 0`)
	case f.IDs != nil && !pg:
		w.and(`+h.retired = 0`) // keeps SQLite from following an index of the whole fleet: it looks up each host
	default:
		w.and(`h.retired = 0`)
	}
	return f.append(w)
}

// plain keeps SQLite from looking for an index of some conditions on hosts.
func (w *where) plain(these func(part string) bool) {
	for i, part := range w.parts {
		if strings.HasPrefix(part, "h.") && these(part) {
			w.parts[i] = "+" + part
		}
	}
}

// mostSorted is the number of rows up to which SQLite finds all that match, and sorts them. Of more, a page is soon
// filled along the index that has their order.
const mostSorted = 2000

// append adds the filter's conditions on a host h.
func (f HostFilter) append(w *where) *where {
	w.within("h.site_id", f.Within)
	if f.Site != "" {
		w.and(`h.site_id = (SELECT id FROM sites WHERE name = ?)`, f.Site)
	}
	if f.Tag != "" {
		w.and(`h.id IN (SELECT host_id FROM host_tags WHERE tag = ?)`, normalTag(f.Tag))
	}
	if f.Owner != "" {
		w.and(`h.owner = ?`, f.Owner)
	}
	if f.Criticality != "" {
		w.and(`h.criticality = ?`, f.Criticality)
	}
	switch f.Verdict {
	case "":
	case VerdictUnknown:
		w.and(`h.verdict IN (?, ?)`, model.VerdictInconclusive, model.Unreachable)
	default:
		w.and(`h.verdict = ?`, f.Verdict)
	}
	if f.Discloses != "" {
		// An unknown kind has index 0, where no cell is.
		w.and(`substr(h.cells, ?, 1) = 'a'`, slices.Index(model.Disclosures(), f.Discloses)+1)
	}
	if f.Finding != "" {
		w.and(`h.posture_id IN (SELECT posture_id FROM posture_findings WHERE finding = ?)`, f.Finding)
	}
	if f.Setting != "" {
		w.and(`h.posture_id IN (SELECT p.posture_id FROM set_settings c JOIN posture_findings p ON p.set_id = c.set_id
			WHERE c.setting = ?)`,
			f.Setting)
	}
	if f.Least != "" {
		w.and(`h.severity >= ?`, f.Least)
	}
	if !f.Unchanged.IsZero() {
		w.and(`h.last_changed <= ?`, f.Unchanged)
	}
	if !f.Unseen.IsZero() {
		w.and(`h.last_seen <= ?`, f.Unseen)
	}
	if f.Text != "" {
		w.like("h.search", f.Text)
	}
	if f.Called != "" {
		w.called(f.Called)
	}
	if f.SMB1 {
		w.and(`h.smb1 = 1`)
	}
	switch {
	case f.Client != "" && f.Logon != "":
		w.and(`h.id IN (SELECT host_id FROM logons WHERE client = ? AND strength = ?)`, briefly(f.Client), f.Logon)
	case f.Client != "":
		w.and(`h.id IN (SELECT host_id FROM logons WHERE client = ?)`, briefly(f.Client))
	case f.Logon != "":
		w.and(`h.logon = ?`, f.Logon)
	}
	switch f.Audit {
	case AuditOld:
		w.and(oldAudit)
	case AuditNone:
		w.and(`h.last_audit = 0`)
	}
	if f.Excepted {
		w.and(`h.excepted > 0`)
	}
	if f.IDs != nil {
		w.in("h.id", f.IDs)
	}
	return w
}

// Hosts returns a page of hosts and their total number.
func (q *Queries) Hosts(ctx context.Context, f HostFilter, p Page) ([]Host, int, error) {
	order, err := hostOrder(p)
	if err != nil {
		return nil, 0, err
	}
	var total int
	if !p.Uncounted {
		c := q.counting(f)
		if err := q.one(ctx, []any{&total}, `SELECT COALESCE(`+c.hosts+`, 0)`+c.source(), c.args...); err != nil {
			return nil, 0, err
		}
	}
	w := f.where(q.pg)
	if f.Text != "" && total > mostSorted {
		w = f.indexed(q.pg)
	}
	if !q.pg && strings.TrimPrefix(p.Sort, "-") == "severity" {
		// keeps SQLite from sorting all hosts of a verdict: this order's index has it, too
		w.plain(func(part string) bool { return strings.HasPrefix(part, "h.verdict ") })
	}
	// The offset is skipped in the index: only the rows of the page are read.
	all, err := list(ctx, q, scanHost,
		hostColumns+` WHERE h.id IN (SELECT h.id FROM hosts h`+w.String()+order+p.limits(w)+`)`+order, w.args...)
	return all, total, err
}

// EachHost calls do for every host, ordered by ID. do may use the store: a thousand hosts are read at a time.
func (q *Queries) EachHost(ctx context.Context, f HostFilter, do func(Host) error) error {
	after := int64(0)
	for {
		w := f.where(q.pg)
		w.parts[0] = "+" + w.parts[0] // keeps SQLite from sorting the fleet for each part: it follows the rows
		w.and(`h.id > ?`, after)
		part, err := list(ctx, q, scanHost, hostColumns+w.String()+` ORDER BY h.id`+Page{}.limits(w), w.args...)
		if err != nil {
			return err
		}
		for _, h := range part {
			if err := do(h); err != nil {
				return err
			}
			after = h.ID
		}
		if len(part) < MaxPage {
			return nil
		}
	}
}

// Host returns a host.
func (q *Queries) Host(ctx context.Context, id int64) (Host, error) {
	return get(ctx, q, scanHost, hostColumns+` WHERE h.id = $1`, id)
}

// HostByAddress returns the host that has an address, or was merged with the one that had it.
func (q *Queries) HostByAddress(ctx context.Context, siteID int64, address string) (Host, error) {
	return get(ctx, q, scanHost,
		hostColumns+` JOIN addresses a ON a.host_id = h.id WHERE a.site_id = $1 AND a.address = $2`, siteID, address)
}

// HostsByIdentity returns at most ten hosts of a site with the same identity.
func (q *Queries) HostsByIdentity(ctx context.Context, siteID int64, identity string) ([]Host, error) {
	if identity == "" {
		return nil, nil
	}
	return list(ctx, q, scanHost, hostColumns+` WHERE h.identity = $2 AND h.site_id = $1 ORDER BY h.id LIMIT 10`,
		siteID, identity)
}

// HostNames returns the names of a host, the last seen first.
func (q *Queries) HostNames(ctx context.Context, hostID int64) ([]HostName, error) {
	return list(ctx, q, func(r row, n *HostName) error { return r.Scan(&n.Name, &n.Kind, &n.FirstSeen, &n.LastSeen) },
		`SELECT name, kind, first_seen, last_seen FROM host_names WHERE host_id = $1
			ORDER BY last_seen DESC, kind, name LIMIT 1000`, hostID)
}

// SetSameAs records that a host looks like another one; 0 removes it.
func (q *Queries) SetSameAs(ctx context.Context, hostID, other int64) error {
	return q.must(ctx, `UPDATE hosts SET same_as = $2 WHERE id = $1`, hostID, other)
}

// VerdictUnknown matches, in a filter, the hosts that [Counts] counts as unknown.
const VerdictUnknown model.Verdict = "unknown"

// Counts returns the number of hosts with each verdict. Inconclusive and unreachable ones are unknown.
func (q *Queries) Counts(ctx context.Context, f HostFilter) (Counts, error) {
	from := q.counting(f)
	var c Counts
	err := q.each(ctx, func(r row) error {
		var verdict model.Verdict
		var n int
		if err := r.Scan(&verdict, &n); err != nil {
			return err
		}
		c.add(verdict, n)
		return nil
	}, `SELECT h.verdict, `+from.hosts+from.source()+` GROUP BY `+from.group("h.verdict"), from.args...)
	return c, err
}

func (c *Counts) add(verdict model.Verdict, n int) {
	c.Hosts += n
	switch verdict {
	case model.Exposed:
		c.Exposed += n
	case model.Limited:
		c.Limited += n
	case model.Closed:
		c.Closed += n
	default:
		c.Unknown += n
	}
}

// LastSeenBySite returns the time of the last result of each site with hosts.
func (q *Queries) LastSeenBySite(ctx context.Context) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	err := q.each(ctx, func(r row) error {
		var site string
		var at time.Time
		err := r.Scan(&site, &at)
		out[site] = at
		return err
	}, `SELECT s.name, max(h.last_seen) FROM hosts h JOIN sites s ON s.id = h.site_id WHERE h.retired = 0
		GROUP BY s.name`)
	return out, err
}

// CellCounts returns the number of hosts that give strangers each kind of data.
func (q *Queries) CellCounts(ctx context.Context, f HostFilter) (map[model.Disclosure]int, error) {
	from := q.counting(f)
	counts := map[model.Disclosure]int{}
	err := q.each(ctx, func(r row) error {
		var cells string
		var n int
		if err := r.Scan(&cells, &n); err != nil {
			return err
		}
		for i, d := range model.Disclosures() {
			if i < len(cells) && cells[i] == 'a' {
				counts[d] += n
			}
		}
		return nil
	}, `SELECT h.cells, `+from.hosts+from.source()+` GROUP BY `+from.group("h.cells"), from.args...)
	return counts, err
}

// locked returns the end of a query for rows that no other transaction may change until this one ends. SQLite has only
// one writer.
func (q *Queries) locked(table string) string {
	if !q.pg {
		return ""
	}
	return " FOR NO KEY UPDATE OF " + table
}

// lockHosts keeps others from recording for hosts until the transaction ends. A transaction that changes more of a host
// than its own row, such as its spans and findings, locks it first; hosts are locked in the order of their IDs, which
// prevents deadlocks.
func (q *Queries) lockHosts(ctx context.Context, which string, args ...any) error {
	if !q.pg {
		return nil
	}
	_, err := q.exec(ctx, `SELECT id FROM hosts WHERE `+which+` ORDER BY id`+q.locked("hosts"), args...)
	return err
}

// refreshHost updates what a host takes from its targets: all tags, the first owner, the highest criticality. A host
// without targets keeps what it has.
func (q *Queries) refreshHost(ctx context.Context, hostID int64) error {
	h, err := q.Host(ctx, hostID)
	if err != nil {
		return err
	}
	var tags []string
	owner, criticality, n := "", Criticality(""), 0
	if err := q.each(ctx, func(r row) error {
		var t Target
		if err := r.Scan(&t.Tags, &t.Owner, &t.Criticality); err != nil {
			return err
		}
		n++
		tags = append(tags, t.Tags...)
		if owner == "" {
			owner = t.Owner
		}
		if slices.Index(criticalities, t.Criticality) > slices.Index(criticalities, criticality) {
			criticality = t.Criticality
		}
		return nil
	}, `SELECT tags, owner, criticality FROM targets WHERE host_id = $1 ORDER BY id`, hostID); err != nil {
		return err
	}
	tags = normalTags(tags)
	if n == 0 || (slices.Equal(tags, h.Tags) && owner == h.Owner && criticality == h.Criticality) {
		return nil
	}
	if _, err := q.exec(ctx, `UPDATE hosts SET tags = $2, owner = $3, criticality = $4 WHERE id = $1`,
		hostID, tags, owner, criticality); err != nil {
		return err
	}
	if slices.Equal(tags, h.Tags) {
		return nil
	}
	if err := q.setHostTags(ctx, hostID, tags); err != nil {
		return err
	}
	return q.cover(ctx, hostID) // exceptions may depend on tags
}

func (q *Queries) setHostTags(ctx context.Context, hostID int64, tags []string) error {
	if _, err := q.exec(ctx, `DELETE FROM host_tags WHERE host_id = $1`, hostID); err != nil {
		return err
	}
	return q.insertTags(ctx, `INSERT INTO host_tags (tag, host_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		hostID, tags)
}

// sortName returns the key by which hosts are sorted.
func sortName(h *Host) string { return strings.ToLower(h.Name) }

func searchText(h *Host, names []string) string {
	words := []string{strings.ToLower(h.Name), strings.ToLower(h.Address)}
	for _, name := range names {
		if name = strings.ToLower(name); len(words) < maxSearchNames && !slices.Contains(words, name) {
			words = append(words, name)
		}
	}
	return strings.Join(words, "\n")
}

// maxSearchNames bounds the names of a host that a search looks through: a host with more is a load balancer or lies,
// and is found by the first ones.
const maxSearchNames = 20

func day(t time.Time) int64 {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).UnixMicro()
}
