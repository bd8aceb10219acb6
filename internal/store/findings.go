package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// findingKey identifies a finding of a host and kind.
type findingKey struct {
	finding  string
	identity model.Identity
	pipe     string
}

func keyOf(f *HostFinding) findingKey {
	return findingKey{clean(f.Finding), model.Identity(clean(string(f.Identity))), clean(f.Pipe)}
}

// findingsHash returns a hash by which a result's findings are compared with the previous one's. It is 0 for a partial
// result, which does not have all: the next complete one is compared with the rows.
func findingsHash(r *Result) int64 {
	if r.Partial {
		return 0
	}
	lines := make([]string, len(r.Findings))
	for i, f := range r.Findings {
		lines[i] = fmt.Sprintf("%q %q %q %q %q %q", f.Finding, f.Identity, f.Pipe, f.Severity, f.Evidence, f.Settings)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return int64(binary.BigEndian.Uint64(sum[:8]) | 1) // never 0
}

// openOf is the condition for the open findings of a host. It means ended = 0, but does not say so: until PostgreSQL
// has statistics of a new table, it would scan a whole partial index of open findings for the few of one host.
const openOf = `host_id = $1 AND ended <= 0`

// openFinding is the part of an open finding's row that a result may change.
type openFinding struct {
	id       int64
	key      findingKey
	severity model.Severity
	set      int64
	evidence string
}

// recordFindings opens, keeps and ends the host's findings of the result's kind. reported is when they were last
// reported: a finding that ends now was last seen then. first says that the result is the first of its kind, which
// finds none open.
func (rec *recorder) recordFindings(ctx context.Context, r *Result, reported time.Time, first bool) error {
	var rows []openFinding
	if !first {
		var err error
		if rows, err = rec.openFindings(ctx, r); err != nil {
			return err
		}
	}
	open := map[findingKey]openFinding{}
	for _, f := range rows {
		open[f.key] = f
	}
	seen := map[findingKey]bool{}
	opened := &values{columns: "host bigint, kind bigint, severity bigint, setting bigint, at bigint, finding text, " +
		"identity text, pipe text, evidence text"}
	for i := range r.Findings {
		f := &r.Findings[i]
		k := keyOf(f)
		if seen[k] {
			continue
		}
		seen[k] = true
		set, err := rec.saveSet(ctx, f.Settings)
		if err != nil {
			return err
		}
		if was, ok := open[k]; ok {
			if was.severity == f.Severity && was.set == set && was.evidence == clean(f.Evidence) {
				continue
			}
			if _, err := rec.exec(ctx, `UPDATE findings SET severity = $2, set_id = $3, evidence = $4 WHERE id = $1`,
				was.id, f.Severity, set, f.Evidence); err != nil {
				return err
			}
			continue
		}
		opened.add(r.HostID, r.Kind, f.Severity, set, r.At, k.finding, k.identity, k.pipe, f.Evidence)
	}
	if err := rec.change(ctx, opened,
		`INSERT INTO findings (host_id, kind, severity, set_id, exception, first_seen, last_seen, ended, finding,
		identity, pipe, evidence) SELECT v.host, v.kind, v.severity, v.setting, 0, v.at, v.at, 0, v.finding,
		v.identity, v.pipe, v.evidence
		FROM v ORDER BY v.n`); err != nil {
		return err
	}
	if !r.Partial {
		for _, f := range rows {
			if seen[f.key] {
				continue
			}
			if _, err := rec.exec(ctx, `UPDATE findings SET ended = $2, last_seen = $3, exception = 0 WHERE id = $1`,
				f.id, r.At, reported); err != nil {
				return err
			}
		}
	}
	if len(opened.rows) > 0 {
		if err := rec.coverFindings(ctx, r.HostID); err != nil {
			return err
		}
	}
	return rec.setPosture(ctx, r.HostID, rec.postures)
}

func (rec *recorder) openFindings(ctx context.Context, r *Result) ([]openFinding, error) {
	return list(ctx, rec.Queries, func(row row, f *openFinding) error {
		return row.Scan(&f.id, &f.key.finding, &f.key.identity, &f.key.pipe, &f.severity, &f.set, &f.evidence)
	}, `SELECT id, finding, identity, pipe, severity, set_id, evidence FROM findings WHERE `+openOf+
		` AND kind = $2 ORDER BY id`,
		r.HostID, r.Kind)
}

func (rec *recorder) saveSet(ctx context.Context, settings []string) (int64, error) {
	settings = slices.Clone(settings)
	for i := range settings {
		settings[i] = clean(settings[i])
	}
	slices.Sort(settings)
	settings = slices.Compact(settings)
	if settings == nil {
		settings = []string{}
	}
	b, err := json.Marshal(settings)
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	key := string(b)
	if id := rec.sets[key]; id != 0 {
		return id, nil
	}
	id, made, err := rec.findOrInsert(ctx, `SELECT id FROM setting_sets WHERE settings = $1`,
		`INSERT INTO setting_sets (settings) VALUES ($1) ON CONFLICT (settings) DO NOTHING RETURNING id`, key, nil)
	if err != nil {
		return 0, err
	}
	if made {
		v := &values{columns: "setting text, id bigint"}
		for _, setting := range settings {
			v.add(setting, id)
		}
		if err := rec.change(ctx, v,
			`INSERT INTO set_settings (setting, set_id) SELECT v.setting, v.id FROM v`); err != nil {
			return 0, err
		}
	}
	rec.sets[key] = id
	return id, nil
}

// posture summarizes a host's open findings: hosts with the same findings, severities, settings and exceptions share
// one.
type posture struct {
	id       int64
	severity model.Severity
	findings int
	excepted int
}

// postureLine is the number of a posture's open findings of one kind, and how many of them an exception covers.
type postureLine struct {
	finding     string
	set         int64
	severity    model.Severity
	n, excepted int
}

// setPosture recounts a host's open findings.
func (q *Queries) setPosture(ctx context.Context, hostID int64, known map[[16]byte]posture) error {
	lines, err := list(ctx, q, func(r row, l *postureLine) error {
		return r.Scan(&l.finding, &l.set, &l.severity, &l.n, &l.excepted)
	},
		`SELECT finding, set_id, severity, count(*), CAST(sum(CASE WHEN exception <> 0 THEN 1 ELSE 0 END) AS BIGINT)
			FROM findings
		WHERE `+openOf+` GROUP BY finding, set_id, severity ORDER BY finding, set_id, severity`, hostID)
	if err != nil {
		return err
	}
	p, err := q.savePosture(ctx, lines, known)
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, `UPDATE hosts SET posture_id = $2, severity = $3, findings = $4, excepted = $5 WHERE id = $1`,
		hostID, p.id, p.severity, p.findings, p.excepted)
	return err
}

