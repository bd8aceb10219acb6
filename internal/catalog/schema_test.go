package catalog

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/model"
)

func mustLoad(t testing.TB) *Catalog {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSources checks that every statement has a source, and that each is a tag, a known key and perhaps a place.
func TestSources(t *testing.T) {
	c := mustLoad(t)
	known := func(key string) bool {
		return slices.ContainsFunc(c.Sources, func(s Source) bool {
			if p, ok := strings.CutSuffix(s.ID, "*"); ok {
				return strings.HasPrefix(key, p) && key != p
			}
			return s.ID == key
		})
	}
	check := func(what string, sources []string) {
		t.Helper()
		if len(sources) == 0 {
			t.Errorf("%s has no source", what)
		}
		for _, s := range sources {
			f := strings.Fields(s)
			if len(f) < 2 || !slices.Contains([]string{"D", "S", "M", "3", "K", "I", "U"}, f[0]) || !known(f[1]) {
				t.Errorf("%s: source %q is not a tag and a known key", what, s)
			}
		}
	}
	for _, p := range c.Products {
		check("product "+p.ID, p.Sources)
	}
	for _, s := range c.Settings {
		check("setting "+s.ID, s.Sources)
		for _, d := range s.Defaults {
			check("default of "+s.ID, d.Sources)
		}
		for _, b := range s.Breaks {
			check("breakage of "+s.ID, b.Sources)
		}
		for _, e := range s.Ends {
			check("end of "+s.ID, e.Sources)
			if list := c.Setting(e.Except); e.Except != "" &&
				(list == nil || list.Type != "REG_MULTI_SZ" || list.System != s.System) {
				t.Errorf("end of %s: its exceptions %q are no list of this system", s.ID, e.Except)
			}
		}
		for _, e := range s.Ends {
			if line := c.Setting(e.ExceptLine); e.ExceptLine != "" &&
				(line == nil || !line.PerAccount() || len(line.Values) == 0 || line.System != s.System) {
				t.Errorf("end of %s: %q is no line of an account that excepts it", s.ID, e.ExceptLine)
			}
		}
		for _, e := range s.TakesEffect {
			if len(e.Sources) > 0 {
				check("effect of "+s.ID, e.Sources)
			}
		}
	}
	for _, p := range c.Pipes {
		check("pipe "+p.Name, p.Sources)
	}
	for _, p := range c.PipeTables {
		check("pipe table "+p.ID, p.Sources)
	}
	for _, i := range c.Interfaces {
		check("interface "+i.ID, i.Sources)
	}
	for _, s := range c.Services {
		check("service "+s.ID, s.Sources)
	}
	for _, x := range c.Clients {
		check("client "+x.Says, x.Sources)
	}
	for _, k := range c.Servers {
		check("server "+k.ID, k.Sources)
	}
	for _, r := range c.Controls {
		check("controls of "+r.Setting, r.Sources)
	}
	for _, f := range c.Findings {
		check("finding "+f.ID, f.Sources)
	}
	for _, k := range c.Claims {
		check("claim "+k.ID, k.Sources)
	}
	for _, n := range c.Topics {
		check("topic "+n.ID, n.Sources)
	}
	for _, r := range c.Rules {
		check("rule "+r.Interface+" "+string(r.Discloses), r.Sources)
	}
	for _, b := range c.Benchmarks {
		check("benchmark "+b.ID, []string{"D " + b.Source})
	}
}

// TestIDs checks that IDs are unique and that within one kind no two names differ only by case or punctuation.
func TestIDs(t *testing.T) {
	c := mustLoad(t)
	kinds := map[string][]string{}
	add := func(kind, id string) { kinds[kind] = append(kinds[kind], id) }
	for _, v := range c.Products {
		add("product", v.ID)
	}
	for _, v := range c.Settings {
		add("setting "+v.System, v.ID)
	}
	for _, v := range c.Pipes {
		add("pipe", v.Name)
	}
	for _, v := range c.Interfaces {
		add("interface", v.ID)
		add("uuid", v.UUID)
	}
	for _, v := range c.Services {
		add("service", v.ID)
	}
	for _, v := range c.Findings {
		add("finding", v.ID)
	}
	for _, v := range c.Claims {
		add("claim", v.ID)
	}
	for _, v := range c.Topics {
		add("topic", v.ID)
	}
	for _, v := range c.Sources {
		add("source", v.ID)
	}
	for _, v := range c.Benchmarks {
		add("benchmark", v.ID)
	}
	bare := regexp.MustCompile(`[^a-z0-9$:*]`)
	for kind, ids := range kinds {
		seen := map[string]string{}
		for _, id := range ids {
			key := bare.ReplaceAllString(strings.ToLower(id), "")
			if kind == "uuid" || kind == "product" {
				key = id
			}
			if old, ok := seen[key]; ok {
				t.Errorf("%s: %q and %q are the same or nearly so", kind, old, id)
			}
			seen[key] = id
		}
	}
}

// TestReferences checks that everything an entry refers to exists.
func TestReferences(t *testing.T) {
	c := mustLoad(t)
	need := func(ok bool, what, name string) {
		t.Helper()
		if !ok {
			t.Errorf("%s names %q, which is not in the catalog", what, name)
		}
	}
	topics := map[string]bool{}
	for _, n := range c.Topics {
		topics[n.ID] = true
	}
	for _, k := range c.Claims {
		topics[k.ID] = true
	}
	anything := func(n string) bool {
		return topics[n] || c.Setting(n) != nil || c.Service(n) != nil || c.Pipe(n) != nil || c.Finding(n) != nil
	}
	scope := func(what string, s Scope) {
		t.Helper()
		for _, p := range append(slices.Clone(s.Products), s.Since, s.Until) {
			if q := c.Product(p); p != "" && (q == nil || q.ID != p) {
				t.Errorf("%s: scope names product %q", what, p)
			}
		}
		for _, r := range s.Roles {
			need(slices.Contains([]model.Role{
				model.Workstation, model.Member, model.Standalone,
				model.DomainController,
			}, r), what, string(r))
		}
		need(slices.Contains([]string{"", "client", "server"}, s.Family), what, s.Family)
	}
	disclosures := append(model.Disclosures(), model.DisclosesNothing)
	for _, s := range c.Settings {
		w := "setting " + s.ID
		scope(w, s.Applies)
		need(slices.Contains([]string{"windows", "samba", "ksmbd"}, s.System), w, s.System)
		for _, d := range s.Defaults {
			scope(w, d.Scope)
			if d.Unknown == "" {
				if _, ok := normal(&s, model.Value{Present: true, Data: d.Value}); !ok {
					t.Errorf("%s: default %v does not fit type %s", w, d.Value, s.Type)
				}
			}
		}
		for _, v := range s.Wanted {
			scope(w, v.Scope)
			need(slices.Contains([]string{
				"any", "equal", "at-least", "at-most", "subset", "one-of", "sddl",
				"no-filter", "not-root",
			}, v.Compare), w, v.Compare)
		}
		for _, v := range s.Values {
			scope(w, v.Scope)
		}
		if len(s.TakesEffect) == 0 {
			t.Errorf("%s does not say when it takes effect", w)
		}
		for _, e := range s.TakesEffect {
			scope(w, e.Scope)
			need(slices.Contains([]string{"now", "new-connections", "service-restart", "reboot", "unknown"}, e.When), w,
				e.When)
		}
		for _, b := range s.Breaks {
			scope(w, b.Scope)
			need(b.Certainty == "documented" || b.Certainty == "possible", w, b.Certainty)
			for _, v := range b.Services {
				need(c.Service(v) != nil && c.Service(v).ID == v, w, v)
			}
		}
		for _, p := range s.Governs.Pipes {
			need(p == "*" || c.Pipe(p) != nil, w, p)
		}
		for _, d := range s.Governs.Discloses {
			need(slices.Contains(disclosures, d), w, string(d))
		}
		for _, r := range s.Related {
			need(anything(r), w, r)
		}
		need(s.Reach == "anonymous" || s.Reach == "everyone", w, "reach "+s.Reach)
		if s.System != "windows" && strings.HasPrefix(s.Type, "REG_") || s.Summary == "" || s.Title == "" ||
			s.Where == "" {
			t.Errorf("%s is not complete", w)
		}
	}
	for _, p := range c.Pipes {
		w := "pipe " + p.Name
		need(slices.Contains([]string{"call", "bind-only", "open-only", "never"}, p.Probe), w, p.Probe)
		for _, i := range p.Interfaces {
			need(c.Interface(i.ID) != nil, w, i.ID)
			need(slices.Contains([]string{"call", "bind-only", "never"}, i.Probe), w, i.Probe)
		}
		if (p.Probe == "call" || p.Probe == "bind-only") != (len(p.Interfaces) > 0) {
			t.Errorf("%s: probe %s with %d interfaces", w, p.Probe, len(p.Interfaces))
		}
		need(p.Windows == "" || p.Windows == "always" || c.Setting(p.Windows) != nil, w, p.Windows)
	}
	for _, p := range c.PipeTables {
		scope("pipe table "+p.ID, p.Scope)
		for _, n := range slices.Concat(p.Builtin, p.Registry, p.Hard, p.Unsure) {
			need(c.Pipe(n) != nil, "pipe table "+p.ID, n)
		}
		if p.Known && !subset(p.Registry, p.Builtin) {
			t.Errorf("pipe table %s: the registry list has names that the whole list lacks", p.ID)
		}
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	version := regexp.MustCompile(`^\d+\.\d+$`)
	for _, i := range c.Interfaces {
		w := "interface " + i.ID
		if !uuid.MatchString(i.UUID) || !version.MatchString(i.Version) {
			t.Errorf("%s: %s %s", w, i.UUID, i.Version)
		}
		need(slices.Contains([]string{"call", "bind-only", "never"}, i.Probe), w, i.Probe)
		if i.Probe != "call" && i.Why == "" {
			t.Errorf("%s does not say why it is not called", w)
		}
		opnums := map[int]bool{}
		for _, k := range i.Calls {
			if opnums[k.Opnum] {
				t.Errorf("%s: opnum %d twice", w, k.Opnum)
			}
			opnums[k.Opnum] = true
			if (k.Avoid == "") == (k.Discloses == "") {
				t.Errorf("%s: call %s discloses something or is avoided, one of the two", w, k.Name)
			}
			need(k.Discloses == "" || slices.Contains(disclosures, k.Discloses), w, string(k.Discloses))
		}
	}
	for _, s := range c.Services {
		w := "service " + s.ID
		scope(w, s.Applies)
		need(slices.Contains([]string{"none", "legacy", "dc", "unknown"}, s.Anonymous), w, s.Anonymous)
		for _, p := range s.Pipes {
			need(c.Pipe(p) != nil, w, p)
		}
		for _, i := range s.Interfaces {
			need(c.Interface(i) != nil, w, i)
		}
		if s.Anonymous == "unknown" && len(s.Unknown) == 0 {
			t.Errorf("%s does not say what is unknown", w)
		}
	}
	for _, f := range c.Findings {
		w := "finding " + f.ID
		need(slices.Contains([]string{"scan", "audit", "joined"}, f.Kind), w, f.Kind)
		if len(f.Severity) == 0 || f.Meaning == "" || len(f.Fix) == 0 || f.Title == "" {
			t.Errorf("%s is not complete", w)
		}
		for _, g := range f.Severity {
			scope(w, g.Scope)
			need(g.Level == model.Info || g.Level.Rank() > 0, w, string(g.Level))
		}
		for _, s := range f.Settings {
			need(c.Setting(s) != nil && c.Setting(s).ID == s, w, s)
		}
		for _, p := range f.Pipes {
			need(c.Pipe(p) != nil, w, p)
		}
	}
	for _, k := range c.Claims {
		w := "claim " + k.ID
		need(slices.Contains([]string{"true", "false", "partly", "unknown"}, k.Verdict), w, k.Verdict)
		for _, s := range k.Settings {
			need(c.Setting(s) != nil, w, s)
		}
		for _, s := range k.Services {
			need(c.Service(s) != nil, w, s)
		}
	}
	for _, n := range c.Topics {
		for _, r := range n.Related {
			need(anything(r), "topic "+n.ID, r)
		}
	}
	for _, r := range c.Controls {
		w := "controls of " + r.Setting
		need(c.Setting(r.Setting) != nil && c.Setting(r.Setting).ID == r.Setting, w, r.Setting)
		for b := range r.IDs {
			need(c.benchmarks[b] != nil, w, b)
		}
		for _, k := range r.CCI {
			need(slices.ContainsFunc(c.CCI, func(x CCI) bool { return x.ID == k }), w, k)
		}
	}
	for _, r := range c.Rules {
		w := "rule " + r.Interface
		need(c.Pipe(r.Pipe) != nil && c.Interface(r.Interface) != nil, w, r.Pipe)
		for _, word := range []string{r.Standalone, r.DC} {
			need(slices.Contains([]string{"anyone", "unrestricted", "user", "administrator", "absent", "unknown"},
				word), w, word)
		}
	}
}

// TestEveryDisclosureHasFindings: every exposure is a finding for anonymous, guest and made-up users.
func TestEveryDisclosureHasFindings(t *testing.T) {
	c := mustLoad(t)
	for _, d := range model.Disclosures() {
		for _, id := range []model.Identity{model.Anonymous, model.Guest, model.UnknownUser} {
			if got := c.FindingFor(id, d); (got != nil) != d.IsExposure() {
				t.Errorf("%s %s: finding %v", id, d, got)
			}
		}
	}
}

// TestDefaultsAreTotal: for every product and role that a setting applies to there is a default or an explicit unknown.
func TestDefaultsAreTotal(t *testing.T) {
	c := mustLoad(t)
	for i := range c.Settings {
		s := &c.Settings[i]
		for _, p := range everyPlatform(c) {
			if p.System != s.System || c.fits(s.Applies, p) != yes {
				continue
			}
			if r := c.facts(Config{Platform: p}).resolve(s, model.Value{}, true); !r.known &&
				r.why == "no default is documented for this product and role" {
				t.Errorf("%s has neither a default nor an unknown for %s as %s", s.ID, p.Product, p.Role)
			}
		}
	}
}

// everyPlatform returns every product in every role that it can have.
func everyPlatform(c *Catalog) []model.Platform {
	var out []model.Platform
	for _, p := range c.Products {
		roles := []model.Role{model.Workstation, model.Member, model.Standalone}
		switch p.Family {
		case "server":
			roles = []model.Role{model.Member, model.Standalone, model.DomainController}
		case "both":
			roles = append(roles, model.DomainController)
		}
		for _, r := range roles {
			out = append(out, model.Platform{System: p.System, Product: p.ID, Build: p.Builds[1], Role: r})
		}
	}
	return out
}
