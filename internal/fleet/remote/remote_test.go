package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/authority"
	"ipcguard/internal/fleet/gate"
	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan"
	"ipcguard/internal/smbtest"
	"ipcguard/internal/store"
)

// scene is a server with a gate over a database, two sites, and a practice network at every address of 127.49.0.0/16.
type scene struct {
	t      *testing.T
	st     *store.Store
	fleet  *fleet.Fleet
	acts   *acts.Acts
	gate   *httptest.Server
	port   uint16
	skew   atomic.Int64 // of the server's clock
	away   atomic.Bool  // the server does not answer
	branch store.Site
	main   store.Site
	log    *lines

	stopServing func()
}

type lines struct {
	lock sync.Mutex
	b    bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.b.String()
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, s *scene)) {
	for _, kind := range []string{store.KindSQLite, store.KindPostgres} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dsn := filepath.Join(t.TempDir(), "fleet.db")
			if kind == store.KindPostgres {
				dsn = peer.Postgres(t)
			}
			test(t, newScene(t, dsn))
		})
	}
}

func (s *scene) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func newScene(t *testing.T, dsn string) *scene {
	t.Helper()
	s := &scene{t: t, log: &lines{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log:\n%s", s.log)
		}
	})
	var err error
	s.st, err = store.Open(t.Context(), dsn, store.Options{})
	s.ok(err)
	t.Cleanup(func() { s.st.Close() })
	s.ok(s.st.Migrate(t.Context()))
	var hosts sync.Map
	practice, err := smbtest.StartMany("0.0.0.0:0", func(a netip.Addr) *smbtest.Host {
		if a.As4()[2] > 1 {
			return nil
		}
		h, ok := hosts.Load(a)
		if !ok {
			made, err := smbtest.NewHost("samba-2", fmt.Sprintf("P%x", a.As4()))
			if err != nil {
				return nil
			}
			h, _ = hosts.LoadOrStore(a, made)
		}
		return h.(*smbtest.Host)
	})
	s.ok(err)
	t.Cleanup(func() { practice.Close() })
	s.port = uint16(practice.Port())
	key, _, err := secret.Create(filepath.Join(t.TempDir(), "key"))
	s.ok(err)
	logger := slog.New(slog.NewTextHandler(s.log, nil))
	s.fleet, err = fleet.New(s.st, fleet.Options{
		Site: "headquarters", Key: key, Log: logger, Poll: 50 * time.Millisecond, Heartbeat: 300 * time.Millisecond,
		DiscoverPorts: []uint16{s.port, 445, 139},
		Clock:         func() time.Time { return time.Now().Add(time.Duration(s.skew.Load())) },
	})
	s.ok(err)
	s.branch, s.main = store.Site{Name: "branch"}, store.Site{Name: "headquarters"}
	s.ok(s.st.SaveSite(t.Context(), &s.branch))
	s.ok(s.st.SaveSite(t.Context(), &s.main))
	people := access.New(s.st, access.Options{})
	s.acts, err = acts.New(s.fleet, s.st, people, acts.Options{Key: key})
	s.ok(err)
	g := gate.New(s.fleet, s.st, people, gate.Options{
		Log: logger, Wait: 200 * time.Millisecond,
		Clock: func() time.Time { return time.Now().Add(time.Duration(s.skew.Load())) },
	})
	s.gate = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.away.Load() {
			panic(http.ErrAbortHandler)
		}
		g.ServeHTTP(w, r)
	}))
	s.gate.TLS, s.gate.EnableHTTP2 = g.TLS(), true
	s.gate.Config.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelInfo)
	s.gate.StartTLS()
	t.Cleanup(s.gate.Close)
	s.serve()
	return s
}

// serve runs the server itself, which scans headquarters.
func (s *scene) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.fleet.Serve(ctx) }()
	s.stopServing = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(s.stopServing)
}

// join enrols a worker of a site, in a directory of its own.
func (s *scene) join(site, name string) (*Identity, string) {
	s.t.Helper()
	code, err := s.acts.AddWorker(s.t.Context(), access.System(), acts.NewWorker{Site: site, Name: name})
	s.ok(err)
	dir := s.t.TempDir()
	id, err := Join(s.t.Context(), dir, s.gate.URL, code.Code, "host", "test")
	s.ok(err)
	if _, err := Join(s.t.Context(), s.t.TempDir(), s.gate.URL, code.Code, "host", "test"); err == nil {
		s.t.Error("a code works twice")
	}
	return id, dir
}