func (q *Queries) savePosture(ctx context.Context, lines []postureLine, known map[[16]byte]posture) (posture, error) {
	var p posture
	var text strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&text, "%q %d %s %d %d\n", l.finding, l.set, l.severity, l.n, l.excepted)
		p.findings += l.n
		p.excepted += l.excepted
		if slices.Index(severities, l.severity) > slices.Index(severities, p.severity) {
			p.severity = l.severity
		}
	}
	if len(lines) == 0 {
		return p, nil // posture 0 has no findings
	}
	sum := sha256.Sum256([]byte(text.String()))
	hash := [16]byte(sum[:16])
	if p, ok := known[hash]; ok {
		return p, nil
	}
	var err error
	var made bool
	if p.id, made, err = q.findOrInsert(ctx, `SELECT id FROM postures WHERE hash = $1`,
		`INSERT INTO postures (hash) VALUES ($1) ON CONFLICT (hash) DO NOTHING RETURNING id`, hash[:],
		nil); err != nil {
		return p, err
	}
	if made {
		v := &values{columns: "posture bigint, finding text, setting bigint, severity bigint, n_open bigint, " +
			"excepted bigint"}
		for _, l := range lines {
			v.add(p.id, l.finding, l.set, l.severity, l.n, l.excepted)
		}
		if err := q.change(ctx, v, `INSERT INTO posture_findings (posture_id, finding, set_id, severity, n, excepted)
			SELECT v.posture, v.finding, v.setting, v.severity, v.n_open, v.excepted FROM v`); err != nil {
			return p, err
		}
	}
	known[hash] = p
	return p, nil
}

