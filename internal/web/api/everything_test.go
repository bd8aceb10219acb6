package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// The roles that act.
const (
	viewer   = store.RoleViewer
	operator = store.RoleOperator
	admin    = store.RoleAdmin
)

// Every operation succeeds once, its answer is what the document says, and what changes something stands in the audit
// log.
func TestEverything(t *testing.T) {
	c := newScene(t)
	c.hosts(3)
	for _, part := range []func(){
		c.readAll, c.changeSites, c.enrollWorkers, c.changeSchedules, c.startRuns, c.makePlans,
		c.takeResults, c.changeChannels, c.changeAccounts, c.changeTokens, c.retireHosts, c.readLog,
	} {
		part()
	}
	for _, id := range ids() {
		if !c.seen[id] {
			t.Errorf("%s never succeeded here", id)
		}
	}
}

// act asks for a change that succeeds, and expects it in the audit log.
func (c *scene) act(role store.Role, method, path string, body any, want int) answer {
	c.t.Helper()
	before := c.lines()
	out := c.ask(role, method, path, body, want)
	if c.lines() == before {
		c.t.Errorf("%s %s is not in the audit log", method, path)
	}
	return out
}

// readAll asks for every list, every object and the exports of every view.
func (c *scene) readAll() {
	c.t.Helper()
	for _, path := range []string{
		"/openapi.json", "/me", "/overview", "/overview?site=default&verdict=exposed", "/overview?owner=nobody",
		"/standings", "/standings?owner=ops", "/hosts", "/hosts?q=srv&sort=-last_seen&limit=1&offset=1", "/hosts/1",
		"/hosts/1/spans",
		"/hosts/1/spans?kind=scan", "/hosts/1/results", "/hosts/1/documents/scan", "/clients",
		"/clients?logon=broken&client=c&sort=-hosts", "/hosts?logon=unsigned&sort=-logon", "/findings",
		"/findings?sort=-severity&discloses=accounts", "/findings/counts", "/settings", "/events",
		"/events?kind=became-exposed&least=high&since=2020-01-01&open=true", "/trend",
		"/trend?from=2026-11-01&to=2026-11-22T00:00:00Z", "/sites", "/workers",
		"/compare?from=2026-01-01&to=" + time.Now().UTC().Format("2006-01-02T15:04:05Z"), "/targets",
		"/targets?tag=LAB&enabled=true", "/targets/1", "/tags", "/owners", "/runs", "/runs/1", "/runs/1/units",
		"/runs/1/units?state=done", "/schedules", "/exceptions", "/exceptions?all=true", "/me/tokens", "/me/views",
		"/search?q=srv", "/hosts?least=low&unchanged=1&unseen=1", "/hosts?sort=-gives-accounts",
		"/targets/export.csv",
	} {
		c.ask(viewer, http.MethodGet, path, nil, http.StatusOK)
	}
	var standings list[store.Standing]
	c.ask(viewer, http.MethodGet, "/standings", nil, http.StatusOK).into(&standings)
	if len(standings.Items) != 1 || standings.Items[0].Hosts != 3 || standings.Items[0].Owner != "ops" ||
		standings.Items[0].Verdict != model.Exposed {
		c.t.Errorf("%+v", standings)
	}
	if s := c.ask(viewer, http.MethodGet, "/overview", nil, http.StatusOK).Body.String(); !strings.Contains(s, `"score":0`) {
		c.t.Errorf("three exposed hosts: %s", s)
	}
	var hosts list[store.Host]
	c.ask(viewer, http.MethodGet, "/hosts?q=srv&sort=-name&limit=1", nil, http.StatusOK).into(&hosts)
	if hosts.Total != 2 || len(hosts.Items) != 1 || hosts.Items[0].Name != "srv3" {
		c.t.Errorf("%+v", hosts)
	}
	for _, d := range view.Views() {
		view := d.Name
		for _, format := range []string{"csv", "json", "sarif", "ocsf"} {
			want := http.StatusOK
			if !d.Scans && (format == "sarif" || format == "ocsf") {
				want = http.StatusBadRequest
			}
			path := "/exports/" + view + "?format=" + format
			if view == "compare" {
				path += "&from=2026-01-01&to=2027-01-01"
			}
			c.ask(viewer, http.MethodGet, path, nil, want)
		}
	}
}

