package store

import (
	"context"
	"errors"
	"slices"
	"strings"
)

const targetColumns = `SELECT t.id, t.site_id, (SELECT s.name FROM sites s WHERE s.id = t.site_id), t.spec, t.kind,
	t.tags, t.owner, t.criticality, COALESCE(t.credential, 0), t.audit_source, t.enabled, t.found_by,
	COALESCE(t.host_id, 0), t.note, t.created
	FROM targets t`

func scanTarget(r row, t *Target) error {
	return r.Scan(&t.ID, &t.SiteID, &t.Site, &t.Spec, &t.Kind, &t.Tags, &t.Owner, &t.Criticality, &t.Credential,
		&t.AuditSource, &t.Enabled, &t.FoundBy, &t.HostID, &t.Note, &t.Created)
}

// targetSorts are the columns by which targets can be sorted.
var targetSorts = map[string]string{
	"id": "t.id", "spec": "t.spec", "site": "t.site_id", "owner": "t.owner",
	"criticality": "t.criticality", "kind": "t.kind",
	"created": "t.created", "tags": "t.tags", "host": "COALESCE(t.host_id, 0)", "note": "t.note",
}

func (f TargetFilter) where(pg bool) *where {
	w := &where{pg: pg}
	w.within("t.site_id", f.Within)
	if f.Site != "" {
		w.and(`t.site_id = (SELECT id FROM sites WHERE name = ?)`, f.Site)
	}
	if f.Tag != "" {
		w.and(`t.id IN (SELECT target_id FROM target_tags WHERE tag = ?)`, normalTag(f.Tag))
	}
	if f.Owner != "" {
		w.and(`t.owner = ?`, f.Owner)
	}
	if f.Kind != "" {
		w.and(`t.kind = ?`, f.Kind)
	}
	if f.HostID != 0 {
		w.and(`t.host_id = ?`, f.HostID)
	}
	if f.OnlyEnabled {
		w.and(`t.enabled = 1`)
	}
	if f.Text != "" {
		pattern := "%" + escapeLike(strings.ToLower(f.Text)) + "%"
		w.and(`(lower(t.spec) LIKE ? ESCAPE '\' OR lower(t.note) LIKE ? ESCAPE '\')`, pattern, pattern)
	}
	return w
}

// Targets returns a page of targets and their total number.
func (q *Queries) Targets(ctx context.Context, f TargetFilter, p Page) ([]Target, int, error) {
	order, err := p.order(targetSorts, "spec", "t.id")
	if err != nil {
		return nil, 0, err
	}
	w := f.where(q.pg)
	var total int
	if err := q.one(ctx, []any{&total}, `SELECT count(*) FROM targets t`+w.String(), w.args...); err != nil {
		return nil, 0, err
	}
	all, err := list(ctx, q, scanTarget, targetColumns+w.String()+order+p.limits(w), w.args...)
	return all, total, err
}

// Target returns a target.
func (q *Queries) Target(ctx context.Context, id int64) (Target, error) {
	return get(ctx, q, scanTarget, targetColumns+` WHERE t.id = $1`, id)
}

// EachTarget calls do for every target, ordered by ID. do may use the store: a thousand targets are read at a time.
func (q *Queries) EachTarget(ctx context.Context, f TargetFilter, do func(Target) error) error {
	after := int64(0)
	for {
		w := f.where(q.pg)
		w.and(`t.id > ?`, after)
		part, err := list(ctx, q, scanTarget, targetColumns+w.String()+` ORDER BY t.id`+Page{}.limits(w), w.args...)
		if err != nil {
			return err
		}
		for _, t := range part {
			if err := do(t); err != nil {
				return err
			}
			after = t.ID
		}
		if len(part) < MaxPage {
			return nil
		}
	}
}

func (t *Target) normalise() error {
	if t.Spec == "" || t.SiteID == 0 {
		return errors.New("store: a target needs a site and a spec")
	}
	if t.Kind == "" {
		t.Kind = TargetHost
	}
	if t.Criticality == "" {
		t.Criticality = CriticalityNormal
	}
	t.Tags = normalTags(t.Tags)
	return nil
}

