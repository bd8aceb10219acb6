package api

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// Every route, every role, and nobody: what the table allows, and nothing else. Refusals come before anything is read.
func TestRoles(t *testing.T) {
	c := newScene(t)
	ranks := map[store.Role]int{"": 0, store.RoleViewer: 1, store.RoleOperator: 2, store.RoleAdmin: 3}
	for _, r := range routes() {
		if ranks[r.role] == 0 {
			t.Errorf("%s is for everybody", r.id)
		}
		if r.method != http.MethodGet && r.role == store.RoleViewer && !strings.HasPrefix(r.path, "/me/") {
			t.Errorf("a viewer may %s", r.id)
		}
		path := strings.NewReplacer("{kind}", "scan", "{view}", "hosts").Replace(r.path)
		path = numbers.ReplaceAllString(path, "999999")
		for role := range ranks {
			for _, body := range []any{nil, map[string]string{"nonsense": "x"}} {
				if body != nil && r.in == nil {
					continue
				}
				before := c.lines()
				req := c.request(r.method, path, body)
				if role != "" {
					req.Header.Set("Authorization", "Bearer "+c.tokens[role])
				}
				w := httptest.NewRecorder()
				c.api.ServeHTTP(w, req)
				switch {
				case role == "":
					if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
						t.Errorf("%s for nobody: %d", r.id, w.Code)
					}
				case ranks[role] < ranks[r.role]:
					if w.Code != http.StatusForbidden {
						t.Errorf("%s for %s: %d", r.id, role, w.Code)
					}
				case w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden || w.Code >= 500:
					t.Errorf("%s for %s: %d %s", r.id, role, w.Code, w.Body)
				}
				if ranks[role] < ranks[r.role] && c.lines() != before {
					t.Errorf("%s for %q was done", r.id, role)
				}
				c.schemas.check(t, &r, w.Code, w.Header().Get("Content-Type"), w.Body.Bytes())
			}
		}
	}
	for _, path := range []string{"/", "/nothing", "/hosts/1/2/3/4"} {
		for _, role := range []store.Role{"", store.RoleAdmin} {
			req := c.request(http.MethodGet, path, nil)
			want := http.StatusUnauthorized
			if role != "" {
				req.Header.Set("Authorization", "Bearer "+c.tokens[role])
				want = http.StatusNotFound
			}
			w := httptest.NewRecorder()
			if c.api.ServeHTTP(w, req); w.Code != want {
				t.Errorf("%s for %q: %d", path, role, w.Code)
			}
		}
	}
	req := c.request(http.MethodPatch, "/hosts", nil)
	req.Header.Set("Authorization", "Bearer "+c.tokens[store.RoleAdmin])
	w := httptest.NewRecorder()
	if c.api.ServeHTTP(w, req); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET" {
		t.Errorf("%d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// Every operation succeeds once, its answer is what the document says, and what changes something stands in the audit
// log.
func TestEverything(t *testing.T) {
	c := newScene(t)
	c.hosts(3)
	const (
		v = store.RoleViewer
		o = store.RoleOperator
		a = store.RoleAdmin
	)
	act := func(role store.Role, method, path string, body any, want int) answer {
		t.Helper()
		before := c.lines()
		out := c.ask(role, method, path, body, want)
		if c.lines() == before {
			t.Errorf("%s %s is not in the audit log", method, path)
		}
		return out
	}
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
		c.ask(v, http.MethodGet, path, nil, http.StatusOK)
	}
	var standings list[store.Standing]
	c.ask(v, http.MethodGet, "/standings", nil, http.StatusOK).into(&standings)
	if len(standings.Items) != 1 || standings.Items[0].Hosts != 3 || standings.Items[0].Owner != "ops" ||
		standings.Items[0].Verdict != model.Exposed {
		t.Errorf("%+v", standings)
	}
	if s := c.ask(v, http.MethodGet, "/overview", nil, http.StatusOK).Body.String(); !strings.Contains(s, `"score":0`) {
		t.Errorf("three exposed hosts: %s", s)
	}
	var hosts list[store.Host]
	c.ask(v, http.MethodGet, "/hosts?q=srv&sort=-name&limit=1", nil, http.StatusOK).into(&hosts)
	if hosts.Total != 2 || len(hosts.Items) != 1 || hosts.Items[0].Name != "srv3" {
		t.Errorf("%+v", hosts)
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
			c.ask(v, http.MethodGet, path, nil, want)
		}
	}

	site := act(a, http.MethodPost, "/sites", acts.SiteChange{
		Name: "branch", Rate: 50, Window: "Mon-Fri 22:00-06:00",
		Zone: "Europe/Berlin",
	}, 201).id()
	act(a, http.MethodPut, fmt.Sprintf("/sites/%d", site), acts.SiteChange{Name: "branch", Concurrency: 5}, 200)
	cred := act(a, http.MethodPost, "/credentials", acts.CredentialChange{
		Name: "scanner", Kind: "password",
		Account: `LAB\scan`, Secret: "very secret",
	}, 201).id()
	act(a, http.MethodPut, fmt.Sprintf("/credentials/%d", cred), acts.CredentialChange{
		Name: "scanner", Kind: "keytab",
		Account: "scan@LAB", Keytab: []byte{5, 2, 0},
	}, 200)
	if s := c.ask(a, http.MethodGet, "/credentials", nil, 200).Body.String(); strings.Contains(s, "secret") || strings.Contains(strings.ToLower(s), "sealed") {
		t.Errorf("a credential is told: %s", s)
	}
	c.ask(o, http.MethodPost, "/targets", acts.TargetChange{Spec: "hostile.example", Site: "branch", Credential: cred},
		403)
	c.ask(o, http.MethodPost, "/targets", acts.TargetChange{
		Spec: "hostile.example", Site: "branch",
		AuditSource: "/etc/shadow",
	}, 403)
	kept := act(a, http.MethodPost, "/targets", acts.TargetChange{
		Spec: "kept.example", Site: "branch",
		Credential: cred,
	}, 201)
	c.ask(o, http.MethodPut, fmt.Sprintf("/targets/%d", kept.id()),
		acts.TargetChange{Spec: "hostile.example", Site: "branch", Credential: cred}, 403)
	act(o, http.MethodDelete, fmt.Sprintf("/targets/%d", kept.id()), nil, 204)
	target := act(o, http.MethodPost, "/targets", acts.TargetChange{
		Spec: "fileserver.example", Site: "branch",
		Tags: []string{"B", "a", "b"},
	}, 201)
	if s := target.Body.String(); !strings.Contains(s, `"tags":["a","b"]`) || !strings.Contains(s, `"enabled":true`) {
		t.Error(s)
	}
	act(o, http.MethodPut, fmt.Sprintf("/targets/%d", target.id()),
		acts.TargetChange{Spec: "10.0.0.0/24", Site: "branch"}, 200)
	act(o, http.MethodDelete, fmt.Sprintf("/targets/%d", target.id()), nil, 204)
	var imported struct{ Added, Bad int }
	act(o, http.MethodPost, "/targets/import", "spec,site,tags\nsrv9.example,branch,x y\n10.0.0.0/40,branch,\n",
		200).into(&imported)
	if imported.Added != 1 || imported.Bad != 1 {
		t.Errorf("%+v", imported)
	}
	act(a, http.MethodDelete, fmt.Sprintf("/credentials/%d", cred), nil, 204)
	empty := act(a, http.MethodPost, "/sites", acts.SiteChange{Name: "empty"}, 201).id()
	act(a, http.MethodDelete, fmt.Sprintf("/sites/%d", empty), nil, 204)
	c.ask(a, http.MethodDelete, fmt.Sprintf("/sites/%d", site), nil, 409)

	var code acts.JoinCode
	act(a, http.MethodPost, "/workers", acts.NewWorker{Site: "default", Name: "w1"}, 201).into(&code)
	if !strings.HasPrefix(code.Code, "ipcw1-") {
		t.Errorf("%+v", code)
	}
	enrolled := store.Enrolled{Name: "w2", SiteID: 1, Serial: "1", Protocol: 1}
	if err := c.st.AddEnrolled(t.Context(), &enrolled); err != nil {
		t.Fatal(err)
	}
	c.ask(a, http.MethodGet, "/workers/enrolled", nil, 200)
	act(a, http.MethodDelete, fmt.Sprintf("/workers/enrolled/%d", enrolled.ID), nil, 204)
	c.ask(a, http.MethodDelete, fmt.Sprintf("/workers/enrolled/%d", enrolled.ID), nil, 404)

	schedule := act(o, http.MethodPost, "/schedules", acts.ScheduleChange{
		Name: "nightly", Kind: store.RunScan,
		Cron: "30 2 * * *", Selector: store.Selector{Tag: "lab"},
	}, 201).id()
	act(o, http.MethodPut, fmt.Sprintf("/schedules/%d", schedule),
		acts.ScheduleChange{Name: "nightly", Kind: store.RunScan, Cron: "@daily"}, 200)
	act(o, http.MethodDelete, fmt.Sprintf("/schedules/%d", schedule), nil, 204)
	finding := "anonymous-accounts"
	if len(catalogFindings(t)) > 0 && !slices.Contains(catalogFindings(t), finding) {
		finding = catalogFindings(t)[0]
	}
	exception := act(o, http.MethodPost, "/exceptions",
		acts.NewException{
			Finding: finding, HostID: 1, Reason: "being replaced", Owner: "ops",
			Until: time.Now().Add(time.Hour),
		}, 201).id()
	act(o, http.MethodDelete, fmt.Sprintf("/exceptions/%d", exception), nil, 204)

	run := act(o, http.MethodPost, "/runs", acts.NewRun{
		Kind: store.RunScan, Selector: store.Selector{Tag: "lab"},
		Quick: true,
	}, 201)
	var started store.Run
	run.into(&started)
	if started.Total != 3 || started.By != "operator token:test" {
		t.Errorf("%+v", started)
	}
	act(o, http.MethodPost, fmt.Sprintf("/runs/%d/cancel", run.id()), nil, 200)
	c.ask(o, http.MethodPost, fmt.Sprintf("/runs/%d/cancel", run.id()), nil, 409)
	c.ask(v, http.MethodGet, fmt.Sprintf("/runs/%d/stream", run.id()), nil, 200)
	c.ask(o, http.MethodPost, "/runs",
		acts.NewRun{Kind: store.RunScan, Selector: store.Selector{Tag: "nothing has it"}}, 422)

	c.ask(o, http.MethodPost, "/hosts/1/plan", acts.NewPlan{}, 422) // never audited
	audit, err := json.Marshal(model.Audit{
		Schema: model.SchemaAudit, Source: model.Source{Kind: "smbconf", Name: "smb.conf"}, Host: "srv1",
		Platform: model.Platform{System: "samba", Product: "samba", Role: model.Standalone},
		Settings: []model.Setting{}, Access: map[model.Identity]model.Access{}, Findings: []model.Finding{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.st.SaveDocument(t.Context(), 1, "audit", time.Now(), audit); err != nil {
		t.Fatal(err)
	}
	act(o, http.MethodPost, "/hosts/1/plan", acts.NewPlan{Strategy: "restrict"}, 200)
	c.ask(v, http.MethodGet, "/hosts/1/documents/plan", nil, 200)
	c.ask(v, http.MethodGet, "/hosts/1/documents/audit", nil, 200)
	c.rollout(act)
	scan := c.ask(v, http.MethodGet, "/hosts/2/documents/scan", nil, 200).Body.String()
	newer := regexp.MustCompile(`"started":"[^"]*"`).ReplaceAllString(scan, `"started":"`+
		time.Now().UTC().Format(time.RFC3339Nano)+`"`)
	act(o, http.MethodPost, "/results?kind=scan", json.RawMessage(newer), 200)
	var results struct {
		Items []struct{ ID int64 }
	}
	c.ask(v, http.MethodGet, "/hosts/2/results", nil, 200).into(&results)
	if len(results.Items) < 2 {
		t.Fatalf("results of a host that was scanned twice: %+v", results)
	}
	path := fmt.Sprintf("/hosts/2/results/%d", results.Items[0].ID)
	c.ask(o, http.MethodDelete, path, nil, 403)
	act(a, http.MethodDelete, path, nil, 204)
	c.ask(a, http.MethodDelete, path, nil, 404)

	act(o, http.MethodPost, "/hosts/1/journal", []map[string]string{{"id": "20261101-1"}}, 204)
	c.ask(v, http.MethodGet, "/hosts/1/documents/journal", nil, 403)
	c.ask(o, http.MethodGet, "/hosts/1/documents/journal", nil, 200)
	act(o, http.MethodPost, "/targets/change", acts.TargetsChange{Hosts: []int64{1, 2}, Do: "tag", Value: "moved"}, 200)

	secretURL := "https://hooks.example/very-secret"
	channel := act(a, http.MethodPost, "/channels",
		map[string]any{
			"name": "ops", "kind": "webhook",
			"secrets": map[string]string{"url": secretURL, "key": "0123456789abcdef"}, "kinds": []string{"new-host"},
			"least": "high",
		}, 201)
	if s := channel.Body.String(); strings.Contains(s, "very-secret") || strings.Contains(s, "0123456789abcdef") || !strings.Contains(s, `"secrets":true`) {
		t.Errorf("a channel tells its secrets: %s", s)
	}
	path = fmt.Sprintf("/channels/%d", channel.id())
	// the secrets stay
	act(a, http.MethodPut, path, map[string]any{
		"name": "ops", "kind": "webhook", "digest": "@daily", "acts": "also",
		"config": map[string]bool{"loopback": true},
	}, 200)
	c.ask(a, http.MethodPut, path, map[string]any{"name": "ops", "kind": "syslog"}, 422)
	if s := c.ask(a, http.MethodGet, "/channels", nil, 200).Body.String(); !strings.Contains(s, `"acts":"also"`) {
		t.Errorf("the channel's audit log: %s", s)
	}
	c.ask(a, http.MethodGet, path+"/deliveries", nil, 200)
	if s := act(a, http.MethodPost, path+"/test", nil, 200).Body.String(); s != `{"sent":true}` {
		t.Error(s)
	}
	c.test = errors.New("notify: webhook: it answers 500")
	if s := act(a, http.MethodPost, path+"/test", nil, 200).Body.String(); !strings.Contains(s, `"sent":false,"detail":"webhook: it answers 500"`) {
		t.Error(s)
	}
	act(a, http.MethodDelete, path, nil, 204)

	user := act(a, http.MethodPost, "/users", userBody{Name: "carol", Role: v, Password: password}, 201).id()
	act(a, http.MethodPut, fmt.Sprintf("/users/%d", user), userChange{Role: o}, 200)
	act(a, http.MethodPut, fmt.Sprintf("/users/%d/password", user), passwordBody{Password: "another staple, please"},
		204)
	own := act(a, http.MethodPost, "/sites", acts.SiteChange{Name: "carls"}, 201).id()
	carl := act(a, http.MethodPost, "/users", userBody{
		Name: "carl", Sites: []store.SiteRole{{SiteID: own, Role: o}},
		Password: password,
	}, 201).id()
	if u, err := c.st.User(t.Context(), carl); err != nil || u.Role != "" || len(u.Sites) != 1 || u.Sites[0].SiteID != own {
		t.Errorf("%+v, %v", u, err)
	}
	c.ask(a, http.MethodPost, "/users", userBody{Name: "nobody", Password: password}, 422)
	disabled := true
	act(a, http.MethodPut, fmt.Sprintf("/users/%d", user), userChange{Disabled: &disabled}, 200)
	// the last administrator
	c.ask(a, http.MethodPut, fmt.Sprintf("/users/%d", c.users[a].ID), userChange{Role: v}, 409)
	if s := c.ask(a, http.MethodGet, "/users", nil, 200).Body.String(); strings.Contains(s, "argon2") {
		t.Errorf("a hash is told: %s", s)
	}
	act(v, http.MethodPut, "/me/password", passwordBody{Old: password, Password: "another staple, please"}, 204)
	c.ask(v, http.MethodPut, "/me/password", passwordBody{Old: password, Password: "yet another staple"}, 422)
	var made newToken
	act(v, http.MethodPost, "/me/tokens",
		tokenBody{
			Name: "more", Scope: store.ScopeRead, Password: "another staple, please",
			Until: time.Now().Add(time.Minute),
		}, 201).into(&made)
	if s := c.ask(v, http.MethodPost, "/me/tokens", tokenBody{Name: "wrong", Scope: store.ScopeRead, Password: password, Until: time.Now().Add(time.Minute)}, 422).Body.String(); !strings.Contains(s, `"field":"password"`) {
		t.Errorf("the field that is wrong is not named: %s", s)
	}
	c.ask(v, http.MethodPost, "/me/tokens", tokenBody{
		Name: "wider", Scope: store.ScopeOperate,
		Password: "another staple, please", Until: time.Now().Add(time.Minute),
	}, 422)
	if !strings.HasPrefix(made.Secret, "ipcg_") {
		t.Errorf("%+v", made)
	}
	if s := c.ask(a, http.MethodGet, fmt.Sprintf("/users/%d/tokens", c.users[v].ID), nil, 200).Body.String(); strings.Contains(s, "ipcg_") || !strings.Contains(s, "more") {
		t.Error(s)
	}
	act(a, http.MethodDelete, fmt.Sprintf("/users/%d/tokens/%d", c.users[v].ID, made.ID), nil, 204)
	own = act(o, http.MethodPost, "/me/tokens", tokenBody{
		Name: "own", Scope: store.ScopeUpload, Password: password,
		Until: time.Now().Add(time.Minute),
	}, 201).id()
	c.ask(v, http.MethodDelete, fmt.Sprintf("/me/tokens/%d", own), nil, 404) // somebody else's
	act(o, http.MethodDelete, fmt.Sprintf("/me/tokens/%d", own), nil, 204)
	view := act(v, http.MethodPost, "/me/views",
		acts.ViewChange{Name: "mine", Path: "/hosts", Query: "verdict=exposed&offset=7"}, 201).id()
	c.ask(v, http.MethodPost, "/me/views", acts.ViewChange{Name: "mine", Path: "//elsewhere"}, 422)
	c.ask(a, http.MethodDelete, fmt.Sprintf("/me/views/%d", view), nil, 404) // somebody else's
	act(v, http.MethodDelete, fmt.Sprintf("/me/views/%d", view), nil, 204)
	gone, total, err := c.st.Hosts(t.Context(), store.HostFilter{}, store.Page{Size: 1})
	if err != nil || total == 0 {
		t.Fatal(total, err)
	}
	path = fmt.Sprintf("/hosts/%d", gone[0].ID)
	c.ask(v, http.MethodPost, path+"/retire", nil, 403)
	act(o, http.MethodPost, path+"/retire", nil, 204)
	c.ask(o, http.MethodPost, path+"/retire", nil, 409)
	if s := c.ask(v, http.MethodGet, "/hosts?retired=true", nil, 200).Body.String(); !strings.Contains(s, gone[0].Address) {
		t.Errorf("the retired host is not listed: %s", s)
	}
	act(o, http.MethodDelete, path, nil, 204)
	c.ask(o, http.MethodDelete, path, nil, 404)
	log := c.ask(a, http.MethodGet, "/acts?limit=1000", nil, 200).Body.String()
	for _, secret := range []string{password, "very-secret", "ipcg_", "very secret"} {
		if strings.Contains(log, secret) {
			t.Errorf("the audit log tells %q", secret)
		}
	}
	c.ask(a, http.MethodGet, "/acts?q=channel.test", nil, 200)

	for _, id := range ids() {
		if !c.seen[id] {
			t.Errorf("%s never succeeded here", id)
		}
	}
}

// What is mistyped or too much is an error that says where, and never our own.
func TestBadRequests(t *testing.T) {
	c := newScene(t)
	c.hosts(1)
	const a = store.RoleAdmin
	for path, field := range map[string]string{
		"/hosts?verdict=open": "verdict", "/hosts?verdcit=exposed": "verdcit", "/hosts?site=a&site=b": "site",
		"/hosts?sort=password": "sort", "/hosts?limit=x": "limit",
		"/hosts?offset=-1": "offset", "/hosts?smb1=yes": "smb1", "/events?since=yesterday": "since", "/compare": "from",
		"/exports/hosts": "format", "/exports/hosts?format=xml": "format",
		"/exports/hosts?format=csv&since=2026-01-01": "since", "/hosts?q=" + strings.Repeat("x", 501): "q",
		"/hosts?q=a%00b": "q", "/hosts?%zz": "",
	} {
		if body := c.ask(a, http.MethodGet, path, nil, 400).Body.String(); field != "" && !strings.Contains(body, `"field":"`+field+`"`) {
			t.Errorf("%s: %s", path, body)
		}
	}
	for _, path := range []string{
		"/hosts/0", "/hosts/-1", "/hosts/x", "/hosts/99999999999999999999",
		"/hosts/1/documents/passwd", "/exports/users?format=csv", "/runs/77",
	} {
		c.ask(a, http.MethodGet, path, nil, 404)
	}
	for name, body := range map[string]any{
		"unknown field": map[string]any{"spec": "a", "site": "default", "sight": 1},
		"wrong type":    map[string]any{"spec": 1}, "list": []int{1},
	} {
		if w := c.ask(a, http.MethodPost, "/targets", body, map[string]int{"unknown field": 400, "wrong type": 422, "list": 422}[name]); w.Code >= 500 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	for name, body := range map[string]acts.TargetChange{
		"spec": {Spec: "10.0.0.0/99", Site: "default"}, "site": {Spec: "a.example", Site: "nowhere"},
		"tags":        {Spec: "a.example", Site: "default", Tags: []string{"a b"}},
		"credential":  {Spec: "a.example", Site: "default", Credential: 9},
		"note":        {Spec: "a.example", Site: "default", Note: "\x1b[31m"},
		"criticality": {Spec: "a.example", Site: "default", Criticality: "huge"},
	} {
		if s := c.ask(a, http.MethodPost, "/targets", body, 422).Body.String(); !strings.Contains(s, `"field":"`+name+`"`) {
			t.Errorf("%s: %s", name, s)
		}
	}
	c.ask(a, http.MethodPost, "/targets", "not json", 415)
	c.ask(a, http.MethodPost, "/targets", acts.TargetChange{
		Spec: "a.example", Site: "default",
		Note: strings.Repeat("x", maxBody),
	}, 413)
	c.ask(a, http.MethodPost, "/targets", acts.TargetChange{Spec: "192.0.2.1", Site: "default"}, 409)
	c.ask(a, http.MethodPost, "/targets/import", "these,are,not,the,columns\n1,2,3,4,5\n", 422)
	c.ask(a, http.MethodPost, "/results?kind=scan", "not a scan", 422)
	mail := map[string]any{
		"server": "mail.example:587", "security": "starttls", "user": "u", "from": "a@example.net",
		"to": []string{"b@example.net"},
	}
	ch := c.ask(a, http.MethodPost, "/channels", map[string]any{
		"name": "mail", "kind": "email", "config": mail,
		"secrets": map[string]string{"password": "hunter2"},
	}, 201).id()
	c.ask(a, http.MethodPut, fmt.Sprintf("/channels/%d", ch),
		map[string]any{"name": "mail2", "kind": "email", "config": mail}, 200)
	mail["server"] = "mail.evil.example:587"
	if s := c.ask(a, http.MethodPut, fmt.Sprintf("/channels/%d", ch), map[string]any{"name": "mail", "kind": "email", "config": mail}, 422).Body.String(); strings.Contains(s, "hunter2") {
		t.Error("a stored password is sent to another server")
	}
}

// A session of the page counts for what the page itself sends, and for nothing that another site does.
func TestSession(t *testing.T) {
	c := newScene(t)
	who := access.Who{User: c.users[store.RoleOperator], Role: store.RoleOperator, Via: "session"}
	c.session = &who
	for name, test := range map[string]struct {
		method, origin, site string
		want                 int
	}{
		"reading": {http.MethodGet, "", "cross-site", 200}, "own origin": {
			http.MethodPost, "http://example.com",
			"same-origin", 415,
		},
		"another site":   {http.MethodPost, "https://evil.example", "cross-site", 403},
		"another origin": {http.MethodPost, "https://evil.example", "", 403},
	} {
		r := c.request(test.method, map[string]string{http.MethodGet: "/me", http.MethodPost: "/runs"}[test.method],
			nil)
		for k, v := range map[string]string{"Origin": test.origin, "Sec-Fetch-Site": test.site} {
			if v != "" {
				r.Header.Set(k, v)
			}
		}
		w := httptest.NewRecorder()
		if c.api.ServeHTTP(w, r); w.Code != test.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	// a bad token is not made good by a session
	for _, header := range []string{"Bearer ipcg_wrong", "Basic cm9vdDpyb290", "Bearer"} {
		r := c.request(http.MethodGet, "/me", nil)
		r.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		if c.api.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", header, w.Code)
		}
	}
}

func TestETag(t *testing.T) {
	c := newScene(t)
	c.hosts(1)
	tag := c.ask(store.RoleViewer, http.MethodGet, "/hosts", nil, 200).Header().Get("ETag")
	r := c.request(http.MethodGet, "/hosts", nil)
	r.Header.Set("Authorization", "Bearer "+c.tokens[store.RoleViewer])
	r.Header.Set("If-None-Match", `"x", W/`+tag)
	w := httptest.NewRecorder()
	if c.api.ServeHTTP(w, r); w.Code != http.StatusNotModified || w.Body.Len() != 0 || tag == "" {
		t.Errorf("%d, %q", w.Code, tag)
	}
}

// A run that is followed is told whenever it changed, until it has ended; a token that ends, ends the stream.
func TestStream(t *testing.T) {
	c := newScene(t)
	c.hosts(2)
	server := httptest.NewServer(c.api)
	defer server.Close()
	r, err := c.acts.StartRun(t.Context(), access.System(), acts.NewRun{Kind: store.RunScan, Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s%s/runs/%d/stream", server.URL,
		Prefix, r.ID), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.tokens[store.RoleViewer])
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Error(kind)
	}
	lines := bufio.NewScanner(answer.Body)
	var states []store.RunState
	ended := false
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if lines.Text() == "event: end" {
			ended = true
		}
		if !ok || ended {
			continue
		}
		var seen store.Run
		if err := json.Unmarshal([]byte(data), &seen); err != nil || seen.ID != r.ID {
			t.Fatalf("%v: %s", err, data)
		}
		states = append(states, seen.State)
		if len(states) == 1 {
			if _, err := c.acts.CancelRun(t.Context(), access.System(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !ended || len(states) < 2 || states[len(states)-1] != store.RunCancelled {
		t.Errorf("%v, ended %v", states, ended)
	}
}

// A run of a site is followed with a role at that site, as long as the account has it.
func TestStreamOfSite(t *testing.T) {
	for name, dsn := range map[string]func() string{
		store.KindSQLite:   func() string { return filepath.Join(t.TempDir(), "fleet.db") },
		store.KindPostgres: func() string { return peer.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newSceneOn(t, dsn())
			c.hosts(1)
			site, err := c.st.SiteByName(t.Context(), "default")
			if err != nil {
				t.Fatal(err)
			}
			u, err := c.access.AddUser(t.Context(), access.System(), "local", "", password,
				store.SiteRole{SiteID: site.ID, Role: store.RoleViewer})
			if err != nil {
				t.Fatal(err)
			}
			who := access.Who{User: u, Sites: map[int64]store.Role{site.ID: store.RoleViewer}}
			token, _, err := c.access.NewToken(t.Context(), who, password, "t", store.ScopeRead,
				time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.acts.StartRun(t.Context(), access.System(),
				acts.NewRun{Kind: store.RunScan, Selector: store.Selector{Site: "default"}})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(c.api)
			defer server.Close()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s%s/runs/%d/stream",
				server.URL, Prefix, r.ID), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			answer, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			alive := 0
			for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
				if lines.Text() == ": alive" {
					alive++
				}
				if alive == 3 {
					alive++
					if err := c.access.SetRoles(t.Context(), access.System(), u.ID, "", []store.SiteRole{{SiteID: c.otherSite().ID, Role: store.RoleViewer}}); err != nil {
						t.Fatal(err)
					}
				}
				if alive > 100 {
					t.Fatal("the stream goes on without the role")
				}
			}
			if alive < 3 {
				t.Errorf("the stream ended after %d signs of life", alive)
			}
		})
	}
}

// No cell of an export is taken for a formula, and every line has as many cells as there are columns.
func TestExportCSV(t *testing.T) {
	c := newScene(t)
	c.hosts(2)
	for _, v := range view.Views() {
		view := v.Name
		path := "/exports/" + view + "?format=csv"
		if view == "compare" {
			path += "&from=2026-01-01&to=2027-01-01"
		}
		w := c.ask(store.RoleViewer, http.MethodGet, path, nil, 200)
		rows, err := csv.NewReader(w.Body).ReadAll()
		if err != nil {
			t.Errorf("%s: %v", view, err)
		}
		if len(rows) < 3 && slices.Contains([]string{"hosts", "findings", "events", "runs", "compare"}, view) {
			t.Errorf("%s has %d lines", view, len(rows))
		}
		for _, row := range rows {
			for _, cell := range row {
				if strings.IndexAny(cell, "=+@|") == 0 {
					t.Errorf("%s: the cell %q", view, cell)
				}
			}
		}
	}
	rows, err := csv.NewReader(c.ask(store.RoleViewer, http.MethodGet, "/exports/hosts?format=csv&q=srv", nil,
		200).Body).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	for name, want := range map[string]string{
		"name": "srv2", "accounts": "allowed", "groups": "denied",
		"verdict": "exposed", "tags": "lab",
	} {
		if i := slices.Index(rows[0], name); i < 0 || rows[1][i] != want {
			t.Errorf("%s of %v in %v", name, rows[0], rows[1])
		}
	}
}

// The database goes away: every answer says so, and none says how it is reached.
func TestNoDatabase(t *testing.T) {
	c := newScene(t)
	c.st.Close()
	w := c.ask(store.RoleViewer, http.MethodGet, "/hosts", nil, http.StatusInternalServerError)
	if strings.Contains(w.Body.String(), "sql") || strings.Contains(w.Body.String(), ".db") {
		t.Error(w.Body)
	}
}

func FuzzQuery(f *testing.F) {
	var all []view.Param
	for _, r := range routes() {
		all = append(all, r.query...)
	}
	f.Add("q=x&site=a&limit=5&since=2026-01-01&smb1=true")
	f.Add("%00=%ff&&;;")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := readQuery(raw, all)
		if err != nil {
			var p *problem
			if !errors.As(err, &p) || p.Status < 400 || p.Status >= 500 {
				t.Errorf("%v", err)
			}
			return
		}
		c := &call{query: q, route: &route{}}
		if p := c.page(); p.Offset < 0 || p.Size < 1 || p.Size > store.MaxPage {
			t.Errorf("%+v", p)
		}
		_, _ = view.Hosts(q, time.Now()), view.Events(q)
	})
}
