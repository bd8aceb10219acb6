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
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
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
