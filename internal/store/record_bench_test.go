package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/peer"
)

// rescanned is the number of hosts that BenchmarkRecord scans again: enough that a group does not find the previous
// one's rows cached.
const rescanned = 2000

// BenchmarkRecord records known hosts again, each with its document and its names, in groups like the fleet's recorder.
// One iteration is a run over all hosts; creating its units and results is not measured.
func BenchmarkRecord(b *testing.B) {
	for _, kind := range []string{KindSQLite, KindPostgres} {
		for _, group := range []int{32, 250} {
			b.Run(fmt.Sprintf("%s/%d", kind, group), func(b *testing.B) { benchmarkRecord(b, kind, group) })
		}
	}
}

func benchmarkRecord(b *testing.B, kind string, group int) {
	dsn := filepath.Join(b.TempDir(), "fleet.db")
	if kind == KindPostgres {
		dsn = peer.Postgres(b)
	}
	ctx := context.Background()
	week := 0
	at := func() time.Time { return benchStart.AddDate(0, 0, 7*week) }
	st, err := Open(ctx, dsn, Options{Clock: at, Conns: 1})
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	must(err)
	b.Cleanup(func() { st.Close() })
	must(st.Migrate(ctx))
	site := Site{Name: "main"}
	must(st.SaveSite(ctx, &site))
	e := newEstate(site.ID, rescanned)
	var targets []Target
	for i := range rescanned {
		targets = append(targets, e.target(i))
	}
	_, _, err = st.SaveTargets(ctx, targets)
	must(err)
	var spent cost
	scan := func() {
		week++
		run := Run{Kind: RunScan, By: "schedule"}
		must(st.InTx(ctx, func(tx *Tx) error {
			if err := tx.CreateRun(ctx, &run); err != nil {
				return err
			}
			_, err := tx.AddUnits(ctx, run.ID, Selector{})
			return err
		}))
		var results []*Result
		for i := range rescanned {
			results = append(results,
				e.result(&run, targets[i].ID, i, at().Add(time.Duration(i)*time.Millisecond), true))
		}
		before := costOf(b, st)
		for part := range slices.Chunk(results, group) {
			n, err := st.RecordResults(ctx, part)
			must(err)
			if n != len(part) {
				b.Fatalf("recorded %d of %d", n, len(part))
			}
		}
		spent = spent.plus(costOf(b, st).minus(before), rescanned)
	}
	scan()
	if st.pg {
		_, err := st.c.exec(ctx, `VACUUM ANALYZE`)
		must(err)
	}
	scan() // statements are prepared, and the second document exists
	spent = cost{}
	for b.Loop() {
		scan()
	}
	spent.report(b, st.pg)
}

// cost is the cost of recording.
type cost struct {
	results            int
	wall, own, server  time.Duration
	mallocs, allocated uint64
}

// costOf reads the clocks. The server's is that of its one connection's process, in steps of 10 ms.
func costOf(b *testing.B, st *Store) cost {
	b.Helper()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c := cost{wall: time.Since(benchStart), own: peer.SelfCPU(b), mallocs: m.Mallocs, allocated: m.TotalAlloc}
	if !st.pg {
		return c
	}
	var pid int
	if err := st.one(context.Background(), []any{&pid}, `SELECT pg_backend_pid()`); err != nil {
		b.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return c // not on Linux: unknown
	}
	// proc(5): after the name utime is the 12th.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, field := range fields[11:13] {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		c.server += time.Duration(ticks) * 10 * time.Millisecond
	}
	return c
}

func (c cost) minus(d cost) cost {
	return cost{
		c.results - d.results, c.wall - d.wall, c.own - d.own, c.server - d.server, c.mallocs - d.mallocs,
		c.allocated - d.allocated,
	}
}

func (c cost) plus(d cost, results int) cost {
	return cost{
		c.results + results, c.wall + d.wall, c.own + d.own, c.server + d.server, c.mallocs + d.mallocs,
		c.allocated + d.allocated,
	}
}

func (c cost) report(b *testing.B, server bool) {
	n := float64(c.results)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(n/c.wall.Seconds(), "results/s")
	b.ReportMetric(float64(c.own.Microseconds())/n, "own-µs/result")
	if server {
		b.ReportMetric(float64(c.server.Microseconds())/n, "server-µs/result")
	}
	b.ReportMetric(float64(c.mallocs)/n, "allocs/result")
	b.ReportMetric(float64(c.allocated)/n, "B/result")
}
