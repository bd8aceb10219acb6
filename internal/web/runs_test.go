package web

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ipcguard/internal/store"
)

// TestRunAddsUp holds that the numbers of a run come to its total, while it runs and when it has ended, and that nothing is
// left to press then.
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
