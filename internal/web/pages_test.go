package web

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ipcguard/internal/store"
)

// pathsOf lists a path for every page of a filled site.
func (s *testSite) pathsOf() []string {
	s.t.Helper()
	ctx := context.Background()
	host := s.host("10.1.0.1:445") // of which everything is known
	runs, _, err := s.st.Runs(ctx, store.Page{Size: 1})
	if err != nil || len(runs) == 0 {
		s.t.Fatal("no run", err)
	}
	targets, _, err := s.st.Targets(ctx, store.TargetFilter{}, store.Page{Size: 1, Sort: "id"})
	if err != nil || len(targets) == 0 {
		s.t.Fatal("no target", err)
	}
	schedules, err := s.st.Schedules(ctx)
	if err != nil || len(schedules) == 0 {
		s.t.Fatal("no schedule", err)
	}
	channels, err := s.st.Channels(ctx)
	if err != nil || len(channels) == 0 {
		s.t.Fatal("no channel", err)
	}
	h := fmt.Sprintf("/hosts/%d", host.ID)
	return []string{
		"/", "/hosts", "/hosts?verdict=exposed&sort=-severity", "/hosts?q=nobody-has-this-name", h, "/clients",
		"/clients?logon=broken&sort=-hosts", "/clients?q=zzzz", "/findings",
		"/findings?finding=anonymous-lists-accounts",
		"/settings", "/settings?setting=restrict+anonymous", "/rollouts", "/rollouts/new?query=verdict%3Dexposed",
		"/rollouts/new?host=1&host=2", "/rollouts/1", "/rollouts/1?state=unaudited&sort=-since",
		"/rollouts/1?group=1", "/events", "/events?host=" + fmt.Sprint(host.ID), "/compare",
		"/compare?from=2020-01-01&to=2019-01-01", "/report",
		"/catalog", "/catalog?q=zzzz", "/catalog/setting/RestrictAnonymous", "/catalog/setting/restrict%20anonymous",
		"/catalog/pipe/samr", "/catalog/finding/anonymous-lists-accounts", "/catalog/interface/samr",
		"/catalog/service/" + catalogOf().Services[0].ID, "/catalog/product/win2019", "/catalog/claim/" +
			catalogOf().Claims[0].ID, "/catalog/topic/" + catalogOf().Topics[0].ID, "/catalog/control/2.3.10.7",
		"/runs", "/runs/new", fmt.Sprintf("/runs/%d", runs[0].ID), "/targets", "/targets/new",
		fmt.Sprintf("/targets/%d", targets[0].ID), "/targets/import",
		"/schedules", "/schedules/new", fmt.Sprintf("/schedules/%d", schedules[0].ID), "/exceptions",
		"/exceptions?all=yes", "/exceptions/new?finding=anonymous-lists-accounts&host=" + fmt.Sprint(host.ID),
		"/import", "/sites", "/sites/new", "/sites/1", "/channels", "/channels/new?kind=webhook",
		"/channels/new?kind=email", "/channels/new?kind=syslog", fmt.Sprintf("/channels/%d", channels[0].ID),
		"/search?q=sam", "/search", "/credentials", "/accounts", "/accounts/1", "/acts", "/account",
	}
}

// TestPathsAreWhole holds that pathsOf has every page that is served.
func TestPathsAreWhole(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	mux, left := http.NewServeMux(), map[string]bool{}
	for _, r := range routes() {
		if r.method == http.MethodGet {
			mux.Handle("GET "+r.path, http.NotFoundHandler())
			left["GET "+r.path] = true
		}
	}
	for _, path := range append(s.pathsOf(),
		// pages for who is not in yet: TestAccessibility and TestPasskey come there
		"/login", "/login/second", "/setup",
		// its picture stands in the page itself: TestPasskey and TestAccessibility come there
		"/account/codes",
		"/login/provider", "/login/provider/back", // lead elsewhere
		"/rollouts/1/progress", "/runs/1/progress", "/runs/rows", "/runs/open", "/schedules/next", // parts of pages
		// files
		"/hosts/1/plan.json", "/hosts/1/documents/scan", "/rollouts/1/files.zip", "/rollouts/1/tickets/csv.csv",
		"/export/hosts.csv", "/targets/export.csv",
	) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, pattern := mux.Handler(r)
		delete(left, pattern)
	}
	for pattern := range left {
		t.Errorf("no test looks at %s", pattern)
	}
}

// forbidden are what the content security policy would stop in a browser, and what makes a page fragile.
var forbidden = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\sstyle\s*=`),
	regexp.MustCompile(`(?i)<style`),
	regexp.MustCompile(`(?i)\son[a-z]+\s*=\s*["']`),
	regexp.MustCompile(`(?i)<script(>|\s[^>]*>)[^<]`), // a script with something in it
	regexp.MustCompile(`(?i)(href|src|action|formaction)="\s*(javascript|data):`),
	regexp.MustCompile(`(?i)(src|href|action)="(https?:)?//`), // nothing from elsewhere
	regexp.MustCompile(`ZgotmplZ|%!|<no value>|0001-01-01`),
}

func check(t *testing.T, path, body string) {
	t.Helper()
	for _, f := range forbidden {
		if at := f.FindStringIndex(body); at != nil {
			t.Errorf("%s holds %q: …%s…", path, f, body[max(0, at[0]-60):min(len(body), at[1]+60)])
		}
	}
	if strings.Count(body, "<h1") != 1 || !strings.Contains(body, "</html>") {
		t.Errorf("%s: not one whole page with one first heading", path)
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if ids[m[1]] {
			t.Errorf("%s: two elements are called %q", path, m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if !ids[m[1]] {
			t.Errorf("%s: a link leads to #%s, which is not there", path, m[1])
		}
	}
}

func TestEveryPage(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	admin := s.login(store.RoleAdmin)
	for _, path := range s.pathsOf() {
		r := admin.get(path)
		want := http.StatusOK
		if strings.Contains(path, "to=2019") {
			want = http.StatusUnprocessableEntity
		}
		if r.status != want {
			t.Errorf("%s: %d %s", path, r.status, r.body)
			continue
		}
		check(t, path, r.body)
		if r.header.Get("Content-Security-Policy") != policy || r.header.Get("X-Content-Type-Options") != "nosniff" ||
			r.header.Get("Cache-Control") == "" {
			t.Errorf("%s: headers are missing: %v", path, r.header)
		}
	}
}

// TestReportOrder holds that a report lists the worst hosts first: by what was found, and then by the verdict.
func TestReportOrder(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	body := s.login(store.RoleViewer).ok("/report")
	_, body, found := strings.Cut(body, "Hosts, the worst first")
	if !found {
		t.Fatal("no hosts in the report")
	}
	last, worst := "", 0
	for _, m := range regexp.MustCompile(`>(exposed|limited|inconclusive|unreachable|closed)<`).FindAllStringSubmatch(
		body, -1) {
		at := slices.Index([]string{"exposed", "limited", "inconclusive", "unreachable", "closed"}, m[1])
		if at < worst {
			t.Fatalf("%s comes after %s", m[1], last)
		}
		last, worst = m[1], at
	}
	if last != "closed" {
		t.Errorf("the last host is %q", last)
	}
}
