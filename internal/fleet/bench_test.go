package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/store"
)

// rescanHosts is the number of practice hosts; IPCGUARD_BENCH_HOSTS overrides it.
func rescanHosts() int {
	if n, err := strconv.Atoi(os.Getenv("IPCGUARD_BENCH_HOSTS")); err == nil && n > 0 {
		return n
	}
	return 10_000
}

const rescanBase = "127.44.64.0"

func practicePort(b testing.TB, profile string) int {
	b.Helper()
	port, _ := practiceProcess(b, profile)
	return port
}

func practiceProcess(b testing.TB, profile string) (int, *process) {
	b.Helper()
	p := startProcess(b, "IPCGUARD_TEST_ROLE=practice", "IPCGUARD_TEST_PROFILE="+profile)
	port, err := strconv.Atoi(p.first)
	if err != nil {
		b.Fatal(err)
	}
	return port, p
}

// benchScan returns the options of the benchmarks: every pipe as anonymous, as the engine's own benchmark of a full
// scan.
func benchScan() scan.Options {
	return scan.Options{NoGuest: true, NoUnknownUser: true, Concurrency: 64}
}

// engine scans the hosts with the scan engine only, and returns the hosts a second.
func engine(b *testing.B, port, n int) float64 {
	return scanAll(b, port, n, func(*model.Scan) error { return nil })
}

// plain scans the hosts as ipcguard scan --format jsonl -o does: with the engine, and every result written to a file.
func plain(b *testing.B, port, n int) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "scan.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := json.NewEncoder(model.JSONWriter{Writer: f})
	return scanAll(b, port, n, func(r *model.Scan) error { return w.Encode(r) })
}

func scanAll(b *testing.B, port, n int, write func(*model.Scan) error) float64 {
	b.Helper()
	s, err := scan.New(benchScan())
	if err != nil {
		b.Fatal(err)
	}
	list := addresses(n, rescanBase, port)
	all := func(yield func(targets.Target) bool) {
		for _, a := range list {
			if !yield(targets.Target{Name: a, Addr: netip.MustParseAddrPort(a)}) {
				return
			}
		}
	}
	began := time.Now()
	err = scan.Schedule{Concurrency: s.Concurrency()}.Run(context.Background(), all, s.Host, func(r *model.Scan) error {
		if r.Verdict != model.Exposed {
			b.Errorf("%s: %s (%s)", r.Address, r.Verdict, r.Reason)
		}
		return write(r)
	})
	if err != nil {
		b.Fatal(err)
	}
	return float64(n) / time.Since(began).Seconds()
}

// rescan scans the hosts with a fleet, and returns the hosts a second.
func rescan(b *testing.B, f *Fleet, n int) float64 {
	b.Helper()
	began := time.Now()
	r, err := f.StartRun(b.Context(), "bench", store.RunScan, store.Selector{}, false)
	if err != nil {
		b.Fatal(err)
	}
	time.Sleep(time.Duration(n) * time.Second / 1000) // no host takes less than a millisecond
	var done store.Run
	for ; done.Ended.IsZero(); time.Sleep(200 * time.Millisecond) { // each question takes time from the run
		if done, err = f.st.Run(b.Context(), r.ID); err != nil {
			b.Fatal(err)
		}
	}
	if done.Exposed != n {
		b.Fatalf("%+v", done)
	}
	return float64(n) / done.Ended.Sub(began).Seconds()
}

