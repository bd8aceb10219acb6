package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"ipcguard/internal/fleet/csv"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/store"
)

// ImportReport is the outcome of an import of targets.
type ImportReport struct {
	Rows    int      `json:"rows"` // with a target in them, good and bad
	Added   int      `json:"added"`
	Updated int      `json:"updated"`
	Bad     int      `json:"bad"`
	Errors  []string `json:"errors"` // the first hundred, each with its line
}

const (
	// maxImportErrors bounds the errors of one report: a wrong file repeats the same one a million times.
	maxImportErrors = 100
	// importGroup is the number of rows in memory at a time.
	importGroup = 500
)

// FieldError says what is wrong with one field.
type FieldError struct{ Field, Text string }

// Error implements error and names the field.
func (e *FieldError) Error() string { return e.Field + ": " + e.Text }

// CheckTarget normalizes a target as typed for the store. It returns a [FieldError] if something is wrong. The fields
// are named as in its JSON.
func CheckTarget(t *store.Target) error {
	t.Spec = strings.ToLower(strings.TrimSpace(t.Spec))
	if len(t.Spec) > longestName { // a zone has any length
		return &FieldError{"spec", fmt.Sprintf("want at most %d bytes", longestName)}
	}
	ranged, err := targets.Check(t.Spec)
	if err != nil {
		return &FieldError{"spec", err.Error()}
	}
	if t.Kind = store.TargetHost; ranged {
		t.Kind = store.TargetRange
	}
	switch t.Criticality {
	case "":
		t.Criticality = store.CriticalityNormal
	case store.CriticalityLow, store.CriticalityNormal, store.CriticalityHigh:
	default:
		return &FieldError{"criticality", "want one of low, normal, high"}
	}
	t.AuditSource = strings.TrimSpace(t.AuditSource)
	if rest, ok := strings.CutPrefix(t.AuditSource, "winreg://"); ok {
		if u, err := url.Parse(t.AuditSource); err != nil || u.User != nil || strings.ContainsAny(rest, "/\\ ") {
			return &FieldError{
				"audit_source",
				"want winreg://HOST or winreg://HOST:PORT; the account is the target's stored credential",
			}
		}
	}
	if t.AuditSource != "" && t.Kind == store.TargetRange {
		return &FieldError{"audit_source", "a range has no configuration of its own"}
	}
	if strings.ContainsAny(t.AuditSource, "\x00\n\r") {
		return &FieldError{"audit_source", "not the name of a file"}
	}
	return nil
}

// Guarded returns the field of a changed target that only administrators may change, or an empty string. Otherwise an
// operator could change the source of an audit or the host of a stored credential, and read files of this machine or
// send a logon to a host of their own.
func Guarded(old, t store.Target) (field string) {
	switch {
	// Another site's machine would read it.
	case t.AuditSource != old.AuditSource, t.AuditSource != "" && t.SiteID != old.SiteID:
		return "audit_source"
	case t.Credential != old.Credential:
		return "credential"
	case t.Credential != 0 && (t.Spec != old.Spec || t.SiteID != old.SiteID):
		return "spec"
	}
	return ""
}

// ErrGuarded says that only an administrator may change a field of a target; see [Guarded].
var ErrGuarded = errors.New(
	"only an administrator may change this: it says what is read, or where a stored credential goes",
)

// ImportTargets imports a table of targets: it adds new ones, and updates known ones (by site and spec). A target keeps
// its credential, and whether it is enabled. Bad rows are reported, the others are imported. The returned error is
// about the whole table or the database; what was saved before it stays. sources allows the table to set audit sources,
// which is for administrators; without it targets keep theirs, and rows that differ are bad. may reports whether
// targets of a site may be changed; nil allows all. note is called in the transaction of each group of rows with their
// lines and outcome; nil is none.
func (f *Fleet) ImportTargets(
	ctx context.Context, r io.Reader, sources bool, may func(site int64) bool, note func(tx *store.Tx, s Saved) error,
) (ImportReport, error) {
	t := &table{
		f: f, sources: sources, may: may, note: note, sites: map[string]int64{}, seen: map[string]int{},
		report: ImportReport{Errors: []string{}},
	}
	err := csv.Read(&guarded{r, &t.broken}, func(row csv.Row) error { return t.row(ctx, row) }, t.bad)
	if t.broken != nil {
		return t.report, t.broken
	}
	if err == nil {
		err = t.save(ctx)
	}
	return t.report, err
}

// maxSites bounds the sites whose numbers an import remembers; those of others are looked up for each row.
const maxSites = 10_000

// table imports the rows of a table of targets in groups.
type table struct {
	f       *Fleet
	sources bool
	may     func(site int64) bool
	note    func(tx *store.Tx, s Saved) error
	sites   map[string]int64 // by name
	group   []store.Target   // not saved yet
	seen    map[string]int   // within the group: the last row of a target wins, and is written once
	lines   Saved            // of the group
	report  ImportReport
	broken  error // of the database
}

