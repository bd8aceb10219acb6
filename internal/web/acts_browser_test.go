package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"ipcguard/internal/smbtest"
	"ipcguard/internal/store"
)

// practice starts a made-up server for the fleet to scan.
func practice(t *testing.T, address, profile, name string) {
	t.Helper()
	host, err := smbtest.NewHost(profile, name)
	if err != nil {
		t.Fatal(err)
	}
	server, err := smbtest.Start(address, host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
}

// complaints are a browser's errors on a page: a policy that was violated, a script that failed.
type complaints struct {
	lock sync.Mutex
	said []string
}

func (c *complaints) add(s string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.said = append(c.said, s)
}

// none fails if there were complaints.
func (c *complaints) none(t *testing.T) {
	t.Helper()
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.said) > 0 {
		t.Errorf("the browser complains: %q", c.said)
	}
}

func (p *page) listen() *complaints {
	p.t.Helper()
	c := &complaints{}
	if err := chromedp.Listen(p.ctx, func(ev any) {
		switch e := ev.(type) {
		case *log.EventEntryAdded:
			// a form that is refused is meant
			if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "status of 4") {
				c.add(e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			c.add(e.ExceptionDetails.Text)
		}
	}); err != nil {
		p.t.Fatal(err)
	}
	return c
}

// set replaces the text of a field.
func (p *page) set(name, value string) {
	p.t.Helper()
	p.do(chromedp.SetValue(chromedp.CSS(`main [name="`+name+`"]`), value))
}

// main returns all that the page says.
func (p *page) main() string { p.t.Helper(); return p.text("main") }

func (p *page) says(texts ...string) {
	p.t.Helper()
	body := p.main()
	for _, s := range texts {
		if !strings.Contains(body, s) {
			p.t.Errorf("%s does not say %q: %s", p.where(), s, clipTo(500, body))
		}
	}
}

// TestBrowser does in a real browser what an administrator does on the first day: opens the setup link, adds targets,
// scans them and watches, looks around, makes an exception, schedules the next nights, adds a channel, and logs out.
func TestBrowser(t *testing.T) {
	s := openSite(t, filepath.Join(t.TempDir(), "fleet.db"))
	practice(t, "127.46.1.1:4450", "samba", "KIOSK")
	practice(t, "127.46.1.2:4450", "win2022", "FILES")
	practice(t, "127.46.1.3:4450", "nt4", "ATTIC")
	s.serves(t)
	p := s.tab(t, browser(t))
	p.size(1280, false)
	said := p.listen()

	p.comesIn(s)
	p.namesTargets()
	p.watchesRun()
	p.filtersAndSorts()
	p.tagsHosts()
	host := p.exceptsFinding()
	p.plansFor(s, host)
	p.plansForMany()
	p.schedules()
	p.tellsOthers()
	p.makesToken(s)
	p.comparesAndReports()
	p.choosesTheme()
	p.usesKeyboard()
	p.leaves(host)
	said.none(t)
}

// serves runs the fleet until the test ends.
func (s *testSite) serves(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.fleet.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func (p *page) comesIn(s *testSite) {
	p.t.Helper()
	link, _, err := s.access.Setup(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	p.open("/setup?token=" + link)
	p.set("name", "root")
	p.set("new", password)
	p.set("again", password)
	p.press("main button.main")
	p.says("No host was scanned yet")
}

// namesTargets names them by hand and as a file.
func (p *page) namesTargets() {
	p.t.Helper()
	p.open("/targets/new")
	p.set("spec", "127.46.1.1:4450")
	p.set("tags", "samba lab")
	p.set("owner", "Anna")
	p.press("main button.main")
	p.says("127.46.1.1:4450", "1 target was added.")
	file := filepath.Join(p.t.TempDir(), "targets.csv")
	if err := os.WriteFile(file, []byte("spec,tags,owner,criticality\n127.46.1.2:4450,windows,Bo,high\n127.46.1.3:4450,windows old,Bo,low\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.open("/targets/import")
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#f-file"), []string{file}))
	p.press(`button[formaction]`)
	p.says("Preview", "2 targets would be added")
	p.press("#report button.main") // the page has the file
	p.says("2 targets were added")
}

// watchesRun watches a run without reloading.
func (p *page) watchesRun() {
	p.t.Helper()
	p.open("/runs/new")
	p.press("main button.main")
	id := strings.TrimPrefix(p.where(), "/runs/")
	p.says("3 of", "Look again")
	eval[bool](p, `window.stayed = true`)
	p.do(chromedp.Poll[chromedp.Void](`document.querySelector('#progress').textContent.includes('Ended')`,
		chromedp.WithPollingTimeout(time.Minute)))
	if !eval[bool](p, `window.stayed === true`) {
		p.t.Error("the page was loaded anew while the run was watched")
	}
	p.says("3 of 3 done")
	if got := eval[string](p, `[...document.querySelectorAll('#units tr')].map(r => r.cells[1].textContent).join(' ')`); got != "done done done" {
		p.t.Errorf("the targets beside the progress are %q", got)
	}
	if got := eval[string](p, `document.querySelector('#said').textContent`); got != "The run has ended" {
		p.t.Errorf("who listens is told %q", got)
	}
	p.open("/runs/" + id)
	if eval[bool](p, `!!document.querySelector('[hx-get]')`) {
		p.t.Error("a page of a run that has ended still asks")
	}
}

func (p *page) filtersAndSorts() {
	p.t.Helper()
	p.open("/")
	p.says("exposed", "closed", "What strangers are given")
	p.open("/hosts")
	p.says("127.46.1.1", "127.46.1.2", "127.46.1.3")
	p.set("verdict", "exposed")
	p.press("form.filter button")
	if !strings.Contains(p.where(), "verdict=exposed") || strings.Contains(p.text("table.matrix tbody"), "closed") {
		p.t.Errorf("filtered to %s: %s", p.where(), p.text("table.matrix tbody"))
	}
	p.press(`table.matrix thead th.host a`)
	if !strings.Contains(p.where(), "sort=name") ||
		eval[string](p, `document.querySelector('thead th.host').getAttribute('aria-sort')`) != "ascending" {
		p.t.Errorf("sorted at %s", p.where())
	}
}

func (p *page) tagsHosts() {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(`table.matrix tbody tr:first-child input[name="host"]`)))
	p.set("do", "tag")
	p.set("value", "seen-here")
	p.press("fieldset.bulk button.main")
	p.says("1 target was changed", "seen-here")
}

// exceptsFinding makes an exception from a host's finding, and gives the host's page.
func (p *page) exceptsFinding() (host string) {
	p.t.Helper()
	p.open("/hosts?q=127.46.1.1")
	p.press("table.matrix tbody th a")
	p.unfold()
	p.says("What strangers reach", "anonymous", "session", "call that gives data")
	host = p.where()
	p.press(`#findings a[href^="/exceptions/new"]`)
	p.set("reason", "until the kiosk is replaced")
	p.set("owner", "Anna")
	p.press("main button.main")
	p.says("The exception holds for 1 host", "excepted")
	return host
}

// plansFor plans from an audit that was made elsewhere and fits this host.
func (p *page) plansFor(s *testSite, host string) {
	p.t.Helper()
	p.open(host)
	p.says("A plan starts from an audit", "ipcguard audit local --format json -o", "Import the audits")
	h := s.host("127.46.1.1:4450")
	x := plainSeed()
	audit := x.audit()
	audit.Host = h.Name
	s.document(h.ID, "audit", audit)
	p.open(host)
	p.press("#plan form button.main")
	p.unfold()
	p.says("The plan is made.", "ipcguard apply plan-", "--confirm-within 10m", "What stops")
}

// plansForMany makes one plan for every host that a filter takes; the one that was audited has changes, the others are
// audited first.
func (p *page) plansForMany() {
	p.t.Helper()
	p.open("/hosts?verdict=exposed")
	p.set("which", "all")
	p.set("do", "plan")
	p.press("fieldset.bulk button.main")
	p.says("Plan for many hosts", "verdict exposed")
	p.press("main form.fields button.main")
	p.do(chromedp.Poll[chromedp.Void](`!document.querySelector('#progress[hx-get]') || document.querySelector('#progress').textContent.includes('Show the plan')`, chromedp.WithPollingTimeout(time.Minute)))
	p.open(p.where())
	p.says("to change", "to audit first", "restrict anonymous", "What it would stop", "group of hosts")
	if links := eval[int](p, `document.querySelectorAll('a[href$="/files.zip"], a[href*="/tickets/"]').length`); links != 4 {
		p.t.Errorf("%d files are handed over", links)
	}
}

func (p *page) schedules() {
	p.t.Helper()
	p.open("/schedules/new")
	p.set("name", "every night")
	p.press("main button.main")
	p.says("every night", "every day at 02:30")
}

func (p *page) tellsOthers() {
	p.t.Helper()
	p.open("/channels/new?kind=syslog")
	p.set("name", "siem")
	p.set("address", "127.46.9.1:6514")
	p.press("main button.main")
	p.press(`main button[aria-label="Test siem"]`)
	p.says("The test of siem was sent")
}

func (p *page) makesToken(s *testSite) {
	p.t.Helper()
	p.open("/account")
	p.set("name", "ci")
	p.set("proof", password)
	p.press("#tokens form button.main")
	token := p.text("#secret")
	if who, err := s.access.TokenAuth(p.t.Context(), token, "127.46.0.1"); err != nil || who.User.Name != "root" {
		p.t.Errorf("the token %q: %v %v", token, who, err)
	}
}

func (p *page) comparesAndReports() {
	p.t.Helper()
	p.open("/compare?from=" + day(time.Now().AddDate(0, 0, -2)) + "&to=" + day(time.Now()))
	p.says("KIOSK", "first seen: exposed")
	p.open("/report")
	p.says("Hosts, the worst first")
}

// choosesTheme chooses the dark one, which stays.
func (p *page) choosesTheme() {
	p.t.Helper()
	before := eval[string](p, `getComputedStyle(document.body).backgroundColor`)
	p.press(`.top button[value="dark"]`)
	if after := eval[string](p, `getComputedStyle(document.body).backgroundColor`); after == before {
		p.t.Errorf("dark is %s, as light is", after)
	}
	p.open("/catalog")
	if eval[string](p, `document.documentElement.dataset.theme`) != "dark" {
		p.t.Error("the theme does not stay")
	}
}

// usesKeyboard: / leads to the search, and the first stop to the content.
func (p *page) usesKeyboard() {
	p.t.Helper()
	p.open("/findings")
	p.do(chromedp.KeyEvent("/"))
	if got := eval[string](p, `document.activeElement.type`); got != "search" {
		p.t.Errorf("/ leads to %q", got)
	}
	p.open("/hosts")
	p.do(chromedp.KeyEvent("\t"))
	if got := eval[string](p, `document.activeElement.textContent`); got != "Skip to the content" {
		p.t.Errorf("the first stop is %q", got)
	}
	p.do(chromedp.KeyEvent("\r"))
	if got := eval[string](p, `document.activeElement.id`); got != "main" {
		p.t.Errorf("it leads to %q", got)
	}
}

func (p *page) leaves(host string) {
	p.t.Helper()
	p.press(`.top form[action="/logout"] button`)
	if p.where() != "/login" {
		p.t.Errorf("logging out leads to %s", p.where())
	}
	p.open(host)
	if !strings.HasPrefix(p.where(), "/login") {
		p.t.Errorf("after logging out %s can be read", p.where())
	}
}

// TestWithoutScript reads and acts in a browser without scripts, on a telephone.
func TestWithoutScript(t *testing.T) {
	s := newTestSite(t)
	x := plainSeed()
	x.hosts, x.weeks = 10, 3
	x.fill(t, s.st)
	p := s.tab(t, browser(t))
	p.size(360, false)
	p.loginAs(s, store.RoleOperator)
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	for path, want := range map[string]string{
		"/": "Since your last visit", "/hosts": "srv03", fmt.Sprintf("/hosts/%d",
			s.host("10.1.0.1:445").ID): "What strangers reach", "/settings": "RestrictAnonymous",
		"/runs/1": "Look again", "/events": "became exposed", "/catalog/pipe/samr": "Sources",
	} {
		p.open(path)
		p.says(want)
	}
	p.open("/hosts")
	p.press("a.to-menu")
	p.press(`#menu a[href="/runs"]`)
	p.says("Start a run")
	p.press(`main a[href="/runs/new"]`)
	p.press("main button.main")
	p.says("The run begins", "0 of 10 done")
	if a := s.login(store.RoleOperator).get("/runs/2/progress"); a.status != http.StatusSeeOther {
		t.Errorf("what moves, opened by hand: %d", a.status)
	}
}