func (s *scene) options() Options {
	return Options{
		Version: "test", Log: slog.New(slog.NewTextHandler(s.log, nil)), Beat: 200 * time.Millisecond,
		Scan: scan.Options{Concurrency: 16, NoUnknownUser: true, NoGuest: true}, DiscoverPorts: []uint16{s.port},
	}
}

// work runs a worker until the returned function is called, which returns its error.
func (s *scene) work(dir string, o Options) (stop func() error) {
	s.t.Helper()
	id, err := Load(dir)
	s.ok(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, id, o) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	s.t.Cleanup(func() { _ = stop() })
	return stop
}

// targets adds hosts to a site.
func (s *scene) targets(site store.Site, third, n int, change func(*store.Target)) []store.Target {
	s.t.Helper()
	var out []store.Target
	for i := range n {
		t := store.Target{SiteID: site.ID, Spec: fmt.Sprintf("127.49.%d.%d:%d", third, i+1, s.port), Enabled: true}
		if change != nil {
			change(&t)
		}
		s.ok(fleet.CheckTarget(&t))
		s.ok(s.st.SaveTarget(s.t.Context(), &t))
		out = append(out, t)
	}
	return out
}

func (s *scene) run(in acts.NewRun) store.Run {
	s.t.Helper()
	r, err := s.acts.StartRun(s.t.Context(), access.System(), in)
	s.ok(err)
	return r
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute { // for what never happens: no time limit is tested
			t.Fatalf("it does not come: %s", what)
		}
	}
}

func (s *scene) ended(run store.Run) store.Run {
	s.t.Helper()
	var r store.Run
	until(s.t, "the run ends", func() bool {
		var err error
		r, err = s.st.Run(s.t.Context(), run.ID)
		s.ok(err)
		return !r.Ended.IsZero()
	})
	return r
}

// TestWorker: a worker joins, scans, audits and searches its site; results from while the server was down arrive later,
// each once.
func TestWorker(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		_, dir := s.join("branch", "branch-1")
		conf := filepath.Join(t.TempDir(), "smb.conf")
		s.ok(os.WriteFile(conf, []byte("[global]\n\tworkgroup = LAB\n\trestrict anonymous = 0\n"), 0o600))
		n := 100
		s.targets(s.branch, 0, n, nil)
		s.targets(s.main, 1, 3, nil)
		audited := store.Target{
			SiteID:      s.branch.ID,
			Spec:        fmt.Sprintf("127.49.0.200:%d", s.port),
			AuditSource: conf,
			Enabled:     true,
			Tags:        []string{"audited"},
		}
		s.ok(s.st.SaveTarget(t.Context(), &audited))
		stop := s.work(dir, s.options())
		r := s.ended(s.run(acts.NewRun{Kind: store.RunScan}))
		if r.Done != n+4 || r.Failed != 0 || r.Closed+r.Limited+r.Exposed != n+4 {
			t.Errorf("%+v", r)
		}
		hosts, total, err := s.st.Hosts(t.Context(), store.HostFilter{Site: "branch"}, store.Page{Size: store.MaxPage})
		s.ok(err)
		if total != n+1 {
			t.Errorf("%d hosts", total)
		}
		for _, h := range hosts {
			results, count, err := s.st.Results(t.Context(), h.ID, store.Page{Size: 10})
			s.ok(err)
			if count != 1 || results[0].Worker != "branch-1" || time.Since(results[0].At) > time.Hour {
				t.Errorf("%s has %d results: %+v", h.Address, count, results)
			}
		}
		if a := s.ended(
			s.run(acts.NewRun{Kind: store.RunAudit, Selector: store.Selector{Tag: "audited"}}),
		); a.Done != 1 || a.Failed != 0 {
			t.Errorf("%+v", a)
		}
		area := store.Target{SiteID: s.branch.ID, Spec: "127.49.1.16/28", Enabled: true, Tags: []string{"found"}}
		s.ok(fleet.CheckTarget(&area))
		s.ok(s.st.SaveTarget(t.Context(), &area))
		s.ended(s.run(acts.NewRun{Kind: store.RunDiscover, Selector: store.Selector{Targets: []int64{area.ID}}}))
		if _, found, err := s.st.Targets(t.Context(), store.TargetFilter{Tag: "found", Kind: store.TargetHost},
			store.Page{Size: 1}); err != nil || found != 16 {
			t.Errorf("%d were found, %v", found, err)
		}
		workers, err := s.st.Workers(t.Context())
		s.ok(err)
		if len(workers) != 2 {
			t.Errorf("%+v", workers)
		}

		// The server goes down in the middle; the worker continues, is killed, and comes back.
		r = s.run(acts.NewRun{Kind: store.RunScan, Selector: store.Selector{Site: "branch"}})
		until(t, "some are done", func() bool {
			now, err := s.st.Run(t.Context(), r.ID)
			s.ok(err)
			return now.Done > 0
		})
		s.away.Store(true)
		s.ok(stop())
		stop = s.work(dir, s.options())
		time.Sleep(300 * time.Millisecond)
		s.away.Store(false)
		if r = s.ended(r); r.Done != n+1+16 || r.Failed != 0 {
			t.Errorf("%+v", r)
		}
		s.ok(stop())
		if left := s.jobsLeft(); left != 0 {
			t.Errorf("%d jobs are left in the queue, that nobody works", left)
		}
	})
}

