package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/gate"
	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan"
	"ipcguard/internal/smbtest"
	"ipcguard/internal/store"
)

// TestMain lets a test start this program again in a process that can be killed: as a practice network, as a server
// with a listener for workers, or as a worker. Each ends when its standard input is closed.
func TestMain(m *testing.M) {
	role := os.Getenv("IPCGUARD_TEST_ROLE")
	if role == "" {
		os.Exit(m.Run())
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := map[string]func() error{
		"practice": practiceProcess,
		"serve":    serveProcess,
		"worker":   workerProcess,
	}[role](); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		os.Exit(1)
	}
}

// practiceProcess answers on every loopback address, at each as a host with a different name.
func practiceProcess() error {
	var hosts sync.Map
	s, err := smbtest.StartMany("0.0.0.0:0", func(a netip.Addr) *smbtest.Host {
		h, known := hosts.Load(a)
		if !known {
			made, err := smbtest.NewHost("samba-2", fmt.Sprintf("P%x", a.As4()))
			if err != nil {
				return nil
			}
			h, _ = hosts.LoadOrStore(a, made)
		}
		return h.(*smbtest.Host)
	})
	if err != nil {
		return err
	}
	fmt.Println(s.Port())
	select {}
}

func quietLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// serverOn returns a server over a database, as the command line creates it.
func serverOn(st *store.Store, keyFile string) (*fleet.Fleet, *access.Access, secret.Key, error) {
	key, _, err := secret.Create(keyFile)
	if err != nil {
		return nil, nil, key, err
	}
	f, err := fleet.New(st, fleet.Options{
		Site:      "headquarters",
		Key:       key,
		Log:       quietLog(),
		Poll:      50 * time.Millisecond,
		Heartbeat: 300 * time.Millisecond,
	})
	return f, access.New(st, access.Options{}), key, err
}

func serveProcess() error {
	ctx := context.Background()
	st, err := store.Open(ctx, os.Getenv("IPCGUARD_TEST_DATABASE"), store.Options{})
	if err != nil {
		return err
	}
	f, people, _, err := serverOn(st, os.Getenv("IPCGUARD_TEST_KEY"))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", os.Getenv("IPCGUARD_TEST_LISTEN"))
	if err != nil {
		return err
	}
	g := gate.New(f, st, people, gate.Options{Log: quietLog(), Wait: 200 * time.Millisecond})
	ended := make(chan error, 2)
	go func() {
		s := &http.Server{
			Handler:           g,
			TLSConfig:         g.TLS(),
			ReadHeaderTimeout: time.Minute,
			ErrorLog:          slog.NewLogLogger(quietLog().Handler(), slog.LevelDebug),
		}
		ended <- s.ServeTLS(l, "", "")
	}()
	go func() { ended <- f.Serve(ctx) }()
	fmt.Println("ready")
	return <-ended
}

func workerProcess() error {
	id, err := Load(os.Getenv("IPCGUARD_TEST_DIR"))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return Run(context.Background(), id, Options{
		Version: "test", Log: quietLog(), Beat: 200 * time.Millisecond,
		Scan: scan.Options{Concurrency: 64, Quick: true, NoUnknownUser: true, NoGuest: true},
	})
}

// child is this program in another role.
type child struct {
	*exec.Cmd
	in    io.Closer
	first string // the first line of its output
}

func startChild(role string, env ...string) (*child, error) {
	c := &child{Cmd: exec.Command(os.Args[0], "-test.run=^$")}
	c.Env = append(append(os.Environ(), "IPCGUARD_TEST_ROLE="+role), env...)
	c.Stderr = os.Stderr
	var err error
	if c.in, err = c.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.kill()
		return nil, fmt.Errorf("%s ended at once: %w", role, err)
	}
	c.first = strings.TrimSpace(line)
	return c, nil
}

// kill ends it as a power failure does.
func (c *child) kill() {
	_ = c.Process.Kill()
	_ = c.in.Close()
	_ = c.Wait() // the status does not matter
}

