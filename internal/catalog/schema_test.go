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
			for _, d := range e.Logged {
				check("doubt of the log of "+s.ID, d.Sources)
			}
			if list := c.Setting(e.Except); e.Except != "" &&
				(list == nil || list.Type != "REG_MULTI_SZ" || list.System != s.System) {
				t.Errorf("end of %s: its exceptions %q are no list of this system", s.ID, e.Except)
			}
		}
		for _, e := range s.Ends {
			for _, v := range e.Values {
				if strings.HasPrefix(s.Type, "REG_") && !slices.ContainsFunc(c.Known(&s), func(k any) bool {
					return equal(k, v)
				}) {
					t.Errorf("end of %s at %v: no plan may set a value that is not told", s.ID, v)
				}
			}
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
	for _, n := range c.Needs {
		if n.On != nil || n.Controllers {
			check("need "+n.ID, n.Sources)
		}
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
	ref := &references{
		T: t, c: mustLoad(t), known: map[string]bool{},
		disclosures: append(model.Disclosures(), model.DisclosesNothing),
	}
	for _, n := range ref.c.Topics {
		ref.known[n.ID] = true
	}
	for _, k := range ref.c.Claims {
		ref.known[k.ID] = true
	}
	ref.settings()
	ref.pipes()
	ref.pipeTables()
	ref.interfaces()
	ref.services()
	ref.findings()
	ref.claims()
	ref.topics()
	ref.controls()
	ref.rules()
}

// references checks that what one entry of the catalog names is there.
type references struct {
	*testing.T
	c           *Catalog
	known       map[string]bool // topics and claims
	disclosures []model.Disclosure
}

func (ref *references) need(ok bool, what, name string) {
	ref.Helper()
	if !ok {
		ref.Errorf("%s names %q, which is not in the catalog", what, name)
	}
}

func (ref *references) anything(n string) bool {
	return ref.known[n] || ref.c.Setting(n) != nil || ref.c.Service(n) != nil || ref.c.Pipe(n) != nil ||
		ref.c.Finding(n) != nil
}

func (ref *references) scope(what string, s Scope) {
	ref.Helper()
	for _, p := range append(slices.Clone(s.Products), s.Since, s.Until) {
		if q := ref.c.Product(p); p != "" && (q == nil || q.ID != p) {
			ref.Errorf("%s: scope names product %q", what, p)
		}
	}
	for _, r := range s.Roles {
		ref.need(slices.Contains([]model.Role{
			model.Workstation, model.Member, model.Standalone,
			model.DomainController,
		}, r), what, string(r))
	}
	ref.need(slices.Contains([]string{"", "client", "server"}, s.Family), what, s.Family)
}

func (ref *references) settings() {
	for _, s := range ref.c.Settings {
		w := "setting " + s.ID
		ref.scope(w, s.Applies)
		ref.need(slices.Contains([]string{"windows", "samba", "ksmbd"}, s.System), w, s.System)
		for _, d := range s.Defaults {
			ref.scope(w, d.Scope)
			if d.Unknown == "" {
				if _, ok := normal(&s, model.Value{Present: true, Data: d.Value}); !ok {
					ref.Errorf("%s: default %v does not fit type %s", w, d.Value, s.Type)
				}
			}
		}
		for _, v := range s.Wanted {
			ref.scope(w, v.Scope)
			ref.need(slices.Contains([]string{
				"any", "equal", "at-least", "at-most", "subset", "one-of", "sddl",
				"no-filter", "not-root",
			}, v.Compare), w, v.Compare)
		}
		for _, v := range s.Values {
			ref.scope(w, v.Scope)
		}
		if len(s.TakesEffect) == 0 {
			ref.Errorf("%s does not say when it takes effect", w)
		}
		for _, e := range s.TakesEffect {
			ref.scope(w, e.Scope)
			ref.need(slices.Contains([]string{"now", "new-connections", "service-restart", "reboot", "unknown"},
				e.When), w,
				e.When)
		}
		for _, e := range s.Ends {
			for _, d := range e.Logged {
				ref.scope(w, d.Scope)
			}
		}
		for _, b := range s.Breaks {
			ref.scope(w, b.Scope)
			ref.need(b.Certainty == "documented" || b.Certainty == "possible", w, b.Certainty)
			for _, v := range b.Services {
				ref.need(ref.c.Service(v) != nil && ref.c.Service(v).ID == v, w, v)
			}
		}
		for _, p := range s.Governs.Pipes {
			ref.need(p == "*" || ref.c.Pipe(p) != nil, w, p)
		}
		for _, d := range s.Governs.Discloses {
			ref.need(slices.Contains(ref.disclosures, d), w, string(d))
		}
		for _, r := range s.Related {
			ref.need(ref.anything(r), w, r)
		}
		ref.need(s.Reach == "anonymous" || s.Reach == "everyone", w, "reach "+s.Reach)
		if s.System != "windows" && strings.HasPrefix(s.Type, "REG_") || s.Summary == "" || s.Title == "" ||
			s.Where == "" {
			ref.Errorf("%s is not complete", w)
		}
	}
}

func (ref *references) pipes() {
	for _, p := range ref.c.Pipes {
		w := "pipe " + p.Name
		ref.need(slices.Contains([]string{"call", "bind-only", "open-only", "never"}, p.Probe), w, p.Probe)
		for _, i := range p.Interfaces {
			ref.need(ref.c.Interface(i.ID) != nil, w, i.ID)
			ref.need(slices.Contains([]string{"call", "bind-only", "never"}, i.Probe), w, i.Probe)
		}
		if (p.Probe == "call" || p.Probe == "bind-only") != (len(p.Interfaces) > 0) {
			ref.Errorf("%s: probe %s with %d interfaces", w, p.Probe, len(p.Interfaces))
		}
		ref.need(p.Windows == "" || p.Windows == "always" || ref.c.Setting(p.Windows) != nil, w, p.Windows)
	}
}

func (ref *references) pipeTables() {
	for _, p := range ref.c.PipeTables {
		ref.scope("pipe table "+p.ID, p.Scope)
		for _, n := range slices.Concat(p.Builtin, p.Registry, p.Hard, p.Unsure) {
			ref.need(ref.c.Pipe(n) != nil, "pipe table "+p.ID, n)
		}
		if p.Known && !subset(p.Registry, p.Builtin) {
			ref.Errorf("pipe table %s: the registry list has names that the whole list lacks", p.ID)
		}
	}
}

func (ref *references) interfaces() {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	version := regexp.MustCompile(`^\d+\.\d+$`)
	for _, i := range ref.c.Interfaces {
		w := "interface " + i.ID
		if !uuid.MatchString(i.UUID) || !version.MatchString(i.Version) {
			ref.Errorf("%s: %s %s", w, i.UUID, i.Version)
		}
		ref.need(slices.Contains([]string{"call", "bind-only", "never"}, i.Probe), w, i.Probe)
		if i.Probe != "call" && i.Why == "" {
			ref.Errorf("%s does not say why it is not called", w)
		}
		opnums := map[int]bool{}
		for _, k := range i.Calls {
			if opnums[k.Opnum] {
				ref.Errorf("%s: opnum %d twice", w, k.Opnum)
			}
			opnums[k.Opnum] = true
			if (k.Avoid == "") == (k.Discloses == "") {
				ref.Errorf("%s: call %s discloses something or is avoided, one of the two", w, k.Name)
			}
			ref.need(k.Discloses == "" || slices.Contains(ref.disclosures, k.Discloses), w, string(k.Discloses))
		}
	}
}

func (ref *references) services() {
	for _, n := range ref.c.Needs {
		ref.need(n.Means != "" && n.Brief != "", "need "+n.ID, "no words")
		if n.On != nil {
			ref.scope("need "+n.ID, *n.On)
		}
	}
	for _, s := range ref.c.Services {
		w := "service " + s.ID
		ref.scope(w, s.Applies)
		ref.need(slices.ContainsFunc(ref.c.Needs, func(n Need) bool { return n.ID == s.Anonymous }), w, s.Anonymous)
		for _, p := range s.Pipes {
			ref.need(ref.c.Pipe(p) != nil, w, p)
		}
		for _, i := range s.Interfaces {
			ref.need(ref.c.Interface(i) != nil, w, i)
		}
		if s.Anonymous == "unknown" && len(s.Unknown) == 0 {
			ref.Errorf("%s does not say what is unknown", w)
		}
	}
}

func (ref *references) findings() {
	for _, f := range ref.c.Findings {
		w := "finding " + f.ID
		ref.need(slices.Contains([]string{"scan", "audit", "joined"}, f.Kind), w, f.Kind)
		if len(f.Severity) == 0 || f.Meaning == "" || len(f.Fix) == 0 || f.Title == "" {
			ref.Errorf("%s is not complete", w)
		}
		for _, g := range f.Severity {
			ref.scope(w, g.Scope)
			ref.need(g.Level == model.Info || g.Level.Rank() > 0, w, string(g.Level))
		}
		for _, s := range f.Settings {
			ref.need(ref.c.Setting(s) != nil && ref.c.Setting(s).ID == s, w, s)
		}
		for _, p := range f.Pipes {
			ref.need(ref.c.Pipe(p) != nil, w, p)
		}
	}
}

func (ref *references) claims() {
	for _, k := range ref.c.Claims {
		w := "claim " + k.ID
		ref.need(slices.Contains([]string{"true", "false", "partly", "unknown"}, k.Verdict), w, k.Verdict)
		for _, s := range k.Settings {
			ref.need(ref.c.Setting(s) != nil, w, s)
		}
		for _, s := range k.Services {
			ref.need(ref.c.Service(s) != nil, w, s)
		}
	}
}

func (ref *references) topics() {
	for _, n := range ref.c.Topics {
		for _, r := range n.Related {
			ref.need(ref.anything(r), "topic "+n.ID, r)
		}
	}
}

func (ref *references) controls() {
	for _, r := range ref.c.Controls {
		w := "controls of " + r.Setting
		ref.need(ref.c.Setting(r.Setting) != nil && ref.c.Setting(r.Setting).ID == r.Setting, w, r.Setting)
		for b := range r.IDs {
			ref.need(ref.c.benchmarks[b] != nil, w, b)
		}
		for _, k := range r.CCI {
			ref.need(slices.ContainsFunc(ref.c.CCI, func(x CCI) bool { return x.ID == k }), w, k)
		}
	}
}

func (ref *references) rules() {
	for _, r := range ref.c.Rules {
		w := "rule " + r.Interface
		ref.need(ref.c.Pipe(r.Pipe) != nil && ref.c.Interface(r.Interface) != nil, w, r.Pipe)
		for _, word := range []string{r.Standalone, r.DC} {
			ref.need(slices.Contains([]string{"anyone", "unrestricted", "user", "administrator", "absent", "unknown"},
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
