package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// TestTwoServers checks that an SQLite file has one server, and that a dead one does not keep others out.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	s := newSuite(t, KindSQLite)
	_, err := Open(s.ctx, s.path, Options{})
	s.fails(err, ErrBusy)
	if want := fmt.Sprintf("process %d on ", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("%v does not name %q", err, want)
	}
	beside, err := Open(s.ctx, s.path, Options{Shared: true})
	s.ok(err)
	if n, err := beside.Counts(s.ctx, HostFilter{}); err != nil || n.Hosts != 0 {
		t.Errorf("reading beside it: %+v, %v", n, err)
	}
	s.ok(beside.Close())
	s.ok(s.Close())
	again, err := Open(s.ctx, "sqlite:"+s.path, Options{})
	s.ok(err)
	s.ok(again.Close())
}

// TestSchema checks that a database of another version is reported and stays unchanged.
func TestSchema(t *testing.T) {
	onBoth(t, func(s *suite) {
		s.ok(s.CheckSchema(s.ctx))
		s.ok(s.Migrate(s.ctx)) // again does nothing
		applied := `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, $1)`
		var err error
		if s.pg {
			_, err = s.pool.Exec(s.ctx, applied, true)
		} else {
			_, err = s.writer.Exec(applied, 1)
		}
		s.ok(err)
		s.fails(s.Migrate(s.ctx), ErrNewer)
		s.fails(s.CheckSchema(s.ctx), ErrNewer)
		_, err = s.c.exec(s.ctx, `DELETE FROM goose_db_version WHERE version_id > 0`) // unchecked
		s.ok(err)
		s.fails(s.CheckSchema(s.ctx), ErrOlder)
	})
}

// TestGuard upgrades the database under a program that has it open: from then on it writes nothing.
func TestGuard(t *testing.T) {
	onBoth(t, func(s *suite) {
		s.ok(s.Guard(s.ctx))
		s.ok(s.SaveSite(s.ctx, &Site{Name: "before"}))
		_, err := s.exec(s.ctx, `INSERT INTO goose_db_version (version_id, is_applied) SELECT 99, is_applied
			FROM goose_db_version WHERE version_id = 1`)
		s.ok(err)
		s.fails(s.Guard(s.ctx), ErrNewer)
		s.fails(s.SaveSite(s.ctx, &Site{Name: "after"}), ErrNewer)
		s.fails(s.SetMeta(s.ctx, "after", "x"), ErrNewer)
		s.fails(s.InTx(s.ctx, func(*Tx) error { t.Error("a transaction began"); return nil }), ErrNewer)
		_, err = s.RecordResult(s.ctx, s.scan(Run{}, Target{}, 1, model.Exposed))
		s.fails(err, ErrNewer)
		s.fails(err, ErrUnavailable) // to callers who may send it again, to the newer one
		if sites, err := s.Sites(s.ctx); err != nil || len(sites) != 2 {
			t.Errorf("%+v %v", sites, err)
		}
	})
}

