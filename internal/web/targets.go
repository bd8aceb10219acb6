package web

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/fleet"
	"ipcguard/internal/store"
)

type targets struct {
	Query  url.Values
	Rows   []store.Target
	Pager  pager
	Heads  map[string]head
	Filter choices
	Kinds  []option
}

func targetsPage(v *visit) error {
	q := v.r.URL.Query()
	filter := store.TargetFilter{Site: q.Get("site"), Tag: strings.ToLower(q.Get("tag")), Owner: q.Get("owner"), Text: q.Get("q"), Kind: store.TargetKind(known(q.Get("kind"), texts(store.TargetHost, store.TargetRange)...))}
	page := sortable(v.pageOf("spec", rows), "spec", "spec", "site", "owner", "criticality", "kind", "created")
	list, total, err := v.store.Targets(v.ctx(), filter, page)
	if err != nil {
		return err
	}
	d := targets{Query: q, Rows: list, Pager: v.pager(page, len(list), total), Heads: map[string]head{}}
	for _, key := range []string{"spec", "kind", "site", "owner", "criticality"} {
		label := key
		if key == "spec" {
			label = "target"
		}
		d.Heads[key] = v.head(page, key, label, "", false)
	}
	if d.Filter, err = v.choices(q); err != nil {
		return err
	}
	d.Kinds = options(q.Get("kind"), "hosts and ranges", texts(store.TargetHost, store.TargetRange))
	return v.render("targets", "Targets", d)
}

// target is the form of one.
type target struct {
	Form   *form
	Target store.Target
	New    bool
	Fields map[string]field
}

func newTargetPage(v *visit) error {
	f := newForm(v.r.URL.Query())
	f.Set("enabled", "yes")
	f.Set("criticality", string(store.CriticalityNormal))
	return v.showTarget(store.Target{}, f, http.StatusOK)
}

func targetPage(v *visit) error {
	t, err := v.targetOf()
	if err != nil {
		return err
	}
	f := newForm(url.Values{
		"spec": {t.Spec}, "site": {strconv.FormatInt(t.SiteID, 10)}, "tags": {strings.Join(t.Tags, " ")}, "owner": {t.Owner},
		"criticality": {string(t.Criticality)}, "audit_source": {t.AuditSource}, "note": {t.Note},
	})
	if t.Credential != 0 {
		f.Set("credential", strconv.FormatInt(t.Credential, 10))
	}
	if t.Enabled {
		f.Set("enabled", "yes")
	}
	return v.showTarget(t, f, http.StatusOK)
}

func (v *visit) targetOf() (store.Target, error) {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return store.Target{}, errNotFound
	}
	return v.store.Target(v.ctx(), id)
}

func (v *visit) showTarget(t store.Target, f *form, status int) error {
	sites, err := v.siteOptions()
	if err != nil {
		return err
	}
	credentials, err := v.store.Credentials(v.ctx())
	if err != nil {
		return err
	}
	keys := []option{{Value: "", Label: "none"}}
	for _, c := range credentials {
		keys = append(keys, option{Value: strconv.FormatInt(c.ID, 10), Label: c.Name + " (" + c.Account + ")"})
	}
	var levels []option
	for _, c := range []store.Criticality{store.CriticalityLow, store.CriticalityNormal, store.CriticalityHigh} {
		levels = append(levels, option{Value: string(c), Label: string(c)})
	}
	d := target{Form: f, Target: t, New: t.ID == 0, Fields: map[string]field{
		"spec":         f.Field("spec", "Name, address or range", "srv1.example, 10.0.0.5, 10.0.0.5:1445, [2001:db8::5]. Discovery makes targets of what answers in a range: 10.0.0.0/24 or 10.0.0.1-10.0.0.99"),
		"site":         f.Choose("site", "Site", "Whose workers reach it", sites),
		"tags":         f.Field("tags", "Tags", "Apart by blanks"),
		"owner":        f.Field("owner", "Owner", ""),
		"criticality":  f.Choose("criticality", "Criticality", "", levels),
		"credential":   f.Choose("credential", "Credential", "For authenticated checks and audits from afar", keys),
		"audit_source": f.Field("audit_source", "Where an audit reads", "winreg:// for a Windows host from afar; empty is none"),
		"note":         f.Field("note", "Note", ""),
		"enabled":      f.Field("enabled", "Scanned by schedules and runs", ""),
	}}
	title := "Target"
	if d.New {
		title = "Add a target"
	}
	return v.renderStatus(status, "target", title, d)
}

