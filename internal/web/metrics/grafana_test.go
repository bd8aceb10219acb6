package metrics_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/peer"
	"ipcguard/internal/store"
	"ipcguard/internal/web/metrics"
)

// TestDashboard has a real Prometheus scrape a server and evaluate every expression of the dashboard for Grafana: each
// gives something, and there is a panel for every metric of ours.
func TestDashboard(t *testing.T) {
	peer.Need(t, "prometheus")
	m := metrics.New(busy{&failing{}}, "v", nil)
	page := m.Watch("page", http.NotFoundHandler())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// rates need something that goes on
		page.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		m.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()

	const address = "127.79.1.1"
	dir, listen := t.TempDir(), net.JoinHostPort(address, strconv.Itoa(peer.FreePort(t, address)))
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 500ms}\nscrape_configs:\n- job_name: ipcguard\n  static_configs: "+
		"[{targets: [%q]}]\n",
		strings.TrimPrefix(server.URL, "http://"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	prometheus := exec.CommandContext(t.Context(), "prometheus", "--config.file="+config, "--web.listen-address="+
		listen,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--log.level=warn")
	prometheus.Stdout, prometheus.Stderr = &said, &said
	if err := prometheus.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = prometheus.Process.Kill()
		_ = prometheus.Wait()
		if t.Failed() {
			t.Logf("prometheus said: %s", &said)
		}
	}()

	file, err := os.ReadFile(filepath.Join(peer.ModuleRoot(t), "packaging", "grafana", "ipcguard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Templating struct {
			List []struct{ Type, Name, Definition string }
		}
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(file, &dashboard); err != nil {
		t.Fatal(err)
	}
	// What Grafana puts in, and a week that this Prometheus has not lived.
	fill := strings.NewReplacer("$job", ".*", "$instance", ".*", "$__rate_interval", "1m", "offset 7d", "offset 1s")
	asked := 0
	for _, panel := range dashboard.Panels {
		if len(panel.Targets) == 0 {
			t.Errorf("panel %q asks nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			asked++
			if err := evaluate(t, listen, fill.Replace(target.Expr)); err != nil {
				t.Errorf("panel %q: %s: %v", panel.Title, target.Expr, err)
			}
		}
	}
	for _, v := range dashboard.Templating.List {
		if v.Type == "query" && v.Definition != "label_values(ipcguard_build_info, "+v.Name+")" {
			t.Errorf("the choice of %s comes from %s", v.Name, v.Definition)
		}
	}
	for line := range strings.Lines(scrape(t, m)) {
		name, found := strings.CutPrefix(line, "# TYPE ipcguard_")
		if name, _, _ = strings.Cut(name, " "); found && !strings.Contains(string(file), "ipcguard_"+name) {
			t.Errorf("ipcguard_%s is on no panel", name)
		}
	}
	t.Logf("%d expressions", asked)
}

// busy is a fleet with something of everything.
type busy struct{ *failing }

func (busy) Workers(context.Context) ([]store.Worker, error) {
	return []store.Worker{{Name: "a", Site: "branch", Seen: time.Now()}}, nil
}

// evaluate asks until an expression gives a number. What is wrong with the expression itself ends at once.
func evaluate(t *testing.T, listen, expr string) error {
	t.Helper()
	last := errors.New("not asked")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		r, err := http.Get("http://" + listen + "/api/v1/query?query=" + url.QueryEscape(expr))
		if err != nil {
			last = err // it is starting
			continue
		}
		var answer struct {
			Status, Error string
			Data          struct {
				Result []struct{ Value [2]any }
			}
		}
		err = json.NewDecoder(r.Body).Decode(&answer)
		r.Body.Close()
		switch {
		case r.StatusCode == http.StatusBadRequest:
			return errors.New(answer.Error)
		case err != nil || answer.Status != "success":
			last = fmt.Errorf("%s %w", r.Status, err)
		case len(answer.Data.Result) == 0 || answer.Data.Result[0].Value[1] == "NaN":
			last = errors.New("nothing")
		default:
			return nil
		}
	}
	return last
}
