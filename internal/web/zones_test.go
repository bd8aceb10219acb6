package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"ipcguard/internal/store"
)

// TestZones: in a browser of another zone every time is in that zone, or says that it is not, and so does the foot of
// the page, also where the zone is half an hour off.
func TestZones(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	window := browser(t)
	for _, name := range []string{"Asia/Tokyo", "America/St_Johns"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		p := s.tab(t, window)
		call(p, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name})
		p.loginAs(s, store.RoleAdmin)
		for _, path := range []string{"/", "/hosts", "/events", fmt.Sprintf("/hosts/%d", s.host("10.1.0.1:445").ID)} {
			p.open(path)
			if foot := p.text(".foot"); !strings.Contains(foot, "times are in "+name) {
				t.Errorf("the foot says %q", foot)
			}
			// Each time with what it shows, explains and means.
			times := eval[[][3]string](p, `[...document.querySelectorAll('time')].map(t => [t.textContent, t.title, t.dateTime])`)
			if len(times) < 2 {
				t.Errorf("%s has %d times", path, len(times))
			}
			for _, x := range times {
				at, err := time.Parse(time.RFC3339, x[2])
				if err != nil {
					t.Fatal(err)
				}
				moment, utc := at.In(zone).Format("2006-01-02 15:04"), at.UTC().Format("2006-01-02 15:04")+" UTC"
				explains := strings.Contains(x[1], utc)
				if ago := strings.HasSuffix(x[0], " ago") || x[0] == "just now" || strings.HasPrefix(x[0], "in "); ago {
					explains = explains && strings.HasPrefix(x[1], moment+", ")
				} else {
					explains = explains && strings.HasPrefix(moment, x[0])
				}
				if !explains {
					t.Errorf("%s in %s: %q with %q, at %s", path, name, x[0], x[1], utc)
				}
			}
			// What else looks like a time on the page.
			if odd := eval[[]string](p, `(() => {
				const all = document.body.cloneNode(true)
				all.querySelectorAll('time, script, label').forEach(e => e.remove())
				return all.textContent.match(/\d{4}-\d\d-\d\d \d\d:\d\d(?! UTC)/g) || []
			})()`); len(odd) > 0 {
				t.Errorf("%s has times of no zone: %v", path, odd)
			}
		}
	}
}

// TestMatrixFits: the hosts, what strangers get of them and what changed need no scrolling sideways, whatever the names
// are.
func TestMatrixFits(t *testing.T) {
	s := newTestSite(t)
	names := []string{
		strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 63),
		strings.Repeat("خادم", 60), "ümläut-größe.straße.example", strings.Repeat("W", 255), "東京本社ファイルサーバー１号機.例え.テスト",
	}
	x := plainSeed()
	x.name = func(i int) string { return names[i%len(names)] + fmt.Sprint(i) }
	x.text = func(v string) string {
		return map[string]string{"Anna": "مريم عبد الرحمن", "plant": "מפעל צפון"}[v] + v
	}
	x.fill(t, s.st)
	p := s.tab(t, browser(t))
	p.loginAs(s, store.RoleAdmin)
	for _, width := range []int64{1440, 1280, 1024, 390} {
		for _, path := range []string{"/hosts", "/report", "/events"} {
			if path == "/events" && width == 1024 { // a table of sentences may be wider there
				continue
			}
			p.size(width, width == 1280)
			p.open(path)
			if wide := eval[string](p, `(() => {
				const page = document.documentElement, box = document.querySelector('.matrix, .cards').closest('.scroll')
				if (page.scrollWidth > innerWidth) return 'the page has ' + page.scrollWidth
				return box.scrollWidth > box.clientWidth ? box.scrollWidth + ' of ' + box.clientWidth : ''
			})()`); wide != "" {
				t.Errorf("%s at %d: %s", path, width, wide)
			}
		}
	}
}
