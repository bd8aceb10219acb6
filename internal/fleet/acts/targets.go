package acts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// TargetChange is the wanted state of a target. Its site is given by name.
type TargetChange struct {
	Spec        string            `json:"spec"`
	Site        string            `json:"site"`
	Tags        []string          `json:"tags,omitempty"`
	Owner       string            `json:"owner,omitempty"`
	Criticality store.Criticality `json:"criticality,omitempty"`
	Credential  int64             `json:"credential,omitempty"`
	AuditSource string            `json:"audit_source,omitempty"`
	Enabled     *bool             `json:"enabled,omitempty"` // true if omitted
	Note        string            `json:"note,omitempty"`
}

// onto checks a change and applies it to a target.
func (in TargetChange) onto(ctx context.Context, tx *store.Tx, who access.Who, t *store.Target) error {
	old := *t
	var k checks
	k.need("spec", &in.Spec)
	k.need("site", &in.Site)
	tags := k.tags("tags", in.Tags)
	k.line("owner", &in.Owner)
	k.line("audit_source", &in.AuditSource)
	k.note("note", &in.Note)
	t.Spec, t.Tags, t.Owner, t.Criticality, t.Credential = in.Spec, tags, in.Owner, in.Criticality, in.Credential
	t.AuditSource, t.Note, t.Enabled = in.AuditSource, in.Note, in.Enabled == nil || *in.Enabled
	if k.right("spec") && k.right("audit_source") {
		var bad *fleet.FieldError
		if err := fleet.CheckTarget(t); errors.As(err, &bad) {
			k.wrong(bad.Field, "%s", bad.Text)
		} else if err != nil {
			return err
		}
	}
	if k.right("site") {
		site, err := tx.SiteByName(ctx, in.Site)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if t.SiteID = site.ID; site.ID == 0 || !who.At(site.ID, store.RoleViewer) {
			k.wrong("site", "there is no such site")
		} else if !who.At(site.ID, store.RoleOperator) {
			k.wrong("site", "your role does not allow it at this site")
		}
	}
	if in.Credential != 0 && in.Credential != old.Credential {
		_, err := tx.Credential(ctx, in.Credential)
		if errors.Is(err, store.ErrNotFound) {
			k.wrong("credential", "there is no such credential")
		} else if err != nil {
			return err
		}
	}
	if !who.Can(store.RoleAdmin) {
		if field := fleet.Guarded(old, *t); field != "" {
			return &Refusal{Kind: Forbidden, Fields: []Field{{field, fleet.ErrGuarded.Error()}}}
		}
	}
	return k.err()
}

// SaveTarget adds a target if id is 0, or changes one.
func (a *Acts) SaveTarget(ctx context.Context, who access.Who, id int64, in TargetChange) (t store.Target, err error) {
	err = a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		t = store.Target{}
		sites, led := []int64{}, []int64{} // led: hosts to which no target may lead afterwards
		if id != 0 {
			if t, err = tx.Target(ctx, id); err == nil {
				err = at(who, store.RoleOperator, t.SiteID)
			}
			if err != nil {
				return line{}, err
			}
			sites = append(sites, t.SiteID)
			if t.HostID != 0 {
				led = append(led, t.HostID)
			}
		}
		if err := in.onto(ctx, tx, who, &t); err != nil {
			return line{}, err
		}
		if err := tx.SaveTarget(ctx, &t); err != nil {
			return line{}, taken(err, "spec", "the site has this target already")
		}
		if err := a.fleet.RetireStrays(ctx, tx, led); err != nil {
			return line{}, err
		}
		t, err = tx.Target(ctx, t.ID)
		return entry(action("target", id), t.Spec, "").at(append(sites, t.SiteID)...), err
	})
	return t, err
}

// MaxChosen bounds what is selected one by one; select more by site, tag or owner.
const MaxChosen = 10_000

