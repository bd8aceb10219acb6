package web

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/store"
)

// TestRoles walks every route as everybody. Whom the table does not name is refused, and nothing is done; whom it names
// is not.
func TestRoles(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	people := map[store.Role]*person{"": s.stranger()}
	for _, role := range []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin} {
		people[role] = s.login(role)
	}
	fill := strings.NewReplacer("{$}", "", "{id}", "999999", "{kind}", "scan", "{file}", "hosts.csv")
	before, _, err := s.st.Acts(t.Context(), "", store.Page{Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes() {
		for role, p := range people {
			if allows(role, r.needs) {
				continue // what is allowed is tried by the other tests
			}
			path := fill.Replace(r.path)
			var a answer
			if r.method == "GET" {
				a = p.get(path)
			} else {
				a = p.post(path, "name", "x", "do", "scan", "which", "all", "kind", "scan", "theme", "dark")
			}
			switch {
			case role != "" && a.status != http.StatusForbidden:
				t.Errorf("%s %s as %s: %d, want forbidden", r.method, path, role, a.status)
			case role == "" && r.method == "GET" && !r.polled && (a.status != http.StatusSeeOther ||
				!strings.HasPrefix(a.header.Get("Location"), "/login")):
				t.Errorf("%s %s as a stranger: %d %s, want the login", r.method, path, a.status,
					a.header.Get("Location"))
			case role == "" && (r.method != "GET" || r.polled) && a.status != http.StatusUnauthorized:
				t.Errorf("%s %s as a stranger: %d, want unauthorized", r.method, path, a.status)
			}
			if strings.Contains(a.body, "srv00") || strings.Contains(a.body, "berlin") {
				t.Errorf("%s %s as %q tells of a host", r.method, path, role)
			}
		}
	}
	after, _, err := s.st.Acts(t.Context(), "", store.Page{Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	if before[0].ID != after[0].ID {
		t.Errorf("somebody who was refused acted: %+v", after[0])
	}
	// What is allowed is not refused: no route takes a role for another.
	for _, r := range routes() {
		if r.needs == "" || r.method != "GET" {
			continue
		}
		if a := people[r.needs].get(fill.Replace(r.path)); a.status != http.StatusOK && a.status != http.StatusNotFound && a.status != http.StatusSeeOther {
			t.Errorf("%s as %s: %d", r.path, r.needs, a.status)
		}
	}
}

// TestButtons: what a role may not do is not offered to it.
func TestButtons(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	viewer, operator := s.login(store.RoleViewer), s.login(store.RoleOperator)
	mine := map[string]bool{
		"/theme": true, "/logout": true, "/seen": true, "/account/password": true,
		"/account/tokens": true,
	}
	for _, path := range s.pathsOf() {
		for _, x := range []struct {
			who  *person
			role store.Role
		}{{viewer, store.RoleViewer}, {operator, store.RoleOperator}} {
			a := x.who.get(path)
			if a.status != http.StatusOK {
				continue
			}
			for _, part := range strings.Split(a.body, `action="`)[1:] {
				action, _, _ := strings.Cut(part, `"`)
				head := a.body[:strings.Index(a.body, `action="`+action+`"`)]
				get := strings.Contains(head[strings.LastIndex(head, "<form"):], `method="get"`)
				if get || mine[action] {
					continue
				}
				if needs := needsOf(t, action); !allows(x.role, needs) {
					// the form stands around the table; its button is not there
					if action == "/hosts/act" || action == "/targets/delete" {
						if strings.Contains(a.body, "<button class=\"danger\"") || strings.Contains(a.body,
							"Do it</button>") {
							t.Errorf("%s offers %s to a %s", path, action, x.role)
						}
						continue
					}
					t.Errorf("%s offers %s to a %s", path, action, x.role)
				}
			}
		}
	}
}

// TestLinks follows every link of every page as those who may do least, and as an operator who is a viewer at the site
// of what is shown: nobody is sent to what is refused.
func TestLinks(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	ctx := t.Context()
	elsewhere := store.Site{Name: "elsewhere"}
	if err := s.st.SaveSite(ctx, &elsewhere); err != nil {
		t.Fatal(err)
	}
	mixed, err := s.access.AddUser(ctx, access.System(), "mixed", store.RoleViewer, password)
	if err != nil {
		t.Fatal(err)
	}
	host := s.host("10.1.0.1:445")
	if err := s.access.SetRoles(ctx, access.System(), mixed.ID, "", []store.SiteRole{{SiteID: host.SiteID, Role: store.RoleViewer}, {SiteID: elsewhere.ID, Role: store.RoleOperator}}); err != nil {
		t.Fatal(err)
	}
	document := func(kind string) string { return fmt.Sprintf("/hosts/%d/documents/%s", host.ID, kind) }
	for _, name := range []store.Role{store.RoleViewer, "mixed"} {
		p := s.login(name)
		seen := map[string]bool{}
		for _, path := range s.pathsOf() {
			a := p.get(path)
			if a.status != http.StatusOK {
				continue
			}
			for _, m := range regexp.MustCompile(`href="(/[^"#]*)`).FindAllStringSubmatch(a.body, -1) {
				to := html.UnescapeString(m[1])
				if seen[to] {
					continue
				}
				seen[to] = true
				if r := p.get(to); r.status == http.StatusForbidden || r.status >= http.StatusInternalServerError {
					t.Errorf("%s sends %s to %s: %d", path, name, to, r.status)
				}
			}
		}
		if !seen[document("audit")] || len(seen) < 50 {
			t.Errorf("%s was sent to %d places, and not to the audit", name, len(seen))
		}
		if a := p.get(document("journal")); a.status != http.StatusForbidden {
			t.Errorf("%s is given the journal: %d", name, a.status)
		}
	}
	if a := s.login(store.RoleOperator).get(document("journal")); a.status != http.StatusOK {
		t.Errorf("an operator is not given the journal: %d", a.status)
	}
}

// needsOf returns the role that posting to a path takes.
func needsOf(t *testing.T, path string) store.Role {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	for _, r := range routes() {
		want, got := strings.Split(r.path, "/"), strings.Split(path, "/")
		same := r.method == "POST" && len(want) == len(got)
		for i := 0; same && i < len(want); i++ {
			same = want[i] == got[i] || strings.HasPrefix(want[i], "{")
		}
		if same {
			return r.needs
		}
	}
	t.Errorf("a form leads to %s, which is not there", path)
	return store.RoleAdmin
}

// TestStrangers: without logging in there is the login, the page's own files, and two words for load balancers.
func TestStrangers(t *testing.T) {
	s := newTestSite(t)
	p := s.stranger()
	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/login": 200, "/static/ipcguard.css": 200,
		"/static/htmx/htmx-2.0.11.min.js": 200, "/static/htmx/LICENSE": 200,
		"/static/": 404, "/static/htmx/": 404, "/setup": 403, "/setup?token=guess": 403, "/nowhere": 303, "/": 303,
		"/metrics": 303, "/.git/config": 303, "/static/../server.go": 303,
	} {
		a := p.get(path)
		if a.status != want && !(a.status == http.StatusMovedPermanently && strings.Contains(path, "..")) &&
			!(a.status == http.StatusTemporaryRedirect && strings.Contains(path, "..")) {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
		if a.header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s has no content security policy", path)
		}
	}
	if to := p.get("/hosts?q=a&verdict=exposed").header.Get("Location"); to != "/login?to="+url.QueryEscape("/hosts?q=a&verdict=exposed") {
		t.Error("a stranger is led to ", to)
	}
}

// TestOtherOrigins: a page of another site cannot act with somebody's session.
func TestOtherOrigins(t *testing.T) {
	s := newTestSite(t)
	p := s.login(store.RoleAdmin)
	for _, header := range [][2]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
		{"Origin", "null"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.base+"/sites",
			strings.NewReader("name=evil"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set(header[0], header[1])
		if a := p.do(req); a.status != http.StatusForbidden {
			t.Errorf("%v: %d", header, a.status)
		}
	}
	if _, err := s.st.SiteByName(t.Context(), "evil"); err == nil {
		t.Error("another site's page made a site")
	}
}

// allows reports whether a role holds another. The empty one is held by everybody.
func allows(has, needs store.Role) bool { return rank(has) >= rank(needs) }

func rank(r store.Role) int {
	switch r {
	case store.RoleAdmin:
		return 3
	case store.RoleOperator:
		return 2
	case store.RoleViewer:
		return 1
	}
	return 0
}
