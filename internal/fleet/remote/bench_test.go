package remote

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/gate"
	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan"
	"ipcguard/internal/store"
)

// benchHosts is the number of practice hosts of each site; IPCGUARD_BENCH_HOSTS overrides it.
func benchHosts() int {
	if n, err := strconv.Atoi(os.Getenv("IPCGUARD_BENCH_HOSTS")); err == nil && n > 0 {
		return n
	}
	return 4000
}

// BenchmarkWorker scans the same number of hosts by turns in the server's own site and by a worker over HTTPS in a
// process of its own. It reports the worker's rate and its ratio to the server's. The practice hosts are another
// process.
func BenchmarkWorker(b *testing.B) {
	for _, kind := range []string{store.KindSQLite, store.KindPostgres} {
		b.Run(kind, func(b *testing.B) {
			dsn := filepath.Join(b.TempDir(), "fleet.db")
			if kind == store.KindPostgres {
				dsn = peer.Postgres(b)
			}
			benchWorker(b, dsn)
		})
	}
}

func benchWorker(b *testing.B, dsn string) {
	ok := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	st, err := store.Open(ctx, dsn, store.Options{})
	ok(err)
	defer st.Close()
	ok(st.Migrate(ctx))
	practice, err := startChild("practice")
	ok(err)
	defer practice.kill()
	key, _, err := secret.Create(filepath.Join(b.TempDir(), "key"))
	ok(err)
	f, err := fleet.New(st, fleet.Options{
		Site: "headquarters", Key: key, Log: quietLog(), Heartbeat: wire.Beat,
		Scan: scan.Options{Concurrency: 64, NoUnknownUser: true, NoGuest: true}, // as in workerProcess
	})
	ok(err)
	people := access.New(st, access.Options{})
	does, err := acts.New(f, st, people, acts.Options{Key: key})
	ok(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(err)
	g := gate.New(f, st, people, gate.Options{Log: quietLog()})
	server := &http.Server{Handler: g, TLSConfig: g.TLS(), ReadHeaderTimeout: time.Minute}
	served := make(chan error, 2)
	go func() { served <- server.ServeTLS(l, "", "") }()
	go func() { served <- f.Serve(ctx) }()
	defer func() {
		cancel()
		_ = server.Close()
		<-served
		<-served
	}()

	sites, first := []string{"headquarters", "branch"}, map[string]string{
		"headquarters": "127.49.8.0",
		"branch":       "127.49.128.0",
	}
	for _, name := range sites {
		site := store.Site{Name: name}
		ok(st.SaveSite(ctx, &site))
		list, a := make([]store.Target, benchHosts()), netip.MustParseAddr(first[name])
		for i := range list {
			list[i] = store.Target{SiteID: site.ID, Spec: a.String() + ":" + practice.first, Enabled: true}
			ok(fleet.CheckTarget(&list[i]))
			a = a.Next()
		}
		_, _, err = st.SaveTargets(ctx, list)
		ok(err)
	}
	code, err := does.AddWorker(ctx, access.System(), acts.NewWorker{Site: "branch", Name: "branch-1"})
	ok(err)
	dir := b.TempDir()
	_, err = Join(ctx, dir, "https://"+l.Addr().String(), code.Code, "host", "test")
	ok(err)
	worker, err := startChild("worker", "IPCGUARD_TEST_DIR="+dir)
	ok(err)
	defer worker.kill()

	// scanned scans a site, and returns the time and the processor time of server and worker.
	scanned := func(site string) (took, cpu time.Duration) {
		b.Helper()
		ours := func() time.Duration { return peer.SelfCPU(b) + peer.ProcessCPU(b, worker.Process.Pid) }
		began, before := time.Now(), ours()
		r, err := does.StartRun(ctx, access.System(),
			acts.NewRun{Kind: store.RunScan, Quick: true, Selector: store.Selector{Site: site}})
		ok(err)
		for r.Ended.IsZero() {
			time.Sleep(50 * time.Millisecond)
			r, err = st.Run(ctx, r.ID)
			ok(err)
		}
		if r.Done != benchHosts() || r.Failed != 0 || r.Unknown != 0 {
			b.Fatalf("%s: %+v", site, r)
		}
		return r.Ended.Sub(began), ours() - before
	}
	took, cpu := map[string]time.Duration{}, map[string]time.Duration{}
	for range 2 { // the first time every host is new
		for _, site := range sites {
			scanned(site)
		}
	}
	for b.Loop() {
		for _, site := range sites {
			t, c := scanned(site)
			took[site], cpu[site] = took[site]+t, cpu[site]+c
		}
	}
	all := float64(benchHosts() * b.N)
	b.ReportMetric(all/took["headquarters"].Seconds(), "own-hosts/s")
	b.ReportMetric(all/took["branch"].Seconds(), "worker-hosts/s")
	b.ReportMetric(100*took["headquarters"].Seconds()/took["branch"].Seconds(), "%-of-own")
	b.ReportMetric(float64(cpu["headquarters"].Microseconds())/all, "own-cpu-µs/host")
	b.ReportMetric(float64(cpu["branch"].Microseconds())/all, "worker-cpu-µs/host")
}
