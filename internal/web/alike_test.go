package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
	"ipcguard/internal/web/api"
)

// outcome is the result of a deed: its status, the errors by field, and the lines of the audit log.
type outcome struct {
	Refused bool
	Words   map[string]string
	Log     []string
}

var update = flag.Bool("update", false, "write the golden file of TestAlike anew")

// TestAlike does every act through the page and through the API, each on its own database: both refuse the same, with
// the same words for the same fields, and write the same lines to the audit log. testdata/deeds.txt has the API's
// status, these words and these lines for each. An act that cannot be logged is not done.
func TestAlike(t *testing.T) {
	const golden = "testdata/deeds.txt"
	for _, kind := range []string{store.KindSQLite, store.KindPostgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			one, two := newAlike(t, kind), newAlike(t, kind)
			one.withoutLog(func() { one.nothingIsDone(one.byPage) })
			two.withoutLog(func() { two.nothingIsDone(two.byAPI) })
			one.viewer(one.byPage)
			two.viewer(two.byAPI)
			for _, s := range []*alike{one, two} {
				site, err := s.st.SiteByName(t.Context(), "default")
				if err != nil {
					t.Fatal(err)
				}
				if name := s.of(store.RoleOperator, site); name != ofSite {
					t.Fatalf("the account of the site is %q", name)
				}
			}
			var got strings.Builder
			for _, d := range slices.Concat(deeds(), siteOperatorDeeds()) {
				a, statusA := one.done(d, d.role, one.byPage)
				b, statusB := two.done(d, d.role, two.byAPI)
				if diff := cmp.Diff(b, a); diff != "" {
					t.Errorf("%s: API (-) and page (+) differ:\n%s", d.name, diff)
				}
				if statusA >= 500 || statusB >= 500 || statusA != statusB && statusA >= 400 {
					t.Errorf("%s: the page answers %d, the API %d", d.name, statusA, statusB)
				}
				got.WriteString(b.golden(d.name, statusB))
			}
			if *update && kind == store.KindSQLite {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
				t.Errorf("%s (-) and what was done (+) differ; -update writes it anew:\n%s", golden, diff)
			}
		})
	}
}

// varying are what the golden file leaves out: dates and the numbers of runs and exceptions.
var varying = regexp.MustCompile(`20\d\d-\d\d-\d\d|(run|exception) \d+`)

// golden returns an outcome as lines of the golden file.
func (o outcome) golden(name string, status int) string {
	s := fmt.Sprintf("%d %s\n", status, name)
	for _, field := range slices.Sorted(maps.Keys(o.Words)) {
		name := field
		if name == "" {
			name = "whole"
		}
		s += "    " + name + ": " + o.Words[field] + "\n"
	}
	for _, l := range o.Log {
		s += "    log: " + l + "\n"
	}
	return varying.ReplaceAllString(s, "…")
}

// alike is a server whose audit log is read.
type alike struct {
	*testSite
	t       *testing.T
	people  map[store.Role]*person
	tokens  map[store.Role]string
	logLine int64 // the last one that was seen
}

func newAlike(t *testing.T, kind string) *alike {
	t.Helper()
	dsn := filepath.Join(t.TempDir(), "fleet.db")
	if kind == store.KindPostgres {
		dsn = peer.Postgres(t)
	}
	s := &alike{
		testSite: newTestSiteOn(t, dsn), t: t, people: map[store.Role]*person{},
		tokens: map[store.Role]string{},
	}
	plainSeed().fill(t, s.st)
	s.document(1, "audit", plainSeed().audit())
	for site, name := range []string{"default-1", "plant-2"} {
		w := store.Enrolled{Name: name, SiteID: int64(site + 1), Serial: name, Until: time.Now().Add(time.Hour)}
		if err := s.st.AddEnrolled(t.Context(), &w); err != nil {
			t.Fatal(err)
		}
	}
	for _, role := range []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin} {
		s.people[role] = s.login(role)
		u, err := s.st.UserByName(t.Context(), string(role))
		if err != nil {
			t.Fatal(err)
		}
		if s.tokens[role], _, err = s.access.NewToken(t.Context(), access.Who{User: u, Role: role}, password, "t", access.Scopes(access.Who{Role: role})[len(access.Scopes(access.Who{Role: role}))-1], time.Now().AddDate(0, 11, 0)); err != nil {
			t.Fatal(err)
		}
	}
	s.lines()
	return s
}