const findingColumns = `SELECT f.host_id, h.name, f.kind, f.finding, f.severity, f.identity, f.pipe, f.evidence,
	c.settings, f.first_seen, CASE WHEN f.ended = 0 THEN COALESCE(sp.findings_at, f.last_seen) ELSE f.last_seen END,
	f.ended, f.exception
	FROM findings f JOIN hosts h ON h.id = f.host_id JOIN setting_sets c ON c.id = f.set_id
	LEFT JOIN spans sp ON sp.host_id = f.host_id AND sp.kind = f.kind AND sp.until = 0`

func scanFinding(r row, f *HostFinding) error {
	return r.Scan(&f.HostID, &f.Host, &f.Kind, &f.Finding, &f.Severity, &f.Identity, &f.Pipe, &f.Evidence, &f.Settings,
		&f.FirstSeen,
		&f.LastSeen, &f.Ended, &f.Exception)
}

// HostFindings returns the open findings of a host, the worst first, then the ended ones, the last ended first: at most
// 1000.
func (q *Queries) HostFindings(ctx context.Context, hostID int64) ([]HostFinding, error) {
	return list(ctx, q, scanFinding, findingColumns+` WHERE f.host_id = $1
		ORDER BY CASE WHEN f.ended = 0 THEN 0 ELSE 1 END, f.ended DESC, f.severity DESC, f.finding, f.identity,
		f.pipe, f.kind, f.id
		LIMIT $2`, hostID, MaxPage)
}

// OpenFindings returns the open findings of a kind of at most [MaxPage] hosts, unsorted; hosts without any are left
// out.
func (q *Queries) OpenFindings(ctx context.Context, hostIDs []int64, kind RunKind) (map[int64][]HostFinding, error) {
	if len(hostIDs) > MaxPage {
		return nil, fmt.Errorf("store: findings of %d hosts at once, at most %d", len(hostIDs), MaxPage)
	}
	out := map[int64][]HostFinding{}
	err := q.each(ctx, func(r row) error {
		var f HostFinding
		err := scanFinding(r, &f)
		out[f.HostID] = append(out[f.HostID], f)
		return err
	}, findingColumns+` WHERE f.ended = 0 AND f.kind = $2 AND f.host_id `+q.in("$1"), q.ids(hostIDs), kind)
	return out, err
}

