package fleet

import (
	"context"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/store"
)

// rescanHosts is how many practice hosts the benchmarks scan; IPCGUARD_BENCH_HOSTS says otherwise.
func rescanHosts() int {
	if n, err := strconv.Atoi(os.Getenv("IPCGUARD_BENCH_HOSTS")); err == nil && n > 0 {
		return n
	}
	return 10_000
}

const rescanBase = "127.44.64.0"

func practicePort(b testing.TB, profile string) int {
	b.Helper()
	p := startProcess(b, "IPCGUARD_TEST_ROLE=practice", "IPCGUARD_TEST_PROFILE="+profile)
	port, err := strconv.Atoi(p.first)
	if err != nil {
		b.Fatal(err)
	}
	return port
}

// benchScan is how the benchmarks scan: every pipe as anonymous, as the engine's own benchmark of a whole scan does.
func benchScan() scan.Options {
	return scan.Options{NoGuest: true, NoUnknownUser: true, Concurrency: 64}
}

// engine scans the hosts with the scan engine alone, and returns the hosts a second.
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

// rescan has a fleet scan the hosts, and returns the hosts a second.
func rescan(b *testing.B, f *Fleet, n int) float64 {
	b.Helper()
	began := time.Now()
	r, err := f.StartRun(b.Context(), "bench", store.RunScan, store.Selector{}, false)
	if err != nil {
		b.Fatal(err)
	}
	done := runDone(b, f.st, r.ID, 10*time.Minute)
	if done.Exposed != n {
		b.Fatalf("%+v", done)
	}
	return float64(n) / done.Ended.Sub(began).Seconds()
}

// BenchmarkRescan scans 10,000 practice hosts again and again, by turns with the engine alone and with a server and its
// store, and reports both rates and the server's part of the engine's. The practice hosts are another process.
func BenchmarkRescan(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			port := practicePort(b, "samba")
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
			rescan(b, f, n) // the first time every host is new
			var alone, whole float64
			var aloneCPU, wholeCPU time.Duration
			for b.Loop() {
				began := cpu(b)
				alone += engine(b, port, n)
				middle := cpu(b)
				whole += rescan(b, f, n)
				aloneCPU, wholeCPU = aloneCPU+middle-began, wholeCPU+cpu(b)-middle
			}
			b.ReportMetric(alone/float64(b.N), "engine-hosts/s")
			b.ReportMetric(whole/float64(b.N), "fleet-hosts/s")
			b.ReportMetric(100*whole/alone, "%-of-engine")
			b.ReportMetric(float64(aloneCPU.Microseconds())/float64(n*b.N), "engine-cpu-µs/host")
			b.ReportMetric(float64(wholeCPU.Microseconds())/float64(n*b.N), "fleet-cpu-µs/host")
		})
	}
}
