package web

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"ipcguard/internal/store"
)

// axeFile is where scripts/setup.sh keeps the checker of accessibility.
const axeFile = "axe-core-4.14.1.min.js"

func axeSource(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "ipcguard", axeFile))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("axe-core is needed in CI: ", err)
		}
		t.Skip("needs axe-core, which scripts/setup.sh fetches: ", err)
	}
	return string(b)
}

// axeRun asks the checker, and gives a line for each violation.
const axeRun = `(async () => {
	const options = RULES;
	const r = await axe.run(document, options);
	return r.violations.map(v => v.id + ': ' + v.help + ' | ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' (' + (n.any[0] || n.all[0] || n.none[0] || {message: ''}).message + ')').join(' | '));
})()`

// TestAccessibility runs axe-core on every page: all its rules in the light theme, contrast again in the dark one, and
// looks whether the page fits on a telephone.
func TestAccessibility(t *testing.T) {
	source := axeSource(t)
	s := newTestSite(t)
	x := plainSeed()
	x.hosts, x.weeks = 12, 3
	x.fill(t, s.st)
	p := s.tab(t, browser(t))
	paths := append(s.pathsOf(), "/account/codes", "/nowhere")
	visit := func(path string) {
		p.size(1200, false)
		p.open(path)
		// What is folded away is looked at as well.
		p.unfold()
		p.do(chromedp.Evaluate[chromedp.Void](source + ";undefined"))
		for _, theme := range []struct {
			name  string
			dark  bool
			rules string
		}{
			{"light", false, `{resultTypes: ['violations']}`},
			{"dark", true, `{runOnly: ['color-contrast'], resultTypes: ['violations']}`},
		} {
			if theme.dark {
				p.size(1200, true)
			}
			for _, line := range eval[[]string](p, replaceRules(theme.rules)) {
				t.Errorf("%s in the %s theme: %s", path, theme.name, line)
			}
		}
		p.size(360, true)
		if w := eval[int](p, `document.documentElement.scrollWidth`); w > 360 {
			t.Errorf("%s is %d pixels wide on a screen of 360: %s", path, w,
				eval[string](p,
					`[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 361 && !e.closest('.scroll')).slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(' | ')`))
		}
		if path == "/hosts" { // the whole matrix is seen on a small screen, without scrolling it
			p.size(1024, false)
			if w := eval[int](p, `(e => e.scrollWidth - e.clientWidth)(document.querySelector('.matrix').parentElement)`); w > 0 {
				t.Errorf("the matrix runs %d pixels past its edge on a screen of 1024", w)
			}
		}
	}
	start := time.Now()
	visit("/login")
	visit("/setup?token=none")
	p.loginAs(s, store.RoleAdmin)
	s.login(store.RoleAdmin).done("/views", "name", "Exposed hosts", "path", "/hosts", "query",
		"verdict=exposed&sort=-severity")
	for _, path := range paths {
		visit(path)
	}
	t.Logf("%d pages were looked at in %v", len(paths)+2, time.Since(start).Round(time.Second))
}
