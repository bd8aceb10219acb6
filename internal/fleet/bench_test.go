package fleet

import (
	"context"
	"fmt"
	"net/netip"
	"os"
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
		return nil
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

// BenchmarkRescan scans 10,000 practice hosts repeatedly, by turns with the engine only and with a server and its
// store. It reports both rates and their ratio: by the clock, and by the processor time of both ends together, which
// gives the same on a machine whose cores do nothing else. The practice hosts are another process.
func BenchmarkRescan(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			port, practice := practiceProcess(b, "samba")
			both := func() time.Duration { return peer.SelfCPU(b) + cpuOf(b, []*process{practice}) }
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
			var alone, whole float64
			var aloneCPU, wholeCPU, aloneBoth, wholeBoth time.Duration
			for b.Loop() {
				began, beganBoth := peer.SelfCPU(b), both()
				alone += engine(b, port, n)
				middle, middleBoth := peer.SelfCPU(b), both()
				whole += rescan(b, f, n)
				aloneCPU, wholeCPU = aloneCPU+middle-began, wholeCPU+peer.SelfCPU(b)-middle
				aloneBoth, wholeBoth = aloneBoth+middleBoth-beganBoth, wholeBoth+both()-middleBoth
			}
			b.ReportMetric(alone/float64(b.N), "engine-hosts/s")
			b.ReportMetric(whole/float64(b.N), "fleet-hosts/s")
			b.ReportMetric(100*whole/alone, "%-of-engine")
			b.ReportMetric(100*aloneBoth.Seconds()/wholeBoth.Seconds(), "%-of-engine-by-cpu")
			b.ReportMetric(float64(aloneCPU.Microseconds())/float64(n*b.N), "engine-cpu-µs/host")
			b.ReportMetric(float64(wholeCPU.Microseconds())/float64(n*b.N), "fleet-cpu-µs/host")
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
