package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/store"
	"ipcguard/internal/web/api"
)

// testSite is a whole server on an SQLite file of its own, with an account for each role.
type testSite struct {
	t      testing.TB
	st     *store.Store
	access *access.Access
	fleet  *fleet.Fleet
	server *httptest.Server
	tested []string // channels that were tested
}

// password is that of every account in tests.
const password = "a door for each of us 7"

func newTestSite(t testing.TB) *testSite {
	t.Helper()
	return newTestSiteOn(t, filepath.Join(t.TempDir(), "fleet.db"))
}

// newTestSiteOn is newTestSite on an empty database.
func newTestSiteOn(t testing.TB, dsn string) *testSite {
	t.Helper()
	s := openSite(t, dsn)
	who := access.System()
	for _, role := range []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin} {
		if _, err := s.access.AddUser(t.Context(), who, string(role), role, password); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// openSite serves a database that may hold something already.
func openSite(t testing.TB, dsn string) *testSite {
	t.Helper()
	st, err := store.Open(t.Context(), dsn, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	key, _, err := secret.Create(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	s := &testSite{t: t, st: st, access: access.New(st, access.Options{})}
	if s.fleet, err = fleet.New(st, fleet.Options{Version: "test", Key: key, Poll: 50 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	does, err := acts.New(s.fleet, st, s.access,
		acts.Options{Key: key, Test: func(_ context.Context, c store.Channel) error {
			s.tested = append(s.tested, c.Name)
			if strings.Contains(c.Name, "broken") {
				return errors.New("notify: nobody is there")
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := New(does, st, st.Sessions(), s.access, Options{
		Version: "test", Log: slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		t.Fatal(err)
	}
	programs, err := api.New(does, st, s.access, api.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			programs.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
	s.server = httptest.NewServer(handler)
	t.Cleanup(s.server.Close)
	return s
}

// testLog puts the server's errors into the test's log.
type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// person is a browser without a screen.
type person struct {
	t    testing.TB
	base string
	http *http.Client
}

func (s *testSite) stranger() *person {
	jar, _ := cookiejar.New(nil) // it never fails
	return &person{
		s.t, s.server.URL,
		&http.Client{Jar: jar, CheckRedirect: func(*http.Request,
			[]*http.Request,
		) error {
			return http.ErrUseLastResponse
		}},
	}
}

func (s *testSite) login(role store.Role) *person {
	s.t.Helper()
	p := s.stranger()
	if r := p.post("/login", "name", string(role), "password", password); r.status != http.StatusSeeOther {
		s.t.Fatalf("login as %s: %d %s", role, r.status, r.body)
	}
	return p
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (p *person) do(req *http.Request) answer {
	p.t.Helper()
	res, err := p.http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(b)}
}

func (p *person) get(path string) answer {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.base+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do(req)
}

// post sends a form of names and values.
func (p *person) post(path string, pairs ...string) answer {
	p.t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.base+path, strings.NewReader(v.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.do(req)
}

// ok asks for a page that must be there.
func (p *person) ok(path string) string {
	p.t.Helper()
	r := p.get(path)
	if r.status != http.StatusOK {
		p.t.Fatalf("GET %s: %d %s", path, r.status, clipTo(600, r.body))
	}
	return r.body
}

// done posts what must be answered with a redirect, and gives where to.
func (p *person) done(path string, pairs ...string) string {
	p.t.Helper()
	r := p.post(path, pairs...)
	if r.status != http.StatusSeeOther {
		i := strings.Index(r.body, "<main")
		p.t.Fatalf("POST %s: %d %s", path, r.status, clipTo(1500, r.body[max(0, i):]))
	}
	return r.header.Get("Location")
}

// host finds a host of the first site by its address.
func (s *testSite) host(address string) store.Host {
	s.t.Helper()
	h, err := s.st.HostByAddress(context.Background(), 1, address)
	if err != nil {
		s.t.Fatal(address, err)
	}
	return h
}

// document stores one for a host.
func (s *testSite) document(host int64, kind string, v any) {
	s.t.Helper()
	b, err := json.Marshal(v)
	if err == nil {
		err = s.st.SaveDocument(context.Background(), host, kind, time.Now(), b)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
