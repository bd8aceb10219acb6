package web

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/store"
)

func TestSession(t *testing.T) {
	s := newTestSite(t)
	p := s.stranger()
	if a := p.post("/login", "name", "admin", "password", "wrong"); a.status != http.StatusUnauthorized || strings.Contains(a.body, "wrong\"") {
		t.Errorf("a wrong password: %d", a.status)
	}
	for name, want := range map[string]string{"/hosts?q=x": "/hosts?q=x", "//evil.example/": "/", "https://evil.example": "/", `/\evil.example`: "/", "": "/"} {
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
