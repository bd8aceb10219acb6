package plan

import (
	"encoding/json"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// host is a made host: the audit of a configuration that was read as a whole but for the settings named in unread.
type host struct {
	system, product string
	version         string
	role            model.Role
	settings        map[string]any // nil: present, see absent
	shares          []model.Share
	services        []string
	unread          []string
}

// audit makes the audit of a host, and sends it through JSON as a file would.
func (h host) audit(t testing.TB) *model.Audit {
	t.Helper()
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	p := model.Platform{System: h.system, Product: h.product, Version: h.version, Role: h.role}
	if q := c.Product(h.product); q != nil {
		p.Build = q.Builds[1]
	}
	in := catalog.Config{Platform: p, Settings: map[string]model.Value{}, Shares: h.shares}
	if in.Shares == nil {
		in.Shares = []model.Share{}
	}
	for i := range c.Settings {
		if s := &c.Settings[i]; s.System == h.system {
			in.Settings[s.ID] = model.Value{}
		}
	}
	for id, v := range h.settings {
		s := c.Setting(id)
		if s == nil {
			t.Fatalf("no setting %s", id)
		}
		in.Settings[s.ID] = model.Value{Present: true, Type: s.Type, Data: v}
	}
	for _, id := range h.unread {
		delete(in.Settings, id)
	}
	a := &model.Audit{
		Schema: model.SchemaAudit, Source: model.Source{Kind: "registry", Name: "made"}, Platform: p,
		Settings: c.Resolve(in), Access: c.Evaluate(in), Shares: in.Shares,
	}
	for _, id := range h.services {
		a.Services = append(a.Services, model.Service{ID: id, Evidence: "made", Running: "yes"})
	}
	b, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	out := &model.Audit{}
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func make1(t testing.TB, e Evidence) *model.Plan {
	t.Helper()
	p, err := Make(e)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// changes is a plan's changes as "setting=value" in order.
func changes(p *model.Plan) []string {
	out := []string{}
	for _, ch := range p.Changes {
		where := ch.Setting
		if ch.Setting == "guest ok" {
			where = ch.Where
		}
		out = append(out, where+"="+model.Text(ch.To.Data))
	}
	return out
}
