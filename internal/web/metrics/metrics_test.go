package metrics_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/store"
	"ipcguard/internal/web/metrics"
)

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
}

func TestRealStore(t *testing.T) {
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "m.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, w := range []store.Worker{
		{Name: "a", Site: "branch", Started: now, Seen: now},
		{Name: "b", Site: "branch", Started: now, Seen: now.Add(-time.Hour)},
	} {
		if err := st.Heartbeat(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	m := metrics.New(st, `v1 "quoted"`, nil)
	has(t, scrape(t, m), "ipcguard_store_up 1", `ipcguard_hosts{verdict="exposed"} 0`,
		`ipcguard_workers_alive{site="branch"} 1`,
		"ipcguard_units_open 0", `ipcguard_build_info{version="v1 \"quoted\""} 1`)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("beside /metrics: %d", w.Code)
	}
}

// failing is a store that is away now and then.
type failing struct {
	*store.Store
	away bool
	asks int
}

func (f *failing) Counts(context.Context, store.HostFilter) (store.Counts, error) {
	if f.asks++; f.away {
		return store.Counts{}, errors.New("away")
	}
	return store.Counts{Hosts: 3, Exposed: 1, Closed: 2}, nil
}

func (f *failing) OpenRuns(context.Context) ([]store.Run, error) {
	return []store.Run{{Kind: store.RunScan, State: store.RunRunning, Total: 10, Done: 4, Failed: 1}}, nil
}
func (f *failing) Workers(context.Context) ([]store.Worker, error) { return nil, nil }
func (f *failing) Channels(context.Context) ([]store.Channel, error) {
	return []store.Channel{{Enabled: true, LastFail: "refused"}, {LastFail: "off"}, {Enabled: true}}, nil
}
func (f *failing) Size(context.Context) (int64, error) { return 4096, nil }
func (f *failing) LastSeenBySite(context.Context) (map[string]time.Time, error) {
	return map[string]time.Time{"branch": time.Unix(1e9-90, 0)}, nil
}

func (f *failing) Meta(context.Context, string) (string, error) {
	return `[{"kind":"worker-silent","about":"w1"},{"kind":"worker-silent","about":"w2"}]`, nil
}

func TestAwayAndBack(t *testing.T) {
	now := time.Unix(1e9, 0)
	src := &failing{}
	m := metrics.New(src, "v", func() time.Time { return now })
	want := []string{
		"ipcguard_store_up 1", `ipcguard_hosts{verdict="closed"} 2`, "ipcguard_units_open 6",
		"ipcguard_channels_failing 1",
		`ipcguard_runs_open{kind="scan",state="running"} 1`, "ipcguard_store_bytes 4096",
		`ipcguard_problems{kind="worker-silent"} 2`, `ipcguard_problems{kind="disk-nearly-full"} 0`,
	}
	has(t, scrape(t, m), append(want, `ipcguard_site_last_scan_age_seconds{site="branch"} 90`)...)
	scrape(t, m)
	if src.asks != 1 {
		t.Errorf("two scrapes at once asked %d times", src.asks)
	}
	src.away, now = true, now.Add(time.Minute)
	gone := scrape(t, m)
	has(t, gone, "ipcguard_store_up 0")
	if strings.Contains(gone, "ipcguard_hosts") {
		t.Error("numbers of a store that does not answer")
	}
	src.away, now = false, now.Add(-time.Hour) // a clock that jumps back
	has(t, scrape(t, m), want...)
}

func TestWatch(t *testing.T) {
	m := metrics.New(&failing{}, "v", nil)
	h := m.Watch("page", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusNotFound)
		}
		if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, os.ErrInvalid) {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "x")
	}))
	for _, path := range []string{"/", "/gone", "/gone"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	has(t, scrape(t, m), `ipcguard_http_request_duration_seconds_count{code="2xx",part="page"} 1`,
		`ipcguard_http_request_duration_seconds_count{code="4xx",part="page"} 2`)
}