// row takes a row. An error is about the row only, unless broken is set.
func (t *table) row(ctx context.Context, row csv.Row) error {
	target := store.Target{
		Spec: row.Spec, Tags: row.Tags, Owner: row.Owner, Criticality: store.Criticality(row.Criticality),
		Note: row.Note, AuditSource: row.AuditSource, Enabled: true,
	}
	if err := CheckTarget(&target); err != nil {
		return err
	}
	var err error
	if target.SiteID, err = t.site(ctx, row.Site); err != nil {
		return err
	}
	if !t.sources {
		if err := t.keepSource(ctx, &target); err != nil {
			return err
		}
	}
	t.report.Rows++
	if t.lines.First == 0 {
		t.lines.First = row.Line
	}
	t.lines.Last = row.Line
	key := fmt.Sprintf("%d %s", target.SiteID, target.Spec)
	if i, ok := t.seen[key]; ok {
		t.group[i] = target
		return nil
	}
	t.seen[key] = len(t.group)
	if t.group = append(t.group, target); len(t.group) < importGroup {
		return nil
	}
	if err := t.save(ctx); err != nil {
		t.broken = err
	}
	return nil
}

// site returns the number of a site, or of the server's own for an empty name.
func (t *table) site(ctx context.Context, name string) (int64, error) {
	if name == "" {
		name = t.f.o.Site
	}
	if id, ok := t.sites[name]; ok {
		return id, nil
	}
	s, err := t.f.st.SiteByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) && name == t.f.o.Site {
		s, err = t.f.site(ctx)
	}
	if errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("there is no site %q", shown(name))
	}
	if err != nil {
		t.broken = err
		return 0, err
	}
	if t.may != nil && !t.may(s.ID) {
		return 0, fmt.Errorf("your role allows no changes at a site %q", shown(name))
	}
	if len(t.sites) < maxSites {
		t.sites[name] = s.ID
	}
	return s.ID, nil
}

// keepSource keeps the audit source that a target has, and refuses another one.
func (t *table) keepSource(ctx context.Context, target *store.Target) error {
	old, err := t.f.st.TargetBySpec(ctx, target.SiteID, target.Spec)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.broken = err
		return err
	}
	if target.AuditSource == "" {
		target.AuditSource = old.AuditSource
	}
	if target.AuditSource != old.AuditSource {
		return &FieldError{"audit_source", ErrGuarded.Error()}
	}
	return nil
}

// save writes the group.
func (t *table) save(ctx context.Context) error {
	if len(t.group) == 0 {
		return nil
	}
	added, updated, err := t.f.saveTargets(ctx, t.group, t.lines, t.note)
	t.report.Added, t.report.Updated = t.report.Added+added, t.report.Updated+updated
	t.lines, t.group = Saved{}, t.group[:0]
	clear(t.seen)
	return err
}

// bad counts a row that is not imported.
func (t *table) bad(e *csv.RowError) {
	t.report.Rows++
	if t.report.Bad++; len(t.report.Errors) < maxImportErrors {
		t.report.Errors = append(t.report.Errors, e.Error())
	}
}

// guarded stops reading a table when the database fails: nothing more could be saved.
type guarded struct {
	r      io.Reader
	broken *error
}

// Read implements io.Reader.
func (g *guarded) Read(b []byte) (int, error) {
	if *g.broken != nil {
		return 0, *g.broken
	}
	return g.r.Read(b)
}

// Saved is the outcome of a part of a table of targets.
type Saved struct {
	First, Last    int // lines
	Added, Updated int
}

// saveTargets saves targets. Existing ones keep what the table does not contain.
func (f *Fleet) saveTargets(
	ctx context.Context, group []store.Target, lines Saved, note func(*store.Tx, Saved) error,
) (added, updated int, err error) {
	err = f.st.InTx(ctx, func(tx *store.Tx) error {
		for i := range group {
			old, err := tx.TargetBySpec(ctx, group[i].SiteID, group[i].Spec)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			group[i].Credential, group[i].Enabled = old.Credential, old.Enabled
		}
		if added, updated, err = tx.SaveTargets(ctx, group); err != nil || note == nil || added+updated == 0 {
			return err
		}
		lines.Added, lines.Updated = added, updated
		return note(tx, lines)
	})
	if errors.Is(err, ErrLooked) {
		err = nil
	}
	return added, updated, err
}

// ExportTargets writes all targets as a table that ImportTargets reads.
func ExportTargets(ctx context.Context, st store.Reader, w io.Writer) error {
	out, err := csv.NewWriter(w)
	if err != nil {
		return err
	}
	err = st.EachTarget(ctx, store.TargetFilter{}, func(t store.Target) error {
		return out.Write(csv.Row{
			Spec: t.Spec, Site: t.Site, Tags: t.Tags, Owner: t.Owner,
			Criticality: string(t.Criticality), Note: t.Note, AuditSource: t.AuditSource,
		})
	})
	return errors.Join(err, out.Flush())
}
