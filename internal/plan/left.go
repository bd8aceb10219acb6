package plan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// unmended lists the findings of the audit and of the scans that no change closes, each with the reason.
func (w *work) unmended(p *model.Plan, cfg catalog.Config) []model.Left {
	var out []model.Left
	then := w.c.View(cfg)
	add := func(f *model.Finding) {
		why := w.whyLeft(f, p, then)
		l := model.Left{Finding: f.ID, Severity: f.Severity, Identity: f.Identity, Setting: f.Setting, Why: why}
		if why != "" && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	for i := range w.e.Audit.Findings {
		add(&w.e.Audit.Findings[i])
	}
	for _, s := range w.e.Scans {
		for i := range s.Findings {
			f := &s.Findings[i]
			if !slices.ContainsFunc(w.e.Audit.Findings, func(a model.Finding) bool {
				return a.ID == f.ID && a.Identity == f.Identity
			}) {
				add(f)
			}
		}
	}
	return out
}

// Closes returns the findings of the evidence that a plan made from it closes, each once: those of which it leaves
// none.
func Closes(e *Evidence, p *model.Plan) []string {
	out := []string{}
	if len(p.Changes) == 0 {
		return out
	}
	add := func(list []model.Finding) {
		for i := range list {
			id := list[i].ID
			if !slices.Contains(out, id) && !slices.ContainsFunc(p.Left, func(l model.Left) bool {
				return l.Finding == id
			}) {
				out = append(out, id)
			}
		}
	}
	add(e.Audit.Findings)
	for _, s := range e.Scans {
		add(s.Findings)
	}
	return out
}

// unblocked lists the findings that a block leaves. A block changes only what blocks, so a weak value stays weak even
// if nobody can reach it any more.
func (w *work) unblocked(p *model.Plan, cfg catalog.Config) []model.Left {
	firewall := slices.ContainsFunc(p.Changes, func(c model.Change) bool { return c.Setting == HostFirewall })
	out := w.unmended(p, cfg)
	out = slices.DeleteFunc(out, func(l model.Left) bool { // the model does not know a firewall's rules
		_, kind := w.strangersData(&model.Finding{ID: l.Finding, Identity: l.Identity})
		return firewall && kind != ""
	})
	for i := range out {
		if _, kind := w.strangersData(&model.Finding{ID: out[i].Finding, Identity: out[i].Identity}); kind == "" {
			out[i].Why = "a block changes nothing but what blocks: ipcguard plan --goal findings mends what can be " +
				"mended"
		}
	}
	return out
}

// whyLeft returns why a finding stays; empty if a change closes it.
func (w *work) whyLeft(f *model.Finding, p *model.Plan, then *catalog.View) string {
	if who, kind := w.strangersData(f); kind != "" {
		return w.whyGiven(who, kind, p, then)
	}
	touched := func(id string) bool {
		return slices.ContainsFunc(p.Changes, func(c model.Change) bool {
			s := w.c.Setting(id)
			if c.Setting != id || s == nil || s.PerShare() {
				return c.Setting == id
			}
			_, ofShare := s.LineOfShare(c.Where) // which says nothing about the host's own
			return !ofShare
		})
	}
	if f.ID == "pipe-list-irrelevant" && f.Setting == "NullSessionPipes" { // which no change of the list itself mends
		if touched("RestrictNullSessAccess") {
			return ""
		}
	} else if slices.ContainsFunc(p.Changes, func(c model.Change) bool {
		return slices.Contains(c.Closes, f.ID)
	}) || touched(f.Setting) {
		return ""
	}
	for _, id := range append([]string{f.Setting}, f.Settings...) {
		for _, r := range w.rejected {
			if id != "" && r.Setting == id {
				return r.Why
			}
		}
	}
	for _, id := range f.Settings {
		if touched(id) {
			return fmt.Sprintf(
				"the plan changes %s, which it is about too; the next audit shows whether that is enough", id)
		}
	}
	switch {
	case f.Identity.IsStranger() && len(f.Settings) == 0 && then.Session(f.Identity) == model.Denied:
		return "the changes keep such a caller out; the next scan shows it"
	case f.Fix != "":
		why := "no single value mends it: " + strings.TrimSuffix(f.Fix, ".")
		for _, id := range f.Settings {
			if s := w.c.Setting(id); s != nil {
				if missing := s.MissingIn(w.platform.Version); missing != "" {
					why += "; " + id + ": " + missing
				}
			}
		}
		return why
	}
	return "the catalog names no value that mends it"
}

// strangersData returns who is given what according to a finding about data.
func (w *work) strangersData(f *model.Finding) (model.Identity, model.Disclosure) {
	who, kind, reads := strings.Cut(f.ID, "-reads-")
	switch k := w.c.Finding(f.ID); {
	case k != nil && k.Discloses.IsExposure():
		if f.Identity == "" {
			return k.Identity, k.Discloses
		}
		return f.Identity, k.Discloses
	case reads && model.Identity(who).IsStranger() && model.Disclosure(kind).IsExposure():
		return model.Identity(who), model.Disclosure(kind)
	}
	return "", ""
}

// whyGiven returns why strangers still get some data, as far as they do.
func (w *work) whyGiven(who model.Identity, kind model.Disclosure, p *model.Plan, then *catalog.View) string {
	switch o := then.Discloses(who, kind); {
	case o == model.Denied || o == model.Absent:
		if len(p.Changes) > 0 && levelOf(w.view().Discloses(who, kind)) > shut {
			return ""
		}
		return "the configuration closes it already: what was seen may be from before, or not of this configuration"
	case o == model.Allowed:
		return "no setting of this product closes it without stopping what is needed; see what stays open"
	}
	return "whether a change closes it is not known; see what stays open"
}

// mended returns the findings with IDs of their own that a change of a setting closes.
func (w *work) mended(s *catalog.Setting) []string {
	out := []string{}
	for _, f := range w.e.Audit.Findings {
		if f.Setting == s.ID && f.ID == s.Finding && s.Reach == "everyone" && !slices.Contains(out, f.ID) {
			out = append(out, f.ID)
		}
	}
	return out
}