// lines returns those of the audit log since the last call, without who did it: the page's account, or the account's
// token.
func (s *alike) lines() []string {
	s.t.Helper()
	all, _, err := s.st.Acts(s.t.Context(), "", store.Page{Size: 200})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, l := range all {
		if l.ID > s.logLine {
			out = append([]string{l.Action + "|" + l.Subject + "|" + l.Detail}, out...)
			if who, _, _ := strings.Cut(l.Who, " "); !strings.Contains("viewer operator admin system", who) && !strings.HasPrefix(who, "at-") {
				s.t.Errorf("done by %q", l.Who)
			}
		}
	}
	if len(all) > 0 {
		s.logLine = max(s.logLine, all[0].ID)
	}
	return out
}

// done does a deed.
func (s *alike) done(d deed, role store.Role, by func(deed, store.Role) (int, map[string]string)) (outcome, int) {
	s.t.Helper()
	last := s.last()
	d.page, d.path = last.Replace(d.page), last.Replace(d.path)
	status, words := by(d, role)
	o := outcome{Words: words, Log: s.lines()}
	o.Refused = status >= 400 || len(o.Log) == 0 && status == http.StatusSeeOther // the page's lists say it at their head
	switch {
	case !o.Refused, status == http.StatusNotFound, status == http.StatusForbidden && words[""] != "":
		o.Words = nil // the API speaks of tokens, too
	}
	return o, status
}

