package scan

import (
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// TestFindingsAreTheCatalogs: how bad a finding is, and which controls ask for its settings, is the catalog's word for
// what the server told about itself.
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
		{
			model.Server{System: "samba", Role: model.Standalone},
			model.Anonymous, model.DisclosesAccounts,
			"anonymous-lists-accounts", model.High,
		},
		{
			model.Server{System: "samba", Role: model.DomainController},
			model.Anonymous, model.DisclosesAccounts,
			"anonymous-lists-accounts", model.Critical,
		},
		// it may be one
		{
			model.Server{System: "windows", Build: 17763},
			model.Anonymous, model.DisclosesAccounts,
			"anonymous-lists-accounts", model.Critical,
		},
		{
			model.Server{System: "windows", Build: 17763, Role: model.Member},
			model.Guest, model.DisclosesAccounts,
			"guest-lists-accounts", model.High,
		},
		{
			model.Server{System: "windows", Build: 17763, Role: model.Member},
			model.UnknownUser, model.DisclosesAccounts,
			"guest-lists-accounts", model.High,
		},
		{
			model.Server{System: "samba", Role: model.Standalone},
			model.Anonymous, model.DisclosesServices,
			"anonymous-reads-services", model.Medium,
		},
		{
			model.Server{System: "windows", Build: 17763, Role: model.Member},
			model.Anonymous, model.DisclosesServices,
			"anonymous-reads-services", model.High,
		},
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
	h := &host{
		Scanner: &Scanner{catalog: c},
		result: &model.Scan{Server: model.Server{
			System: "samba", Role: model.Standalone, SMB1: true,
			Signing: "enabled",
		}},
	}
	found := h.weaknesses()
	if len(found) != 2 || found[0].Severity != model.Medium || found[1].Severity != model.Medium ||
		found[1].Evidence == "" {
		t.Errorf("%+v", found)
	}
}

// TestEntrances: who is let in without an account is told, also where IPC$ is closed to him; a server that drops the
// null session lets nobody in.
func TestEntrances(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	in, out := model.Step{Outcome: model.Allowed}, model.Step{Outcome: model.Denied}
	bound := []model.PipeResult{{
		Pipe: "lsarpc", Open: in,
		Interfaces: []model.InterfaceResult{{Interface: "efsrpc-lsarpc", Bind: in}},
	}}
	for _, x := range []struct {
		system string
		r      model.IdentityResult
		want   []string
	}{
		{
			"windows",
			model.IdentityResult{Identity: model.Anonymous, Session: in, Tree: in},
			[]string{"null-session-accepted"},
		},
		{"windows", model.IdentityResult{Identity: model.Anonymous, Session: in, Tree: out}, nil},
		{"windows", model.IdentityResult{Identity: model.Anonymous, Session: in, ClosedBy: "dropped, twice"}, nil},
		{
			"windows",
			model.IdentityResult{Identity: model.Anonymous, Session: in, Tree: in, Pipes: bound},
			[]string{"coercion-interface-open", "null-session-accepted"},
		},
		{
			"samba",
			model.IdentityResult{Identity: model.Anonymous, Session: in, Tree: in, Pipes: bound},
			[]string{"null-session-accepted"},
		},
		{
			"samba",
			model.IdentityResult{Identity: model.Guest, Session: in, Tree: out, GuestFlag: true},
			[]string{"guest-session-accepted"},
		},
		{
			"samba",
			model.IdentityResult{Identity: model.UnknownUser, Session: in, Tree: out, GuestFlag: true},
			[]string{"unknown-user-becomes-guest"},
		},
		{
			"samba",
			model.IdentityResult{Identity: model.UnknownUser, Session: in, Tree: out},
			[]string{"unknown-user-accepted"},
		},
		{"samba", model.IdentityResult{Identity: model.UnknownUser, Session: out}, nil},
		{"samba", model.IdentityResult{Identity: model.User, Session: in, Tree: in, Pipes: bound}, nil},
	} {
		h := &host{Scanner: &Scanner{catalog: c}, result: &model.Scan{
			Server: model.Server{System: x.system, Signing: "required"}, Identities: []model.IdentityResult{x.r},
		}}
		var got []string
		for _, f := range h.weaknesses() {
			got = append(got, f.ID)
			if len(f.Looks) == 0 || f.Evidence == "" || f.Identity != x.r.Identity {
				t.Errorf("%s has no look: %+v", f.ID, f)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, x.want) {
			t.Errorf("%s %s: %q, want %q", x.system, x.r.Identity, got, x.want)
		}
	}
	h := &host{
		Scanner: &Scanner{catalog: c},
		result:  &model.Scan{Server: model.Server{System: "samba", Signing: "enabled", EncryptionRequired: true}},
	}
	if found := h.weaknesses(); len(found) != 0 {
		t.Errorf("every session is encrypted, and %+v", found)
	}
}

// TestStrangeServers: a server that is neither Windows nor Samba is not advised the settings of either.
func TestStrangeServers(t *testing.T) {
	c, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, system := range []string{"unknown", "", "impacket"} {
		h := &host{
			Scanner: &Scanner{catalog: c},
			result:  &model.Scan{Server: model.Server{System: system, SMB1: true, Signing: "enabled"}},
		}
		found := h.weaknesses()
		for _, d := range model.Disclosures() {
			if d.IsExposure() {
				found = append(found, h.finding(model.Anonymous, d))
			}
		}
		for _, f := range found {
			for _, name := range f.Settings {
				if s := c.Setting(name); s == nil || s.System != system {
					t.Errorf("%q: %s names %s", system, f.ID, name)
				}
			}
			for _, foreign := range []string{
				"RestrictAnonymous", "NullSession", "smb.conf", "restrict anonymous",
				"server signing", "RequireSecurity", "min protocol",
			} {
				if strings.Contains(f.Fix, foreign) {
					t.Errorf("%q: %s is advised %q", system, f.ID, f.Fix)
				}
			}
			if f.Fix == "" {
				t.Errorf("%q: %s has no advice", system, f.ID)
			}
		}
	}
}