// jobsLeft starts another server, which tidies up, and counts the remaining jobs.
func (s *scene) jobsLeft() (n int) {
	s.t.Helper()
	count := func() int {
		const query = `SELECT count(*) FROM river_job WHERE state IN ('available', 'scheduled', 'retryable')`
		if pool := s.st.Pool(); pool != nil {
			s.ok(pool.QueryRow(s.t.Context(), query).Scan(&n))
		} else {
			s.ok(s.st.DB().QueryRowContext(s.t.Context(), query).Scan(&n))
		}
		return n
	}
	if count() == 0 {
		s.t.Error("there were no jobs to tidy")
	}
	s.stopServing()
	s.serve()
	until(s.t, "the queue is tidy", func() bool { return count() == 0 })
	return n
}

// call sends any request with a stolen worker's identity.
func (s *scene) call(client *http.Client, path string, in, out any) int {
	s.t.Helper()
	b, err := json.Marshal(in)
	s.ok(err)
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.gate.URL+path, bytes.NewReader(b))
	s.ok(err)
	req.Header.Set(wire.Header, "1")
	res, err := client.Do(req)
	s.ok(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	s.ok(err)
	if out != nil && res.StatusCode == http.StatusOK {
		s.ok(json.Unmarshal(text, out))
	}
	for _, secret := range []string{"the other site's password", "127.49.1."} {
		if bytes.Contains(text, []byte(secret)) {
			s.t.Errorf("%s tells of another site: %.300s", path, text)
		}
	}
	return res.StatusCode
}

// TestAuthority: the authority is renewed without a gap, certificates are renewed, and a different fingerprint is
// refused.
func TestAuthority(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		id, dir := s.join("branch", "branch-1")
		code, err := s.acts.AddWorker(t.Context(), access.System(), acts.NewWorker{Site: "branch"})
		s.ok(err)
		wrong := code.Code[:len(code.Code)-4] + "AAAA"
		if _, err := Join(t.Context(), t.TempDir(), s.gate.URL, wrong, "x", "test"); err == nil ||
			!strings.Contains(err.Error(), "fingerprint") {
			t.Errorf("another authority: %v", err)
		}
		if _, err := Join(t.Context(), t.TempDir(), s.gate.URL, code.Code, "x", "test"); err != nil {
			t.Errorf("the code was used up by who did not know the server: %v", err)
		}
		before, err := s.fleet.Authority(t.Context())
		s.ok(err)
		// Six years in steps of six days: the worker renews, and is never refused.
		made := 0
		last := before.PEM()
		for week := range 6 * 61 {
			s.skew.Store(int64(time.Duration(week) * 6 * 24 * time.Hour))
			now := time.Now().Add(time.Duration(s.skew.Load()))
			client := id.client()
			client.Transport.(*http.Transport).TLSClientConfig.Time = func() time.Time { return now }
			if id, err = id.renewed(t.Context(), client); err != nil {
				t.Fatalf("week %d: %v", week, err)
			}
			client.CloseIdleConnections()
			if id.Authorities != last {
				made, last = made+1, id.Authorities
			}
		}
		if made < 2 { // a second was created, and the first expired
			t.Errorf("the authorities changed %d times", made)
		}
		block := x509.NewCertPool()
		block.AppendCertsFromPEM([]byte(before.PEM()))
		if _, err := id.cert.Verify(x509.VerifyOptions{
			Roots:       block,
			KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			CurrentTime: id.cert.NotBefore.Add(time.Hour),
		}); err == nil {
			t.Error("the worker's certificate is still of the first authority")
		}
		if _, err := Load(dir); err != nil {
			t.Error(err)
		}
	})
}

