package web

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/store"
	"ipcguard/internal/web/proxy"
)

func TestSession(t *testing.T) {
	s := newTestSite(t)
	p := s.stranger()
	if a := p.post("/login", "name", "admin", "password", "wrong"); a.status != http.StatusUnauthorized || strings.Contains(a.body, "wrong\"") {
		t.Errorf("a wrong password: %d", a.status)
	}
	for name, want := range map[string]string{
		"/hosts?q=x": "/hosts?q=x", "//evil.example/": "/",
		"https://evil.example": "/", `/\evil.example`: "/", "": "/",
	} {
		a := s.stranger().post("/login", "name", "admin", "password", password, "to", name)
		if a.status != http.StatusSeeOther || a.header.Get("Location") != want {
			t.Errorf("login leads to %q: %d %q, want %q", name, a.status, a.header.Get("Location"), want)
		}
		cookie := ""
		for _, c := range a.header.Values("Set-Cookie") {
			if strings.HasPrefix(c, "ipcguard=") {
				cookie = c
			}
		}
		for _, part := range []string{"HttpOnly", "SameSite=Lax", "Path=/", "ipcguard="} {
			if !strings.Contains(cookie, part) {
				t.Errorf("the cookie %q lacks %s", cookie, part)
			}
		}
	}
	admin := s.login(store.RoleAdmin)
	other := s.login(store.RoleAdmin)
	admin.ok("/account")
	// another password ends the other sessions, and this one goes on
	if to := admin.done("/account/password", "password", password, "new", "quite another door 12", "again", "quite another door 12"); to != "/account" {
		t.Error(to)
	}
	admin.ok("/account")
	if a := other.get("/account"); a.status != http.StatusSeeOther {
		t.Errorf("a session outlives its password: %d", a.status)
	}
	if to := admin.done("/logout"); to != "/login" {
		t.Error(to)
	}
	if a := admin.get("/account"); a.status != http.StatusSeeOther {
		t.Errorf("a session outlives its end: %d", a.status)
	}
	// a session that was there before the login is worth nothing after it
	viewer := s.login(store.RoleViewer)
	old := viewer.http.Jar.Cookies(mustURL(viewer.base))
	viewer.done("/login", "name", "viewer", "password", password)
	again := s.stranger()
	again.http.Jar.SetCookies(mustURL(again.base), old)
	if a := again.get("/account"); a.status != http.StatusSeeOther {
		t.Errorf("the token from before the login still works: %d", a.status)
	}
}

