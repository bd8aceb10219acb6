package scan

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// disclosed is the best proof that one kind of thing was given away.
type disclosed struct {
	kind  model.Disclosure
	pipe  string
	call  string
	count int
	more  bool
}

// disclosures lists what an identity was given that no stranger should have: for each kind the call that gave most.
func disclosures(r *model.IdentityResult) []disclosed {
	best := map[model.Disclosure]disclosed{}
	take := func(d disclosed) {
		if old, ok := best[d.kind]; d.kind.IsExposure() && d.count > 0 && (!ok || d.count > old.count) {
			best[d.kind] = d
		}
	}
	for _, p := range r.Pipes {
		for _, i := range p.Interfaces {
			for _, c := range i.Calls {
				if c.Outcome == model.Allowed {
					take(disclosed{c.Discloses, p.Pipe, c.Call, c.Count, c.More})
				}
			}
		}
	}
	readable := 0
	for _, s := range r.Shares {
		if s.Open.Outcome == model.Allowed {
			readable++
		}
	}
	take(disclosed{kind: model.DisclosesFiles, count: readable})
	var out []disclosed
	for _, kind := range model.Disclosures() {
		if d, ok := best[kind]; ok {
			out = append(out, d)
		}
	}
	return out
}

// exposures makes a finding of every kind of thing that every unauthenticated identity was given.
func (h *host) exposures() []model.Finding {
	out := []model.Finding{}
	for i := range h.result.Identities {
		id := &h.result.Identities[i]
		if !stranger(id.Identity) {
			continue
		}
		for _, d := range disclosures(id) {
			f := h.finding(id.Identity, d.kind)
			f.Identity, f.Pipe = id.Identity, d.pipe
			f.Evidence = evidence(id.Identity, d)
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b model.Finding) int { return b.Severity.Rank() - a.Severity.Rank() })
	return out
}

// evidence says in one line what was proved, and how.
func evidence(id model.Identity, d disclosed) string {
	what := quantity(d.kind, d.count)
	if d.more {
		what = "more than " + what
	}
	if d.kind == model.DisclosesFiles {
		return fmt.Sprintf("%s opened the root folder of %s for reading", id, what)
	}
	return fmt.Sprintf("%s read %s through %s (%s)", id, what, d.pipe, d.call)
}

// quantity puts a count into words.
func quantity(kind model.Disclosure, n int) string {
	words := map[model.Disclosure][2]string{
		model.DisclosesAccounts: {"account", "accounts"},
		model.DisclosesGroups:   {"group", "groups"},
		model.DisclosesSIDs:     {"security identifier", "security identifiers"},
		model.DisclosesTrusts:   {"trusted domain", "trusted domains"},
		model.DisclosesShares:   {"share", "shares"},
		model.DisclosesFiles:    {"disk share", "disk shares"},
		model.DisclosesSessions: {"session", "sessions"},
		model.DisclosesServices: {"service", "services"},
		model.DisclosesPrinters: {"printer", "printers"},
		model.DisclosesJobs:     {"scheduled job", "scheduled jobs"},
		model.DisclosesLogs:     {"event log", "event logs"},
	}
	switch kind {
	case model.DisclosesPasswordPolicy:
		return "the password policy"
	case model.DisclosesRegistry:
		return "the registry"
	case model.DisclosesDFS:
		return "the distributed file system's namespace"
	}
	w, ok := words[kind]
	switch {
	case !ok:
		return fmt.Sprintf("%d × %s", n, kind)
	case n == 1:
		return "1 " + w[0]
	}
	return fmt.Sprintf("%d %s", n, w[1])
}

// finding is the catalog's entry for an identity that is given one kind of thing: the one for this identity, or else
// the one for any.
func (h *host) finding(id model.Identity, kind model.Disclosure) model.Finding {
	var found *catalog.Finding
	for i := range h.catalog.Findings {
		f := &h.catalog.Findings[i]
		if f.Kind == "audit" || f.Discloses != kind {
			continue
		}
		if f.Identity == id || found == nil && (f.Identity == "" || f.Identity == model.Anonymous) {
			if found = f; f.Identity == id {
				break
			}
		}
	}
	if found == nil {
		return model.Finding{ID: fmt.Sprintf("%s-reads-%s", id, kind), Severity: model.Medium}
	}
	return h.fill(found)
}

// fill copies what the catalog knows about a finding, as far as it holds for what the server looks like.
func (h *host) fill(f *catalog.Finding) model.Finding {
	out := model.Finding{ID: f.ID, Title: f.Title, Fix: adviceFor(h.result.Server.System, f.Fix), Sources: f.Sources, Severity: model.Medium}
	if len(f.Severity) > 0 {
		out.Severity = f.Severity[len(f.Severity)-1].Level
	}
	system := h.result.Server.System
	for _, name := range f.Settings {
		i := slices.IndexFunc(h.catalog.Settings, func(s catalog.Setting) bool { return s.ID == name })
		if i >= 0 && (system == "windows" || system == "samba") && h.catalog.Settings[i].System != system {
			continue
		}
		out.Settings = append(out.Settings, name)
		out.Controls = append(out.Controls, h.controls(name)...)
	}
	return out
}

// controls lists the places of a setting in every benchmark that may be for this server, each with its version.
func (h *host) controls(setting string) []model.Control {
	var out []model.Control
	var products []string
	for _, p := range h.catalog.Products {
		if b := h.result.Server.Build; b > 0 && p.System == h.result.Server.System && p.Builds[0] > 0 && b >= p.Builds[0] && b <= p.Builds[1] {
			products = append(products, p.ID)
		}
	}
	fits := func(b catalog.Benchmark) bool {
		return len(products) == 0 || len(b.Products) == 0 ||
			slices.ContainsFunc(b.Products, func(p string) bool { return slices.Contains(products, p) })
	}
	for _, row := range h.catalog.Controls {
		if row.Setting != setting {
			continue
		}
		for _, b := range h.catalog.Benchmarks {
			if id := row.IDs[b.ID]; id != "" && fits(b) {
				out = append(out, model.Control{Benchmark: b.Title, Version: b.Version, ID: id, Source: b.Source})
			}
		}
	}
	return out
}

// weaknesses are what the posture alone shows. They are worth knowing and expose nothing to a stranger by themselves.
func (h *host) weaknesses() []model.Finding {
	var out []model.Finding
	s := h.result.Server
	add := func(id, evidence string, severity model.Severity, fix string) {
		f := model.Finding{ID: id, Severity: severity, Fix: fix}
		for i := range h.catalog.Findings {
			if h.catalog.Findings[i].ID == id {
				f = h.fill(&h.catalog.Findings[i])
			}
		}
		// Graded as what a scan can know: no exposure was proved by this.
		f.Severity, f.Evidence = severity, evidence
		out = append(out, f)
	}
	if s.SMB1 {
		add("smb1-enabled", "the server speaks SMB1 (NT LM 0.12)", model.Low, "switch SMB1 off unless a device that speaks nothing else needs it")
	}
	if s.Signing != "" && s.Signing != "required" {
		add("signing-not-required", "the server does not require signing (signing is "+s.Signing+")", model.Info, "require signing on the server")
	}
	return out
}

// adviceFor keeps the part of an advice, written "Windows: … Samba: …", that is for a system.
func adviceFor(system, advice string) string {
	before, samba, ok := strings.Cut(advice, "Samba: ")
	switch {
	case !ok:
	case system == "samba":
		return samba
	case system == "windows":
		return strings.TrimSpace(strings.TrimPrefix(before, "Windows: "))
	}
	return advice
}