// changeSites changes sites, credentials and targets.
func (c *scene) changeSites() {
	c.t.Helper()
	site := c.act(admin, http.MethodPost, "/sites", acts.SiteChange{
		Name: "branch", Rate: 50, Window: "Mon-Fri 22:00-06:00",
		Zone: "Europe/Berlin",
	}, 201).id()
	c.act(admin, http.MethodPut, fmt.Sprintf("/sites/%d", site), acts.SiteChange{Name: "branch", Concurrency: 5}, 200)
	cred := c.act(admin, http.MethodPost, "/credentials", acts.CredentialChange{
		Name: "scanner", Kind: "password",
		Account: `LAB\scan`, Secret: "very secret",
	}, 201).id()
	c.act(admin, http.MethodPut, fmt.Sprintf("/credentials/%d", cred), acts.CredentialChange{
		Name: "scanner", Kind: "keytab",
		Account: "scan@LAB", Keytab: []byte{5, 2, 0},
	}, 200)
	if s := c.ask(admin, http.MethodGet, "/credentials", nil, 200).Body.String(); strings.Contains(s, "secret") || strings.Contains(strings.ToLower(s), "sealed") {
		c.t.Errorf("a credential is told: %s", s)
	}
	c.ask(operator, http.MethodPost, "/targets", acts.TargetChange{Spec: "hostile.example", Site: "branch", Credential: cred},
		403)
	c.ask(operator, http.MethodPost, "/targets", acts.TargetChange{
		Spec: "hostile.example", Site: "branch",
		AuditSource: "/etc/shadow",
	}, 403)
	kept := c.act(admin, http.MethodPost, "/targets", acts.TargetChange{
		Spec: "kept.example", Site: "branch",
		Credential: cred,
	}, 201)
	c.ask(operator, http.MethodPut, fmt.Sprintf("/targets/%d", kept.id()),
		acts.TargetChange{Spec: "hostile.example", Site: "branch", Credential: cred}, 403)
	c.act(operator, http.MethodDelete, fmt.Sprintf("/targets/%d", kept.id()), nil, 204)
	target := c.act(operator, http.MethodPost, "/targets", acts.TargetChange{
		Spec: "fileserver.example", Site: "branch",
		Tags: []string{"B", "a", "b"},
	}, 201)
	if s := target.Body.String(); !strings.Contains(s, `"tags":["a","b"]`) || !strings.Contains(s, `"enabled":true`) {
		c.t.Error(s)
	}
	c.act(operator, http.MethodPut, fmt.Sprintf("/targets/%d", target.id()),
		acts.TargetChange{Spec: "10.0.0.0/24", Site: "branch"}, 200)
	c.act(operator, http.MethodDelete, fmt.Sprintf("/targets/%d", target.id()), nil, 204)
	var imported struct{ Added, Bad int }
	c.act(operator, http.MethodPost, "/targets/import", "spec,site,tags\nsrv9.example,branch,x y\n10.0.0.0/40,branch,\n",
		200).into(&imported)
	if imported.Added != 1 || imported.Bad != 1 {
		c.t.Errorf("%+v", imported)
	}
	c.act(admin, http.MethodDelete, fmt.Sprintf("/credentials/%d", cred), nil, 204)
	empty := c.act(admin, http.MethodPost, "/sites", acts.SiteChange{Name: "empty"}, 201).id()
	c.act(admin, http.MethodDelete, fmt.Sprintf("/sites/%d", empty), nil, 204)
	c.ask(admin, http.MethodDelete, fmt.Sprintf("/sites/%d", site), nil, 409)
}

// enrollWorkers enrolls workers and revokes them.
func (c *scene) enrollWorkers() {
	c.t.Helper()
	var code acts.JoinCode
	c.act(admin, http.MethodPost, "/workers", acts.NewWorker{Site: "default", Name: "w1"}, 201).into(&code)
	if !strings.HasPrefix(code.Code, "ipcw1-") {
		c.t.Errorf("%+v", code)
	}
	enrolled := store.Enrolled{Name: "w2", SiteID: 1, Serial: "1", Protocol: 1}
	if err := c.st.AddEnrolled(c.t.Context(), &enrolled); err != nil {
		c.t.Fatal(err)
	}
	c.ask(admin, http.MethodGet, "/workers/enrolled", nil, 200)
	c.act(admin, http.MethodDelete, fmt.Sprintf("/workers/enrolled/%d", enrolled.ID), nil, 204)
	c.ask(admin, http.MethodDelete, fmt.Sprintf("/workers/enrolled/%d", enrolled.ID), nil, 404)
}