// TestChaos kills a server that scans a site itself, two workers over HTTPS at another site, and the database with -9
// repeatedly, and checks that every host's result is there exactly once. IPCGUARD_LONG has 10,000 hosts.
func TestChaos(t *testing.T) {
	hosts := 100
	if os.Getenv("IPCGUARD_LONG") != "" {
		hosts = 10_000
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		chaos(t, hosts, filepath.Join(t.TempDir(), "fleet.db"), nil, "127.49.250.1:8444")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		pg := peer.StartPostgres(t, peer.PostgresOptions{})
		chaos(t, hosts, pg.Database(t), pg, "127.49.250.2:8444")
	})
}

// mayhem is a fleet whose processes are killed: a server that scans its own site, two workers at another site, and
// PostgreSQL where it has one.
type mayhem struct {
	*testing.T
	hosts   int
	dsn     string
	pg      *peer.PostgresServer // nil for SQLite
	keyFile string
	listen  string
	server  *child
	workers []*child
	dirs    []string // of the workers
	run     int64
	killed  map[string]int
}

func chaos(t *testing.T, hosts int, dsn string, pg *peer.PostgresServer, listen string) {
	m := &mayhem{
		T: t, hosts: hosts, dsn: dsn, pg: pg, listen: listen, keyFile: filepath.Join(t.TempDir(), "key"),
		killed: map[string]int{},
	}
	practice, err := startChild("practice")
	m.must(err)
	defer practice.kill()
	codes := m.prepare(practice.first)
	m.server = m.serve()
	defer func() { m.server.kill() }()
	for _, code := range codes {
		m.join(code)
		m.workers = append(m.workers, m.work(len(m.workers)))
	}
	defer func() {
		for _, w := range m.workers {
			w.kill()
		}
	}()

	var last store.Run
	for round := 0; last.Done < hosts; round++ {
		if round > 2000 {
			t.Fatalf("it does not come to an end: %+v", last)
		}
		// The moment of the kill is random.
		time.Sleep(time.Duration(300+rand.IntN(700)+100*round) * time.Millisecond)
		if round%2 == 0 {
			m.killWorker()
		} else {
			last = m.killServer(round, last)
		}
	}
	m.server.kill()
	m.with(m.everyHostOnce)
	if m.killed["server"] < 2 || m.killed["worker"] < 2 || pg != nil && m.killed["PostgreSQL"] == 0 {
		t.Errorf("it was over before everything was killed: %v", m.killed)
	}
}

func (m *mayhem) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// with opens the database while the server is dead: only one process may open SQLite.
func (m *mayhem) with(do func(st *store.Store)) {
	m.Helper()
	var st *store.Store
	until(m.T, "the database answers", func() bool {
		var err error
		st, err = store.Open(m.Context(), m.dsn, store.Options{})
		return err == nil
	})
	defer st.Close()
	do(st)
}

// prepare makes two sites, their targets and a run of all, and returns the codes of two workers.
func (m *mayhem) prepare(port string) (codes []string) {
	m.Helper()
	ctx := m.Context()
	m.with(func(st *store.Store) {
		m.must(st.Migrate(ctx))
		f, people, key, err := serverOn(st, m.keyFile)
		m.must(err)
		does, err := acts.New(f, st, people, acts.Options{Key: key})
		m.must(err)
		// Slow enough that it does not end before something was killed.
		branch, own := store.Site{Name: "branch", Rate: 4}, store.Site{Name: "headquarters", Rate: 2}
		m.must(st.SaveSite(ctx, &branch))
		m.must(st.SaveSite(ctx, &own))
		for i := range 2 {
			code, err := does.AddWorker(ctx, access.System(),
				acts.NewWorker{Site: "branch", Name: fmt.Sprintf("branch-%d", i+1)})
			m.must(err)
			codes = append(codes, code.Code)
		}
		list := make([]store.Target, m.hosts)
		a := netip.MustParseAddr("127.49.8.0")
		for i := range list {
			list[i] = store.Target{SiteID: branch.ID, Spec: a.String() + ":" + port, Enabled: true}
			if i%4 == 0 { // the server scans too
				list[i].SiteID = own.ID
			}
			m.must(fleet.CheckTarget(&list[i]))
			a = a.Next()
		}
		_, _, err = st.SaveTargets(ctx, list)
		m.must(err)
		run, err := does.StartRun(ctx, access.System(), acts.NewRun{Kind: store.RunScan, Quick: true})
		m.must(err)
		m.run = run.ID
	})
	return codes
}

