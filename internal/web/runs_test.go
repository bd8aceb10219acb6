package web

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/store"
)

// TestRunAddsUp holds that the numbers of a run come to its total, while it runs and when it has ended, and that
// nothing is left to press then.
func TestRunAddsUp(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleOperator)
	sum := func(body string) int {
		_, tiles, _ := strings.Cut(body, `<ul class="tiles">`)
		tiles, _, _ = strings.Cut(tiles, "</ul>")
		n := 0
		for _, m := range regexp.MustCompile(`<b>(\d+)</b>`).FindAllStringSubmatch(tiles, -1) {
			x, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			n += x
		}
		return n
	}
	r, err := s.st.Run(t.Context(), 1)
	if err != nil || r.Total == 0 || r.Failed == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	body := p.ok("/runs/1")
	if n := sum(body); n != r.Total || !strings.Contains(body, "still to come") || !strings.Contains(body, "1</b> failed") {
		t.Errorf("live: %d of %d", n, r.Total)
	}
	p.done("/runs/1/cancel")
	body = p.ok("/runs/1")
	if n := sum(body); n != r.Total || strings.Contains(body, "still to come") {
		t.Errorf("ended: %d of %d: %s", n, r.Total, body[strings.Index(body, "<main"):])
	}
	if strings.Contains(body, "Cancel the run") || strings.Contains(body, "hx-get") {
		t.Error("a run that has ended can be cancelled, or is asked for")
	}
}

// TestRunsMove: lists of runs, and a run's targets, are asked for again as long as a run is under way, and then no
// more.
func TestRunsMove(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleOperator)
	again := func(path string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("HX-Request", "true")
		return p.do(req)
	}
	parts := []struct{ page, part, says string }{
		{"/", "/runs/open", `id="run-1"`},
		{"/runs?sort=-total", "/runs/rows?sort=-total", `id="run-1"`},
		{"/runs/1?state=failed", "/runs/1/progress?state=failed", `id="target-`},
	}
	for _, x := range parts {
		if body := p.ok(x.page); !strings.Contains(body, `hx-get="`+x.part+`"`) {
			t.Errorf("%s does not ask for %s", x.page, x.part)
		}
		if a := again(x.part); a.status != http.StatusOK || !strings.Contains(a.body, x.says) || strings.Contains(a.body, "<main") {
			t.Errorf("%s while it runs: %d %s", x.part, a.status, a.body)
		}
		if a := p.get(x.part); a.status != http.StatusSeeOther {
			t.Errorf("%s opened by hand: %d", x.part, a.status)
		}
	}
	p.done("/runs/1/cancel")
	for _, x := range parts {
		if body := p.ok(x.page); strings.Contains(body, `hx-get="`+x.part+`"`) {
			t.Errorf("%s still asks", x.page)
		}
		if a := again(x.part); a.status != stopPolling {
			t.Errorf("%s when it has ended: %d", x.part, a.status)
		}
	}
}
