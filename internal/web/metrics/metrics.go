// Package metrics exposes the state of the fleet and its server to Prometheus. It has its own listener without a login,
// and names no host.
//
// The database is queried when it is scraped, at most every few seconds.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	fleetroom "ipcguard/internal/fleet"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Source is what the metrics read from the store.
type Source interface {
	Counts(ctx context.Context, f store.HostFilter) (store.Counts, error)
	OpenRuns(ctx context.Context) ([]store.Run, error)
	Workers(ctx context.Context) ([]store.Worker, error)
	Channels(ctx context.Context) ([]store.Channel, error)
	Size(ctx context.Context) (int64, error)
	LastSeenBySite(ctx context.Context) (map[string]time.Time, error)
	Meta(ctx context.Context, key string) (string, error)
}

// Metrics are those of one server.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

const (
	// fresh is how long an answer of the database is reused.
	fresh = 5 * time.Second
	// askFor bounds one query: a scrape must end.
	askFor = 5 * time.Second
	// alive is how long a worker counts as alive after its last heartbeat: three of the slowest setting.
	alive = 30 * time.Second
)

// New returns the metrics of a server. clock may be nil for time.Now.
func New(src Source, version string, clock func() time.Time) *Metrics {
	if clock == nil {
		clock = time.Now
	}
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ipcguard_http_request_duration_seconds", Help: "How long answers of the page and the API took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .2, .5, 1, 5},
		}, []string{"part", "code"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ipcguard_build_info", Help: "Always 1; the label says which build this is.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, build, &fleet{src: src, clock: clock},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers GET /metrics, and nothing else.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry,
		promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 2 * askFor}))
	return mux
}

// Watch measures a handler's duration. The part is a constant, because paths come from outside and are unbounded.
func (m *Metrics) Watch(part string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		seen := &status{ResponseWriter: w, code: http.StatusOK}
		h.ServeHTTP(seen, r)
		m.requests.WithLabelValues(part, strconv.Itoa(seen.code/100)+"xx").Observe(time.Since(begun).Seconds())
	})
}

// status records the status of an answer.
type status struct {
	http.ResponseWriter
	code  int
	wrote bool
}

// WriteHeader records the first status.
func (s *status) WriteHeader(code int) {
	if !s.wrote {
		s.code, s.wrote = code, code >= 200
	}
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap gives http.ResponseController access to the wrapped writer, for flushing.
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// fleet queries the store.
type fleet struct {
	src   Source
	clock func() time.Time

	mu    sync.Mutex
	asked time.Time
	last  []prometheus.Metric
}

var (
	up    = prometheus.NewDesc("ipcguard_store_up", "1 when the database answered.", nil, nil)
	hosts = prometheus.NewDesc("ipcguard_hosts", "Hosts by verdict.", []string{"verdict"}, nil)
	runs  = prometheus.NewDesc("ipcguard_runs_open", "Runs that are not ended, by kind and state.",
		[]string{"kind", "state"}, nil)
	units    = prometheus.NewDesc("ipcguard_units_open", "Targets of open runs that have no result yet.", nil, nil)
	workers  = prometheus.NewDesc("ipcguard_workers_alive", "Processes that scan, by site.", []string{"site"}, nil)
	channels = prometheus.NewDesc("ipcguard_channels_failing",
		"Notification channels whose last message did not arrive.", nil, nil)
	lastScan = prometheus.NewDesc("ipcguard_site_last_scan_age_seconds", "How long ago a site had its last result.",
		[]string{"site"}, nil)
	problems = prometheus.NewDesc("ipcguard_problems",
		"What is wrong with the fleet itself, by kind: silent workers, failing channels, a disk nearly full, a certificate about to end.", []string{"kind"}, nil)
	size = prometheus.NewDesc("ipcguard_store_bytes", "Size of the database.", nil, nil)
)

// Describe implements prometheus.Collector.
func (f *fleet) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{up, hosts, runs, units, workers, channels, lastScan, problems, size} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (f *fleet) Collect(out chan<- prometheus.Metric) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.clock(); f.last == nil || now.Sub(f.asked) >= fresh || now.Before(f.asked) {
		f.asked, f.last = now, f.ask(now)
	}
	for _, m := range f.last {
		out <- m
	}
}

