package web

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// walker is a person at a browser: everything is found by what the page shows, never by its address, and counted.
type walker struct {
	*page
	downloads                     string // where the browser saves files
	clicks, fields, typed, pasted int
	way                           []string
}

func (p *page) walk(t *testing.T) *walker {
	t.Helper()
	w := &walker{page: p, downloads: t.TempDir()}
	if _, err := chromedp.CallBrowser(p.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: w.downloads,
		BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

// What a step costs a practised person, by the keystroke-level model of Card, Moran and Newell: thinking of it, the
// hand on the mouse, pointing and pressing; a key; and changing to another window, putting in what was copied and
// pressing Enter.
const (
	costOfClick = 2650 * time.Millisecond
	costOfField = costOfClick
	costOfKey   = 280 * time.Millisecond
	costOfPaste = 4 * time.Second
)

// cost returns what the way so far takes of a person's time; waiting for servers is none of it.
func (w *walker) cost() time.Duration {
	return time.Duration(w.clicks)*costOfClick + time.Duration(w.fields)*costOfField +
		time.Duration(w.typed)*costOfKey + time.Duration(w.pasted)*costOfPaste
}

func (w *walker) report() {
	w.t.Logf("%d clicks, %d fields with %d typed keys, %d pastes: some %v of a person's time\n\t%s", w.clicks, w.fields,
		w.typed, w.pasted, w.cost().Round(time.Second), strings.Join(w.way, "\n\t"))
}

// findShown marks the first thing that shows a text, within the smallest part of the page that shows another one: a
// row, an item of a list, a form. What the page is about comes before the menu, and the whole text before a part of it.
// It reports whether clicking there leads to another page.
const findShown = `((want, beside, field) => {
	document.querySelectorAll('[data-walk]').forEach(e => e.removeAttribute('data-walk'));
	const shown = e => e.checkVisibility({visibilityProperty: true, opacityProperty: true}) && e.getClientRects().length > 0;
	const text = e => (e.innerText || e.value || '').replace(/\s+/g, ' ').trim();
	const named = e => field ? [...(e.labels || [])].map(text).join(' ') || e.getAttribute('aria-label') || e.placeholder || '' : text(e);
	const parts = beside ? [...document.querySelectorAll('tr, li, form, section, fieldset, details, p, div')].filter(e => shown(e) && text(e).includes(beside)).sort((a, b) => text(a).length - text(b).length) : [document.querySelector('main'), document];
	for (const part of parts) {
		const all = [...part.querySelectorAll(field ? 'input:not([type=hidden]), textarea, select' : 'a, button, summary, label')].filter(shown);
		const found = all.find(e => named(e) === want) || all.find(e => named(e).startsWith(want));
		if (!found) continue;
		found.setAttribute('data-walk', '');
		found.scrollIntoView({block: 'center'});
		const here = found.tagName === 'A' && found.getAttribute('href').startsWith('#');
		return JSON.stringify({found: true, leads: (found.tagName === 'A' && !here && !found.hasAttribute('download')) || (found.tagName === 'BUTTON' && !!found.form)});
	}
	return JSON.stringify({found: false, leads: false});
})(%s, %s, %t)`

func (w *walker) find(want, beside string, field bool) (leads bool) {
	w.t.Helper()
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	var out struct{ Found, Leads bool }
	if err := json.Unmarshal([]byte(eval[string](w.page, fmt.Sprintf(findShown, quoted(want), quoted(beside), field))), &out); err != nil {
		w.t.Fatal(err)
	}
	if !out.Found {
		w.report()
		w.t.Fatalf("%s shows no %q beside %q: %s", w.where(), want, beside, clipTo(3000, w.main()))
	}
	return out.Leads
}

const walked = chromedp.CSS("[data-walk]")

// click presses what shows a text. Where that leads to another page, it waits for it.
func (w *walker) click(want string) { w.t.Helper(); w.clickBeside(want, "") }

// clickBeside is click for what stands in many rows: beside is what the row shows as well.
func (w *walker) clickBeside(want, beside string) {
	w.t.Helper()
	leads := w.find(want, beside, false)
	w.clicks++
	said := fmt.Sprintf("click %q", want)
	if beside != "" {
		said += fmt.Sprintf(" beside %q", beside)
	}
	if !leads {
		w.do(chromedp.Click(walked))
	} else {
		ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
		defer cancel()
		if _, err := chromedp.RunResponse(ctx, chromedp.Click(walked)); err != nil {
			w.t.Fatalf("at %s: %s: %v", w.where(), said, err)
		}
	}
	w.way = append(w.way, said+" → "+eval[string](w.page, `document.title`))
}

// fill types into the field of a label.
func (w *walker) fill(label, text string) {
	w.t.Helper()
	w.put(label, text)
	w.typed += len(text)
	w.way = append(w.way, fmt.Sprintf("type %d keys into %q", len(text), label))
}

// paste puts what was copied elsewhere into the field of a label.
func (w *walker) paste(label, text string) {
	w.t.Helper()
	w.put(label, text)
	w.typed += 2
	w.way = append(w.way, fmt.Sprintf("paste into %q", label))
}

func (w *walker) put(label, text string) {
	w.t.Helper()
	w.find(label, "", true)
	w.fields++
	w.do(chromedp.Evaluate[chromedp.Void](`(e => { e.focus(); e.select(); })(document.querySelector('[data-walk]'))`))
	call(w.page, input.InsertText, input.InsertTextParams{Text: text})
}

// choose takes an entry of the list of a label: two clicks.
func (w *walker) choose(label, entry string) {
	w.t.Helper()
	w.find(label, "", true)
	w.clicks += 2
	if !eval[bool](w.page,
		fmt.Sprintf(`(e => { const o = [...e.options].find(o => o.text.startsWith(%q)); if (!o) return false; e.value = o.value; e.dispatchEvent(new Event('change', {bubbles: true})); return true; })(document.querySelector('[data-walk]'))`, entry)) {
		w.t.Fatalf("at %s: %q has no entry %q", w.where(), label, entry)
	}
	w.way = append(w.way, fmt.Sprintf("choose %q of %q", entry, label))
}

// pick chooses files in the browser's own window, which costs a click on the field and one on the files.
func (w *walker) pick(label string, files ...string) {
	w.t.Helper()
	w.find(label, "", true)
	w.clicks += 2
	w.do(chromedp.SetUploadFiles(walked, files))
	w.way = append(w.way, fmt.Sprintf("pick %d files for %q", len(files), label))
}

// save clicks on what is saved as a file, and reads it.
func (w *walker) save(want string) (name string, text []byte) {
	w.t.Helper()
	return w.saves(want, func() { w.click(want) })
}

// saves reads the file that something saves.
func (w *walker) saves(want string, do func()) (name string, text []byte) {
	w.t.Helper()
	before, err := os.ReadDir(w.downloads)
	if err != nil {
		w.t.Fatal(err)
	}
	do()
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(20 * time.Millisecond) {
		now, err := os.ReadDir(w.downloads)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(now) <= len(before) {
			continue
		}
		for _, e := range now {
			name := e.Name()
			info, err := e.Info()
			if err != nil || info.Size() == 0 || slicesHas(before, name) || strings.HasSuffix(name, ".crdownload") ||
				strings.HasPrefix(name, ".") {
				continue // it is not whole
			}
			b, err := os.ReadFile(filepath.Join(w.downloads, name))
			if err != nil {
				w.t.Fatal(err)
			}
			return name, b
		}
	}
	w.t.Fatalf("%q at %s saves nothing", want, w.where())
	return "", nil
}

func slicesHas(entries []os.DirEntry, name string) bool {
	for _, e := range entries {
		if e.Name() == name {
			return true
		}
	}
	return false
}

// commands returns the lines that the page shows to be copied.
func (w *walker) commands() []string {
	w.t.Helper()
	return eval[[]string](w.page,
		`[...document.querySelectorAll('main pre')].filter(e => e.checkVisibility()).flatMap(e => e.innerText.trim().split('\n'))`)
}

// until waits for what a page that moves by itself comes to show.
func (w *walker) until(text string) {
	w.t.Helper()
	w.untilTrue(fmt.Sprintf(`document.querySelector('main').innerText.includes(%q)`, text))
}

func (w *walker) untilTrue(expression string) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(2*time.Minute))); err != nil {
		w.t.Fatalf("%s does not come to %s: %s", w.where(), expression, clipTo(3000, w.main()))
	}
}