// TestRenewed: a running worker survives the replacement of the authority: the second one is created, signs workers,
// becomes the server's, and remains when the first has expired. No scan fails meanwhile, and nothing joins again.
func TestRenewed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		const day = 24 * time.Hour
		clock := func() time.Time { return time.Now().Add(time.Duration(s.skew.Load())) }
		s.skew.Store(int64(-4*365*day + 12*day)) // the first authority has 12 days until another is created
		_, err := s.fleet.Authority(t.Context())
		s.ok(err)
		s.skew.Store(0)
		id, dir := s.join("branch", "branch-1")
		first := id.Authorities
		s.targets(s.branch, 0, 2, nil)
		o := s.options()
		o.Beat, o.Clock = 10*time.Millisecond, clock
		stop := s.work(dir, o)
		scanned := func() {
			t.Helper()
			if r := s.ended(s.run(acts.NewRun{
				Kind:     store.RunScan,
				Selector: store.Selector{Site: "branch"},
				Quick:    true,
			})); r.Done != 2 || r.Failed != 0 {
				t.Fatalf("%v on: %+v", time.Duration(s.skew.Load()), r)
			}
		}
		scanned()
		count := func(pem string) int { return strings.Count(pem, "BEGIN CERTIFICATE") }
		var both, alone bool
		shown := map[[16]byte]bool{}
		for days := 6; days <= 12+365+12; days += 6 { // a certificate lasts 7
			s.skew.Store(int64(days) * int64(day))
			until(t, "the worker renews", func() bool {
				now, err := Load(dir)
				s.ok(err)
				id = now
				known, err := s.st.EnrolledWorkers(t.Context())
				s.ok(err)
				// The worker uses it.
				return known[0].Serial == authority.Serial(now.cert) && known[0].Earlier == "" &&
					clock().Sub(now.cert.NotBefore) < day
			})
			a, err := s.fleet.Authority(t.Context())
			s.ok(err)
			n, is := count(id.Authorities), a.Fingerprint(clock())
			if n == 1 && id.Authorities != first {
				alone = true
			}
			if n == 2 && !both || alone || !shown[is] {
				scanned()
			}
			both, shown[is] = both || n == 2, true
		}
		if !both || !alone || len(shown) != 2 {
			t.Errorf("two authorities at a time: %v, the second alone: %v, shown were %d", both, alone, len(shown))
		}
		s.ok(stop())
	})
}

// gateOf is another listener for workers, of a server that speaks a protocol.
func (s *scene) gateOf(protocol int) string {
	s.t.Helper()
	g := gate.New(s.fleet, s.st, access.New(s.st, access.Options{}), gate.Options{
		Log: slog.New(slog.NewTextHandler(s.log, nil)), Wait: 200 * time.Millisecond, Protocol: protocol,
	})
	l := httptest.NewUnstartedServer(g)
	l.TLS, l.EnableHTTP2 = g.TLS(), true
	l.StartTLS()
	s.t.Cleanup(l.Close)
	return l.URL
}