// ask omits everything if one query fails: incomplete values would look like a change.
func (f *fleet) ask(now time.Time) []prometheus.Metric {
	ctx, cancel := context.WithTimeout(context.Background(), askFor)
	defer cancel()
	all, err := f.all(ctx, now)
	if err != nil {
		return []prometheus.Metric{gauge(up, 0)}
	}
	return append(all, gauge(up, 1))
}

func (f *fleet) all(ctx context.Context, now time.Time) (out []prometheus.Metric, err error) {
	for _, of := range []func(context.Context, time.Time) ([]prometheus.Metric, error){
		f.hosts, f.runs, f.workers, f.channels, f.scans, f.problems, f.size,
	} {
		some, err := of(ctx, now)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

func (f *fleet) hosts(ctx context.Context, _ time.Time) ([]prometheus.Metric, error) {
	c, err := f.src.Counts(ctx, store.HostFilter{})
	return []prometheus.Metric{
		gauge(hosts, c.Exposed, string(model.Exposed)), gauge(hosts, c.Limited, string(model.Limited)),
		gauge(hosts, c.Closed, string(model.Closed)), gauge(hosts, c.Unknown, "unknown"),
	}, err
}

func (f *fleet) runs(ctx context.Context, _ time.Time) (out []prometheus.Metric, err error) {
	open, err := f.src.OpenRuns(ctx)
	byState, left := map[[2]string]int{}, 0
	for _, r := range open {
		byState[[2]string{string(r.Kind), string(r.State)}]++
		left += r.Total - r.Done // those that failed are done, too
	}
	for k, n := range byState {
		out = append(out, gauge(runs, n, k[0], k[1]))
	}
	return append(out, gauge(units, max(left, 0))), err
}

func (f *fleet) workers(ctx context.Context, now time.Time) (out []prometheus.Metric, err error) {
	list, err := f.src.Workers(ctx)
	bySite := map[string]int{}
	for _, w := range list {
		if now.Sub(w.Seen) < alive {
			bySite[w.Site]++
		}
	}
	for site, n := range bySite {
		out = append(out, gauge(workers, n, site))
	}
	return out, err
}

func (f *fleet) channels(ctx context.Context, _ time.Time) ([]prometheus.Metric, error) {
	ways, err := f.src.Channels(ctx)
	failing := 0
	for _, w := range ways {
		if w.Enabled && w.LastFail != "" {
			failing++
		}
	}
	return []prometheus.Metric{gauge(channels, failing)}, err
}

func (f *fleet) scans(ctx context.Context, now time.Time) (out []prometheus.Metric, err error) {
	seen, err := f.src.LastSeenBySite(ctx)
	for site, at := range seen {
		out = append(out, prometheus.MustNewConstMetric(lastScan, prometheus.GaugeValue, max(0, now.Sub(at).Seconds()),
			site))
	}
	return out, err
}

func (f *fleet) problems(ctx context.Context, _ time.Time) (out []prometheus.Metric, err error) {
	wrong, err := fleetroom.Problems(ctx, f.src)
	byKind := map[store.EventKind]int{
		store.EventWorkerSilent: 0, store.EventChannelFailing: 0, store.EventDiskFull: 0,
		store.EventCertificateEnd: 0,
	}
	for _, p := range wrong {
		byKind[p.Kind]++
	}
	for kind, n := range byKind {
		out = append(out, gauge(problems, n, string(kind)))
	}
	return out, err
}

func (f *fleet) size(ctx context.Context, _ time.Time) ([]prometheus.Metric, error) {
	bytes, err := f.src.Size(ctx)
	return []prometheus.Metric{prometheus.MustNewConstMetric(size, prometheus.GaugeValue, float64(bytes))}, err
}

func gauge(d *prometheus.Desc, n int, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
}
