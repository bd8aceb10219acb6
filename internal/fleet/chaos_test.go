package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// TestChaos scans a practice network with a server and workers that are killed at random, and the database with them:
// every host's result is there exactly once. IPCGUARD_CHAOS_HOSTS=10000 is the whole test; a small one is run always.
func TestChaos(t *testing.T) {
	hosts := 400
	if n, err := strconv.Atoi(os.Getenv("IPCGUARD_CHAOS_HOSTS")); err == nil && n > 0 {
		hosts = n
	}
	t.Run("sqlite", func(t *testing.T) { chaosSQLite(t, hosts/2) })
	t.Run("postgres", func(t *testing.T) { chaosPostgres(t, hosts) })
}

// chaosSQLite kills the one server that has the file, again and again.
func chaosSQLite(t *testing.T, hosts int) {
	port := practicePort(t, "samba-2")
	dsn := t.TempDir() + "/fleet.db"
	run := func() int64 {
		st := reopen(t, dsn)
		defer st.Close()
		f := fleetOf(t, st, nil)
		addTargets(t, f, addresses(hosts, rescanBase, port)...)
		hold(t, f, true)
		return start(t, f, store.Selector{}).ID
	}()
	kills := 0
	for end := time.Now().Add(10 * time.Minute); ; kills++ {
		p, err := tryProcess("IPCGUARD_TEST_ROLE=serve", "IPCGUARD_TEST_DATABASE="+dsn)
		if err != nil {
			t.Fatal(err)
		}
		lives := time.Duration(150+rand.IntN(400)) * time.Millisecond
		if kills >= 8 {
			lives = time.Duration(kills) * time.Second // on a slow machine it ends, too
		}
		time.Sleep(lives)
		p.kill()
		st, err := store.Open(t.Context(), dsn, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if kills == 1 { // it was killed twice: now it may go on as fast as it can
			hold(t, fleetOf(t, st, nil), false)
		}
		r, err := st.Run(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		if r.Done == hosts || time.Now().After(end) {
			if _, err := st.FinishRuns(t.Context()); err != nil { // the server was killed before it came to that
				t.Fatal(err)
			}
			once(t, st, r, hosts)
			st.Close()
			break
		}
		st.Close()
	}
	t.Logf("%d hosts, the server killed %d times", hosts, kills)
	if kills < 2 {
		t.Error("it was over before anything was killed twice")
	}
}

// hold keeps a site so slow that its run cannot come to an end before what a test does to it, or lets it go.
func hold(t *testing.T, f *Fleet, on bool) {
	t.Helper()
	site, err := f.site(t.Context())
	if err == nil {
		if site.Rate = 0; on {
			site.Rate = 2 // connections a second: hundreds of hosts take minutes
		}
		err = f.st.SaveSite(t.Context(), &site)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// chaosPostgres kills servers, workers and PostgreSQL itself, each time waiting a moment and starting it again.
func chaosPostgres(t *testing.T, hosts int) {
	port := practicePort(t, "samba-2")
	pg := peer.StartPostgres(t, peer.PostgresOptions{})
	dsn := pg.Database(t)
	st := reopen(t, dsn)
	f := fleetOf(t, st, func(o *Options) { o.BatchSize = 16 })
	addTargets(t, f, addresses(hosts, rescanBase, port)...)
	hold(t, f, true)
	run := start(t, f, store.Selector{}).ID

	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	var lock sync.Mutex
	killed := map[string]int{}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	live := func(role string, n int) {
		// A process is killed after a while, and started again; a database that is away makes it fail, which is its right.
		for round := 0; ; round++ {
			select {
			case <-stop:
				return
			default:
			}
			p, err := tryProcess("IPCGUARD_TEST_ROLE="+role, "IPCGUARD_TEST_DATABASE="+dsn)
			if err != nil {
				time.Sleep(100 * time.Millisecond)
				continue
			}
			select {
			case <-time.After(time.Duration(500+rand.IntN(1500*(1+round))) * time.Millisecond):
				p.kill()
				lock.Lock()
				killed[role]++
				lock.Unlock()
			case <-stop:
				p.kill()
				return
			}
		}
	}
	for role, n := range map[string]int{"serve": 1, "work": 2} {
		for i := range n {
			wg.Go(func() { live(role, i) })
		}
	}
	databases := 0
	for {
		pause := time.Duration(1000+rand.IntN(2000)) * time.Millisecond
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			t.Fatal("it does not come to an end")
		}
		r, err := st.Run(ctx, run)
		if err == nil && r.Done == hosts {
			break
		}
		lock.Lock()
		processes := killed["serve"] + killed["work"]
		lock.Unlock()
		if databases > 0 && processes > 0 && err == nil {
			hold(t, f, false) // each time: a database that is killed may forget its last moments
		}
		if databases < 2+hosts/1000 {
			pg.Kill(t)
			databases++
			time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
			pg.Start(t)
		}
	}
	close(stop)
	wg.Wait()
	if _, err := st.FinishRuns(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := st.Run(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	once(t, st, r, hosts)
	said := fmt.Sprintf("%d hosts, killed: server %d times, workers %d, PostgreSQL %d; %v", hosts, killed["serve"], killed["work"], databases, r.LastResult.Sub(r.Created).Round(time.Millisecond))
	t.Log(said)
	if killed["serve"]+killed["work"] == 0 || databases == 0 {
		t.Error("it was over before anything was killed: " + said)
	}
}
