package plan

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"

	"pgregory.net/rapid"
)

// listKnobs are the settings that decide about the lists of pipes and shares, with values worth meeting.
var listKnobs = []struct {
	id     string
	values []any
}{
	{"RestrictNullSessAccess", []any{0, 1}},
	{"NullSessionPipes", []any{[]string{}, []string{"samr"}, []string{"evil", "browser", "lsarpc"}}},
	{"NullSessionShares", []any{[]string{}, []string{"docs"}}},
	{"PipeFirewallActive", []any{0, 1}},
	{"AllowedPipes", []any{[]string{}, []string{"samr"}}},
	{"RestrictAnonymous", []any{0, 1}},
	{"RestrictAnonymousSAM", []any{0, 1}},
	{"TurnOffAnonymousBlock", []any{0, 1}},
	{"EnableGuestAccount", []any{0, 1}},
}

// drawListed makes a Windows host of any release, with each setting not read, absent or set.
func drawListed(t *rapid.T, c *catalog.Catalog) host {
	var of []*catalog.Product
	for i := range c.Products {
		if c.Products[i].System == "windows" {
			of = append(of, &c.Products[i])
		}
	}
	h := host{
		system: "windows", product: rapid.SampledFrom(of).Draw(t, "product").ID,
		role:     rapid.SampledFrom([]model.Role{model.Member, model.DomainController}).Draw(t, "role"),
		settings: map[string]any{},
	}
	for _, k := range listKnobs {
		switch n := rapid.IntRange(0, len(k.values)+1).Draw(t, k.id); n {
		case 0:
			h.unread = append(h.unread, k.id)
		case 1:
		default:
			h.settings[k.id] = k.values[n-2]
		}
	}
	return h
}

// refusedScan is a scan to which the answers of anonymous that the model does not know were refused.
func refusedScan() *model.Scan {
	ok, no := model.Step{Outcome: model.Allowed}, model.Step{Outcome: model.Denied, Status: "STATUS_ACCESS_DENIED"}
	s := &model.Scan{
		Schema: model.SchemaScan, Target: "srv", Verdict: model.Closed,
		Identities: []model.IdentityResult{
			{Identity: model.Anonymous, Session: ok, Tree: ok},
			{Identity: model.Guest, Session: no},
			{Identity: model.UnknownUser, Session: no},
		},
	}
	for _, p := range []string{
		"samr", "lsarpc", "netlogon", "srvsvc", "wkssvc", "svcctl", "winreg", "spoolss", "atsvc", "eventlog", "netdfs",
	} {
		s.Identities[0].Pipes = append(s.Identities[0].Pipes, model.PipeResult{Pipe: p, Open: no})
	}
	return s
}

// stays returns why something that a plan says it closes is not known to be closed afterwards; empty if it is.
func stays(c *catalog.Catalog, w *work, after catalog.Config, name string) string {
	v := c.View(after)
	lists := w.list(after, "NullSessionPipes")
	if pipe, ok := strings.CutPrefix(name, "anonymous-pipe:"); ok || strings.HasPrefix(name, "anonymous-share:") {
		if !ok {
			pipe, lists = strings.TrimPrefix(name, "anonymous-share:"), w.list(after, "NullSessionShares")
		}
		switch restrict := resolvedOf(c, after, "RestrictNullSessAccess"); {
		case v.Session(model.Anonymous) == model.Denied:
		case ok && (v.Tree(model.Anonymous) == model.Denied || v.Pipe(model.Anonymous, pipe) == model.Denied):
		case restrict.Basis == model.BasisUnknown || model.Text(restrict.Effective) != "1":
			return "RestrictNullSessAccess is " + model.Text(restrict.Effective)
		case holds(lists, pipe):
			return "the list still has it"
		}
		return ""
	}
	if name == "null-session-unrestricted" {
		if r := resolvedOf(c, after, "RestrictNullSessAccess"); model.Text(r.Effective) != "1" {
			return "RestrictNullSessAccess is " + model.Text(r.Effective)
		}
		return ""
	}
	id, kind := w.strangersData(&model.Finding{ID: name})
	if o := v.Discloses(id, kind); levelOf(o) > shut {
		if seen, ok := w.settled[door{identity: id, kind: kind}]; !ok || levelOf(seen) > shut {
			return string(o) + " for " + string(id)
		}
	}
	return ""
}

func resolvedOf(c *catalog.Catalog, cfg catalog.Config, id string) model.Setting {
	all := c.Resolve(cfg)
	return all[slices.IndexFunc(all, func(s model.Setting) bool { return s.ID == id })]
}

