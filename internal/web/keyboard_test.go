package web

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"ipcguard/internal/store"
)

// mostTabs is the largest number of presses of Tab that somebody needs to reach anything on a page of a few hosts.
const mostTabs = 150

// focused describes the element that has the focus: the label or the text of what is reached, and how it is shown.
const focused = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body) return {name: ''};
	const r = e.getBoundingClientRect(), s = getComputedStyle(e);
	const label = e.getAttribute('aria-label') || (e.labels && e.labels[0] && e.labels[0].textContent) || e.textContent || e.name || '';
	return {
		name: label.trim().replace(/\s+/g, ' '), tag: e.tagName, field: e.name || '', href: e.getAttribute('href') || '',
		main: !!e.closest('main'), html: e.outerHTML.slice(0, 160),
		ring: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2,
		inside: r.width > 0 && r.height > 0 && r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth,
	};
})()`

// stop is what has the focus.
type stop struct {
	Name, Tag, Field, Href, HTML string
	Main, Ring, Inside           bool
}

// nextStop presses Tab once. What it leads to can be seen, and has a ring around it.
func (p *page) nextStop() stop {
	p.t.Helper()
	p.do(chromedp.KeyEvent(kb.Tab))
	at := eval[stop](p, focused)
	if at.Tag != "" && (!at.Ring || !at.Inside) {
		p.t.Errorf("at %s: the focus is not seen (ring %v, on the screen %v): %s", p.where(), at.Ring, at.Inside, at.HTML)
	}
	return at
}

// reach presses Tab until something has the focus.
func (p *page) reach(what string, is func(stop) bool) {
	p.t.Helper()
	for range mostTabs {
		if is(p.nextStop()) {
			return
		}
	}
	p.t.Fatalf("at %s: %d presses of Tab do not lead to %s", p.where(), mostTabs, what)
}

// enter presses a key that leads to another page, and waits for it.
func (p *page) enter(key string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(key)); err != nil {
		p.t.Fatalf("at %s: pressing %q: %v", p.where(), key, err)
	}
}

func fieldOf(name string) func(stop) bool {
	return func(s stop) bool { return s.Main && s.Field == name }
}

func named(name string) func(stop) bool {
	return func(s stop) bool { return s.Main && strings.HasPrefix(s.Name, name) }
}

// walkStops goes around a whole page by Tab: every stop is seen, none is visited twice before the end, and the order is
// that of the document.
func (p *page) walkStops(path string) {
	p.t.Helper()
	p.open(path)
	eval[bool](p, `(window.stops = [], document.addEventListener('focusin', e => stops.push(e.target)), true)`)
	for n := 0; ; n++ {
		if n > 2*mostTabs {
			p.t.Errorf("%s has no end for the Tab key", path)
			break
		}
		if p.nextStop().Tag == "" || eval[bool](p, `stops.length > 1 && stops.indexOf(stops.at(-1)) < stops.length - 1`) {
			break
		}
	}
	if got := eval[[]string](p, `stops.slice(0, -1).filter((e, n) => n && !(stops[n-1].compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING)).map(e => e.outerHTML.slice(0, 120))`); len(got) > 0 {
		p.t.Errorf("%s: the order of Tab is not that of the page: %q", path, got)
	}
	missed := eval[[]string](p, `[...document.querySelectorAll('a[href], button:not([disabled]), input:not([type=hidden]):not([disabled]), select, textarea, summary')]
		.filter(e => e.checkVisibility({visibilityProperty: true}) && !stops.includes(e) && !(e.type === 'radio' && stops.some(s => s.name === e.name)))
		.map(e => e.outerHTML.slice(0, 120))`)
	if len(missed) > 0 {
		p.t.Errorf("%s: Tab leaves out %q", path, missed)
	}
}

// TestKeyboard does without a mouse what an operator does: logs in, finds a host, plans for many hosts, and takes an
// export. It goes around the pages that are used most, too.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	x := plainSeed()
	x.hosts, x.weeks = 12, 1
	x.fill(t, s.st)
	s.auditExposed(x)
	s.login(store.RoleOperator)
	p := s.tab(t, browser(t))
	p.size(1280, false)
	said := p.listen()

	p.open("/login")
	p.reach("the name", fieldOf("name"))
	p.do(chromedp.KeyEvent("operator"))
	p.reach("the password", fieldOf("password"))
	p.do(chromedp.KeyEvent(password))
	p.enter(kb.Enter)
	if p.where() != "/" {
		t.Fatalf("logging in leads to %s", p.where())
	}

	// The first stop leads past the menu: the next one is in the content.
	if got := p.nextStop(); got.Name != "Skip to the content" {
		t.Errorf("the first stop is %q", got.Name)
	}
	p.do(chromedp.KeyEvent(kb.Enter))
	if got := p.nextStop(); !got.Main {
		t.Errorf("after the skip link comes %s", got.HTML)
	}

	// The search is one key away from every page, and the key is only a character in a field.
	// A box to tick takes no characters.
	p.open("/hosts")
	p.reach("the box of a host", func(s stop) bool { return s.Main && s.Field == "host" })
	p.do(chromedp.KeyEvent("/"))
	p.do(chromedp.KeyEvent("a/b"))
	// The character of a key that a script has taken comes here all the same: this keyboard sends it by itself.
	if got := eval[string](p, `document.activeElement.id + ' ' + document.activeElement.value`); !strings.HasPrefix(got, "find ") || !strings.HasSuffix(got, "a/b") {
		t.Errorf("/ and three characters lead to %q", got)
	}
	eval[bool](p, `(document.activeElement.select(), true)`)
	p.do(chromedp.KeyEvent("SRV"))
	p.enter(kb.Enter)
	if !strings.HasPrefix(p.where(), "/search?q=SRV") {
		t.Errorf("searching leads to %s", p.where())
	}

	for _, path := range []string{"/", "/hosts", "/hosts/1", "/events", "/settings", "/rollouts", "/rollouts/new", "/runs/new", "/schedules/new"} {
		p.walkStops(path)
	}

	p.open("/hosts?verdict=exposed")
	p.reach("which hosts", fieldOf("which"))
	p.do(chromedp.KeyEvent("a"))
	p.reach("what to do", fieldOf("do"))
	eval[bool](p, `(document.activeElement.value = '', true)`)
	p.do(chromedp.KeyEvent("plan"))
	p.reach("the button", func(s stop) bool { return s.Main && s.Tag == "BUTTON" })
	p.enter(kb.Enter)
	p.says("Plan for many hosts", "verdict exposed")
	p.reach("the button", named("Plan"))
	p.enter(kb.Enter)
	if !strings.HasPrefix(p.where(), "/rollouts/") {
		t.Fatalf("planning leads to %s", p.where())
	}
	if err := s.fleet.PlanRollouts(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.open(p.where())
	p.says("to change")
	w := p.walk(t)
	p.reach("all files", named("all files"))
	name, archive := w.saves("all files", func() { p.do(chromedp.KeyEvent(kb.Enter)) })
	if !strings.HasSuffix(name, ".zip") || !bytes.HasPrefix(archive, []byte("PK")) {
		t.Errorf("the export is %s, which begins with %q", name, clipTo(20, string(archive)))
	}
	said.none(t)
}