// TestIdle: a session ends an hour after the last page that somebody looked at; a page that asks by itself is no look.
func TestIdle(t *testing.T) {
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "fleet.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	a := access.New(st, access.Options{Clock: func() time.Time { return now }})
	if _, err := a.AddUser(t.Context(), access.System(), "viewer", store.RoleViewer, password); err != nil {
		t.Fatal(err)
	}
	run := &store.Run{Kind: store.RunScan, By: "x"}
	if err := st.CreateRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	handler, err := New(nil, st, st.Sessions(), a, Options{Clock: func() time.Time { return now }, Secure: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	s := &testSite{t: t, st: st, access: a, server: server}
	p := s.stranger()
	p.http.Transport = server.Client().Transport
	login := p.post("/login", "name", "viewer", "password", password)
	if c := login.header.Get("Set-Cookie"); !strings.Contains(c, "Secure") {
		t.Errorf("over TLS the cookie is %q", c)
	}
	for range 3 {
		now = now.Add(50 * time.Minute)
		p.ok("/runs")
	}
	for range 2 {
		now = now.Add(35 * time.Minute)
		p.get("/runs/1/progress")
	}
	if a := p.get("/runs"); a.status != http.StatusSeeOther {
		t.Errorf("a session that nobody looked at for 70 minutes goes on: %d", a.status)
	}
}

func TestThrottle(t *testing.T) {
	s := newTestSite(t)
	p := s.stranger()
	seen := 0
	for range 30 {
		if a := p.post("/login", "name", "admin", "password", "guess"); a.status == http.StatusTooManyRequests {
			seen++
			if !strings.Contains(a.body, "wait") {
				t.Error("nobody is told how long to wait")
			}
		}
	}
	if seen == 0 {
		t.Error("thirty wrong passwords are not slowed down")
	}
}

func TestSetup(t *testing.T) {
	s := openSite(t, filepath.Join(t.TempDir(), "fleet.db"))
	token, needed, err := s.access.Setup(t.Context())
	if err != nil || !needed {
		t.Fatal(needed, err)
	}
	p := s.stranger()
	if body := p.ok("/login"); !strings.Contains(body, "no account yet") {
		t.Error("the login does not say that there is no account")
	}
	check(t, "/setup", p.ok("/setup?token="+token))
	if a := p.post("/setup", "token", token, "name", "root", "new", "short", "again", "short"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a short password: %d", a.status)
	}
	if a := p.post("/setup", "token", token, "name", "root", "new", password, "again", password+"x"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("two passwords: %d", a.status)
	}
	p.done("/setup", "token", token, "name", "root", "new", password, "again", password)
	if body := p.ok("/"); !strings.Contains(body, "No host was scanned yet") {
		t.Error("the first page does not say what to do first")
	}
	if a := s.stranger().get("/setup?token=" + token); a.status != http.StatusForbidden {
		t.Errorf("the link works twice: %d", a.status)
	}
}

// TestCookies: behind a proxy that is trusted and speaks HTTPS to browsers, every cookie is sent over nothing else and
// can be set by nobody else's page; on plain loopback they are such as a browser takes there. Who is no trusted proxy
// changes nothing.
func TestCookies(t *testing.T) {
	s := newTestSite(t)
	pages := s.server.Config.Handler
	behind := func(trust string, rewrite func(*httputil.ProxyRequest)) *person {
		t.Helper()
		proxies, err := proxy.Parse([]string{trust})
		if err != nil {
			t.Fatal(err)
		}
		inside := httptest.NewServer(proxy.Trust(proxies, pages))
		t.Cleanup(inside.Close)
		outside := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(mustURL(inside.URL))
			r.Out.Host = r.In.Host
			rewrite(r)
		}})
		t.Cleanup(outside.Close)
		p := s.stranger()
		p.base, p.http.Transport = outside.URL, outside.Client().Transport
		return p
	}
	for name, c := range map[string]struct {
		person *person
		https  bool
	}{
		"loopback":                   {s.stranger(), false},
		"a trusted proxy over HTTPS": {behind("127.0.0.1", (*httputil.ProxyRequest).SetXForwarded), true},
		"a trusted proxy that tells no address": {behind("127.0.0.1", func(r *httputil.ProxyRequest) {
			r.Out.Header.Set("X-Forwarded-Proto", "https")
		}), true},
		"a trusted proxy that says http": {behind("127.0.0.1", func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.Header.Set("X-Forwarded-Proto", "http")
		}), false},
		"a proxy that nobody named": {behind("192.0.2.1", (*httputil.ProxyRequest).SetXForwarded), false},
	} {
		p, names := c.person, map[string]bool{}
		login := p.post("/login", "name", "operator", "password", password)
		theme := p.post("/theme", "theme", "dark")
		for _, a := range []answer{login, theme} {
			if a.status != http.StatusSeeOther {
				t.Fatalf("%s: %d %s", name, a.status, a.body)
			}
			for _, header := range a.header.Values("Set-Cookie") {
				cookie, err := http.ParseSetCookie(header)
				if err != nil {
					t.Fatal(err)
				}
				names[cookie.Name] = true
				if strings.HasPrefix(cookie.Name, "__Host-") != c.https || cookie.Secure != c.https ||
					cookie.Path != "/" || cookie.Domain != "" {
					t.Errorf("%s: %s", name, header)
				}
			}
			if got := a.header.Get("Strict-Transport-Security") != ""; got != c.https {
				t.Errorf("%s: HSTS %v", name, got)
			}
		}
		if len(names) < 3 { // of the session, the device and the theme
			t.Errorf("%s: cookies %v", name, names)
		}
		if !c.https {
			continue
		}
		p.ok("/account")
		// The session under the name that any page of the domain could set is none.
		token := ""
		for _, cookie := range p.http.Jar.Cookies(mustURL(p.base)) {
			if cookie.Name == "__Host-ipcguard" {
				token = cookie.Value
			}
		}
		planted := &person{t, p.base, &http.Client{Transport: p.http.Transport, CheckRedirect: p.http.CheckRedirect}}
		for cookie, want := range map[string]int{"__Host-ipcguard": http.StatusOK, "ipcguard": http.StatusSeeOther} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.base+"/account", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.AddCookie(&http.Cookie{Name: cookie, Value: token})
			if a := planted.do(r); a.status != want {
				t.Errorf("%s: the session as %s: %d, want %d", name, cookie, a.status, want)
			}
		}
	}
}