// DeleteTargets deletes targets. What is known of their hosts stays; hosts without other targets leave the fleet.
// Targets that no longer exist are ignored, but a single one must exist.
func (a *Acts) DeleteTargets(ctx context.Context, who access.Who, ids []int64) (n int, err error) {
	err = a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		var there []int64
		sites := map[int64]bool{}
		led := []int64{} // hosts
		subject := ""
		for _, id := range ids[:min(len(ids), MaxChosen)] {
			t, err := tx.Target(ctx, id)
			if err == nil {
				err = at(who, store.RoleOperator, t.SiteID)
			}
			if errors.Is(err, store.ErrNotFound) && len(ids) > 1 {
				continue
			}
			if err != nil {
				return line{}, err
			}
			there, subject, sites[t.SiteID] = append(there, id), t.Spec, true
			if t.HostID != 0 {
				led = append(led, t.HostID)
			}
		}
		if n = len(there); n == 0 {
			return line{}, &Refusal{Text: "no target was chosen"}
		}
		if n > 1 {
			subject = model.Count(n, "target", "targets")
		}
		if err := tx.DeleteTargets(ctx, there); err != nil {
			return line{}, err
		}
		return entry("target.delete", subject,
			"").at(slices.Collect(maps.Keys(sites))...), a.fleet.RetireStrays(ctx, tx, led)
	})
	return n, err
}

// TargetsChange is one change of all targets that lead to some hosts.
type TargetsChange struct {
	Hosts []int64 `json:"hosts"`
	Do    string  `json:"do" enum:"tag,untag,owner,criticality"`
	Value string  `json:"value"` // tags separated by blanks or commas, an owner, or low, normal or high
}

// Changed is the outcome of a [TargetsChange].
type Changed struct {
	Targets int    `json:"targets"`
	What    string `json:"what"` // in words
}

// change returns the change of each target, and its description.
func (in *TargetsChange) change() (change func(*store.Target), what string, err error) {
	var k checks
	oneOf(&k, "do", in.Do, "tag", "untag", "owner", "criticality")
	if len(in.Hosts) == 0 {
		k.wrong("hosts", "no host was chosen")
	}
	k.line("value", &in.Value)
	switch in.Do {
	case "tag", "untag":
		tags := k.tags("value", strings.FieldsFunc(in.Value, func(r rune) bool { return r == ',' || r == ' ' }))
		if len(tags) == 0 {
			k.wrong("value", "name the tags")
		}
		if in.Do == "tag" {
			what = "tagged " + strings.Join(tags, " ")
			change = func(t *store.Target) { t.Tags = append(slices.Clone(t.Tags), tags...) } // saving sorts them
			break
		}
		what = "no longer tagged " + strings.Join(tags, " ")
		change = func(t *store.Target) {
			t.Tags = slices.DeleteFunc(slices.Clone(t.Tags), func(s string) bool { return slices.Contains(tags, s) })
		}
	case "owner":
		what = "owner " + in.Value
		if in.Value == "" {
			what = "no owner"
		}
		change = func(t *store.Target) { t.Owner = in.Value }
	case "criticality":
		level := store.Criticality(strings.ToLower(in.Value))
		oneOf(&k, "value", level, store.CriticalityLow, store.CriticalityNormal, store.CriticalityHigh)
		what = "criticality " + string(level)
		change = func(t *store.Target) { t.Criticality = level }
	}
	return change, what, k.err()
}

// ChangeTargets makes one change to all targets that lead to some hosts.
func (a *Acts) ChangeTargets(ctx context.Context, who access.Who, in TargetsChange) (out Changed, err error) {
	err = a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		change, what, err := in.change()
		if err != nil {
			return line{}, err
		}
		out = Changed{What: what}
		sites, err := sitesOf(ctx, tx, who, store.RoleOperator, in.Hosts)
		if err != nil {
			return line{}, err
		}
		for _, id := range in.Hosts {
			list, _, err := tx.Targets(ctx, store.TargetFilter{HostID: id}, store.Page{Size: store.MaxPage, Sort: "id"})
			if err != nil {
				return line{}, err
			}
			for i := range list {
				if err := at(who, store.RoleOperator, list[i].SiteID); err != nil {
					return line{}, err
				}
				change(&list[i])
				if len(list[i].Tags) > maxTags {
					return line{}, &Refusal{Fields: []Field{
						{"value", fmt.Sprintf("%s would have more than %d tags", plain(list[i].Spec), maxTags)},
					}}
				}
				if err := tx.SaveTarget(ctx, &list[i]); err != nil {
					return line{}, err
				}
				out.Targets++
			}
		}
		return entry("target.change", model.Count(out.Targets, "target", "targets"), what).at(sites...), nil
	})
	return out, err
}

