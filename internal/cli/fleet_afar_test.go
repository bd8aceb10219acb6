//go:build linux

package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestFleetFromAfar has the fleet read a real server's registry, and scan it, with a stored credential; with a wrong
// one it says so. What is stored is told nowhere.
func TestFleetFromAfar(t *testing.T) {
	t.Parallel()
	peer.Need(t, "smbd")
	dir := t.TempDir()
	program := buildProgram(t, dir)
	server := peer.StartSamba(t,
		peer.Config{
			Address: "127.48.3.1", Users: []string{"root", "alice"}, Global: []string{"server signing = mandatory"},
		})
	storeValues(t, server.Addr(), registry.NewDWord(lsa, "RestrictAnonymous", 1),
		registry.NewStrings(lanman, "NullSessionPipes", []string{"samr"}))

	s := startServer(t, program, dir, filepath.Join(dir, "fleet.db"))
	p := s.page(t)
	p.setUp(t, s.token)
	const wrong = "this-is-not-it-77"
	p.fields(t, "/credentials",
		map[string]string{"name": "reader", "kind": "password", "account": "alice", "value": peer.Password})
	p.fields(t, "/credentials",
		map[string]string{"name": "stale", "kind": "password", "account": "alice", "value": wrong})
	target := func(credential string) url.Values {
		return url.Values{
			"spec": {server.Addr()}, "site": {"default"}, "criticality": {"normal"}, "enabled": {"on"},
			"credential":   {credential},
			"audit_source": {"winreg://" + server.Addr()},
		}
	}
	p.post(t, "/targets", target("1"))
	for _, kind := range []string{"scan", "audit"} {
		r := p.run(t, url.Values{"kind": {kind}})
		p.until(t, kind, func() bool { return runEnded(p.get(t, r)) })
	}
	list := p.hosts(t, "")
	if len(list) != 1 || list[0].LastAudit.IsZero() {
		t.Fatalf("hosts: %+v\n%s", list, p.get(t, "/runs/2?state=failed"))
	}
	host := fmt.Sprintf("/hosts/%d", list[0].ID)
	var a model.Audit
	if err := json.Unmarshal([]byte(p.get(t, host+"/documents/audit")), &a); err != nil {
		t.Fatal(err)
	}
	if a.Source.Kind != "winreg" || !slices.ContainsFunc(a.Platform.Why, func(s string) bool {
		return strings.Contains(s, "as user, encrypted")
	}) {
		t.Errorf("read from %+v, %q", a.Source, a.Platform.Why)
	}
	if x := find(t, &a, "RestrictAnonymous"); !x.Present || fmt.Sprint(x.Configured) != "1" {
		t.Errorf("RestrictAnonymous: %+v", x)
	}
	var scanned model.Scan
	if err := json.Unmarshal([]byte(p.get(t, host+"/documents/scan")), &scanned); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(scanned.Identities, func(i model.IdentityResult) bool {
		return i.Identity == model.User && i.Session.Outcome == model.Allowed
	}) {
		t.Error("the scan did not come in as the user")
	}

	p.post(t, "/targets/1", target("2"))
	r := p.run(t, url.Values{"kind": {"audit"}})
	p.until(t, "the audit with a wrong password", func() bool { return runEnded(p.get(t, r)) })
	if page := p.get(t, r); !strings.Contains(page, "STATUS_LOGON_FAILURE") {
		t.Errorf("the run's page does not say why:\n%s", page)
	}
	for _, secret := range []string{peer.Password, wrong} {
		if strings.Contains(s.log(), secret) || strings.Contains(p.get(t, "/acts"), secret) ||
			strings.Contains(p.get(t, r), secret) {
			t.Error("a stored password is told")
		}
	}
	s.stop(t)
}
