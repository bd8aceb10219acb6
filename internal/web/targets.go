package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

type targets struct {
	Query  url.Values
	Rows   []store.Target
	Pager  pager
	Heads  []head
	Filter choices
	Kinds  []option
}

func targetsPage(v *visit) error {
	q := v.r.URL.Query()
	filter := view.Targets(q)
	columns := []column{
		{"spec", "target", "", false},
		{"kind", "kind", "", false},
		{"site", "site", "", false},
		{"tags", "tags", "", false},
		{"owner", "owner", "", false},
		{"criticality", "criticality", "", true},
		{"host", "host", "", false},
		{"note", "note", "", false},
	}
	page := v.pageOf("spec", append(columns, column{key: "created"}))
	list, total, err := v.store.Targets(v.ctx(), filter, page)
	if err != nil {
		return err
	}
	d := targets{Query: q, Rows: list, Pager: v.pager(page, len(list), total), Heads: v.heads(byParam, page.Sort,
		columns)}
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
		"spec": {t.Spec}, "site": {t.Site}, "tags": {strings.Join(t.Tags, " ")}, "owner": {t.Owner},
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
	id, err := v.number()
	if err != nil {
		return store.Target{}, err
	}
	t, err := v.store.Target(v.ctx(), id)
	v.site = t.SiteID
	return t, err
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
	if t.Credential != 0 && len(credentials) == 0 { // whoever may not see credentials leaves it unchanged
		keys = append(keys, option{Value: strconv.FormatInt(t.Credential, 10), Label: "the one that it has"})
	}
	var levels []option
	for _, c := range []store.Criticality{store.CriticalityLow, store.CriticalityNormal, store.CriticalityHigh} {
		levels = append(levels, option{Value: string(c), Label: string(c)})
	}
	d := target{Form: f, Target: t, New: t.ID == 0, Fields: map[string]field{
		"spec":        f.Field("spec", "Name, address or range", targetHint),
		"site":        f.Choose("site", "Site", "Whose workers reach it", sites),
		"tags":        f.Field("tags", "Tags", "Separated by spaces"),
		"owner":       f.Field("owner", "Owner", ""),
		"criticality": f.Choose("criticality", "Criticality", "", levels),
		"credential":  f.Choose("credential", "Credential", "For authenticated checks and remote audits", keys),
		"audit_source": f.Field("audit_source", "Where an audit reads",
			"winreg://HOST for the remote registry of a Windows host, or a file that the server can read; empty: no "+
				"audit"),
		"note":    f.Field("note", "Note", ""),
		"enabled": f.Field("enabled", "Scanned by schedules and runs", ""),
	}}
	title := "Target"
	if d.New {
		title = "Add targets"
		d.Fields["spec"] = f.Field("spec", "Names, addresses or ranges", "One a line: "+targetHint)
	}
	return v.renderStatus(status, "target", title, d)
}

// targetHint shows the syntax of targets.
const targetHint = "srv1.example, 10.0.0.5, 10.0.0.5:1445, [2001:db8::5]. Discovery makes targets of what answers in " +
	"a range: 10.0.0.0/24 or 10.0.0.1-10.0.0.99"

// siteOptions returns all sites to choose from.
func (v *visit) siteOptions() ([]option, error) {
	sites, err := v.store.Sites(v.ctx())
	if err != nil {
		return nil, err
	}
	var out []option
	for _, s := range sites {
		out = append(out, option{Value: s.Name, Label: s.Name})
	}
	return out, nil
}

// mostAdded bounds the targets of one form, each of which is an act of its own: for more, import a file.
const mostAdded = 100

// addTargets adds the targets of a form, one a line. Refused ones stay in the form.
func addTargets(v *visit) error {
	f := newForm(v.r.PostForm)
	specs := slices.DeleteFunc(strings.Split(f.Get("spec"), "\n"),
		func(s string) bool { return strings.TrimSpace(s) == "" })
	switch {
	case len(specs) > mostAdded:
		f.wrong("spec", "These are more than "+strconv.Itoa(mostAdded)+": import them as a file.")
		return v.showTarget(store.Target{}, f, http.StatusUnprocessableEntity)
	case len(specs) == 0:
		specs = []string{""} // which is refused
	}
	var left []string
	status := 0
	for _, spec := range specs {
		spec = strings.TrimSpace(spec)
		one := newForm(nil)
		_, err := v.acts.SaveTarget(v.ctx(), v.who(), 0, targetIn(f, spec))
		switch {
		case one.refused(err):
			left, status = append(left, spec), statusOf(err)
			if why := one.Wrong["spec"]; why != "" && len(specs) > 1 {
				one.Wrong["spec"] = spec + ": " + why
			}
			for name, why := range one.Wrong {
				f.wrong(name, why)
			}
			f.Problem = one.Problem
		case err != nil:
			return err
		}
	}
	added := len(specs) - len(left)
	if len(left) == 0 {
		return v.done("/targets", plural(added, "target was", "targets were")+" added.")
	}
	if added > 0 {
		f.Problem = plural(added, "target was", "targets were") + " added; " + plural(len(left), "is", "are") +
			" left to be corrected."
	}
	f.Set("spec", strings.Join(left, "\n"))
	return v.showTarget(store.Target{}, f, status)
}

// targetIn returns the target of a form.
func targetIn(f *form, spec string) acts.TargetChange {
	return acts.TargetChange{
		Spec: spec, Site: f.Get("site"), Tags: f.tags("tags"), Owner: f.Get("owner"),
		Criticality: store.Criticality(f.Get("criticality")),
		Credential:  f.id("credential"), AuditSource: f.Get("audit_source"), Note: f.Get("note"),
		Enabled: f.on("enabled"),
	}
}

func saveTarget(v *visit) error {
	t, err := v.targetOf()
	if err != nil {
		return err
	}
	f := newForm(v.r.PostForm)
	_, err = v.acts.SaveTarget(v.ctx(), v.who(), t.ID, targetIn(f, f.Get("spec")))
	switch {
	case f.refused(err):
		return v.showTarget(t, f, statusOf(err))
	case err != nil:
		return err
	}
	return v.done("/targets", "The target was changed.")
}

func deleteTargets(v *visit) error {
	f := newForm(v.r.PostForm)
	n, err := v.acts.DeleteTargets(v.ctx(), v.who(), f.ids("target"))
	switch {
	case f.refused(err):
		return v.done("/targets", f.first())
	case err != nil:
		return err
	}
	return v.done("/targets", plural(n, "target was", "targets were")+" removed. What is known of the hosts stays.")
}
