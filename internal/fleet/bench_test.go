package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
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
func engine(b *testing.B, hosts []string) float64 {
	return scanAll(b, hosts, func(*model.Scan) error { return nil })
}

// plain scans the hosts as ipcguard scan --format jsonl -o does: with the engine, and every result written to a file.
func plain(b *testing.B, hosts []string) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "scan.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := json.NewEncoder(model.JSONWriter{Writer: f})
	return scanAll(b, hosts, func(r *model.Scan) error { return w.Encode(r) })
}

func scanAll(b *testing.B, hosts []string, write func(*model.Scan) error) float64 {
	b.Helper()
	s, err := scan.New(benchScan())
	if err != nil {
		b.Fatal(err)
	}
	all := func(yield func(targets.Target) bool) {
		for _, a := range hosts {
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
	return float64(len(hosts)) / time.Since(began).Seconds()
}

// rescan scans the n hosts of a selector with a fleet, and returns the hosts a second.
func rescan(b *testing.B, f *Fleet, of store.Selector, n int) float64 {
	b.Helper()
	began := time.Now()
	r, err := f.StartRun(b.Context(), "bench", store.RunScan, of, false)
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

// mostInTurn bounds the hosts of a turn of BenchmarkRescan: a few seconds, in which the machine's speed changes little.
const mostInTurn = 2500

// way is one of the ways that BenchmarkRescan compares, with what its turns took.
type way struct {
	name     string
	run      func(slice []string) float64 // returns the hosts a second
	hosts    int
	took     float64       // seconds
	own, all time.Duration // the processor time of this process, and with the hosts' and the database's
}

// BenchmarkRescan scans 10,000 practice hosts repeatedly with the engine only, as ipcguard scan does, and with a server
// and its store. The ways take turns with slices of the hosts, each time in another order, so that a change of the
// machine's speed affects all of them; a turn of the server is a whole run, from its request to its end. It reports the
// three rates and the last one's ratio to the others: by the clock, and by the processor time of both ends and the
// database together, which gives the same on a machine whose cores do nothing else. The practice hosts are another
// process. A database that is a server goes on for a while after a run, as with what a run has left to be removed: what
// it does in the other ways' turns counts as the fleet's.
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
			o.Scan, o.Heartbeat = benchScan(), store.Beat
			f := newFleet(b, st, o)
			all := addresses(rescanHosts(), rescanBase, port)
			// As many slices as make each way the first, the second and the third equally often.
			turns := 3 * max(1, (len(all)+3*mostInTurn-1)/(3*mostInTurn))
			size := (len(all) + turns - 1) / turns
			parts := slices.Collect(slices.Chunk(all, size))
			for i, slice := range parts {
				addTagged(b, f, []string{fmt.Sprint("slice-", i)}, slice...)
			}
			serve(b, f.Serve)
			// The first time every host is new; the second checks those that were new at the same time.
			for range 2 {
				rescan(b, f, store.Selector{}, len(all))
			}
			ways := []*way{
				{name: "engine", run: func(slice []string) float64 { return engine(b, slice) }},
				{name: "scan", run: func(slice []string) float64 { return plain(b, slice) }},
				{name: "fleet"},
			}
			fleet := ways[2]
			database := databaseCPU(b, kind)
			for b.Loop() {
				for i, slice := range parts {
					fleet.run = func(slice []string) float64 {
						return rescan(b, f, store.Selector{Tag: fmt.Sprint("slice-", i)}, len(slice))
					}
					for k := range ways {
						w := ways[(i+k)%len(ways)]
						own, far := peer.SelfCPU(b), cpuOf(b, []*process{practice})
						w.took += float64(len(slice)) / w.run(slice)
						own = peer.SelfCPU(b) - own
						w.own, w.all = w.own+own, w.all+own+cpuOf(b, []*process{practice})-far
						w.hosts += len(slice)
					}
				}
			}
			database = databaseCPU(b, kind) - database
			fleet.all += database
			b.ReportMetric(float64(database.Microseconds())/float64(fleet.hosts), "database-cpu-µs/host")
			for _, w := range ways {
				b.ReportMetric(float64(w.hosts)/w.took, w.name+"-hosts/s")
				b.ReportMetric(float64(w.own.Microseconds())/float64(w.hosts), w.name+"-cpu-µs/host")
			}
			for _, w := range ways[:2] {
				b.ReportMetric(100*w.took/fleet.took, "%-of-"+w.name)
				b.ReportMetric(100*w.all.Seconds()/fleet.all.Seconds(), "%-of-"+w.name+"-by-cpu")
			}
		})
	}
}

// databaseCPU returns the processor time of a database that is a server of its own.
func databaseCPU(b *testing.B, kind string) time.Duration {
	b.Helper()
	if kind != store.KindPostgres {
		return 0
	}
	return peer.PostgresCPU(b)
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
		rescan(b, c.f, store.Selector{}, n)
	}
	for b.Loop() {
		for _, workers := range []int{1, 3} {
			c := crews[workers]
			before := cpuOf(b, c.list)
			rescan(b, c.f, store.Selector{}, n)
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
