package catalog

import (
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// index finds entries by ID and by every other name. Load builds it once.
type index struct {
	products   map[string]*Product
	release    map[string]*Product // only by exact ID
	settings   map[string]*Setting
	setting    map[string]*Setting // only by exact ID
	pipes      map[string]*Pipe
	interfaces map[string]*Interface
	services   map[string]*Service
	findings   map[string]*Finding
	benchmarks map[string]*Benchmark
	sources    map[string]*Source
	controls   map[string]*ControlRow
	disclosed  map[disclosureKey]*Finding
}

type disclosureKey struct {
	identity  model.Identity
	discloses model.Disclosure
}

// fold normalizes names for comparison: case and surrounding blanks do not matter.
func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// put adds a name unless it exists: IDs are added before aliases and so win.
func put[T any](m map[string]*T, v *T, names ...string) {
	for _, n := range names {
		if _, taken := m[fold(n)]; !taken && n != "" {
			m[fold(n)] = v
		}
	}
}

func (c *Catalog) build() {
	c.index = index{
		products: map[string]*Product{}, release: map[string]*Product{}, settings: map[string]*Setting{},
		setting: map[string]*Setting{},
		pipes:   map[string]*Pipe{}, interfaces: map[string]*Interface{}, services: map[string]*Service{},
		findings: map[string]*Finding{}, benchmarks: map[string]*Benchmark{}, sources: map[string]*Source{},
		controls: map[string]*ControlRow{}, disclosed: map[disclosureKey]*Finding{},
	}
	for i := range c.Products {
		p := &c.Products[i]
		p.position = i
		put(c.products, p, p.ID)
		c.release[p.ID] = p
	}
	for i := range c.Products {
		put(c.products, &c.Products[i], append(c.Products[i].Aliases, c.Products[i].Title)...)
	}
	for i := range c.Settings {
		put(c.settings, &c.Settings[i], c.Settings[i].ID, c.Settings[i].Where)
		c.setting[c.Settings[i].ID] = &c.Settings[i]
		c.Settings[i].position = i
	}
	for i := range c.Settings {
		put(c.settings, &c.Settings[i], append(c.Settings[i].Aliases, c.Settings[i].Policy)...)
	}
	for i := range c.Pipes {
		put(c.pipes, &c.Pipes[i], c.Pipes[i].Name)
	}
	for i := range c.Interfaces {
		put(c.interfaces, &c.Interfaces[i], c.Interfaces[i].ID, c.Interfaces[i].UUID)
	}
	for i := range c.Services {
		put(c.services, &c.Services[i], c.Services[i].ID)
	}
	for i := range c.Services {
		put(c.services, &c.Services[i], append(c.Services[i].Aliases, c.Services[i].Title)...)
	}
	for i := range c.Findings {
		f := &c.Findings[i]
		put(c.findings, f, f.ID)
		if f.Discloses != "" {
			c.disclosed[disclosureKey{f.Identity, f.Discloses}] = f
		}
	}
	for i := range c.Benchmarks {
		put(c.benchmarks, &c.Benchmarks[i], c.Benchmarks[i].ID)
	}
	for i := range c.Sources {
		put(c.sources, &c.Sources[i], c.Sources[i].ID)
	}
	for i := range c.Controls {
		put(c.controls, &c.Controls[i], c.Controls[i].Setting)
	}
}

// Product returns a product by ID, title or other name, or nil.
func (c *Catalog) Product(name string) *Product { return c.products[fold(name)] }

// ScopeText describes a scope in words; it is empty for an unlimited one.
func (c *Catalog) ScopeText(s Scope) string {
	name := func(id string) string {
		if p := c.Product(id); p != nil {
			return p.Title
		}
		return id
	}
	var parts []string
	switch {
	case len(s.Products) > 0:
		var names []string
		for _, p := range s.Products {
			names = append(names, name(p))
		}
		parts = append(parts, strings.Join(names, ", "))
	case s.Since != "" && s.Until != "":
		parts = append(parts, name(s.Since)+" to "+name(s.Until))
	case s.Since != "":
		parts = append(parts, name(s.Since)+" and later")
	case s.Until != "":
		parts = append(parts, "up to "+name(s.Until))
	}
	if s.Family != "" {
		parts = append(parts, s.Family+"s")
	}
	if len(s.Roles) > 0 {
		var roles []string
		for _, r := range s.Roles {
			roles = append(roles, strings.ReplaceAll(string(r), "-", " "))
		}
		parts = append(parts, "as "+strings.Join(roles, ", "))
	}
	return strings.Join(parts, "; ")
}

// Setting returns a setting by ID, place, policy name or synonym, or nil.
func (c *Catalog) Setting(name string) *Setting { return c.settings[fold(name)] }

// Pipe returns a pipe by name, with or without \pipe\, or nil.
func (c *Catalog) Pipe(name string) *Pipe { return c.pipes[PipeName(name)] }

// Interface returns an interface by ID or UUID, or nil.
func (c *Catalog) Interface(name string) *Interface {
	return c.interfaces[strings.Trim(fold(name), "{}")]
}

// Service returns a service by ID or other name, or nil.
func (c *Catalog) Service(name string) *Service { return c.services[fold(name)] }

// NeedOf returns who needs a service's pipes without credentials.
func (c *Catalog) NeedOf(s *Service) *Need {
	i := slices.IndexFunc(c.Needs, func(n Need) bool { return n.ID == s.Anonymous })
	return &c.Needs[i]
}

// Finding returns a finding by ID, or nil.
func (c *Catalog) Finding(id string) *Finding { return c.findings[fold(id)] }

// PipeName normalizes a pipe's name for comparison: lower case, without \pipe\. See [MS-SRVS] 3.1.6.17.
func PipeName(name string) string {
	n := strings.Trim(strings.ReplaceAll(fold(name), "/", `\`), `\`)
	if rest, ok := strings.CutPrefix(n, `pipe\`); ok {
		n = rest
	}
	return n
}

// plainless are the characters that PipeName changes, besides case.
const plainless = "\\/ \t\r\n"

// samePipe compares two names as PipeName does, and faster if they are plain.
func samePipe(a, b string) bool {
	return strings.EqualFold(a, b) || (strings.ContainsAny(a, plainless) || strings.ContainsAny(b, plainless)) &&
		PipeName(a) == PipeName(b)
}

// FindingFor returns the finding for one kind of data given to one identity. A made-up user who was let in counts as a
// guest. It is nil if giving the data is no finding.
func (c *Catalog) FindingFor(i model.Identity, d model.Disclosure) *Finding {
	if i == model.UnknownUser {
		i = model.Guest
	}
	return c.disclosed[disclosureKey{i, d}]
}

// Severity returns the severity of a finding on this platform. For an unknown role or product it is the highest that
// may apply, so that nothing is understated.
func (c *Catalog) Severity(f *Finding, p model.Platform) model.Severity {
	worst := model.Severity("")
	for _, g := range f.Severity {
		switch c.fits(g.Scope, p) {
		case yes:
			if worst == "" || g.Level.Rank() > worst.Rank() {
				return g.Level
			}
			return worst
		case maybe:
			if worst == "" || g.Level.Rank() > worst.Rank() {
				worst = g.Level
			}
		}
	}
	if worst == "" {
		return model.Info
	}
	return worst
}

// ControlsFor lists the controls that require these settings, for the product and role if they are known. Each setting
// also brings the NIST control behind DISA's identifiers and our own ATT&CK mapping.
func (c *Catalog) ControlsFor(p model.Platform, settings ...string) []model.Control {
	var out []model.Control
	add := func(k model.Control) {
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	for _, id := range settings {
		row := c.controls[fold(id)]
		if row == nil {
			continue
		}
		for i := range c.Benchmarks { // in list order, so that the result is stable
			b := &c.Benchmarks[i]
			control, ok := row.IDs[b.ID]
			if !ok {
				continue
			}
			s := Scope{Products: b.Products, Roles: b.Roles}
			if len(s.Roles) == 0 {
				s.Roles = row.Roles[b.Family]
			}
			if c.fits(s, p) != no {
				add(model.Control{Benchmark: b.Title, Version: b.Version, ID: control, Source: b.Source})
			}
		}
		for _, cci := range row.CCI {
			for _, k := range c.CCI {
				if k.ID == cci {
					add(model.Control{Benchmark: "NIST SP 800-53", Version: cci, ID: k.NIST, Source: "nist"})
				}
			}
		}
		for _, t := range row.Attack {
			add(model.Control{Benchmark: "MITRE ATT&CK", Version: "enterprise", ID: t, Source: "ours"})
		}
	}
	return out
}

// ProductsByBuild lists the Windows products with this build number; several may share one. family limits it to client
// or server and may be empty.
func (c *Catalog) ProductsByBuild(build int, family string) []*Product {
	var out []*Product
	for i := range c.Products {
		p := &c.Products[i]
		if p.System == "windows" && build >= p.Builds[0] && build <= p.Builds[1] &&
			(family == "" || p.Family == "both" || p.Family == family) {
			out = append(out, p)
		}
	}
	return out
}

// Source returns a source by its key, also of a family of documents such as MS-*, or nil.
func (c *Catalog) Source(key string) *Source {
	if s := c.sources[fold(key)]; s != nil {
		return s
	}
	for i := range c.Sources {
		if begin, ok := strings.CutSuffix(c.Sources[i].ID, "*"); ok && strings.HasPrefix(key, begin) {
			return &c.Sources[i]
		}
	}
	return nil
}
