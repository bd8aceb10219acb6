package scan

import (
	"cmp"
	"fmt"
	"slices"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// disclosed is the best proof that one kind of data was disclosed.
type disclosed struct {
	kind  model.Disclosure
	pipe  string
	call  string
	count int
	more  bool
	step  model.Step
}

// disclosures returns what an identity was given that no stranger should have: for each kind of data the call that gave
// most.
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
					take(disclosed{
						c.Discloses, p.Pipe, c.Call, c.Count, c.More,
						model.Step{Outcome: c.Outcome, Status: c.Status},
					})
				}
			}
		}
	}
	files := disclosed{kind: model.DisclosesFiles}
	for _, s := range r.Shares {
		if s.Open.Outcome == model.Allowed {
			files.count, files.step = files.count+1, s.Open
		}
	}
	take(files)
	var out []disclosed
	for _, kind := range model.Disclosures() {
		if d, ok := best[kind]; ok {
			out = append(out, d)
		}
	}
	return out
}

// exposures makes a finding for every kind of data that an unauthenticated identity was given.
func (h *host) exposures() []model.Finding {
	out := []model.Finding{}
	for i := range h.result.Identities {
		id := &h.result.Identities[i]
		if !id.Identity.IsStranger() {
			continue
		}
		for _, d := range disclosures(id) {
			f := h.finding(id.Identity, d.kind)
			f.Identity, f.Pipe = id.Identity, d.pipe
			f.Evidence = evidence(id.Identity, d)
			f.Looks = []model.Look{h.look(id, d)}
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b model.Finding) int { return b.Severity.Rank() - a.Severity.Rank() })
	return out
}

// look returns the question that proved it.
func (h *host) look(r *model.IdentityResult, d disclosed) model.Look {
	asked := d.call + " through " + d.pipe
	if d.kind == model.DisclosesFiles {
		asked = "open the root folder of a disk share"
	}
	l := catalog.LookOf(h.result, r, asked, d.step)
	l.Answer += ": " + d.kind.Count(d.count)
	if d.kind == model.DisclosesFiles {
		l.Times = int64(len(r.Shares))
	}
	return l
}

// evidence describes in one line what was proved, and how.
func evidence(id model.Identity, d disclosed) string {
	what := d.kind.Count(d.count)
	if d.more {
		what = "more than " + what
	}
	if d.kind == model.DisclosesFiles {
		return fmt.Sprintf("%s opened the root folder of %s for reading", id, what)
	}
	return fmt.Sprintf("%s read %s through %s (%s)", id, what, d.pipe, d.call)
}

// finding returns the catalog's entry for an identity that is given one kind of data.
func (h *host) finding(id model.Identity, kind model.Disclosure) model.Finding {
	if f := h.catalog.FindingFor(id, kind); f != nil {
		return h.fill(f)
	}
	return model.Finding{ID: fmt.Sprintf("%s-reads-%s", id, kind), Severity: model.Medium}
}

// whoIsIt is the advice for a server that seems to be neither Windows nor Samba.
const whoIsIt = "What this server is does not show, and what Windows and Samba call their settings it need not have. " +
	"Find out from its " +
	"maker's documents, or from who runs it, how it refuses callers without an account; until then keep its ports from those who need not reach it."

// fill copies what the catalog knows about a finding, as far as it applies to this kind of server.
func (h *host) fill(f *catalog.Finding) model.Finding {
	p := h.platform()
	out := model.Finding{ID: f.ID, Title: f.Title, Severity: h.catalog.Severity(f, p), Sources: f.Sources}
	if out.Fix = cmp.Or(h.decoy(), whoIsIt); p.System == "windows" || p.System == "samba" || len(f.Fix[p.System]) > 0 {
		out.Fix = h.catalog.Fix(f, p)
	}
	for _, name := range f.Settings {
		if s := h.catalog.Setting(name); s != nil && s.System == p.System {
			out.Settings = append(out.Settings, name)
		}
	}
	if len(out.Settings) > 0 {
		out.Controls = h.catalog.ControlsFor(p, out.Settings...)
	}
	return out
}

// decoy returns the advice for a honeypot; empty for other servers.
func (h *host) decoy() string {
	s := &h.result.Server
	if s.Decoy == "" {
		return ""
	}
	return s.Decoy +
		" There is nothing to configure. Ask who runs the network whether it is theirs; where nobody knows of it, treat it as an attack."
}

// platform returns the server's platform in the catalog's terms.
func (h *host) platform() model.Platform {
	s := &h.result.Server
	p := model.Platform{System: s.System, Build: s.Build, Role: s.Role}
	switch s.System {
	case "samba", "ksmbd":
		p.Product = s.System
	case "unknown":
		p.System = ""
	}
	if p.Role == "" {
		p.Role = model.UnknownRole
	}
	return p
}