func (m *mayhem) serve() *child {
	m.Helper()
	var c *child
	until(m.T, "the server starts", func() bool {
		var err error
		c, err = startChild("serve", "IPCGUARD_TEST_DATABASE="+m.dsn, "IPCGUARD_TEST_KEY="+m.keyFile,
			"IPCGUARD_TEST_LISTEN="+m.listen)
		return err == nil
	})
	return c
}

// join enrolls a worker with its code.
func (m *mayhem) join(code string) {
	m.Helper()
	dir := m.TempDir()
	until(m.T, "a worker joins", func() bool {
		_, err := Join(m.Context(), dir, "https://"+m.listen, code, "host", "test")
		return err == nil
	})
	m.dirs = append(m.dirs, dir)
}

func (m *mayhem) work(i int) *child {
	m.Helper()
	c, err := startChild("worker", "IPCGUARD_TEST_DIR="+m.dirs[i])
	m.must(err)
	return c
}

func (m *mayhem) killWorker() {
	m.Helper()
	i := rand.IntN(len(m.workers))
	m.workers[i].kill()
	m.workers[i] = m.work(i)
	m.killed["worker"]++
}

// killServer kills the server, and in some rounds PostgreSQL too, starts them again, and returns how far the run is:
// as last says where the database does not answer. From the fifth round on nothing slows the sites.
func (m *mayhem) killServer(round int, last store.Run) store.Run {
	m.Helper()
	ctx := m.Context()
	if m.pg != nil && round%4 == 3 && m.killed["PostgreSQL"] < 3+m.hosts/1000 {
		m.pg.Kill(m.T)
		m.pg.Start(m.T)
		m.killed["PostgreSQL"]++
	}
	m.server.kill()
	m.killed["server"]++
	m.with(func(st *store.Store) {
		r, err := st.Run(ctx, m.run)
		if errors.Is(err, store.ErrUnavailable) {
			return
		}
		m.must(err)
		last = r
		if round >= 5 {
			m.unlimited(st)
		}
	})
	m.server = m.serve()
	return last
}

// unlimited takes the rates from both sites.
func (m *mayhem) unlimited(st *store.Store) {
	m.Helper()
	for _, name := range []string{"branch", "headquarters"} {
		site, err := st.SiteByName(m.Context(), name)
		if err == nil && site.Rate != 0 {
			site.Rate = 0
			err = st.SaveSite(m.Context(), &site)
		}
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			m.Fatal(err)
		}
	}
}

// everyHostOnce checks that the run ended with one result for each host.
func (m *mayhem) everyHostOnce(st *store.Store) {
	m.Helper()
	ctx := m.Context()
	_, err := st.FinishRuns(ctx) // the server may have been killed before it did so
	m.must(err)
	last, err := st.Run(ctx, m.run)
	m.must(err)
	if last.Done != m.hosts || last.Total != m.hosts || last.Failed != 0 ||
		last.Exposed+last.Limited+last.Closed+last.Unknown != m.hosts {
		m.Errorf("of %d hosts: %+v", m.hosts, last)
	}
	seen := 0
	m.must(st.EachHost(ctx, store.HostFilter{}, func(h store.Host) error {
		seen++
		_, n, err := st.Results(ctx, h.ID, store.Page{Size: 2})
		if n != 1 {
			m.Errorf("%s has %d results", h.Address, n)
		}
		return err
	}))
	if seen != m.hosts {
		m.Errorf("%d hosts, want %d", seen, m.hosts)
	}
	m.Logf("%d hosts in %v; killed: %v", m.hosts, last.LastResult.Sub(last.Created).Round(time.Millisecond), m.killed)
}