// BenchmarkRescan scans 10,000 practice hosts repeatedly, by turns with the engine only, as ipcguard scan does, and with
// a server and its store. It reports the three rates and the last one's ratio to the others: by the clock, and by the
// processor time of both ends together, which gives the same on a machine whose cores do nothing else. The practice
// hosts are another process.
func BenchmarkRescan(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			port, practice := practiceProcess(b, "samba")
			var st *store.Store
			if kind == "sqlite" {
				st, _ = sqlite(b)
			} else {
				st = reopen(b, peer.Postgres(b))
			}
			o, _ := quickOptions(b)
			o.Scan, o.Heartbeat = benchScan(), 5*time.Second
			f := newFleet(b, st, o)
			n := rescanHosts()
			addTargets(b, f, addresses(n, rescanBase, port)...)
			serve(b, f.Serve)
			// The first time every host is new; the second checks those that were new at the same time.
			rescan(b, f, n)
			rescan(b, f, n)
			ways := []struct {
				name      string
				run       func() float64
				rate      float64
				own, both time.Duration
			}{
				{name: "engine", run: func() float64 { return engine(b, port, n) }},
				{name: "scan", run: func() float64 { return plain(b, port, n) }},
				{name: "fleet", run: func() float64 { return rescan(b, f, n) }},
			}
			for b.Loop() {
				for i := range ways {
					w := &ways[i]
					own, far := peer.SelfCPU(b), cpuOf(b, []*process{practice})
					w.rate += w.run()
					own = peer.SelfCPU(b) - own
					w.own, w.both = w.own+own, w.both+own+cpuOf(b, []*process{practice})-far
				}
			}
			fleet := ways[2]
			for _, w := range ways {
				b.ReportMetric(w.rate/float64(b.N), w.name+"-hosts/s")
				b.ReportMetric(float64(w.own.Microseconds())/float64(n*b.N), w.name+"-cpu-µs/host")
			}
			for _, w := range ways[:2] {
				b.ReportMetric(100*fleet.rate/w.rate, "%-of-"+w.name)
				b.ReportMetric(100*w.both.Seconds()/fleet.both.Seconds(), "%-of-"+w.name+"-by-cpu")
			}
		})
	}
}

// BenchmarkWorkers scans the hosts by turns with one worker and with three, each a process of its own and each crew on
// a PostgreSQL of its own. It reports the processor time of all workers of a crew, without their start.
func BenchmarkWorkers(b *testing.B) {
	port, n := practicePort(b, "samba"), rescanHosts()
	type crew struct {
		f    *Fleet
		list []*process
		used time.Duration
	}
	crews := map[int]*crew{1: {}, 3: {}}
	for workers, c := range crews {
		dsn := peer.Postgres(b)
		o, _ := quickOptions(b)
		c.f = newFleet(b, reopen(b, dsn), o)
		addTargets(b, c.f, addresses(n, rescanBase, port)...)
		for range workers {
			c.list = append(c.list, startProcess(b, "IPCGUARD_TEST_ROLE=serve", "IPCGUARD_TEST_DATABASE="+dsn))
		}
		rescan(b, c.f, n)
	}
	for b.Loop() {
		for _, workers := range []int{1, 3} {
			c := crews[workers]
			before := cpuOf(b, c.list)
			rescan(b, c.f, n)
			c.used += cpuOf(b, c.list) - before
		}
	}
	for workers, c := range crews {
		b.ReportMetric(float64(c.used.Microseconds())/float64(n*b.N), fmt.Sprintf("cpu-µs/host-by-%d", workers))
	}
	b.ReportMetric(crews[3].used.Seconds()/crews[1].used.Seconds(), "times-one")
}

// BenchmarkIdle measures a server with ten thousand hosts and nothing to do: its memory, and its share of a core.
func BenchmarkIdle(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			dsn := b.TempDir() + "/fleet.db"
			if kind == "postgres" {
				dsn = peer.Postgres(b)
			}
			st := reopen(b, dsn)
			o, _ := quickOptions(b)
			f := newFleet(b, st, o)
			addTargets(b, f, addresses(10_000, rescanBase, 445)...)
			if err := st.Close(); err != nil {
				b.Fatal(err)
			}
			p := startProcess(b, "IPCGUARD_TEST_ROLE=idle", "IPCGUARD_TEST_DATABASE="+dsn)
			time.Sleep(3 * time.Second) // it has started
			const looked = 20 * time.Second
			var used time.Duration
			for b.Loop() {
				before := cpuOf(b, []*process{p})
				time.Sleep(looked)
				used += cpuOf(b, []*process{p}) - before
			}
			b.ReportMetric(100*used.Seconds()/(looked.Seconds()*float64(b.N)), "%-of-a-core")
			b.ReportMetric(resident(b, p), "MiB")
		})
	}
}

// cpuOf returns the processor time of processes so far.
func cpuOf(b *testing.B, list []*process) (sum time.Duration) {
	b.Helper()
	for _, p := range list {
		sum += peer.ProcessCPU(b, p.Process.Pid)
	}
	return sum
}

// resident returns the memory of a process in MiB.
func resident(b *testing.B, p *process) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.Process.Pid) + "/status")
	if err != nil {
		b.Skip("no /proc here: ", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
