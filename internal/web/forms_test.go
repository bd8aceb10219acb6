package web

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/store"
)

// keeps returns why a page's field does not hold a value; empty if it does.
func keeps(body, name, value string) string {
	q, v := regexp.QuoteMeta(name), regexp.QuoteMeta(html.EscapeString(value))
	for _, pattern := range []string{
		`<input[^>]* name="` + q + `" value="` + v + `"(>|[^>]* checked|[^>]* aria-| )`,
		`<textarea[^>]* name="` + q + `"[^>]*>` + v + `</textarea>`,
		`(?s)<select[^>]* name="` + q + `"[^>]*>((?:<option[^>]*>[^<]*</option>)*?)<option value="` + v + `" selected>`,
	} {
		if m := regexp.MustCompile(pattern).FindString(body); m != "" && (value != "yes" || strings.Contains(m, "checked")) {
			return ""
		}
	}
	return fmt.Sprintf("%s does not hold %q", name, value)
}

const formSecret = "a-secret-that-was-typed-0123456789"

// TestFormsKeep posts a bad value to every form: what else was typed is still there, and no secret is.
func TestFormsKeep(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	admin, stranger := s.login(store.RoleAdmin), s.stranger()
	host := fmt.Sprintf("/hosts/%d", s.host("10.1.0.1:445").ID)
	ops := s.login(store.RoleOperator)
	users, err := s.st.Users(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var operator int64
	for _, u := range users {
		if u.Role == store.RoleOperator {
			operator = u.ID
		}
	}
	for _, x := range []struct {
		who         *person
		form        string // the action as its template has it, and what else tells it apart
		path        string
		bad, keep   []string // pairs
		secret      []string // pairs that are sent and never come back
		file, fname string
	}{
		{
			who: admin, form: "/targets", path: "/targets", bad: []string{"spec", "10.0.0.0/99"},
			keep: []string{
				"site", "plant", "tags", "web dmz", "owner", "Cy", "criticality", "high", "note",
				"two words", "enabled", "yes", "audit_source", "/srv/x.reg",
			},
		},
		{
			who: admin, form: "/schedules", path: "/schedules", bad: []string{"cron", "whenever"},
			keep: []string{
				"name", "nightly 2", "kind", "audit", "zone", "Europe/Berlin", "window",
				"Mon-Fri 22:00-06:00", "site", "plant", "tag", "dc", "owner", "Anna", "quick", "yes", "enabled", "yes",
				"cron", "whenever",
			},
		},
		{
			who: admin, form: "/sites", path: "/sites", bad: []string{"rate", "many"},
			keep: []string{
				"name", "attic", "concurrency", "7", "window", "Sat,Sun", "zone", "Europe/Berlin", "rate",
				"many",
			},
		},
		{
			who: admin, form: "/workers", path: "/workers", bad: []string{"name", strings.Repeat("x", 2000)},
			keep: []string{"site", "plant"},
		},
		{
			who: admin, form: "/exceptions", path: "/exceptions", bad: []string{"until", "2020-01-01"},
			keep: []string{
				"finding", "anonymous-lists-shares", "tag", "dc", "reason", "an old kiosk", "owner", "Bo",
				"until", "2020-01-01",
			},
		},
		{
			who: admin, form: "/channels webhook", path: "/channels",
			bad: []string{"kind", "webhook", "digest", "whenever"},
			keep: []string{
				"name", "hook", "least", "high", "quiet", "22:00-07:00", "zone", "Europe/Berlin", "kinds",
				"new-host", "loopback", "yes", "plain", "yes", "enabled", "yes", "acts", "also", "digest", "whenever",
			},
			secret: []string{"url", "https://hooks.example.org/" + formSecret, "key", formSecret},
		},
		{
			who: admin, form: "/channels slack", path: "/channels", bad: []string{"kind", "webhook", "zone", "Nowhere"},
			keep: []string{
				"shape", "slack", "name", "chat", "least", "high", "digest", "every day at 07:00", "quiet",
				"Sat,Sun",
			}, secret: []string{"url", "https://hooks.example.org/" + formSecret},
		},
		{
			who: admin, form: "/channels email", path: "/channels", bad: []string{"kind", "email", "from", "nobody"},
			keep: []string{
				"name", "mail", "server", "mail.example.org:25", "user", "guard", "to",
				"a@example.org, b@example.org", "security", "tls", "digest", "every hour", "from", "nobody",
			},
			secret: []string{"password", formSecret},
		},
		{
			who: admin, form: "/channels syslog", path: "/channels",
			bad: []string{"kind", "syslog", "address", "nowhere"},
			keep: []string{
				"name", "siem", "network", "tcp", "format", "json", "facility", "auth", "acts", "only",
				"address", "nowhere",
			},
		},
		{
			who: admin, form: "/credentials", path: "/credentials", file: " ", fname: "", bad: []string{"name", ""},
			keep: []string{"kind", "hash", "account", `LAB\auditor`}, secret: []string{"value", formSecret},
		},
		{
			who: admin, form: "/accounts", path: "/accounts", bad: []string{"new", "short"},
			keep: []string{"name", "newcomer", "role", "operator"},
		},
		{
			who: admin, form: "/accounts/ roles", path: fmt.Sprintf("/accounts/%d", operator),
			bad: []string{"do", "roles", "site-1", "king"}, keep: []string{"role", "viewer", "site-2", "admin"},
		},
		{
			who: admin, form: "/account/tokens", path: "/account/tokens", bad: []string{"proof", "wrong-" + formSecret},
			keep:   []string{"name", "robot", "scope", "upload", "until", day(time.Now().AddDate(0, 1, 0))},
			secret: []string{"proof", "wrong-" + formSecret},
		},
		{
			who: admin, form: "/runs", path: "/runs", bad: []string{"kind", "dance"},
			keep: []string{"site", "plant", "tag", "dc", "owner", "Anna", "quick", "yes"},
		},
		{
			who: admin, form: "/import", path: "/import", file: "no json", fname: "x.json",
			keep: []string{"kind", "audit"},
		},
		{
			who: ops, form: "/rollouts", path: "/rollouts", bad: []string{"goal", "peace"},
			keep: []string{
				"name", "Berlin", "query", "site=plant", "setting", "SMB1", "strategy", "block", "accept",
				"yes",
			},
		},
		{
			who: ops, form: "/hosts/plan", path: host + "/plan", bad: []string{"goal", "peace"},
			keep: []string{"strategy", "block", "accept", "yes"},
		},
		{
			who: stranger, form: "/login", path: "/login", bad: []string{"password", formSecret},
			keep: []string{"name", "ada", "to", "/hosts"}, secret: []string{"password", formSecret},
		},
	} {
		pairs := append(append(append([]string{}, x.bad...), x.keep...), x.secret...)
		var a answer
		if x.file != "" {
			a = x.who.upload(x.path, x.fname, x.file, pairs...)
		} else {
			a = x.who.post(x.path, pairs...)
		}
		if a.status < 400 || a.status >= 500 {
			t.Errorf("%s: answered %d, want a refusal: %s", x.form, a.status, clip(a.body))
			continue
		}
		check(t, x.path, a.body)
		if keeps(a.body, x.keep[0], "never typed") == "" {
			t.Errorf("%s: the test takes anything for kept", x.form)
		}
		for i := 0; i+1 < len(x.keep); i += 2 {
			if why := keeps(a.body, x.keep[i], x.keep[i+1]); why != "" {
				t.Errorf("%s: %s", x.form, why)
			}
		}
		if !strings.Contains(a.body, `role="alert"`) {
			t.Errorf("%s: nothing says what is wrong", x.form)
		}
		if strings.Contains(a.body, formSecret) {
			t.Errorf("%s: a secret is shown again", x.form)
		}
	}
}

// TestEveryFormIsTried: a form with fields that somebody adds belongs into TestFormsKeep, unless it holds nothing but
// secrets or a file.
func TestEveryFormIsTried(t *testing.T) {
	known := "/rollouts /targets /schedules /sites /workers /exceptions /channels /credentials /accounts " +
		"/account/tokens /runs /import /login " +
		"/targets/import /account/password /account/second /account/passkeys /account/codes /login/second /login/passkey /setup"
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		b, err := templateFiles.ReadFile("templates/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(
			`<form method="post" action="([^"{]*)[^>]*class="fields"`).FindAllStringSubmatch(string(b), -1) {
			n++
			if !strings.Contains(" "+known+" ", " "+strings.TrimSuffix(m[1], "/")+" ") {
				t.Errorf("%s has a form to %s that no test refuses", f.Name(), m[1])
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d forms were found", n)
	}
}

// TestScheduleBySentence: a schedule is typed and shown as people say it, with the times that it comes, before it is
// saved.
func TestScheduleBySentence(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleOperator)
	const next = "The next times (Europe/Berlin)"
	if body := p.ok("/schedules/next?cron=every+day+at+02:00,+Europe/Berlin&window=Sat,Sun"); strings.Count(body, "<li>") != howMany || !strings.Contains(body, next) || !strings.Contains(body, " 02:00 CE") || !strings.Contains(body, "and waits until") {
		t.Errorf("the next times: %s", body)
	}
	if body := p.ok("/schedules/next?cron=every+blue+moon&zone=%3Cscript%3E"); !strings.Contains(body, "no schedule") || strings.Contains(body, "<script") {
		t.Errorf("what is none: %s", body)
	}
	a := p.post("/schedules", "do", "look", "name", "weekly", "kind", "audit", "cron",
		"every Monday and Thursday at 22:00", "zone", "Europe/Berlin")
	if a.status != http.StatusOK || !strings.Contains(a.body, next) || keeps(a.body, "name", "weekly") != "" {
		t.Errorf("looked at before it is saved: %d", a.status)
	}
	before, err := s.st.Schedules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.done("/schedules", "name", "weekly", "kind", "audit", "cron", "every Monday and Thursday at 22:00, Europe/Berlin",
		"enabled", "yes")
	all, err := s.st.Schedules(t.Context())
	if err != nil || len(all) != len(before)+1 {
		t.Fatal(all, err)
	}
	for _, x := range all {
		if x.Name == "weekly" && (x.Cron != "0 22 * * 1,4" || x.Zone != "Europe/Berlin") {
			t.Errorf("kept as %+v", x)
		}
	}
	p.says("/schedules", "every Monday and Thursday at 22:00", "every day at 02:30", " 22:00 CE")
}

// TestImportPreview: a file is looked at, and nothing of it is taken; the preview imports it. After the import stands
// what to do next.
func TestImportPreview(t *testing.T) {
	s := newTestSite(t)
	plainSeed().fill(t, s.st)
	p := s.login(store.RoleOperator)
	count := func() int {
		_, n, err := s.st.Targets(t.Context(), store.TargetFilter{}, store.Page{Size: 1})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const table = "spec,owner\nnew1.example,Ann\nnew2.example,Ann\nsrv00.example.org,Bo\n10.0.0.0/99,\n"
	was := count()
	a := p.upload("/targets/import?look=yes", "t.csv", table)
	if a.status != http.StatusOK || !strings.Contains(a.body, "2 targets would be added, 1 changed, 1 row left out") ||
		count() != was {
		t.Errorf("the preview: %d, %d targets of %d: %s", a.status, count(), was,
			a.body[max(0, strings.Index(a.body, "<main")):])
	}
	again := func(path string, pairs ...string) answer { // presses the preview's own button
		t.Helper()
		kept := regexp.MustCompile(`name="kept" value="([^"]+)"`).FindAllStringSubmatch(a.body, -1)
		if kept == nil {
			t.Fatalf("the preview keeps no file: %s", a.body[max(0, strings.Index(a.body, "<main")):])
		}
		for _, k := range kept {
			pairs = append(pairs, keptField, html.UnescapeString(k[1]))
		}
		return p.upload(path, "", "", pairs...)
	}
	a = again("/targets/import")
	if a.status != http.StatusOK || !strings.Contains(a.body, "2 targets were added") || !strings.Contains(a.body,
		`href="/runs/new"`) || count() != was+2 {
		t.Errorf("the import: %d, %d targets", a.status, count())
	}
	h := s.host("10.1.0.2:445")
	audit := fmt.Sprintf(`{"schema":"ipcguard.audit/1","source":{"kind":"smbconf","name":"x"},"host":%q,"platform":{"system":"samba","role":"standalone"},"settings":[],"access":{},"findings":[]}`, h.Name)
	kept := func() bool {
		_, _, err := s.st.Document(t.Context(), h.ID, "audit")
		return err == nil
	}
	if a = p.upload("/import?look=yes", "a.json", audit, "kind", "audit"); a.status != http.StatusOK || !strings.Contains(a.body, "1 of 1 result would be taken") || !strings.Contains(a.body, h.Name) || kept() {
		t.Errorf("the preview of an audit: %d, kept %v: %s", a.status, kept(),
			a.body[max(0, strings.Index(a.body, "<main")):])
	}
	if a = again("/import", "kind", "audit"); a.status != http.StatusOK || !strings.Contains(a.body, "1 of 1 result was taken") || !strings.Contains(a.body, `href="/hosts"`) || !kept() {
		t.Errorf("the import of an audit: %d, kept %v", a.status, kept())
	}
	other := strings.ReplaceAll(audit, h.Name, s.host("10.1.0.3:445").Name)
	a = p.uploadAll("/import?look=yes", [][2]string{{"a.json", "[" + audit + "]"}, {"b.json", other}}, "kind", "audit")
	if a = again("/import", "kind", "audit"); a.status != http.StatusOK || !strings.Contains(a.body, "2 of 2 results were taken") {
		t.Errorf("two files: %d %s", a.status, a.body)
	}
	if a = p.uploadAll("/import", [][2]string{{"a.json", audit}, {"b.json", "nothing"}, {"c.json", other}}, "kind", "audit"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "1 of 1 result was taken") || !strings.Contains(a.body, "b.json: ") {
		t.Errorf("a file that is none: %d %s", a.status, a.body)
	}
}

// What a preview keeps comes back as it was; what it is too large for, and what is no such file, does not.
func TestPreviewKeeps(t *testing.T) {
	for _, text := range []string{"", "spec\r\n\x00\xff", strings.Repeat("srv.example\n", 400_000)} {
		p := newPreview(strings.NewReader(text))
		if _, err := io.CopyN(io.Discard, p, int64(len(text)/2)); err != nil {
			t.Fatal(err)
		}
		kept, err := p.kept()
		if err != nil || kept == "" {
			t.Fatalf("%d bytes: %v", len(text), err)
		}
		r, err := unkept(strings.NewReader(kept))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != text {
			t.Errorf("%d bytes came back as %d, %v", len(text), len(b), err)
		}
	}
	random := make([]byte, maxKept+1000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	if kept, err := newPreview(bytes.NewReader(random)).kept(); kept != "" || err != nil {
		t.Errorf("%d bytes that do not pack are kept in %d, %v", len(random), len(kept), err)
	}
	var two keptFiles
	for _, n := range []int{maxKept / 2, maxKept} { // each fits, both do not
		if err := two.read(bytes.NewReader(random[:n-1000]), func(io.Reader) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if two.Files != nil || !two.full {
		t.Errorf("%d files of %d characters are kept", len(two.Files), two.size)
	}
	for _, bad := range []string{"", "%%%", "AAAA", strings.Repeat("A", 2*maxKept)} {
		if _, err := unkept(strings.NewReader(bad)); err == nil {
			t.Errorf("%.10q is opened", bad)
		}
	}
}
