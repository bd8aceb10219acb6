package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/store"
)

// TestProblems: the overview shows what is wrong with the fleet itself, to each what is theirs; and the page says which
// workers are of the version before.
func TestProblems(t *testing.T) {
	s := newAlike(t, store.KindSQLite)
	elsewhere := store.Site{Name: "elsewhere"}
	if err := s.st.SaveSite(t.Context(), &elsewhere); err != nil {
		t.Fatal(err)
	}
	const banner = "ipcguard itself needs attention"
	if page := s.people[store.RoleViewer].get("/").body; strings.Contains(page, banner) {
		t.Error("nothing is wrong, and there is a banner")
	}
	const all = `[{"kind":"disk-nearly-full","about":"/state","text":"The disk of <b>/state</b> is nearly full.","since":"2026-01-01T00:00:00Z"},
		{"kind":"worker-silent","about":"w1","site":"elsewhere","text":"The worker w1 is silent.","since":"2026-01-01T00:00:00Z"},
		{"kind":"worker-silent","about":"w2","site":"default","text":"The worker w2 is silent.","since":"2026-01-01T00:00:00Z"}]`
	err := s.st.InTx(t.Context(), func(tx *store.Tx) error { return tx.SetMeta(t.Context(), "watch.problems", all) })
	if err != nil {
		t.Fatal(err)
	}
	const disk = "The disk of &lt;b&gt;/state&lt;/b&gt; is nearly full."
	for _, c := range []struct {
		who        store.Role
		path       string
		shown, not []string
	}{
		{store.RoleViewer, "/", []string{banner, disk, "worker w1", "worker w2"}, nil},
		{store.RoleViewer, "/?site=elsewhere", []string{banner, disk, "worker w1"}, []string{"worker w2"}},
		{s.of(store.RoleAdmin, elsewhere), "/", []string{banner, "worker w1"}, []string{"The disk", "worker w2"}},
	} {
		page := s.people[c.who].get(c.path).body
		for _, want := range c.shown {
			if !strings.Contains(page, want) {
				t.Errorf("%s as %s does not say %q", c.path, c.who, want)
			}
		}
		for _, not := range c.not {
			if strings.Contains(page, not) {
				t.Errorf("%s as %s says %q", c.path, c.who, not)
			}
		}
	}

	for name, protocol := range map[string]int{"before-1": 0, "now-1": 1} {
		e := store.Enrolled{Name: name, SiteID: elsewhere.ID, Protocol: protocol}
		if err := s.st.AddEnrolled(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
		if err := s.st.Heartbeat(t.Context(), store.Worker{Name: name, Site: "elsewhere", Protocol: protocol, Seen: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	page := s.people[store.RoleViewer].get("/sites").body
	if n := strings.Count(page, "the next version of the server refuses it: update it"); n != 1 {
		t.Errorf("%d workers are older, want one:\n%s", n, page)
	}
}

// TestReady: the probe says what the server knows of itself, and nothing to be worried about otherwise.
func TestReady(t *testing.T) {
	s := newTestSite(t)
	yes, no := func() bool { return true }, func() bool { return false }
	for want, o := range map[string]Options{
		"ok\n":                           {},
		"ok, but disk-full\n":            {Full: yes, WrongKey: no},
		"ok, but disk-full, wrong-key\n": {Full: yes, WrongKey: yes},
		"ok, but wrong-key\n":            {Full: no, WrongKey: yes},
	} {
		handler, err := New(nil, s.st, s.st.Sessions(), s.access, o)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%d %q, want %q", w.Code, w.Body, want)
		}
	}
}
