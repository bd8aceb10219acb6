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

func chaos(t *testing.T, hosts int, dsn string, pg *peer.PostgresServer, listen string) {
	ctx := t.Context()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	keyFile := filepath.Join(t.TempDir(), "key")
	// Only one process may open SQLite: the test reads it while the server is dead.
	with := func(do func(st *store.Store)) {
		t.Helper()
		var st *store.Store
		until(t, "the database answers", func() bool {
			var err error
			st, err = store.Open(ctx, dsn, store.Options{})
			return err == nil
		})
		defer st.Close()
		do(st)
	}
	practice, err := startChild("practice")
	fatal(err)
	defer practice.kill()

	var run store.Run
	var codes []string
	with(func(st *store.Store) {
		fatal(st.Migrate(ctx))
		f, people, key, err := serverOn(st, keyFile)
		fatal(err)
		does, err := acts.New(f, st, people, acts.Options{Key: key})
		fatal(err)
		// Slow enough that it does not end before something was killed.
		branch, own := store.Site{Name: "branch", Rate: 4}, store.Site{Name: "headquarters", Rate: 2}
		fatal(st.SaveSite(ctx, &branch))
		fatal(st.SaveSite(ctx, &own))
		for i := range 2 {
			code, err := does.AddWorker(ctx, access.System(),
				acts.NewWorker{Site: "branch", Name: fmt.Sprintf("branch-%d", i+1)})
			fatal(err)
			codes = append(codes, code.Code)
		}
		list := make([]store.Target, hosts)
		a := netip.MustParseAddr("127.49.8.0")
		for i := range list {
			list[i] = store.Target{SiteID: branch.ID, Spec: a.String() + ":" + practice.first, Enabled: true}
			if i%4 == 0 { // the server scans too
				list[i].SiteID = own.ID
			}
			fatal(fleet.CheckTarget(&list[i]))
			a = a.Next()
		}
		_, _, err = st.SaveTargets(ctx, list)
		fatal(err)
		run, err = does.StartRun(ctx, access.System(), acts.NewRun{Kind: store.RunScan, Quick: true})
		fatal(err)
	})

	serve := func() *child {
		t.Helper()
		var c *child
		until(t, "the server starts", func() bool {
			var err error
			c, err = startChild("serve", "IPCGUARD_TEST_DATABASE="+dsn, "IPCGUARD_TEST_KEY="+keyFile,
				"IPCGUARD_TEST_LISTEN="+listen)
			return err == nil
		})
		return c
	}
	server := serve()
	defer func() { server.kill() }()
	var dirs []string
	for _, code := range codes {
		dir := t.TempDir()
		until(t, "a worker joins", func() bool {
			_, err := Join(ctx, dir, "https://"+listen, code, "host", "test")
			return err == nil
		})
		dirs = append(dirs, dir)
	}
	work := func(i int) *child {
		t.Helper()
		c, err := startChild("worker", "IPCGUARD_TEST_DIR="+dirs[i])
		fatal(err)
		return c
	}
	workers := []*child{work(0), work(1)}
	defer func() {
		for _, w := range workers {
			w.kill()
		}
	}()

	killed := map[string]int{}
	var last store.Run
	for round := 0; last.Done < hosts; round++ {
		if round > 2000 {
			t.Fatalf("it does not come to an end: %+v", last)
		}
		// The moment of the kill is random.
		time.Sleep(time.Duration(300+rand.IntN(700)+100*round) * time.Millisecond)
		switch i := rand.IntN(len(workers)); {
		case round%2 == 0:
			workers[i].kill()
			workers[i] = work(i)
			killed["worker"]++
			continue
		case pg != nil && round%4 == 3 && killed["PostgreSQL"] < 3+hosts/1000:
			pg.Kill(t)
			pg.Start(t)
			killed["PostgreSQL"]++
		}
		server.kill()
		killed["server"]++
		with(func(st *store.Store) {
			var err error
			if last, err = st.Run(ctx, run.ID); errors.Is(err, store.ErrUnavailable) {
				return
			}
			fatal(err)
			if round >= 5 { // from here on at full speed
				for _, name := range []string{"branch", "headquarters"} {
					site, err := st.SiteByName(ctx, name)
					if err == nil && site.Rate != 0 {
						site.Rate = 0
						err = st.SaveSite(ctx, &site)
					}
					if err != nil && !errors.Is(err, store.ErrUnavailable) {
						t.Fatal(err)
					}
				}
			}
		})
		server = serve()
	}
	server.kill()
	with(func(st *store.Store) {
		_, err := st.FinishRuns(ctx) // the server may have been killed before it did so
		fatal(err)
		last, err = st.Run(ctx, run.ID)
		fatal(err)
		if last.Done != hosts || last.Total != hosts || last.Failed != 0 ||
			last.Exposed+last.Limited+last.Closed+last.Unknown != hosts {
			t.Errorf("of %d hosts: %+v", hosts, last)
		}
		seen := 0
		fatal(st.EachHost(ctx, store.HostFilter{}, func(h store.Host) error {
			seen++
			_, n, err := st.Results(ctx, h.ID, store.Page{Size: 2})
			if n != 1 {
				t.Errorf("%s has %d results", h.Address, n)
			}
			return err
		}))
		if seen != hosts {
			t.Errorf("%d hosts, want %d", seen, hosts)
		}
	})
	t.Logf("%d hosts in %v; killed: %v", hosts, last.LastResult.Sub(last.Created).Round(time.Millisecond), killed)
	if killed["server"] < 2 || killed["worker"] < 2 || pg != nil && killed["PostgreSQL"] == 0 {
		t.Errorf("it was over before everything was killed: %v", killed)
	}
}
