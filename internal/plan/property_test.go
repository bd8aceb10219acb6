package plan

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"

	"pgregory.net/rapid"
)

// knobs are settings with values worth meeting on a made host.
var knobs = map[string][]struct {
	id     string
	values []any
}{
	"windows": {
		{"RestrictAnonymous", []any{0, 1, 2}},
		{"RestrictAnonymousSAM", []any{0, 1}},
		{"EveryoneIncludesAnonymous", []any{0, 1}},
		{"RestrictNullSessAccess", []any{0, 1}},
		{"TurnOffAnonymousBlock", []any{0, 1}},
		{"LSAAnonymousNameLookup", []any{0, 1}},
		{
			"NullSessionPipes", []any{
				[]string{},
				[]string{"samr"},
				[]string{"netlogon", "SAMR", "lsarpc"},
				[]string{"HydraLsPipe", "evil pipe", "browser"},
				[]string{"spoolss", `sql\query`, "srvsvc", "winreg"},
			},
		},
		{"NullSessionShares", []any{[]string{}, []string{"docs"}, []string{"docs", "DFS$"}}},
		{"EnableGuestAccount", []any{0, 1}},
		{"ForceGuest", []any{0, 1}},
		{"RequireSecuritySignature", []any{0, 1}},
		{"RestrictRemoteSAM", []any{"", "O:BAG:BAD:(A;;RC;;;BA)"}},
		{"PipeFirewallActive", []any{0, 1}},
		{"AllowedPipes", []any{[]string{"srvsvc"}}},
		{"LanmanServer.Start", []any{2, 4}},
		{"Spooler.Start", []any{2, 4}},
		{"RemoteRegistry.Start", []any{2, 3, 4}},
		{"EncryptData", []any{0, 1}},
		{
			"PreWindows2000Members",
			[]any{[]string{"S-1-5-7", "S-1-1-0"}, []string{"S-1-5-11"}, []string{"S-1-1-0", "S-1-5-21-1-2-3-1104"}},
		},
		{"RestrictRemoteClients", []any{0, 1, 2}},
	},
	"samba": {
		{"restrict anonymous", []any{0, 1, 2}},
		{"map to guest", []any{"never", "bad user", "bad password", "bad uid"}},
		{"guest account", []any{"nobody", "ftp"}},
		{"server smb encrypt", []any{"default", "desired", "required"}},
		{"nt pipe support", []any{true, false}},
		{"hosts deny", []any{[]string{"ALL"}, []string{"10.0.0.0/8"}}},
		{"IPC$:hosts deny", []any{[]string{}, []string{"ALL"}}},
		{"IPC$:invalid users", []any{[]string{}, []string{"nobody"}, []string{"bob", "@staff"}}},
		{"IPC$:valid users", []any{[]string{}, []string{"bob"}}},
		{"IPC$:server smb encrypt", []any{"default", "required"}},
		{"disable spoolss", []any{true, false}},
	},
	"ksmbd": {{"ksmbd:restrict anonymous", []any{0, 1, 2}}, {"ksmbd:map to guest", []any{"never", "bad user"}}},
}

// drawHost makes a host of any product and role with settings at random.
func drawHost(t *rapid.T) host {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	q := &c.Products[rapid.IntRange(0, len(c.Products)-1).Draw(t, "product")]
	roles := q.Roles
	switch {
	case len(roles) > 0:
	case q.Family == "client":
		roles = []model.Role{model.Workstation}
	case q.Family == "server":
		roles = []model.Role{model.Member, model.Standalone, model.DomainController}
	default:
		roles = []model.Role{model.Workstation, model.Member, model.Standalone, model.DomainController}
	}
	h := host{
		system: q.System, product: q.ID, role: rapid.SampledFrom(roles).Draw(t, "role"), settings: map[string]any{},
	}
	for _, k := range knobs[h.system] {
		switch rapid.IntRange(0, 5).Draw(t, k.id) {
		case 0, 1, 2:
			h.settings[k.id] = rapid.SampledFrom(k.values).Draw(t, k.id+" value")
		case 3:
			h.unread = append(h.unread, k.id)
		}
	}
	if rapid.Bool().Draw(t, "share") {
		h.shares = []model.Share{{Name: "public", Guest: rapid.Bool().Draw(t, "guest")}, {Name: "homes"}}
	}
	return h
}

func drawNeeds(t *rapid.T) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		"ts_licensing", "print-server", "sqlserver", "nt4-trust", "netlogon", "pipe:evil pipe", "pipe:samr",
		"share:public", "share:docs", "sna",
	}), 0, 3, func(s string) string {
		return s
	}).Draw(t, "needs")
}

// planned is the host after a plan.
func (h host) planned(p *model.Plan) host {
	h.settings, h.shares = maps.Clone(h.settings), slices.Clone(h.shares)
	for _, ch := range p.Changes {
		if name, ok := strings.CutSuffix(ch.Where, "] guest ok"); ok {
			for i := range h.shares {
				if h.shares[i].Name == strings.TrimPrefix(name, "[") {
					h.shares[i].Guest = false
				}
			}
			continue
		}
		h.settings[ch.Setting] = ch.To.Data
	}
	return h
}