// changeSchedules changes schedules and exceptions.
func (c *scene) changeSchedules() {
	c.t.Helper()
	schedule := c.act(operator, http.MethodPost, "/schedules", acts.ScheduleChange{
		Name: "nightly", Kind: store.RunScan,
		Cron: "30 2 * * *", Selector: store.Selector{Tag: "lab"},
	}, 201).id()
	c.act(operator, http.MethodPut, fmt.Sprintf("/schedules/%d", schedule),
		acts.ScheduleChange{Name: "nightly", Kind: store.RunScan, Cron: "@daily"}, 200)
	c.act(operator, http.MethodDelete, fmt.Sprintf("/schedules/%d", schedule), nil, 204)
	finding := "anonymous-accounts"
	if len(catalogFindings(c.t)) > 0 && !slices.Contains(catalogFindings(c.t), finding) {
		finding = catalogFindings(c.t)[0]
	}
	exception := c.act(operator, http.MethodPost, "/exceptions",
		acts.NewException{
			Finding: finding, HostIDs: []int64{1}, Reason: "being replaced", Owner: "ops",
			Until: time.Now().Add(time.Hour),
		}, 201).id()
	c.act(operator, http.MethodDelete, fmt.Sprintf("/exceptions/%d", exception), nil, 204)
}

// startRuns starts runs and cancels them.
func (c *scene) startRuns() {
	c.t.Helper()
	run := c.act(operator, http.MethodPost, "/runs", acts.NewRun{
		Kind: store.RunScan, Selector: store.Selector{Tag: "lab"},
		Quick: true,
	}, 201)
	var started store.Run
	run.into(&started)
	if started.Total != 3 || started.By != "operator token:test" {
		c.t.Errorf("%+v", started)
	}
	c.act(operator, http.MethodPost, fmt.Sprintf("/runs/%d/cancel", run.id()), nil, 200)
	c.ask(operator, http.MethodPost, fmt.Sprintf("/runs/%d/cancel", run.id()), nil, 409)
	c.ask(viewer, http.MethodGet, fmt.Sprintf("/runs/%d/stream", run.id()), nil, 200)
	c.ask(operator, http.MethodPost, "/runs",
		acts.NewRun{Kind: store.RunScan, Selector: store.Selector{Tag: "nothing has it"}}, 422)
}

