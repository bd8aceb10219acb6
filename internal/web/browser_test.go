package web

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// browser starts Debian's chromium, once for a test; tab opens a page in it. It ends with the test.
func browser(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	peer.Need(t, "chromium")
	if testing.Short() {
		t.Skip("a browser takes seconds to start")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-component-update", true),
	)
	all, stop := chromedp.NewExecAllocator(t.Context(), append(options, more...)...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(all)
	t.Cleanup(end)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("chromium does not start: ", err)
	}
	return ctx
}

// page is a tab of a browser, logged in or not.
type page struct {
	t    *testing.T
	ctx  context.Context
	base string
}

// tab opens one on the site.
func (s *testSite) tab(t *testing.T, browser context.Context) *page {
	t.Helper()
	return tabAt(t, browser, s.server.URL)
}

// tabAt opens one on another server. Whatever it does has to end within a few minutes.
func tabAt(t *testing.T, browser context.Context, base string) *page {
	t.Helper()
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	t.Cleanup(cancel)
	return &page{t, ctx, base}
}

// do runs actions, each of which waits for what it needs.
func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatalf("at %s: %v", p.where(), err)
	}
}

// where returns the path of the page that is shown.
func (p *page) where() string {
	location, err := chromedp.Run(p.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(location, p.base)
}

func (p *page) open(path string) { p.t.Helper(); p.do(chromedp.Navigate(p.base + path)) }

// unfold opens all that is folded away on the page.
func (p *page) unfold() {
	p.t.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('details').forEach(d => d.open = true)`))
}

// eval asks the page a question.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("at %s: %s: %v", p.where(), expression, err)
	}
	return v
}

// press clicks on what leads to another page, and waits for it.
func (p *page) press(css string) {
	p.t.Helper()
	if _, err := chromedp.RunResponse(p.ctx, chromedp.Click(chromedp.CSS(css))); err != nil {
		p.t.Fatalf("at %s: pressing %s: %v", p.where(), css, err)
	}
}

// text returns what an element shows.
func (p *page) text(css string) string {
	p.t.Helper()
	s, err := chromedp.Run(p.ctx, chromedp.Text(chromedp.CSS(css)))
	if err != nil {
		p.t.Fatalf("at %s: reading %s: %v", p.where(), css, err)
	}
	return s
}

// call sends a command of the browser's own protocol.
func call[P, R any](p *page, cmd cdp.Command[P, R], params P) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, cmd, params); err != nil {
		p.t.Fatal(err)
	}
}

// size sets what the page is shown on.
func (p *page) size(width int64, dark bool) {
	p.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: 900,
		DeviceScaleFactor: 1,
	})
	call(p, emulation.SetEmulatedMedia,
		emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{
			Name:  "prefers-color-scheme",
			Value: scheme,
		}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// loginAs takes over the session of somebody who logged in without a browser.
func (p *page) loginAs(s *testSite, role store.Role) {
	p.t.Helper()
	who := s.login(role)
	req := who.http.Jar.Cookies(mustURL(p.base))
	for _, c := range req {
		if c.Name == "ipcguard" {
			call(p, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: p.base})
		}
	}
}

// TestScreenshots writes pictures of every page for people to look at, where IPCGUARD_SHOTS names a directory.
// IPCGUARD_SHOT names the paths, all if it is empty, and IPCGUARD_SHOT_HOSTS how many hosts there are: from a thousand
// on they are those of a year, as in the benchmark.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("IPCGUARD_SHOTS")
	if dir == "" {
		t.Skip("IPCGUARD_SHOTS names no directory for pictures")
	}
	s := newTestSite(t)
	x, paths := plainSeed(), strings.Fields(os.Getenv("IPCGUARD_SHOT"))
	if text := os.Getenv("IPCGUARD_SHOT_HOSTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		x.hosts = n
	}
	if x.hosts < 1000 {
		x.fill(t, s.st)
	} else {
		fillYear(t, s.st, x.hosts)
		s.planMany(x)
	}
	if len(paths) == 0 {
		paths = append(s.pathsOf(), "/login")
	}
	p := s.tab(t, browser(t))
	p.loginAs(s, store.RoleAdmin)
	for _, path := range paths {
		for _, width := range []int64{390, 1024, 1440} {
			for _, dark := range []bool{false, true} {
				p.size(width, dark)
				p.open(path)
				png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatal(path, err)
				}
				theme := map[bool]string{true: "dark", false: "light"}[dark]
				file := fmt.Sprintf("%s-%d-%s.png", unsafeInFile.ReplaceAllString(path, "_"), width, theme)
				if err := os.WriteFile(filepath.Join(dir, file), png, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// auditExposed audits three of four exposed hosts, and observes one in eight.
func (s *testSite) auditExposed(x seed) {
	s.t.Helper()
	ctx, now, n := s.t.Context(), time.Now().UTC(), 0
	err := s.st.EachHost(ctx, store.HostFilter{Verdict: model.Exposed}, func(h store.Host) error {
		if n++; n%4 == 0 {
			return nil
		}
		a := x.audit()
		a.Host, a.Source = "LABHOST", model.Source{Kind: "winreg", Name: h.Name} // as their scans have it
		a.Platform = model.Platform{
			System: "windows", Product: []string{"win2016", "win2019", "win2022"}[n%3],
			Role: []model.Role{model.Member, model.DomainController}[n/3%5/4],
		}
		a.Settings, a.Findings = nil,
			[]model.Finding{{
				ID: "anonymous-lists-accounts", Severity: model.High, Identity: model.Anonymous,
				Settings: []string{"RestrictAnonymousSAM"},
			}}
		for i, id := range []string{
			"RestrictAnonymous", "RestrictAnonymousSAM", "RestrictNullSessAccess",
			"EveryoneIncludesAnonymous",
		} {
			on := map[bool]int{true: 1}[n>>i&3 == 0]
			a.Settings = append(a.Settings, model.Setting{
				ID: id, Where: catalogOf().Setting(id).Where, Type: "REG_DWORD", Present: true, Configured: on,
				Effective: on, Basis: model.BasisConfigured, State: model.StateWeak,
			})
		}
		a.Settings = append(a.Settings, model.Setting{
			ID: "NullSessionPipes", Where: catalogOf().Setting("NullSessionPipes").Where, Type: "REG_MULTI_SZ",
			Present: true, Configured: []string{"samr", "srvsvc"}, Effective: []string{"samr", "srvsvc"},
			Basis: model.BasisConfigured, State: model.StateWeak,
		})
		s.document(h.ID, "audit", a)
		if n%8 == 1 {
			u := x.observation(now)
			for i := range u.Uses {
				u.Uses[i].Server, u.Uses[i].Client = strings.TrimSuffix(h.Address, ":445"), fmt.Sprintf("172.16.0.%d",
					10+n%5)
			}
			s.document(h.ID, "observe", u)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// planMany makes a rollout over every exposed host.
func (s *testSite) planMany(x seed) {
	s.t.Helper()
	s.auditExposed(x)
	ctx := s.t.Context()
	o := store.Rollout{
		Name: "Every exposed host", Query: "verdict=exposed", Strategy: "restrict", Goal: "findings",
		By: "operator",
	}
	err := s.st.AddRollout(ctx, &o, store.HostFilter{Verdict: model.Exposed})
	start := time.Now()
	if err == nil {
		err = s.fleet.PlanRollouts(ctx)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if o, err = s.st.Rollout(ctx, o.ID, nil); err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("%d hosts were planned in %v: %v", o.Hosts, time.Since(start).Round(time.Millisecond), o.States)
}

func replaceRules(rules string) string { return strings.Replace(axeRun, "RULES", rules, 1) }