// Findings returns a page of the open findings of the matching hosts, and their total number. If the filter has a
// finding or a setting, only those findings are returned.
func (q *Queries) Findings(ctx context.Context, f HostFilter, p Page) ([]HostFinding, int, error) {
	order, err := p.order(map[string]string{
		"severity": "f.severity", "finding": "f.finding", "first_seen": "f.first_seen",
		"host": "f.host_id", "identity": "f.identity; f.pipe",
		"evidence": "f.evidence", "name": "(SELECT n.sort_name FROM hosts n WHERE n.id = f.host_id)",
	}, "-severity", "f.id")
	if err != nil {
		return nil, 0, err
	}
	total, err := q.countFindings(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	w := &where{pg: q.pg}
	w.and(`f.ended = 0`)
	if f.Finding != "" {
		w.and(`f.finding = ?`, f.Finding)
	}
	if f.Setting != "" {
		w.and(`f.set_id IN (SELECT set_id FROM set_settings WHERE setting = ?)`, f.Setting)
	}
	f.Finding, f.Setting = "", "" // a host with such a finding matches
	if hosts := f.append(&where{pg: q.pg, args: w.args}); len(hosts.parts) > 0 {
		w.args = hosts.args
		w.parts = append(w.parts, `+f.host_id IN (SELECT h.id FROM hosts h`+hosts.String()+`)`)
	}
	// The plus keeps SQLite from reading and sorting all findings of these hosts: it follows the index and stops. The
	// page is selected from the findings only and then joined with the rest.
	all, err := list(ctx, q, scanFinding,
		findingColumns+` WHERE f.id IN (SELECT f.id FROM findings f`+w.String()+order+p.limits(w)+`)`+order, w.args...)
	return all, total, err
}

// byPosture counts the hosts of each posture, of which there are few, and joins the postures' findings.
func byPosture(c counting) string {
	return ` FROM (SELECT h.posture_id, ` + c.hosts + ` AS hosts` + c.source() + ` GROUP BY ` + c.group("h.posture_id") + `) g
		JOIN posture_findings p ON p.posture_id = g.posture_id`
}

func (q *Queries) countFindings(ctx context.Context, f HostFilter) (int, error) {
	w := q.counting(f)
	query := byPosture(w)
	only := &where{pg: q.pg, args: w.args}
	if f.Finding != "" {
		only.and(`p.finding = ?`, f.Finding)
	}
	if f.Setting != "" {
		only.and(`p.set_id IN (SELECT set_id FROM set_settings WHERE setting = ?)`, f.Setting)
	}
	var total int
	err := q.one(ctx, []any{&total}, `SELECT CAST(COALESCE(sum(g.hosts * p.n), 0) AS BIGINT)`+query+only.String(),
		only.args...)
	return total, err
}

// FindingCounts returns for each open finding of the matching hosts the number of hosts with it, the most frequent
// first.
func (q *Queries) FindingCounts(ctx context.Context, f HostFilter) ([]FindingCount, error) {
	w := q.counting(f)
	// A posture may have a finding in several rows; its hosts count once.
	return list(ctx, q, func(r row, c *FindingCount) error {
		return r.Scan(&c.Finding, &c.Hosts, &c.Findings, &c.Excepted, &c.Severity)
	}, `SELECT finding, CAST(sum(hosts) AS BIGINT), CAST(sum(n) AS BIGINT), CAST(sum(excepted) AS BIGINT), max(severity)
		FROM (SELECT p.finding, g.posture_id, g.hosts, sum(g.hosts * p.n) AS n, sum(g.hosts * p.excepted) AS excepted,
		max(p.severity) AS severity`+
		byPosture(w)+` GROUP BY p.finding, g.posture_id, g.hosts) c GROUP BY finding ORDER BY 2 DESC, 5 DESC, finding`,
		w.args...)
}

// SettingCounts returns for each setting the number of hosts with an open finding that it would close, the most
// frequent first.
func (q *Queries) SettingCounts(ctx context.Context, f HostFilter) ([]SettingCount, error) {
	w := q.counting(f)
	return list(ctx, q, func(r row, c *SettingCount) error {
		return r.Scan(&c.Setting, &c.Hosts, &c.Findings, &c.Excepted, &c.Severity)
	}, `SELECT setting, CAST(sum(hosts) AS BIGINT), CAST(sum(n) AS BIGINT), CAST(sum(excepted) AS BIGINT), max(severity)
		FROM (SELECT ss.setting, g.posture_id, g.hosts, sum(g.hosts * p.n) AS n,
		sum(g.hosts * p.excepted) AS excepted, max(p.severity) AS severity`+
		byPosture(w)+` JOIN set_settings ss ON ss.set_id = p.set_id GROUP BY ss.setting, g.posture_id, g.hosts) c
		GROUP BY setting ORDER BY 2 DESC, 5 DESC, setting`, w.args...)
}