// TestVersions: a server accepts workers of its own protocol and of the previous one, and logs which use that; others
// are refused with the reason when they join and at each request, and a refused worker ends with it.
func TestVersions(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		const own = wire.Protocol + 1 // the server is the next version, so that this program is the previous one
		id, dir := s.join("branch", "branch-1")
		ahead := s.gateOf(own)
		none := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
			ServerName: authority.ServerName,
			RootCAs:    id.pool(),
		}}}
		ask := func(client *http.Client, path, protocol string, in any) (int, string) {
			t.Helper()
			b, err := json.Marshal(in)
			s.ok(err)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, ahead+path, bytes.NewReader(b))
			s.ok(err)
			if protocol != "" {
				req.Header.Set(wire.Header, protocol)
			}
			res, err := client.Do(req)
			s.ok(err)
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			s.ok(err)
			return res.StatusCode, string(text)
		}
		kept := func() int {
			t.Helper()
			list, err := s.st.EnrolledWorkers(t.Context())
			s.ok(err)
			for _, e := range list {
				if e.Name == "branch-1" {
					return e.Protocol
				}
			}
			return -1
		}
		request, err := requestOf(id.key)
		s.ok(err)
		client := id.client()
		for protocol, reason := range map[int]string{
			own:     "",
			own - 1: "",
			own - 2: "update the worker",
			own + 1: "update the server first",
		} {
			want := http.StatusOK
			if reason != "" {
				want = http.StatusUpgradeRequired
			}
			status, text := ask(client, wire.PathAlive, fmt.Sprint(protocol),
				map[string]any{"version": "x", "unheard-of": 1})
			if status != want || !strings.Contains(text, reason) {
				t.Errorf("protocol %d: %d %s, want %d", protocol, status, text, want)
			}
			if got := kept(); reason == "" && got != protocol {
				t.Errorf("protocol %d is kept as %d", protocol, got)
			}
			code, err := s.acts.AddWorker(t.Context(), access.System(),
				acts.NewWorker{Site: "branch", Name: fmt.Sprint("p", protocol)})
			s.ok(err)
			secret, _, err := parseCode(code.Code)
			s.ok(err)
			status, text = ask(none, wire.PathJoin, "", wire.Join{Protocol: protocol, Code: secret, Request: request})
			if status != want || !strings.Contains(text, reason) {
				t.Errorf("joining with protocol %d: %d %s, want %d", protocol, status, text, want)
			}
		}
		for _, wrong := range []string{"", "one", "1.5", "-1"} {
			if status, text := ask(client, wire.PathAlive, wrong, wire.Alive{}); status != http.StatusUpgradeRequired {
				t.Errorf("protocol %q: %d %s", wrong, status, text)
			}
		}
		if !strings.Contains(s.log.String(), "a worker is of the version before") {
			t.Error("the log does not say that a worker is of the version before")
		}

		// This program works with the next server, and not with the one after it.
		elsewhere := func(server string) {
			t.Helper()
			id, err := Load(dir)
			s.ok(err)
			id.Server = server
			s.ok(id.save())
		}
		elsewhere(ahead)
		s.targets(s.branch, 0, 2, nil)
		stop := s.work(dir, s.options())
		if r := s.ended(
			s.run(acts.NewRun{Kind: store.RunScan, Selector: store.Selector{Site: "branch"}}),
		); r.Done != 2 || r.Failed != 0 {
			t.Errorf("as the version before: %+v", r)
		}
		s.ok(stop())
		if got := kept(); got != wire.Protocol {
			t.Errorf("at work as %d", got)
		}
		elsewhere(s.gateOf(own + 1))
		id, err = Load(dir)
		s.ok(err)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := Run(ctx, id, s.options()); err == nil || !strings.Contains(err.Error(), "update the worker") {
			t.Errorf("a worker that is too old ended with %v", err)
		}
	})
}

// TestMovedTarget: a target that is moved to another site no longer leads to the old site's host. The new site's worker
// gets nothing of that host, its results do not change it, and the host leaves the fleet if no other target leads to
// it.
func TestMovedTarget(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		target := s.targets(s.main, 1, 1, func(x *store.Target) { x.Tags = []string{"core"} })[0]
		s.ended(s.run(acts.NewRun{Kind: store.RunScan}))
		host, err := s.st.HostByAddress(t.Context(), s.main.ID, target.Spec)
		s.ok(err)
		moved := acts.TargetChange{
			Spec:        target.Spec,
			Site:        "branch",
			Tags:        []string{"moved"},
			AuditSource: "/etc/samba/smb.conf",
		}
		_, err = s.acts.SaveTarget(t.Context(), access.System(), target.ID, moved)
		s.ok(err)
		if got, err := s.st.Target(t.Context(), target.ID); err != nil || got.HostID != 0 {
			t.Errorf("%+v, %v", got, err)
		}
		left, err := s.st.Host(t.Context(), host.ID)
		if err != nil || left.Retired.IsZero() || slices.Contains(left.Tags, "moved") {
			t.Errorf("what it led to: %+v, %v", left, err)
		}
		id, _ := s.join("branch", "branch-1")
		s.run(acts.NewRun{Kind: store.RunAudit})
		var job wire.Job
		_, err = post(t.Context(), id.client(), s.gate.URL+wire.PathJob, wire.Ask{Most: 1}, &job)
		s.ok(err)
		if len(job.Targets) != 1 || len(job.Targets[0].Scan) != 0 {
			t.Errorf("the new site's worker is told of the old site's host: %+v", job)
		}
	})
}

