package scan

import (
	"slices"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// TestFindingsAreTheCatalogs: how bad a finding is, and which controls ask for its settings, is the catalog's word for what
// the server told about itself.
func TestFindingsAreTheCatalogs(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		server   model.Server
		id       model.Identity
		kind     model.Disclosure
		finding  string
		severity model.Severity
	}{
		{model.Server{System: "samba", Role: model.Standalone}, model.Anonymous, model.DisclosesAccounts, "anonymous-lists-accounts", model.High},
		{model.Server{System: "samba", Role: model.DomainController}, model.Anonymous, model.DisclosesAccounts, "anonymous-lists-accounts", model.Critical},
		{model.Server{System: "windows", Build: 17763}, model.Anonymous, model.DisclosesAccounts, "anonymous-lists-accounts", model.Critical}, // it may be one
		{model.Server{System: "windows", Build: 17763, Role: model.Member}, model.Guest, model.DisclosesAccounts, "guest-lists-accounts", model.High},
		{model.Server{System: "windows", Build: 17763, Role: model.Member}, model.UnknownUser, model.DisclosesAccounts, "guest-lists-accounts", model.High},
		{model.Server{System: "samba", Role: model.Standalone}, model.Anonymous, model.DisclosesServices, "anonymous-reads-services", model.Medium},
		{model.Server{System: "windows", Build: 17763, Role: model.Member}, model.Anonymous, model.DisclosesServices, "anonymous-reads-services", model.High},
	} {
		h := &host{Scanner: &Scanner{catalog: c}, result: &model.Scan{Server: x.server}}
		f := h.finding(x.id, x.kind)
		k := c.Finding(f.ID)
		if k == nil || k.Discloses != x.kind {
			t.Errorf("%s %s: finding %q", x.id, x.kind, f.ID)
			continue
		}
		if x.finding != "" && x.kind == model.DisclosesAccounts && f.ID != x.finding {
			t.Errorf("%s %s: finding %q, want %q", x.id, x.kind, f.ID, x.finding)
		}
		if f.Severity != x.severity || f.Severity != c.Severity(k, h.platform()) {
			t.Errorf("%+v: %s is %s, want %s", x.server, f.ID, f.Severity, x.severity)
		}
		if !slices.Equal(f.Controls, c.ControlsFor(h.platform(), f.Settings...)) {
			t.Errorf("%+v: %s has controls %v", x.server, f.ID, f.Controls)
		}
		for _, name := range f.Settings {
			if s := c.Setting(name); s == nil || s.System != x.server.System {
				t.Errorf("%+v: %s names %s", x.server, f.ID, name)
			}
		}
	}
	h := &host{Scanner: &Scanner{catalog: c}, result: &model.Scan{Server: model.Server{System: "samba", Role: model.Standalone, SMB1: true, Signing: "enabled"}}}
	found := h.weaknesses()
	if len(found) != 2 || found[0].Severity != model.Medium || found[1].Severity != model.Medium || found[1].Evidence == "" {
		t.Errorf("%+v", found)
	}
}