// last returns the newest numbers: PostgreSQL does not reuse those of rows that were rolled back.
func (s *alike) last() *strings.Replacer {
	s.t.Helper()
	ctx := s.t.Context()
	runs, _, err := s.st.Runs(ctx, store.Page{Size: 1})
	sites, err1 := s.st.Sites(ctx)
	channels, err2 := s.st.Channels(ctx)
	credentials, err3 := s.st.Credentials(ctx)
	if err := errors.Join(err, err1, err2, err3); err != nil {
		s.t.Fatal(err)
	}
	rollouts, _, err := s.st.Rollouts(ctx, nil, store.Page{Size: 1})
	if err != nil || len(rollouts) == 0 {
		s.t.Fatal("no rollout", err)
	}
	users, err := s.st.Users(ctx)
	viewer, err1 := s.st.UserByName(ctx, string(store.RoleViewer))
	operator, err2 := s.st.UserByName(ctx, string(store.RoleOperator))
	tokens, err3 := s.st.Tokens(ctx, operator.ID)
	schedules, err4 := s.st.Schedules(ctx)
	exceptions, err5 := s.st.Exceptions(ctx, true)
	if err := errors.Join(err, err1, err2, err3, err4, err5); err != nil {
		s.t.Fatal(err)
	}
	views, err := s.st.Views(ctx, viewer.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	view := int64(9999)
	for _, x := range views {
		view = x.ID
	}
	return strings.NewReplacer("{view}", fmt.Sprint(view), "{rollout}", fmt.Sprint(rollouts[0].ID),
		"{run}", newest(runs, func(x store.Run) int64 { return x.ID }),
		"{site}", newest(sites, func(x store.Site) int64 { return x.ID }),
		"{channel}", newest(channels, func(x store.Channel) int64 { return x.ID }),
		"{credential}", newest(credentials, func(x store.Credential) int64 { return x.ID }),
		"{user}", newest(users, func(x store.User) int64 { return x.ID }),
		"{token}", newest(tokens, func(x store.Token) int64 { return x.ID }),
		"{schedule}", newest(schedules, func(x store.Schedule) int64 { return x.ID }),
		"{exception}", newest(exceptions, func(x store.Exception) int64 { return x.ID }))
}

// newest returns the highest number of a list; 0 if it is empty.
func newest[T any](all []T, id func(T) int64) string {
	var n int64
	for _, x := range all {
		n = max(n, id(x))
	}
	return fmt.Sprint(n)
}

var (
	fieldWords = regexp.MustCompile(`<span class="problem" id="w-([a-z_]+)">([^<]*)</span>`)
	wholeWords = regexp.MustCompile(`<p class="(?:problem" role="alert|note good" role="status|note bad)">([^<]*)</p>`)
)

// byPage sends the form, follows the redirect, and reads the message there.
func (s *alike) byPage(d deed, role store.Role) (int, map[string]string) {
	s.t.Helper()
	p := s.people[role]
	var a answer
	if d.file != "" || d.media != "" || strings.HasPrefix(d.page, "/credentials") && d.form != nil {
		a = p.upload(d.page, map[bool]string{true: "a file", false: ""}[d.file != "" || d.media != ""], d.file,
			d.form...)
	} else {
		a = p.post(d.page, d.form...)
	}
	status := a.status
	if status == http.StatusSeeOther {
		a = p.get(a.header.Get("Location"))
	}
	words := map[string]string{}
	for _, m := range fieldWords.FindAllStringSubmatch(a.body, -1) {
		words[m[1]] = html.UnescapeString(m[2])
	}
	for i := 0; i+1 < len(d.names); i += 2 {
		if w, ok := words[d.names[i]]; ok {
			delete(words, d.names[i])
			words[d.names[i+1]] = w
			break
		}
	}
	if m := wholeWords.FindStringSubmatch(a.body); m != nil && !strings.HasPrefix(m[1], "Not saved") {
		said := html.UnescapeString(m[1])
		for _, lead := range []string{"Nothing was changed: ", "Nothing was started: ", "No plan: "} {
			said = strings.TrimPrefix(said, lead)
		}
		words[""] = said
	}
	return status, words
}

// byAPI sends JSON or a file.
func (s *alike) byAPI(d deed, role store.Role) (int, map[string]string) {
	s.t.Helper()
	var body []byte
	media := d.media
	switch b := d.body.(type) {
	case nil:
	case string:
		body = []byte(b)
	default:
		media = "application/json"
		var err error
		if body, err = json.Marshal(b); err != nil {
			s.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(s.t.Context(), d.method, s.server.URL+api.Prefix+d.path,
		bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.tokens[role])
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	a := s.stranger().do(req)
	var problem struct {
		Detail string
		Fields []struct{ Field, Detail string }
	}
	if a.status >= 400 {
		if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
			s.t.Fatalf("%s: %v: %s", d.name, err, a.body)
		}
	}
	words := map[string]string{}
	for _, f := range problem.Fields {
		words[strings.TrimPrefix(f.Field, "selector.")] = sentence(f.Detail)
	}
	switch {
	case len(words) == 0 && problem.Detail != "":
		words[""] = sentence(problem.Detail)
	case d.whole && len(words) == 1:
		for _, w := range words {
			words = map[string]string{"": w}
		}
	}
	return a.status, words
}

// withoutLog removes the audit log while f runs.
func (s *alike) withoutLog(f func()) {
	s.t.Helper()
	rename := func(from, to string) {
		s.t.Helper()
		statement := fmt.Sprintf("ALTER TABLE %s RENAME TO %s", from, to)
		var err error
		if pool := s.st.Pool(); pool != nil {
			_, err = pool.Exec(s.t.Context(), statement)
		} else {
			_, err = s.st.DB().ExecContext(s.t.Context(), statement)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	rename("acts", "acts_away")
	f()
	rename("acts_away", "acts")
}

// nothingIsDone tries every deed, and compares the estate with its state before: after each deed that does not fail
// with the server's own fault, and at the end.
func (s *alike) nothingIsDone(by func(deed, store.Role) (int, map[string]string)) {
	s.t.Helper()
	before := s.estate()
	for _, d := range deeds() {
		last := s.last()
		d.page, d.path = last.Replace(d.page), last.Replace(d.path)
		status, _ := by(d, d.role)
		if status < 300 && d.name != "results: of nobody" {
			s.t.Errorf("%s: %d, although it cannot be logged", d.name, status)
		}
		if status >= 500 {
			continue
		}
		if diff := cmp.Diff(before, s.estate()); diff != "" {
			s.t.Fatalf("%s was done, although it cannot be logged:\n%s", d.name, diff)
		}
	}
	if diff := cmp.Diff(before, s.estate()); diff != "" {
		s.t.Fatalf("a deed that failed was done, although it cannot be logged:\n%s", diff)
	}
}

// viewer tries every deed as a viewer.
func (s *alike) viewer(by func(deed, store.Role) (int, map[string]string)) {
	s.t.Helper()
	before := s.estate()
	for _, d := range deeds() {
		if d.own {
			continue
		}
		last := s.last()
		d.page, d.path = last.Replace(d.page), last.Replace(d.path)
		if status, _ := by(d, store.RoleViewer); status != http.StatusForbidden {
			s.t.Errorf("%s as a viewer: %d", d.name, status)
		}
	}
	if diff := cmp.Diff(before, s.estate()); diff != "" {
		s.t.Errorf("a viewer changed something:\n%s", diff)
	}
	if lines := s.lines(); len(lines) > 0 {
		s.t.Errorf("a viewer is in the log: %q", lines)
	}
}

// estate returns everything that deeds change.
func (s *alike) estate() map[string]any {
	s.t.Helper()
	ctx := s.t.Context()
	out := map[string]any{}
	keep := func(name string, v any, err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(name, err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			s.t.Fatal(err)
		}
		out[name] = string(b)
	}
	page := store.Page{Size: store.MaxPage, Sort: "id"}
	targets, _, err := s.st.Targets(ctx, store.TargetFilter{}, page)
	keep("targets", targets, err)
	runs, _, err := s.st.Runs(ctx, store.Page{Size: 100})
	keep("runs", runs, err)
	rollouts, _, err := s.st.Rollouts(ctx, nil, store.Page{Size: 100})
	keep("rollouts", rollouts, err)
	viewer, err := s.st.UserByName(ctx, string(store.RoleViewer))
	keep("viewer", viewer.ID, err)
	views, err := s.st.Views(ctx, viewer.ID)
	keep("views", views, err)
	sites, err := s.st.Sites(ctx)
	keep("sites", sites, err)
	schedules, err := s.st.Schedules(ctx)
	keep("schedules", schedules, err)
	exceptions, err := s.st.Exceptions(ctx, true)
	keep("exceptions", exceptions, err)
	workers, err := s.st.EnrolledWorkers(ctx)
	keep("workers", fmt.Sprintf("%+v", workers), err)
	users, err := s.st.Users(ctx)
	keep("users", fmt.Sprintf("%+v", users), err)
	for _, u := range users {
		tokens, err := s.st.Tokens(ctx, u.ID)
		for i := range tokens {
			tokens[i].Used = time.Time{}
		}
		keep("tokens of "+u.Name, tokens, err)
	}
	channels, err := s.st.Channels(ctx)
	keep("channels", channels, err)
	credentials, err := s.st.Credentials(ctx)
	keep("credentials", credentials, err)
	for _, host := range []int64{1, 2} {
		for _, kind := range []string{"plan", "journal", "audit", "scan"} {
			b, at, err := s.st.Document(ctx, host, kind)
			if err == nil {
				keep(fmt.Sprintf("%s of %d", kind, host), []any{string(b), at}, nil)
			}
		}
	}
	return maps.Clone(out)
}