// given lists what the model certainly gives strangers.
func given(c *catalog.Catalog, in catalog.Config) []string {
	var out []string
	for id, a := range c.Evaluate(in, model.Strangers()...) {
		for d, o := range a.Discloses {
			if d.IsExposure() && o == model.Allowed {
				out = append(out, string(id)+" "+string(d))
			}
		}
	}
	slices.Sort(out)
	return out
}

// TestPlanProperties: on any host a plan closes what can be closed and no more than it has to, harms nobody who signs
// in, starts from the values as they are, and finds nothing to do once it is done. Planning twice gives the same bytes.
func TestPlanProperties(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHost(rt)
		a := h.audit(t)
		e := Evidence{Audit: a, Policy: Policy{Needs: drawNeeds(rt)}}
		p, err := Make(e)
		if err != nil {
			rt.Fatal(err)
		}
		again, err := Make(Evidence{Audit: h.audit(t), Policy: e.Policy})
		if err != nil {
			rt.Fatal(err)
		}
		one, _ := json.Marshal(p)
		two, _ := json.Marshal(again)
		if string(one) != string(two) {
			rt.Fatalf("two plans of one host differ:\n%s\n%s", one, two)
		}

		before, after := catalog.ConfigOf(a), Config(a, p)
		w, err := begin(&e)
		if err != nil {
			rt.Fatal(err)
		}
		w.findDoors()
		start, end := w.levels(before), w.levels(after)
		if higher(end, start) {
			rt.Fatalf("the plan opens something: %v", changes(p))
		}
		if left := given(c, after); len(left) > 0 && len(p.Residual) == 0 {
			rt.Fatalf("%v is still given, and the plan says nothing of it", left)
		}
		if len(e.Policy.Needs) == 0 && len(h.unread) == 0 {
			modern, _ := c.Fit(catalog.Scope{Since: "vista"}, a.Platform)
			if left := given(c, after); len(left) > 0 && (h.system == "samba" || h.system == "windows" && modern) {
				rt.Fatalf("%s %s: %v is still given after %v: %q", h.product, h.role, left, changes(p), p.Residual)
			}
		}
		for i := range p.Changes {
			less := *p
			less.Changes = slices.Delete(slices.Clone(p.Changes), i, i+1)
			cfg := Config(a, &less)
			if !higher(w.levels(cfg), end) && w.kept(cfg) {
				rt.Fatalf("%v works as well without %s", changes(p), p.Changes[i].Setting)
			}
			if len(p.Changes[i].Closes) == 0 && w.kept(cfg) &&
				!strings.HasPrefix(p.Changes[i].Why, "whether it closes ") {
				rt.Fatalf("%s closes nothing", p.Changes[i].Setting)
			}
			if from, ok := before.Settings[p.Changes[i].Setting]; p.Changes[i].Setting != "guest ok" &&
				(!ok || from.Present != p.Changes[i].From.Present) {
				rt.Fatalf("%s starts from %v, and the host has %v", p.Changes[i].Setting, p.Changes[i].From, from)
			}
		}
		user, still := c.View(before), c.View(after)
		for i := range c.Pipes {
			n := c.Pipes[i].Name
			if levelOf(still.Pipe(model.User, n)) < levelOf(user.Pipe(model.User, n)) {
				rt.Fatalf("%v takes %s from those who sign in", changes(p), n)
			}
		}
		if !w.kept(after) {
			rt.Fatalf("%v takes from strangers what they must keep (%v)", changes(p), e.Policy.Needs)
		}
		for _, s := range a.Settings { // what an audit calls weak is changed, or left with a reason
			k := c.Setting(s.ID)
			if s.State == model.StateWeak && !k.PerShare() && p.Question == "" &&
				!slices.ContainsFunc(p.Changes, func(ch model.Change) bool { return ch.Setting == s.ID }) &&
				!slices.ContainsFunc(p.Rejected, func(r model.Rejected) bool {
					return strings.HasSuffix(r.Setting, s.ID)
				}) {
				rt.Fatalf("%s %s: the audit calls %s weak, and the plan says nothing of it", h.product, h.role, s.ID)
			}
		}
		e.Audit = h.planned(p).audit(t)
		next, err := Make(e)
		if err != nil {
			rt.Fatal(err)
		}
		if len(next.Changes) > 0 {
			rt.Fatalf("%s %s: after %v there is still %v to do", h.product, h.role, changes(p), changes(next))
		}
		if err := Verify(p); err != nil {
			rt.Fatal(err)
		}
		if got := Fingerprint(p.Platform, Facts(c, a)); got != p.Fingerprint {
			rt.Fatalf("another fingerprint on its own host: %s, want %s", got, p.Fingerprint)
		}
		if len(p.Changes) > 0 && Fingerprint(p.Platform, Facts(c, e.Audit)) == p.Fingerprint {
			rt.Fatal("a host on which a plan was carried out has the same fingerprint")
		}
	})
}
