package web

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/store"
)

var (
	columnHead = regexp.MustCompile(`<th scope="col"[^>]*>(<a href="([^"]*)">)?`)
	sortedHead = regexp.MustCompile(`aria-sort="(ascending|descending)"`)
)

// Every column of every list sorts it, but for those that have nothing to sort by, and says so.
func TestEveryColumnSorts(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleAdmin)
	runs, _, err := s.st.Runs(t.Context(), store.Page{Size: 1})
	if err != nil || len(runs) == 0 {
		t.Fatal("no run", err)
	}
	// how many columns do not sort: acts, shares of a column beside them, texts made of several
	for path, fixed := range map[string]int{
		"/hosts": 0, "/clients": 0, "/findings": 1, "/settings": 1, "/settings?setting=restrict+anonymous": 1,
		"/events": 0, "/compare": 1 + 5, "/runs": 0, "/runs/1": 0, "/rollouts": 4, "/rollouts/1?group=99": 1 + 5 +
			5, "/targets": 0,
		"/schedules": 0, "/exceptions": 1, "/sites": 1, "/channels": 1, "/credentials": 1, "/accounts": 1, "/acts": 0,
	} {
		body, links := p.ok(path), 0
		for _, m := range columnHead.FindAllStringSubmatch(body, -1) {
			if m[2] == "" {
				fixed--
				continue
			}
			links++
			at := html.UnescapeString(m[2])
			page := p.get(at)
			if page.status != http.StatusOK || !sortedHead.MatchString(page.body) {
				t.Errorf("%s: %d, and no column says that the list is sorted by it", at, page.status)
			}
		}
		if links == 0 || fixed != 0 {
			t.Errorf("%s: %d columns sort, and %d more do not than are known", path, links, -fixed)
		}
	}
}

// Hosts are listed the worst first where nobody says otherwise.
func TestWorstFirst(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	rank := map[string]int{"critical": 4, "high": 3, "medium": 2, "low": 1}
	last := 5
	for _, m := range regexp.MustCompile(`<span class="chip (critical|high|medium|low)">`).FindAllStringSubmatch(
		s.login(store.RoleViewer).ok("/hosts"), -1) {
		if rank[m[1]] > last {
			t.Fatalf("%s comes after what is less", m[1])
		}
		last = rank[m[1]]
	}
	if last == 5 {
		t.Fatal("no host has a finding")
	}
}

// A page of a list has the size that is asked for, where it is one of those that are offered, and is found by its
// number.
func TestPager(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleViewer)
	for path, want := range map[string]string{
		"/hosts?size=25":           "1 to 25 of 40",
		"/hosts?size=25&page=2":    "26 to 40 of 40",
		"/hosts?size=7":            "1 to 40 of 40",
		"/hosts?size=25&offset=25": "26 to 40 of 40",
		"/hosts?size=25&page=-1":   "1 to 25 of 40",
	} {
		if body := p.ok(path); !strings.Contains(body, want) {
			t.Errorf("%s does not say %q", path, want)
		}
	}
	if body := p.ok("/hosts?size=25&verdict=exposed&page=9&sort=name"); strings.Contains(body, `type="hidden" name="page"`) || strings.Contains(body, `type="hidden" name="offset"`) {
		t.Error("whoever jumps from a page carries the page along")
	}
}

// A view is kept under its name for the account that saved it, leads to its list, and goes when it is removed.
func TestViews(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	viewer, other := s.login(store.RoleViewer), s.login(store.RoleOperator)
	a := viewer.post("/views", "name", "bad & open", "path", "/hosts", "query",
		"verdict=exposed&sort=-last_seen&offset=100")
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/hosts?sort=-last_seen&verdict=exposed" {
		t.Fatalf("%d %s", a.status, a.header.Get("Location"))
	}
	for _, path := range acts.Lists() {
		if body := viewer.ok(path); !strings.Contains(body, `<input type="hidden" name="path" value="`+path+`">`) {
			t.Errorf("%s cannot be saved as a view", path)
		}
	}
	page := viewer.ok("/hosts?sort=-last_seen&verdict=exposed")
	if !strings.Contains(page,
		`href="/hosts?sort=-last_seen&amp;verdict=exposed" aria-current="true">bad &amp; open</a>`) {
		t.Error("the view is not on its page")
	}
	if strings.Contains(other.ok("/hosts"), "bad &amp; open") {
		t.Error("somebody else sees it")
	}
	saved := regexp.MustCompile(`/views/\d+/delete`).FindString(page)
	if a := other.post(saved); a.status != http.StatusNotFound {
		t.Errorf("somebody else removes it: %d", a.status)
	}
	for _, path := range []string{"https://elsewhere.example/", "//elsewhere.example", "/hosts/1", ""} {
		if a := viewer.post("/views", "name", "x", "path", path); a.status != http.StatusUnprocessableEntity {
			t.Errorf("a view of %q: %d", path, a.status)
		}
	}
	if a := viewer.post(saved); a.status != http.StatusSeeOther || strings.Contains(viewer.ok("/hosts"), "<a href=\"/hosts?sort=-last_seen&amp;verdict=exposed\">bad") {
		t.Errorf("it is still there: %d", a.status)
	}
}

// A search finds hosts, settings, pipes and what else the catalog has, in groups, and each answer leads to its page.
func TestSearch(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleViewer)
	for text, want := range map[string]string{
		"srv07": "Hosts", "10.1.0.8": "Hosts", "restrictanonymous": "Settings",
		"SAMR": "Pipes", "lists-accounts": "Findings",
	} {
		body := p.ok("/search?q=" + url.QueryEscape(text))
		if !strings.Contains(body, "<h2>"+want) {
			t.Errorf("%q finds nothing among %s", text, want)
		}
		_, found, _ := strings.Cut(body, "<main")
		for _, m := range regexp.MustCompile(`<li><a href="([^"]+)"`).FindAllStringSubmatch(found, -1) {
			p.ok(html.UnescapeString(m[1]))
		}
	}
	if body := p.ok("/search?q=" + url.QueryEscape(`<b>"'%_`)); !strings.Contains(body, "Nothing has this in its name") {
		t.Error("what is nowhere is found")
	}
}

// A number in the head of a narrow column has four characters at most, and is never more than it stands for.
func TestShort(t *testing.T) {
	for n, want := range map[int]string{
		0: "0", 999: "999", 1000: "1.0k", 1999: "1.9k", 9999: "9.9k", 11_834: "11k",
		999_999: "999k", 2_600_000: "2M",
	} {
		if got := short(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