// running returns how many units of a run a worker has.
func (s *scene) running(run store.Run, worker string) (n int) {
	s.t.Helper()
	units, _, err := s.st.Units(s.t.Context(), run.ID, store.UnitRunning, store.Page{Size: 100})
	s.ok(err)
	for _, u := range units {
		if u.Worker == worker {
			n++
		}
	}
	return n
}

// TestServerRestarts: a server that starts again leaves the hosts of workers on other machines with them.
func TestServerRestarts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		s.targets(s.branch, 0, 4, nil)
		id, _ := s.join("branch", "branch-1")
		s.run(acts.NewRun{Kind: store.RunScan})
		var job wire.Job
		if status := s.call(id.client(), wire.PathJob, wire.Ask{Most: 64}, &job); status != http.StatusOK {
			t.Fatal(status)
		}
		s.call(id.client(), wire.PathAlive, wire.Alive{Jobs: []string{job.ID}}, nil)
		s.stopServing()
		before := len(s.log.String())
		s.serve()
		var said string
		until(t, "the server is at work again", func() bool {
			var came bool
			said, _, came = strings.Cut(s.log.String()[before:], "at work")
			return came
		})
		if strings.Contains(said, "branch-1") {
			t.Errorf("it began with %s", said)
		}
	})
}

// TestForgottenBeforeSetBack: a worker has lost a job that it was given before the server's clock was set back. Others
// get its hosts at once.
func TestForgottenBeforeSetBack(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		s.targets(s.branch, 0, 4, nil)
		id, _ := s.join("branch", "branch-1")
		run := s.run(acts.NewRun{Kind: store.RunScan})
		s.skew.Store(int64(time.Hour))
		var job wire.Job
		if status := s.call(id.client(), wire.PathJob, wire.Ask{Most: 64}, &job); status != http.StatusOK {
			t.Fatal(status)
		}
		s.skew.Store(0)
		s.call(id.client(), wire.PathAlive, wire.Alive{}, nil)
		if n := s.running(run, "branch-1"); n != 0 {
			t.Errorf("it still has %d hosts", n)
		}
	})
}

// TestWorkerDiskFull: a worker that cannot store results takes no more jobs until it can. Every host is then measured
// once.
func TestWorkerDiskFull(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		const n = 40
		s.targets(s.branch, 0, n, nil)
		_, dir := s.join("branch", "branch-1")
		o := s.options()
		o.Scan.Quick = true
		s.work(dir, o)
		until(t, "it is at work", func() bool { return strings.Contains(s.log.String(), "site=branch worker=branch-1 server=") })
		results := filepath.Join(dir, spoolDir)
		s.ok(os.Rename(results, results+".away")) // for every account, no room is like no directory
		run := s.run(acts.NewRun{Kind: store.RunScan})
		until(t, "it takes no more", func() bool { return strings.Contains(s.log.String(), "no job is taken until") })
		given := s.handouts()
		time.Sleep(time.Second) // before, there was a job every few milliseconds
		if now := s.handouts(); given > 2 || now > given {
			t.Errorf("%d jobs were given, and %d after a while", given, now)
		}
		s.ok(os.Rename(results+".away", results))
		if r := s.ended(run); r.Done != n || r.Failed != 0 {
			t.Errorf("%+v", r)
		}
	})
}

// handouts counts the jobs that workers were given.
func (s *scene) handouts() (n int) {
	s.t.Helper()
	const query = `SELECT count(*) FROM handouts`
	if pool := s.st.Pool(); pool != nil {
		s.ok(pool.QueryRow(s.t.Context(), query).Scan(&n))
	} else {
		s.ok(s.st.DB().QueryRowContext(s.t.Context(), query).Scan(&n))
	}
	return n
}