// TestClaimsHold: whatever a plan says it closes is shut in an audit of the host after it, with and without a scan that
// was refused what the model does not know, and a finding is left exactly if the value that it is about stays.
func TestClaimsHold(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		h := drawListed(rt, c)
		e := Evidence{Audit: h.audit(t)}
		if rapid.Bool().Draw(rt, "scan") {
			e.Scans = []*model.Scan{refusedScan()}
		}
		open := resolvedOf(c, catalog.ConfigOf(e.Audit), "RestrictNullSessAccess")
		weak := open.Basis != model.BasisUnknown && model.Text(open.Effective) == "0"
		if weak {
			e.Audit.Findings = []model.Finding{
				{ID: "null-session-unrestricted", Severity: model.High, Setting: "RestrictNullSessAccess"},
				{
					ID: "pipe-list-irrelevant", Severity: model.Medium, Setting: "NullSessionPipes",
					Fix: "Set RestrictNullSessAccess to 1.", Settings: []string{"NullSessionPipes"},
				},
			}
		}
		p, err := Make(e)
		if err != nil {
			rt.Fatal(err)
		}
		w, err := begin(&e)
		if err != nil {
			rt.Fatal(err)
		}
		if w.weigh() != "" {
			return // the made scan contradicts the host: no plan
		}
		after := Config(e.Audit, p)
		for _, ch := range p.Changes {
			for _, name := range ch.Closes {
				if why := stays(c, w, after, name); why != "" {
					rt.Errorf("%s %s: %v is said to close %s: %s", h.product, h.role, changes(p), name, why)
				}
			}
		}
		still := resolvedOf(c, after, "RestrictNullSessAccess")
		for _, f := range e.Audit.Findings {
			left := slices.ContainsFunc(p.Left, func(l model.Left) bool { return l.Finding == f.ID })
			if stays := model.Text(still.Effective) == "0"; stays != left {
				rt.Errorf("%s %s: after %v %s stays: %v, and the plan says %v", h.product, h.role, changes(p), f.ID,
					stays, left)
			}
		}
	})
}

// TestRestrictWithTheList: a name is off the list for nothing while every pipe takes strangers, so the plan sets the
// switch too. The pipe firewall was not read, and the scan was refused what lies behind the pipes.
func TestRestrictWithTheList(t *testing.T) {
	for _, pipes := range [][]string{{"samr"}, {}} {
		h := host{
			system: "windows", product: "win2003", role: model.Member,
			unread: []string{"PipeFirewallActive", "NullSessionShares"},
			settings: map[string]any{
				"RestrictNullSessAccess": 0, "NullSessionPipes": pipes, "RestrictAnonymous": 1,
			},
		}
		p := make1(t, Evidence{Audit: h.audit(t), Scans: []*model.Scan{refusedScan()}})
		if got := changes(p); !slices.Contains(got, "RestrictNullSessAccess=1") {
			t.Errorf("%v is listed, and the plan is %v", pipes, got)
		}
		p = make1(t, Evidence{
			Audit: h.audit(t), Scans: []*model.Scan{refusedScan()},
			Policy: Policy{Avoid: []string{"RestrictNullSessAccess"}},
		})
		if len(p.Changes) > 0 {
			t.Errorf("without the switch nothing closes %v, and the plan is %v", pipes, changes(p))
		}
	}
}

// TestListThatMayNotCount: whether a name is closed by leaving a list is not known while the switch of the lists is
// not; the plan then takes it off, and says so.
func TestListThatMayNotCount(t *testing.T) {
	h := host{
		system: "windows", product: "win2022", role: model.Member, unread: []string{"RestrictNullSessAccess"},
		settings: map[string]any{
			"NullSessionPipes": []string{"evil"}, "NullSessionShares": []string{"docs"}, "RestrictAnonymous": 1,
		},
	}
	p := make1(t, Evidence{Audit: h.audit(t)})
	if len(p.Changes) != 2 {
		t.Fatalf("the plan is %v", changes(p))
	}
	for i, name := range []string{"the pipe evil", "the share docs"} {
		ch := p.Changes[i]
		if len(ch.Closes) > 0 || !strings.Contains(ch.Why, name) {
			t.Errorf("%s closes %q: %s", ch.Setting, ch.Closes, ch.Why)
		}
		if !has(p.Residual, name+" is off the list") {
			t.Errorf("%s is not among what may stay open: %q", name, p.Residual)
		}
	}
	for _, what := range []string{"anonymous-pipe:evil", "anonymous-share:docs"} {
		if !slices.ContainsFunc(p.Open, func(o model.OpenDoor) bool { return o.What == what && !o.Known }) {
			t.Errorf("verify is not told of %s: %v", what, p.Open)
		}
	}
}