// makePlans plans for a host and for many.
func (c *scene) makePlans() {
	c.t.Helper()
	c.ask(operator, http.MethodPost, "/hosts/1/plan", acts.NewPlan{}, 422) // never audited
	audit, err := json.Marshal(model.Audit{
		Schema: model.SchemaAudit, Source: model.Source{Kind: "smbconf", Name: "smb.conf"}, Host: "srv1",
		Platform: model.Platform{System: "samba", Product: "samba", Role: model.Standalone},
		Settings: []model.Setting{}, Access: map[model.Identity]model.Access{}, Findings: []model.Finding{},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.st.SaveDocument(c.t.Context(), 1, "audit", time.Now(), audit); err != nil {
		c.t.Fatal(err)
	}
	c.act(operator, http.MethodPost, "/hosts/1/plan", acts.NewPlan{Strategy: "restrict"}, 200)
	c.ask(viewer, http.MethodGet, "/hosts/1/documents/plan", nil, 200)
	c.ask(viewer, http.MethodGet, "/hosts/1/documents/audit", nil, 200)
	c.rollout()
}

// takeResults takes results and journals, takes a result back, and changes many targets.
func (c *scene) takeResults() {
	c.t.Helper()
	scan := c.ask(viewer, http.MethodGet, "/hosts/2/documents/scan", nil, 200).Body.String()
	newer := regexp.MustCompile(`"started":"[^"]*"`).ReplaceAllString(scan, `"started":"`+
		time.Now().UTC().Format(time.RFC3339Nano)+`"`)
	c.act(operator, http.MethodPost, "/results?kind=scan", json.RawMessage(newer), 200)
	var results struct {
		Items []struct{ ID int64 }
	}
	c.ask(viewer, http.MethodGet, "/hosts/2/results", nil, 200).into(&results)
	if len(results.Items) < 2 {
		c.t.Fatalf("results of a host that was scanned twice: %+v", results)
	}
	path := fmt.Sprintf("/hosts/2/results/%d", results.Items[0].ID)
	c.ask(operator, http.MethodDelete, path, nil, 403)
	c.act(admin, http.MethodDelete, path, nil, 204)
	c.ask(admin, http.MethodDelete, path, nil, 404)

	c.act(operator, http.MethodPost, "/hosts/1/journal", []map[string]string{{"id": "20261101-1"}}, 204)
	c.ask(viewer, http.MethodGet, "/hosts/1/documents/journal", nil, 403)
	c.ask(operator, http.MethodGet, "/hosts/1/documents/journal", nil, 200)
	c.act(operator, http.MethodPost, "/targets/change", acts.TargetsChange{Hosts: []int64{1, 2}, Do: "tag", Value: "moved"}, 200)
}

// changeChannels changes channels.
func (c *scene) changeChannels() {
	c.t.Helper()
	secretURL := "https://hooks.example/very-secret"
	channel := c.act(admin, http.MethodPost, "/channels",
		map[string]any{
			"name": "ops", "kind": "webhook",
			"secrets": map[string]string{"url": secretURL, "key": "0123456789abcdef"}, "kinds": []string{"new-host"},
			"least": "high",
		}, 201)
	if s := channel.Body.String(); strings.Contains(s, "very-secret") || strings.Contains(s, "0123456789abcdef") || !strings.Contains(s, `"secrets":true`) {
		c.t.Errorf("a channel tells its secrets: %s", s)
	}
	path := fmt.Sprintf("/channels/%d", channel.id())
	// the secrets stay
	c.act(admin, http.MethodPut, path, map[string]any{
		"name": "ops", "kind": "webhook", "digest": "@daily", "acts": "also",
		"config": map[string]bool{"loopback": true},
	}, 200)
	c.ask(admin, http.MethodPut, path, map[string]any{"name": "ops", "kind": "syslog"}, 422)
	if s := c.ask(admin, http.MethodGet, "/channels", nil, 200).Body.String(); !strings.Contains(s, `"acts":"also"`) {
		c.t.Errorf("the channel's audit log: %s", s)
	}
	c.ask(admin, http.MethodGet, path+"/deliveries", nil, 200)
	if s := c.act(admin, http.MethodPost, path+"/test", nil, 200).Body.String(); s != `{"sent":true}` {
		c.t.Error(s)
	}
	c.test = errors.New("notify: webhook: it answers 500")
	if s := c.act(admin, http.MethodPost, path+"/test", nil, 200).Body.String(); !strings.Contains(s, `"sent":false,"detail":"webhook: it answers 500"`) {
		c.t.Error(s)
	}
	c.act(admin, http.MethodDelete, path, nil, 204)
}

// changeAccounts changes accounts.
func (c *scene) changeAccounts() {
	c.t.Helper()
	user := c.act(admin, http.MethodPost, "/users", userBody{Name: "carol", Role: viewer, Password: password}, 201).id()
	c.act(admin, http.MethodPut, fmt.Sprintf("/users/%d", user), userChange{Role: operator}, 200)
	c.act(admin, http.MethodPut, fmt.Sprintf("/users/%d/password", user), passwordBody{Password: "another staple, please"},
		204)
	own := c.act(admin, http.MethodPost, "/sites", acts.SiteChange{Name: "carls"}, 201).id()
	carl := c.act(admin, http.MethodPost, "/users", userBody{
		Name: "carl", Sites: []store.SiteRole{{SiteID: own, Role: operator}},
		Password: password,
	}, 201).id()
	if u, err := c.st.User(c.t.Context(), carl); err != nil || u.Role != "" || len(u.Sites) != 1 || u.Sites[0].SiteID != own {
		c.t.Errorf("%+v, %v", u, err)
	}
	c.ask(admin, http.MethodPost, "/users", userBody{Name: "nobody", Password: password}, 422)
	disabled := true
	c.act(admin, http.MethodPut, fmt.Sprintf("/users/%d", user), userChange{Disabled: &disabled}, 200)
	// the last administrator
	c.ask(admin, http.MethodPut, fmt.Sprintf("/users/%d", c.users[admin].ID), userChange{Role: viewer}, 409)
	if s := c.ask(admin, http.MethodGet, "/users", nil, 200).Body.String(); strings.Contains(s, "argon2") {
		c.t.Errorf("a hash is told: %s", s)
	}
}

// changeTokens changes a user's own password, tokens and views.
func (c *scene) changeTokens() {
	c.t.Helper()
	c.act(viewer, http.MethodPut, "/me/password", passwordBody{Old: password, Password: "another staple, please"}, 204)
	c.ask(viewer, http.MethodPut, "/me/password", passwordBody{Old: password, Password: "yet another staple"}, 422)
	var made newToken
	c.act(viewer, http.MethodPost, "/me/tokens",
		tokenBody{
			Name: "more", Scope: store.ScopeRead, Password: "another staple, please",
			Until: time.Now().Add(time.Minute),
		}, 201).into(&made)
	if s := c.ask(viewer, http.MethodPost, "/me/tokens", tokenBody{Name: "wrong", Scope: store.ScopeRead, Password: password, Until: time.Now().Add(time.Minute)}, 422).Body.String(); !strings.Contains(s, `"field":"password"`) {
		c.t.Errorf("the field that is wrong is not named: %s", s)
	}
	c.ask(viewer, http.MethodPost, "/me/tokens", tokenBody{
		Name: "wider", Scope: store.ScopeOperate,
		Password: "another staple, please", Until: time.Now().Add(time.Minute),
	}, 422)
	if !strings.HasPrefix(made.Secret, "ipcg_") {
		c.t.Errorf("%+v", made)
	}
	if s := c.ask(admin, http.MethodGet, fmt.Sprintf("/users/%d/tokens", c.users[viewer].ID), nil, 200).Body.String(); strings.Contains(s, "ipcg_") || !strings.Contains(s, "more") {
		c.t.Error(s)
	}
	c.act(admin, http.MethodDelete, fmt.Sprintf("/users/%d/tokens/%d", c.users[viewer].ID, made.ID), nil, 204)
	own := c.act(operator, http.MethodPost, "/me/tokens", tokenBody{
		Name: "own", Scope: store.ScopeUpload, Password: password,
		Until: time.Now().Add(time.Minute),
	}, 201).id()
	c.ask(viewer, http.MethodDelete, fmt.Sprintf("/me/tokens/%d", own), nil, 404) // somebody else's
	c.act(operator, http.MethodDelete, fmt.Sprintf("/me/tokens/%d", own), nil, 204)
	view := c.act(viewer, http.MethodPost, "/me/views",
		acts.ViewChange{Name: "mine", Path: "/hosts", Query: "verdict=exposed&offset=7"}, 201).id()
	c.ask(viewer, http.MethodPost, "/me/views", acts.ViewChange{Name: "mine", Path: "//elsewhere"}, 422)
	c.ask(admin, http.MethodDelete, fmt.Sprintf("/me/views/%d", view), nil, 404) // somebody else's
	c.act(viewer, http.MethodDelete, fmt.Sprintf("/me/views/%d", view), nil, 204)
}

// retireHosts retires a host and removes it.
func (c *scene) retireHosts() {
	c.t.Helper()
	gone, total, err := c.st.Hosts(c.t.Context(), store.HostFilter{}, store.Page{Size: 1})
	if err != nil || total == 0 {
		c.t.Fatal(total, err)
	}
	path := fmt.Sprintf("/hosts/%d", gone[0].ID)
	c.ask(viewer, http.MethodPost, path+"/retire", nil, 403)
	c.act(operator, http.MethodPost, path+"/retire", nil, 204)
	c.ask(operator, http.MethodPost, path+"/retire", nil, 409)
	if s := c.ask(viewer, http.MethodGet, "/hosts?retired=true", nil, 200).Body.String(); !strings.Contains(s, gone[0].Address) {
		c.t.Errorf("the retired host is not listed: %s", s)
	}
	c.act(operator, http.MethodDelete, path, nil, 204)
	c.ask(operator, http.MethodDelete, path, nil, 404)
}

// readLog reads the audit log, which holds no secret.
func (c *scene) readLog() {
	c.t.Helper()
	log := c.ask(admin, http.MethodGet, "/acts?limit=1000", nil, 200).Body.String()
	for _, secret := range []string{password, "very-secret", "ipcg_", "very secret"} {
		if strings.Contains(log, secret) {
			c.t.Errorf("the audit log tells %q", secret)
		}
	}
	c.ask(admin, http.MethodGet, "/acts?q=channel.test", nil, 200)
}