// normalTags returns tags in lower case, sorted and without duplicates.
func normalTags(tags []string) []string {
	out := make([]string, 0, len(tags))
	for _, tag := range tags {
		if tag = normalTag(tag); tag != "" {
			out = append(out, tag)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func normalTag(tag string) string { return clean(strings.ToLower(strings.TrimSpace(tag))) }

// SaveTarget creates a target if its ID is 0, or updates it. If another one has its site and spec, it returns
// [ErrConflict]. An update keeps FoundBy, HostID and Created. A target that moves to another site loses its host, which
// belongs to the old site.
func (q *Queries) SaveTarget(ctx context.Context, t *Target) error {
	if err := t.normalise(); err != nil {
		return err
	}
	return q.atomic(ctx, func(q *Queries) error {
		if t.ID == 0 {
			return q.insertTarget(ctx, t)
		}
		var taken int
		if err := q.one(ctx, []any{&taken},
			`SELECT count(*) FROM targets WHERE site_id = $1 AND spec = $2 AND id <> $3`, t.SiteID, t.Spec,
			t.ID); err != nil {
			return err
		}
		if taken > 0 {
			return ErrConflict
		}
		if err := q.leaveSite(ctx, t); err != nil {
			return err
		}
		if err := q.must(ctx,
			`UPDATE targets SET site_id = $2, spec = $3, kind = $4, tags = $5, owner = $6, criticality = $7,
			credential = $8, audit_source = $9, enabled = $10, note = $11 WHERE id = $1`,
			t.ID, t.SiteID, t.Spec, t.Kind, t.Tags, t.Owner, t.Criticality, orNull(t.Credential), t.AuditSource,
			t.Enabled, t.Note); err != nil {
			return err
		}
		return q.targetChanged(ctx, t)
	})
}

// leaveSite unlinks a target from its host if it moves to another site: whoever sees one must not see the other.
func (q *Queries) leaveSite(ctx context.Context, t *Target) error {
	before, err := q.Target(ctx, t.ID)
	if err != nil || before.SiteID == t.SiteID || before.HostID == 0 {
		return err
	}
	if _, err := q.exec(ctx, `UPDATE targets SET host_id = NULL WHERE id = $1`, t.ID); err != nil {
		return err
	}
	return q.refreshHost(ctx, before.HostID)
}

// orNull returns NULL for 0.
func orNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func (q *Queries) insertTarget(ctx context.Context, t *Target) error {
	if t.Created.IsZero() {
		t.Created = q.now()
	}
	if err := q.insert(ctx, &t.ID,
		`INSERT INTO targets (site_id, spec, kind, tags, owner, criticality, credential, audit_source, enabled,
		found_by, host_id, note, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (site_id, spec) DO NOTHING RETURNING id`,
		t.SiteID, t.Spec, t.Kind, t.Tags, t.Owner, t.Criticality, orNull(t.Credential), t.AuditSource, t.Enabled,
		t.FoundBy, orNull(t.HostID), t.Note, t.Created); err != nil {
		return err
	}
	if err := q.insertTags(ctx, `INSERT INTO target_tags (tag, target_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		t.ID, t.Tags); err != nil {
		return err
	}
	if t.HostID != 0 {
		return q.refreshHost(ctx, t.HostID)
	}
	return nil
}

func (q *Queries) insertTags(ctx context.Context, query string, id int64, tags []string) error {
	for _, tag := range tags {
		if _, err := q.exec(ctx, query, tag, id); err != nil {
			return err
		}
	}
	return nil
}

// targetChanged writes a target's tags and updates its host.
func (q *Queries) targetChanged(ctx context.Context, t *Target) error {
	if _, err := q.exec(ctx, `DELETE FROM target_tags WHERE target_id = $1`, t.ID); err != nil {
		return err
	}
	if err := q.insertTags(ctx, `INSERT INTO target_tags (tag, target_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		t.ID, t.Tags); err != nil {
		return err
	}
	if err := q.one(ctx, []any{&t.HostID, &t.FoundBy, &t.Created},
		`SELECT COALESCE(host_id, 0), found_by, created FROM targets WHERE id = $1`, t.ID); err != nil {
		return err
	}
	if t.HostID == 0 {
		return nil
	}
	return q.refreshHost(ctx, t.HostID)
}

// targetBatch is the number of targets saved in one transaction: enough to make its cost negligible, few enough that
// the results of a running scan wait no longer than a tenth of a second.
const targetBatch = 500

// SaveTargets creates or updates many targets by site and spec, and counts both. It uses many transactions: after an
// error the earlier ones stay saved. Inside a transaction it is part of that. It fills in IDs.
func (q *Queries) SaveTargets(ctx context.Context, targets []Target) (added, updated int, err error) {
	for part := range slices.Chunk(targets, targetBatch) {
		var plus, changed int
		err := q.atomic(ctx, func(q *Queries) error {
			plus, changed = 0, 0
			for i := range part {
				isNew, differs, err := q.upsertTarget(ctx, &part[i])
				if err != nil {
					return err
				}
				if isNew {
					plus++
				} else if differs {
					changed++
				}
			}
			return nil
		})
		if err != nil {
			return added, updated, err
		}
		added, updated = added+plus, updated+changed
	}
	return added, updated, nil
}

func (q *Queries) upsertTarget(ctx context.Context, t *Target) (isNew, differs bool, err error) {
	if err := t.normalise(); err != nil {
		return false, false, err
	}
	t.ID = 0
	if err = q.insertTarget(ctx, t); !errors.Is(err, ErrConflict) {
		return true, false, err
	}
	n, err := q.exec(ctx,
		`UPDATE targets SET kind = $3, tags = $4, owner = $5, criticality = $6, credential = $7, audit_source = $8,
		enabled = $9, note = $10 WHERE site_id = $1 AND spec = $2 AND (kind <> $3 OR tags <> $4 OR owner <> $5
		OR criticality <> $6
		OR COALESCE(credential, 0) <> $11 OR audit_source <> $8 OR enabled <> $9 OR note <> $10)`,
		t.SiteID, t.Spec, t.Kind, t.Tags, t.Owner, t.Criticality, orNull(t.Credential), t.AuditSource, t.Enabled,
		t.Note, t.Credential)
	if err != nil {
		return false, false, err
	}
	if err := q.one(ctx, []any{&t.ID}, `SELECT id FROM targets WHERE site_id = $1 AND spec = $2`,
		t.SiteID, t.Spec); err != nil {
		return false, false, err
	}
	if n == 0 {
		return false, false, nil
	}
	return false, true, q.targetChanged(ctx, t)
}

// DeleteTargets deletes targets, at most [MaxPage] at a time. Their open units are skipped; hosts stay.
func (q *Queries) DeleteTargets(ctx context.Context, targetIDs []int64) error {
	for part := range slices.Chunk(targetIDs, MaxPage) {
		err := q.atomic(ctx, func(q *Queries) error {
			hosts, err := list(ctx, q, scanID,
				`SELECT DISTINCT host_id FROM targets WHERE host_id IS NOT NULL AND id `+q.in("$1"), q.ids(part))
			if err != nil {
				return err
			}
			if err := q.skipUnits(ctx, part); err != nil {
				return err
			}
			if _, err := q.exec(ctx, `DELETE FROM targets WHERE id `+q.in("$1"), q.ids(part)); err != nil {
				return err
			}
			for _, id := range hosts {
				if err := q.refreshHost(ctx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Tags returns all tags of targets and hosts of some sites.
func (q *Queries) Tags(ctx context.Context, within Sites) ([]string, error) {
	if within != nil {
		return q.strings(ctx,
			`SELECT g.tag FROM target_tags g JOIN targets t ON t.id = g.target_id WHERE t.site_id `+q.in("$1")+`
			UNION SELECT g.tag FROM host_tags g JOIN hosts h ON h.id = g.host_id WHERE h.site_id `+q.in("$1")+
				` ORDER BY 1`, q.ids(within))
	}
	// Each step looks up the next tag in the index: a tag on a million targets costs one lookup.
	return q.strings(ctx, `WITH RECURSIVE
		a (tag) AS (SELECT min(tag) FROM target_tags UNION ALL
			SELECT (SELECT min(tag) FROM target_tags WHERE tag > a.tag) FROM a WHERE a.tag IS NOT NULL),
		b (tag) AS (SELECT min(tag) FROM host_tags UNION ALL
			SELECT (SELECT min(tag) FROM host_tags WHERE tag > b.tag) FROM b WHERE b.tag IS NOT NULL)
		SELECT tag FROM a WHERE tag IS NOT NULL UNION SELECT tag FROM b WHERE tag IS NOT NULL ORDER BY 1`)
}

// Owners returns all owners of targets and hosts of some sites.
func (q *Queries) Owners(ctx context.Context, within Sites) ([]string, error) {
	if within != nil {
		return q.strings(ctx, `SELECT owner FROM targets WHERE owner <> '' AND site_id `+q.in("$1")+`
			UNION SELECT owner FROM hosts WHERE owner <> '' AND site_id `+q.in("$1")+` ORDER BY 1`, q.ids(within))
	}
	// As in Tags. The index of hosts by owner begins with whether they are retired; retired ones are few.
	return q.strings(ctx, `WITH RECURSIVE
		a (owner) AS (SELECT min(owner) FROM targets WHERE owner > '' UNION ALL
			SELECT (SELECT min(owner) FROM targets WHERE owner > a.owner) FROM a WHERE a.owner IS NOT NULL),
		b (owner) AS (SELECT min(owner) FROM hosts WHERE retired = 0 AND owner > '' UNION ALL
			SELECT (SELECT min(owner) FROM hosts WHERE retired = 0 AND owner > b.owner) FROM b WHERE b.owner IS NOT NULL)
		SELECT owner FROM a WHERE owner IS NOT NULL UNION SELECT owner FROM b WHERE owner IS NOT NULL
		UNION SELECT owner FROM hosts WHERE retired > 0 AND owner > '' ORDER BY 1`)
}

func (q *Queries) strings(ctx context.Context, query string, args ...any) ([]string, error) {
	return list(ctx, q, func(r row, s *string) error { return r.Scan(s) }, query, args...)
}