// TestGuardAtOnce upgrades the database under a program that has it open and does not look: on PostgreSQL, where that
// can happen, the next write fails already.
func TestGuardAtOnce(t *testing.T) {
	t.Parallel()
	writes := map[string]func(*suite) error{
		"transaction": func(s *suite) error {
			return s.InTx(s.ctx, func(*Tx) error { t.Error("a transaction began"); return nil })
		},
		"statement": func(s *suite) error { return s.SetMeta(s.ctx, "after", "x") },
		"insert":    func(s *suite) error { return s.SaveSite(s.ctx, &Site{Name: "after"}) },
		"result": func(s *suite) error {
			_, err := s.RecordResult(s.ctx, s.scan(Run{}, Target{}, 1, model.Exposed))
			return err
		},
		"table": func(s *suite) error { // which the newer program has changed
			if _, err := s.pool.Exec(s.ctx, `ALTER TABLE meta RENAME COLUMN value TO text`); err != nil {
				return err
			}
			return s.SetMeta(s.ctx, "after", "x")
		},
	}
	for name, write := range writes {
		s := newSuite(t, KindPostgres)
		_, err := s.pool.Exec(s.ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`)
		s.ok(err)
		if err := write(s); !errors.Is(err, ErrNewer) {
			t.Errorf("%s: %v", name, err)
		}
		s.fails(s.Guard(s.ctx), ErrNewer)
		if sites, err := s.Sites(s.ctx); err != nil || len(sites) != 1 {
			t.Errorf("%s: %+v %v", name, sites, err)
		}
	}
}

// TestUpgradeUnderServer checks that no upgrade changes the tables of a server that works, and that one which was
// killed keeps nobody out.
func TestUpgradeUnderServer(t *testing.T) {
	t.Parallel()
	s := newSuite(t, KindPostgres)
	last := s.number(`SELECT max(version_id) FROM goose_db_version`)
	_, err := s.exec(s.ctx, `DELETE FROM goose_db_version WHERE version_id = $1`, last)
	s.ok(err)
	beat := func() { s.ok(s.Heartbeat(s.ctx, Worker{Name: "older", Version: "1.1"})) }
	beat()
	ended := make(chan error, 1)
	go func() { ended <- s.Migrate(s.ctx) }()
	for err := error(nil); err == nil; {
		select {
		case err = <-ended:
			s.fails(err, ErrBusy)
			if !strings.Contains(err.Error(), "older (version 1.1)") {
				t.Error(err)
			}
		case <-time.After(10 * time.Millisecond):
			s.advance(time.Millisecond)
			beat()
		}
	}
	s.fails(s.CheckSchema(s.ctx), ErrOlder)
	s.advance(aliveFor + time.Second) // it was killed
	if err := s.Migrate(s.ctx); errors.Is(err, ErrBusy) {
		t.Errorf("a dead server keeps it: %v", err)
	}
}

// TestClocksApart: servers whose clocks are an hour apart do not take a lease from each other, none counts another as
// dead, and a job that one gave is as old to the others.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	s := newSuite(t, KindPostgres)
	var servers []*Store
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		st, err := Open(s.ctx, s.pool.Config().ConnString(), Options{Conns: 2})
		s.ok(err)
		t.Cleanup(func() { s.ok(st.Close()) })
		s.ok(st.Guard(s.ctx))
		st.clock = func() time.Time { return time.Now().Add(ahead) } // it is set
		s.ok(st.Guard(s.ctx))
		servers = append(servers, st)
	}
	for holder, st := range servers {
		name := fmt.Sprint("lease ", holder)
		for i, other := range slices.Concat([]*Store{st}, servers, servers) {
			mine, err := other.Lease(s.ctx, name, fmt.Sprintf("%p", other), time.Minute)
			s.ok(err)
			if mine != (other == st) {
				t.Errorf("%s, ask %d: %v", name, i, mine)
			}
		}
	}
	for i, st := range servers {
		s.ok(st.Heartbeat(s.ctx, Worker{Name: fmt.Sprint(i), Seen: st.clock()}))
	}
	for i, st := range servers {
		all, err := st.Workers(s.ctx)
		s.ok(err)
		if len(all) != len(servers) {
			t.Errorf("%d workers", len(all))
		}
		for _, w := range all {
			if age := st.clock().Sub(w.Seen); age.Abs() > MissedBeats*Beat {
				t.Errorf("server %d sees %s as of %s ago", i, w.Name, age)
			}
		}
	}
	e, run := Enrolled{Name: "w1", SiteID: s.site.ID}, s.run(RunScan)
	s.ok(s.AddEnrolled(s.ctx, &e))
	for i, st := range servers {
		s.ok(st.AddHandout(s.ctx, Handout{ID: fmt.Sprint(i), Worker: e.ID, RunID: run.ID, At: st.clock()}))
	}
	for i, st := range servers {
		now := st.clock()
		s.ok(st.PruneHandouts(s.ctx, now.Add(-time.Minute), now.Add(-time.Minute)))
		has, err := st.RecentHandouts(s.ctx, e.ID, now.Add(-time.Minute), now.Add(time.Minute))
		s.ok(err)
		if len(has) != len(servers) {
			t.Errorf("server %d finds %d jobs of now", i, len(has))
		}
		for _, h := range has {
			if age := now.Sub(h.At); age.Abs() > time.Minute {
				t.Errorf("server %d sees a job as of %s ago", i, age)
			}
		}
	}
}

// TestFull lets the database grow to a bound: what does not fit fails as a whole, existing data stays, and with more
// room it continues.
func TestFull(t *testing.T) {
	t.Parallel()
	s := newSuite(t, KindSQLite)
	pages := s.number(`SELECT page_count FROM pragma_page_count`)
	_, err := s.writer.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+60))
	s.ok(err)
	n := 0
	for err == nil && n < 100_000 {
		r := s.scan(Run{}, Target{}, n, model.Exposed, "f1")
		r.Document = []byte(strings.Repeat(fmt.Sprint(n), 500))
		if _, err = s.RecordResult(s.ctx, r); err == nil {
			n++
		}
	}
	s.fails(err, ErrFull)
	s.consistent()
	for _, table := range []string{"hosts", "results", "documents", "addresses"} {
		if got := s.number(`SELECT count(*) FROM ` + table); got != int64(n) {
			t.Errorf("%d rows in %s after %d results", got, table, n)
		}
	}
	_, err = s.writer.Exec(`PRAGMA max_page_count = 1073741823`)
	s.ok(err)
	s.record(s.scan(Run{}, Target{}, n, model.Exposed, "f1"))
	s.consistent()
}

// TestGone stops and kills PostgreSQL under an open store, which reports it and recovers by itself.
func TestGone(t *testing.T) {
	t.Parallel()
	server := peer.StartPostgres(t, peer.PostgresOptions{Durable: true})
	dsn := server.Database(t)
	s := suiteOn(t, dsn)
	for i, end := range []func(testing.TB){server.Stop, server.Kill} {
		h := s.record(s.scan(Run{}, Target{}, i, model.Exposed, "f1"))
		end(t)
		for range 3 {
			_, err := s.Host(s.ctx, h.ID)
			s.fails(err, ErrUnavailable)
			_, err = s.RecordResult(s.ctx, s.scan(Run{}, Target{}, i+10, model.Exposed))
			s.fails(err, ErrUnavailable)
		}
		_, err := Open(s.ctx, dsn, Options{})
		s.fails(err, ErrUnavailable)
		server.Start(t)
		got, err := s.Host(s.ctx, h.ID) // at once: a dead connection is not used
		s.ok(err)
		same(s, "host", got, h)
		s.record(s.scan(Run{}, Target{}, i+10, model.Exposed))
		s.consistent()
	}
}

// TestChaos kills PostgreSQL with SIGKILL while three workers record. They retry when the database does not answer, and
// in the end every result is there once.
func TestChaos(t *testing.T) {
	t.Parallel()
	const hosts, workers, kills = 300, 3, 3
	server := peer.StartPostgres(t, peer.PostgresOptions{Durable: true})
	s := suiteOn(t, server.Database(t))
	var specs []string
	for i := range hosts {
		specs = append(specs, fmt.Sprintf("h%d", i))
	}
	targets := s.targets(specs...)
	run := s.run(RunScan)
	var recorded, refused atomic.Int64
	var group errgroup
	for w := range workers {
		group.Go(func() error {
			for i := range targets { // every worker has every result, each in a different order
				i = (i*7 + w*100) % hosts
				r := s.scan(run, targets[i], i, model.Exposed, "f1", "f2")
				r.Worker, r.Document = fmt.Sprint("w", w), []byte("document")
				r.Events = []Event{{Kind: EventNewHost, Text: "new"}}
				for {
					done, err := s.RecordResult(s.ctx, r)
					if errors.Is(err, ErrUnavailable) {
						refused.Add(1)
						time.Sleep(10 * time.Millisecond)
						continue
					}
					if done {
						recorded.Add(1)
					}
					if err != nil {
						return err
					}
					break
				}
			}
			return nil
		})
	}
	for i := range kills {
		for recorded.Load() < int64((i+1)*hosts/(kills+2)) && !group.failed() {
			time.Sleep(5 * time.Millisecond)
		}
		server.Kill(t)
		server.Start(t)
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	s.consistent()
	// A commit whose answer was lost counts as done though nobody knows.
	if n := recorded.Load(); n > hosts || n < hosts-kills*workers {
		t.Errorf("%d results were confirmed of %d", n, hosts)
	}
	if refused.Load() == 0 {
		t.Error("nobody noticed that the database was gone")
	}
	for _, table := range []string{"results", "hosts", "events", "documents"} {
		if n := s.number(`SELECT count(*) FROM ` + table); n != hosts {
			t.Errorf("%d rows in %s for %d results", n, table, hosts)
		}
	}
	got, err := s.Run(s.ctx, run.ID)
	s.ok(err)
	if got.Done != hosts || got.Exposed != hosts {
		t.Errorf("the run counts %+v", got)
	}
}

// errgroup waits for goroutines and keeps the first error.
type errgroup struct {
	sync.WaitGroup
	mu  sync.Mutex
	err error
}

func (g *errgroup) Go(f func() error) {
	g.WaitGroup.Go(func() {
		if err := f(); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.err == nil {
				g.err = err
			}
		}
	})
}

func (g *errgroup) failed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err != nil
}

func (g *errgroup) Wait() error {
	g.WaitGroup.Wait()
	return g.err
}

// TestCancelled checks that a cancelled context leaves nothing behind.
func TestCancelled(t *testing.T) {
	onBoth(t, func(s *suite) {
		ctx, cancel := context.WithCancel(s.ctx)
		err := s.InTx(ctx, func(tx *Tx) error {
			if err := tx.SaveSite(ctx, &Site{Name: "gone"}); err != nil {
				return err
			}
			cancel()
			_, err := tx.Sites(ctx)
			return err
		})
		s.fails(err, context.Canceled)
		_, err = s.SiteByName(s.ctx, "gone")
		s.fails(err, ErrNotFound)
		wrong := errors.New("changed its mind")
		s.fails(s.InTx(s.ctx, func(tx *Tx) error {
			if err := tx.SaveSite(s.ctx, &Site{Name: "gone"}); err != nil {
				return err
			}
			return wrong
		}), wrong)
		_, err = s.SiteByName(s.ctx, "gone")
		s.fails(err, ErrNotFound)
		s.ok(s.Ping(s.ctx))
	})
}

// recording is the environment variable that makes this test binary the process that is killed.
const recording = "IPCGUARD_TEST_RECORD"

// TestKilled kills a process that records results, at random moments. Every transaction is there as a whole or not at
// all, no confirmed result is lost, and the continuation records every unit once.
func TestKilled(t *testing.T) {
	if dsn := os.Getenv(recording); dsn != "" {
		recordUntilKilled(t, dsn)
		return
	}
	onBoth(t, func(s *suite) {
		const hosts, kills = 400, 6
		var specs []string
		for i := range hosts {
			specs = append(specs, fmt.Sprintf("h%d", i))
		}
		targets := s.targets(specs...)
		run := s.run(RunScan)
		dsn := s.path
		if s.pg {
			dsn = s.pool.Config().ConnString()
		} else {
			s.ok(s.Store.Close()) // the other process has it now
		}
		confirmed := 0
		for i := range kills {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestKilled$", "-test.timeout", "2m")
			cmd.Env = append(os.Environ(), recording+"="+dsn)
			out, err := cmd.StdoutPipe()
			s.ok(err)
			s.ok(cmd.Start())
			// It is killed after a number of confirmed results, somewhere in the next ones.
			lines := readLines(out, 10+i*7, func(line string) { fmt.Sscanf(line, "recorded %d", &confirmed) })
			s.ok(cmd.Process.Kill())
			_ = cmd.Wait()
			if lines == 0 {
				t.Fatal("the process recorded nothing")
			}
		}
		if !s.pg {
			s.Store = s.open(dsn)
		}
		done := s.number(`SELECT count(*) FROM units WHERE state = 2`)
		if done < int64(confirmed) || done == hosts {
			t.Errorf("%d units are done, %d were confirmed of %d", done, confirmed, hosts)
		}
		s.consistent()
		var rest []*Result
		for i := range targets {
			rest = append(rest, s.scan(run, targets[i], i, model.Exposed, "f1"))
		}
		n, err := s.RecordResults(s.ctx, rest)
		s.ok(err)
		if int64(n) != hosts-done {
			t.Errorf("recorded %d more, want %d", n, hosts-done)
		}
		s.consistent()
		if n := s.number(`SELECT count(*) FROM results`); n != hosts {
			t.Errorf("%d results of %d units", n, hosts)
		}
	})
}

func readLines(r interface{ Read([]byte) (int, error) }, n int, each func(string)) int {
	var line []byte
	b := make([]byte, 1)
	seen := 0
	for seen < n {
		if _, err := r.Read(b); err != nil {
			return seen
		}
		if b[0] != '\n' {
			line = append(line, b[0])
			continue
		}
		if strings.HasPrefix(string(line), "recorded") {
			each(string(line))
			seen++
		}
		line = line[:0]
	}
	return seen
}

func recordUntilKilled(t *testing.T, dsn string) {
	ctx := context.Background()
	st, err := Open(ctx, dsn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{complaints: t, t: t, Store: st, ctx: ctx}
	s.micro.Store(time.Since(began).Microseconds())
	s.site, err = st.SiteByName(ctx, "main")
	s.ok(err)
	run, err := st.Run(ctx, 1)
	s.ok(err)
	total := int(s.number(`SELECT count(*) FROM results`))
	i := 0
	s.ok(st.EachTarget(ctx, TargetFilter{}, func(target Target) error {
		i++
		r := s.scan(run, target, i-1, model.Exposed, "f1")
		r.Document, r.Events = []byte(strings.Repeat("x", 3000)), []Event{{Kind: EventNewHost, Text: "new"}}
		done, err := st.RecordResult(ctx, r)
		if done {
			total++
			fmt.Printf("recorded %d\n", total)
		}
		return err
	}))
	select {} // wait for the kill
}