// siteOptions are all sites to choose from.
func (v *visit) siteOptions() ([]option, error) {
	sites, err := v.store.Sites(v.ctx())
	if err != nil {
		return nil, err
	}
	var out []option
	for _, s := range sites {
		out = append(out, option{Value: strconv.FormatInt(s.ID, 10), Label: s.Name})
	}
	return out, nil
}

func saveTarget(v *visit) error {
	var t store.Target
	if v.r.PathValue("id") != "" {
		var err error
		if t, err = v.targetOf(); err != nil {
			return err
		}
	}
	old := t
	f := newForm(v.r.PostForm)
	t.Spec = f.need("spec")
	t.SiteID = f.id("site")
	t.Tags = f.tags("tags")
	t.Owner = f.line("owner")
	t.Criticality = store.Criticality(f.choice("criticality", texts(store.CriticalityLow, store.CriticalityNormal, store.CriticalityHigh)...))
	t.Credential, t.AuditSource = f.id("credential"), f.line("audit_source")
	t.Note, t.Enabled = f.note("note"), f.yes("enabled")
	if t.SiteID == 0 {
		f.wrong("site", "Choose one of the list.")
	}
	if f.Wrong["spec"] == "" && f.Wrong["criticality"] == "" {
		if err := fleet.CheckTarget(&t); err != nil {
			name := "spec"
			if strings.HasPrefix(err.Error(), "audit_source") {
				name = "audit_source"
			}
			f.wrong(name, sentence(strings.TrimPrefix(err.Error(), name+": ")))
		}
	}
	if field := fleet.Guarded(old, t); field != "" && !v.may(store.RoleAdmin) {
		f.wrong(field, sentence(fleet.ErrGuarded.Error()))
	}
	if !f.ok() {
		return v.showTarget(t, f, http.StatusUnprocessableEntity)
	}
	isNew := t.ID == 0
	switch err := v.store.SaveTarget(v.ctx(), &t); {
	case errors.Is(err, store.ErrConflict):
		f.wrong("spec", "The site has this target already.")
		return v.showTarget(t, f, http.StatusConflict)
	case err != nil:
		return err
	}
	if isNew {
		v.act("target.add", t.Spec, "")
		return v.done("/targets", "The target was added.")
	}
	v.act("target.change", t.Spec, "")
	return v.done("/targets", "The target was changed.")
}

func deleteTargets(v *visit) error {
	ids := newForm(v.r.PostForm).ids("target")
	if len(ids) == 0 {
		return v.done("/targets", "No target was chosen.")
	}
	if err := v.store.DeleteTargets(v.ctx(), ids); err != nil {
		return err
	}
	v.act("target.delete", plural(len(ids), "target", "targets"), "")
	return v.done("/targets", plural(len(ids), "target was", "targets were")+" removed. What is known of the hosts stays.")
}

// targetChange is what a bulk action does to each target, and how it is told.
func (f *form) targetChange(do string) (func(*store.Target), string) {
	f.Set("value", strings.TrimSpace(f.Get("value")))
	switch do {
	case "tag", "untag":
		tags := f.tags("value")
		if len(tags) == 0 {
			f.wrong("value", "Name the tags.")
		}
		if do == "tag" {
			return func(t *store.Target) { t.Tags = sorted(append(slices.Clone(t.Tags), tags...)) }, "tagged " + strings.Join(tags, " ")
		}
		return func(t *store.Target) {
			t.Tags = slices.DeleteFunc(slices.Clone(t.Tags), func(s string) bool { return slices.Contains(tags, s) })
		}, "no longer tagged " + strings.Join(tags, " ")
	case "owner":
		owner := f.line("value")
		return func(t *store.Target) { t.Owner = owner }, "owner " + orNone(owner)
	}
	level := store.Criticality(strings.ToLower(f.line("value")))
	if !slices.Contains(criticalities, string(level)) {
		f.wrong("value", "Criticality is low, normal or high.")
	}
	return func(t *store.Target) { t.Criticality = level }, "criticality " + string(level)
}

// first is one of the things that are wrong.
func (f *form) first() string {
	if f.Problem != "" {
		return f.Problem
	}
	for _, name := range slices.Sorted(maps.Keys(f.Wrong)) {
		return f.Wrong[name]
	}
	return ""
}

// changeTargets changes every target that leads to one of the hosts.
func (v *visit) changeTargets(hostIDs []int64, change func(*store.Target)) (int, error) {
	n := 0
	for _, id := range hostIDs {
		list, _, err := v.store.Targets(v.ctx(), store.TargetFilter{HostID: id}, store.Page{Size: store.MaxPage, Sort: "id"})
		if err != nil {
			return n, err
		}
		for i := range list {
			change(&list[i])
			if err := v.store.SaveTarget(v.ctx(), &list[i]); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}