// sitesOf returns the distinct sites of some hosts, if the account's role there allows the act. Hosts that no longer
// exist are ignored.
func sitesOf(ctx context.Context, tx *store.Tx, who access.Who, needs store.Role, hosts []int64) ([]int64, error) {
	sites := map[int64]bool{}
	for _, id := range hosts {
		h, err := tx.Host(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err == nil {
			err = at(who, needs, h.SiteID)
		}
		if err != nil {
			return nil, err
		}
		sites[h.SiteID] = true
	}
	return slices.Sorted(maps.Keys(sites)), nil
}

// ImportTargets adds and changes targets from a table, see [fleet.Fleet.ImportTargets]. Every saved group of rows has
// an entry in the audit log. A table that cannot be read is a [Refusal]; rows before the error stay saved, and the
// report lists them.
func (a *Acts) ImportTargets(ctx context.Context, who access.Who, r io.Reader) (fleet.ImportReport, error) {
	return a.importTargets(ctx, who, r, false)
}

// PreviewTargets returns what ImportTargets would do, and stores nothing.
func (a *Acts) PreviewTargets(ctx context.Context, who access.Who, r io.Reader) (fleet.ImportReport, error) {
	return a.importTargets(ctx, who, r, true)
}

func (a *Acts) importTargets(ctx context.Context, who access.Who, r io.Reader, look bool) (fleet.ImportReport, error) {
	if !who.Somewhere(store.RoleOperator) {
		return fleet.ImportReport{Errors: []string{}}, access.ErrForbidden
	}
	source := a.reading(ctx, who, r)
	here := func(site int64) bool { return who.At(site, store.RoleOperator) }
	report, err := a.fleet.ImportTargets(ctx, source, who.Can(store.RoleAdmin), here,
		func(tx *store.Tx, s fleet.Saved) error {
			if look {
				return fleet.ErrLooked
			}
			subject := fmt.Sprintf("lines %d to %d", s.First, s.Last)
			return a.access.ActIn(ctx, tx, who, "target.import", subject,
				fmt.Sprintf("%d added, %d changed", s.Added, s.Updated))
		})
	return report, source.unreadable(err)
}

// reading records why reading a file failed, so that a broken connection or a file that is too large is distinguished
// from an invalid file. It fails with [access.ErrForbidden] when the account behind it may no longer do what it could
// when the request began.
type reading struct {
	r     io.Reader
	still func() error
	last  time.Time // when still was asked
	err   error

	left  int                    // bytes until enter is called
	enter func() (func(), error) // nil: never
	leave func()
}

// askEvery is how often a file that still arrives is checked: a revocation takes effect within that time.
const askEvery = time.Second

func (a *Acts) reading(ctx context.Context, who access.Who, r io.Reader) *reading {
	return &reading{r: r, last: time.Now(), still: func() error { return a.access.Still(ctx, who) }}
}

// Read implements io.Reader.
func (f *reading) Read(b []byte) (int, error) {
	if f.enter != nil && f.left <= 0 {
		if f.leave, f.err = f.enter(); f.err != nil {
			return 0, f.err
		}
		f.enter = nil
	}
	n, err := f.r.Read(b)
	f.left -= n
	if time.Since(f.last) >= askEvery {
		if no := f.still(); no != nil {
			n, err = 0, no
		}
		f.last = time.Now()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// close gives a place back.
func (f *reading) close() {
	if f.leave != nil {
		f.leave()
	}
}

// unreadable returns a [Refusal] for an invalid file, and other errors unchanged.
func (f *reading) unreadable(err error) error {
	switch {
	case err == nil:
		return nil
	case f.err != nil:
		return f.err
	case errors.Is(err,
		store.ErrUnavailable), errors.Is(err,
		store.ErrFull), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &Refusal{Fields: []Field{{"file", Words(err)}}}
}
