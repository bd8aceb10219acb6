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

// complaints are what a browser says against a page: a policy that was violated, a script that failed.
type complaints struct {
	lock sync.Mutex
	said []string
}

func (c *complaints) add(s string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.said = append(c.said, s)
}

func (p *page) listen() *complaints {
	p.t.Helper()
	c := &complaints{}
	if err := chromedp.Listen(p.ctx, func(ev any) {
		switch e := ev.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "status of 4") { // a form that is refused is meant
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

// set types into a field, in place of what is there.
func (p *page) set(name, value string) {
	p.t.Helper()
	p.do(chromedp.SetValue(chromedp.CSS(`main [name="`+name+`"]`), value))
}

// main is all that the page says.
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

// TestBrowser does in a real browser what an administrator does on the first day: comes in by the link, names targets, scans
// them and watches, looks, excepts, plans for the next nights, tells others, and leaves.
func TestBrowser(t *testing.T) {
	s := openSite(t, filepath.Join(t.TempDir(), "fleet.db"))
	practice(t, "127.46.1.1:4450", "samba", "KIOSK")
	practice(t, "127.46.1.2:4450", "win2022", "FILES")
	practice(t, "127.46.1.3:4450", "nt4", "ATTIC")
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.fleet.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	link, _, err := s.access.Setup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := s.tab(t, browser(t))
	p.size(1280, false)
	said := p.listen()

	p.open("/setup?token=" + link)
	p.set("name", "root")
	p.set("new", password)
	p.set("again", password)
	p.press("main button.main")
	p.says("No host was scanned yet")

	// targets, by hand and as a file
	p.open("/targets/new")
	p.set("spec", "127.46.1.1:4450")
	p.set("tags", "samba lab")
	p.set("owner", "Anna")
	p.press("main button.main")
	p.says("127.46.1.1:4450", "The target was added.")
	file := filepath.Join(t.TempDir(), "targets.csv")
	if err := os.WriteFile(file, []byte("spec,tags,owner,criticality\n127.46.1.2:4450,windows,Bo,high\n127.46.1.3:4450,windows old,Bo,low\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.open("/targets/import")
	p.do(chromedp.SetUploadFiles(chromedp.CSS("#f-file"), []string{file}))
	p.press("main button.main")
	p.says("2 targets were added")

	// a run, watched without reloading
	p.open("/runs/new")
	p.press("main button.main")
	id := strings.TrimPrefix(p.where(), "/runs/")
	p.says("3 of", "Look again")
	eval[bool](p, `window.stayed = true`)
	p.do(chromedp.Poll[chromedp.Void](`document.querySelector('#progress').textContent.includes('Ended')`, chromedp.WithPollingTimeout(time.Minute)))
	if !eval[bool](p, `window.stayed === true`) {
		t.Error("the page was loaded anew while the run was watched")
	}
	p.says("3 of 3 done")
	if got := eval[string](p, `document.querySelector('#said').textContent`); got != "The run has ended" {
		t.Errorf("who listens is told %q", got)
	}
	p.open("/runs/" + id)
	if eval[bool](p, `!!document.querySelector('[hx-get]')`) {
		t.Error("a page of a run that has ended still asks")
	}

	// what came of it
	p.open("/")
	p.says("exposed", "closed", "What strangers are given")
	p.open("/hosts")
	p.says("127.46.1.1", "127.46.1.2", "127.46.1.3")
	p.set("verdict", "exposed")
	p.press("form.filter button")
	if !strings.Contains(p.where(), "verdict=exposed") || strings.Contains(p.text("table.matrix tbody"), "closed") {
		t.Errorf("filtered to %s: %s", p.where(), p.text("table.matrix tbody"))
	}
	p.press(`table.matrix thead th.host a`)
	if !strings.Contains(p.where(), "sort=name") || eval[string](p, `document.querySelector('thead th.host').getAttribute('aria-sort')`) != "ascending" {
		t.Errorf("sorted at %s", p.where())
	}
	p.do(chromedp.Click(chromedp.CSS(`table.matrix tbody tr:first-child input[name="host"]`)))
	p.set("do", "tag")
	p.set("value", "seen-here")
	p.press("fieldset.bulk button.main")
	p.says("1 target was changed", "seen-here")
	p.open("/hosts?q=127.46.1.1")
	p.press("table.matrix tbody th a")
	p.unfold()
	p.says("What strangers reach", "anonymous", "session", "call that gives data")
	host := p.where()

	// an exception, from the finding
	p.press(`#findings a[href^="/exceptions/new"]`)
	p.set("reason", "until the kiosk is replaced")
	p.set("owner", "Anna")
	p.press("main button.main")
	p.says("The exception holds for 1 host", "excepted")

	// a plan, from an audit that was made elsewhere and fits this host
	h := s.host("127.46.1.1:4450")
	x := plainSeed()
	audit := x.audit()
	audit.Host = h.Name
	s.document(h.ID, "audit", audit)
	p.open(host)
	p.press("#plan form button.main")
	p.unfold()
	p.says("The plan is made.", "ipcguard apply plan-", "--confirm-within 10m", "What stops")

	// one plan for every host that a filter takes; the one that was audited has changes, the others are audited first
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
		t.Errorf("%d files are handed over", links)
	}

	p.open("/schedules/new")
	p.set("name", "every night")
	p.press("main button.main")
	p.says("every night", "every day at 02:30")

	p.open("/channels/new?kind=syslog")
	p.set("name", "siem")
	p.set("address", "127.46.9.1:6514")
	p.press("main button.main")
	p.press(`main button[aria-label="Test siem"]`)
	p.says("The test of siem was sent")

	p.open("/account")
	p.set("name", "ci")
	p.set("proof", password)
	p.press("#tokens form button.main")
	token := p.text("#secret")
	if who, err := s.access.TokenAuth(t.Context(), token, "127.46.0.1"); err != nil || who.User.Name != "root" {
		t.Errorf("the token %q: %v %v", token, who, err)
	}

	p.open("/compare?from=" + day(time.Now().AddDate(0, 0, -2)) + "&to=" + day(time.Now()))
	p.says("KIOSK", "first seen: exposed")
	p.open("/report")
	p.says("Hosts, the worst first")

	// the theme is chosen, and stays
	before := eval[string](p, `getComputedStyle(document.body).backgroundColor`)
	p.press(`.top button[value="dark"]`)
	if after := eval[string](p, `getComputedStyle(document.body).backgroundColor`); after == before {
		t.Errorf("dark is %s, as light is", after)
	}
	p.open("/catalog")
	if eval[string](p, `document.documentElement.dataset.theme`) != "dark" {
		t.Error("the theme does not stay")
	}

	// the keyboard: / leads to the search, and the first stop to the content
	p.open("/findings")
	p.do(chromedp.KeyEvent("/"))
	if got := eval[string](p, `document.activeElement.type`); got != "search" {
		t.Errorf("/ leads to %q", got)
	}
	p.open("/hosts")
	p.do(chromedp.KeyEvent("\t"))
	if got := eval[string](p, `document.activeElement.textContent`); got != "Skip to the content" {
		t.Errorf("the first stop is %q", got)
	}
	p.do(chromedp.KeyEvent("\r"))
	if got := eval[string](p, `document.activeElement.id`); got != "main" {
		t.Errorf("it leads to %q", got)
	}

	p.press(`.top form[action="/logout"] button`)
	if p.where() != "/login" {
		t.Errorf("logging out leads to %s", p.where())
	}
	p.open(host)
	if !strings.HasPrefix(p.where(), "/login") {
		t.Errorf("after logging out %s can be read", p.where())
	}
	said.lock.Lock()
	defer said.lock.Unlock()
	if len(said.said) > 0 {
		t.Errorf("the browser complains: %q", said.said)
	}
}

// TestWithoutScript reads and acts in a browser that runs no script at all, on a telephone.
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
		"/": "Since your last visit", "/hosts": "srv03", fmt.Sprintf("/hosts/%d", s.host("10.1.0.1:445").ID): "What strangers reach", "/settings": "RestrictAnonymous", "/runs/1": "Look again", "/events": "became exposed", "/catalog/pipe/samr": "Sources",
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
