package web

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"ipcguard/internal/store"
)

// hostile are texts that a host or a person may choose: markup, what ends an attribute or a script, marks that turn or
// hide text, control characters, bytes that are no text, and length.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`,
	`{{.}}</title><style>*{display:none}</style>`,
	"evil\u202Egnp.exe\u2066\u200B\uFEFF", "nul\x00bell\x07esc\x1b[31mred\x7f", "\xff\xfe\xc3(",
	"javascript:alert(1)//", "=HYPERLINK(\"http://evil.example\")",
	`<base href="//evil.example/">`, "line\nbreak\r\nmore\u2028lines\u0085", strings.Repeat("ü", 5000), "--><!--",
	"]]>", "</textarea></option></select>",
}

// TestHostile fills every field with them and walks every page: no page holds markup that the templates do not have,
// nor a character that hides.
func TestHostile(t *testing.T) {
	plain := newTestSite(t)
	plainSeed().fill(t, plain.st)
	nasty := newTestSite(t)
	i := 0
	next := func(s string) string {
		i++
		return hostile[i%len(hostile)] + s
	}
	// Names of sites and the like are unique, so the text itself stays behind the hostile part.
	x := plainSeed()
	x.name = func(i int) string { return hostile[i%len(hostile)] + fmt.Sprintf("srv%02d", i) }
	x.text = next
	x.fill(t, nasty.st)
	a, b := plain.login(store.RoleAdmin), nasty.login(store.RoleAdmin)
	tag := regexp.MustCompile(`<[a-zA-Z!/][^>]*>`)
	name := regexp.MustCompile(`^</?[a-zA-Z!]+`)
	attribute := regexp.MustCompile(`\s([a-zA-Z-]+)(=|[\s>/])`)
	value := regexp.MustCompile(`="[^"]*"`)
	kinds := func(body string) map[string]bool {
		out := map[string]bool{}
		for _, m := range tag.FindAllString(body, -1) {
			m = value.ReplaceAllString(m, `="" `)
			out[name.FindString(m)] = true
			for _, x := range attribute.FindAllStringSubmatch(m, -1) {
				out[name.FindString(m)+" "+x[1]] = true
			}
		}
		return out
	}
	known := map[string]bool{}
	paths, nastyPaths := plain.pathsOf(), nasty.pathsOf()
	for _, path := range paths {
		for k := range kinds(a.get(path).body) {
			known[k] = true
		}
	}
	for _, path := range append(nastyPaths, "/hosts?sort=-name", "/hosts?q="+"%3Cscript%3E&tag=%22%3E&site=%E2%80%AE",
		"/findings?finding=%3Cscript%3E", "/settings?setting=%3Cimg+src%3Dx%3E",
		"/events?kind=%3Cscript%3E&least=%3C&since=%3C&host=%3C&run=%3C",
		"/hosts?verdict=%3C&criticality=%3C&discloses=%3C&sort=%3C&offset=-9", "/hosts?offset=99999999999",
		"/targets?kind=%3C&sort=%3C", "/runs/1?state=%3C&offset=x", "/compare?from=%3C&to=%3C",
		"/report?verdict=%3C", "/settings?verdict=%3C", "/findings?criticality=%3C&sort=%3C", "/sites/%3C",
		"/catalog/%3C/%3C", "/channels/new?kind=%3C", "/acts?q=%3Cscript%3E", "/catalog?q=%3Cscript%3E",
		"/login?to=javascript:alert(1)") {
		r := b.get(path)
		if r.status >= http.StatusInternalServerError {
			t.Errorf("%s: %d %s", path, r.status, clip(r.body))
			continue
		}
		if r.status == http.StatusOK {
			check(t, path, r.body)
		}
		for k := range kinds(r.body) {
			if !known[k] {
				t.Errorf("%s holds %q, which no page of harmless names has", path, k)
			}
		}
		for at, c := range r.body {
			if c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c) ||
				unicode.Is(unicode.Zl, c)) {
				t.Errorf("%s holds the character %U: …%q…", path, c, r.body[max(0, at-40):min(len(r.body), at+20)])
				break
			}
		}
		if n := len(r.body); n > 2<<20 {
			t.Errorf("%s has %d bytes", path, n)
		}
	}
	for _, path := range []string{
		"/export/hosts.csv", "/export/clients.csv", "/export/findings.csv",
		"/export/events.csv", "/targets/export.csv",
	} {
		for line := range strings.Lines(b.ok(path)) {
			if strings.HasPrefix(line, "=") || strings.Contains(line, ",=") || strings.Contains(line, `,"=`) {
				t.Errorf("%s holds a formula: %s", path, clip(line))
			}
		}
	}
}

func TestClean(t *testing.T) {
	for _, test := range [][2]string{
		{"plain", "plain"},
		{"a\tb\nc", "a\tb\nc"},
		{"a\r\nb", "a\nb"},
		{"a\x00b\x7f", "a\uFFFDb\uFFFD"},
		{"\u202Eabc", "\uFFFDabc"},
		{"ü€😀", "ü€😀"},
		{"\xffx", "\uFFFDx"},
		{"a\u2028b", "a\uFFFDb"},
		{"", ""},
		{"\u00AD", "\uFFFD"},
	} {
		if got := string(clean([]byte(test[0]))); got != test[1] {
			t.Errorf("clean(%q) is %q, want %q", test[0], got, test[1])
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range hostile {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		out := clean(b)
		if string(clean(out)) != string(out) {
			t.Errorf("cleaning %q twice differs", b)
		}
		for _, c := range string(out) {
			if c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
				t.Errorf("clean(%q) holds %U", b, c)
			}
		}
	})
}
