package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// The size that the fleet is made for. IPCGUARD_BENCH_HOSTS reduces it.
const (
	benchHosts = 50_000
	benchWeeks = 52
)

var benchStart = time.Date(2026, 1, 5, 3, 0, 0, 0, time.UTC)

func benchSize(b *testing.B) int {
	b.Helper()
	text := os.Getenv("IPCGUARD_BENCH_HOSTS")
	if text == "" {
		return benchHosts
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 100 {
		b.Fatalf("IPCGUARD_BENCH_HOSTS is %q", text)
	}
	return n
}

// BenchmarkYear fills a database with 52 weekly scans of every host, and then runs the pages' queries.
//
// Every result of the first week, and every later one of a host that changed (one in fifty each week) or whose document
// is one of the last two, is recorded as in a run. The others, which repeat the previous week, are written in bulk:
// rows and sizes are the same, and recording 2.6 million results would take most of an hour.
func BenchmarkYear(b *testing.B) {
	for _, kind := range []string{KindSQLite, KindPostgres} {
		b.Run(kind, func(b *testing.B) {
			ctx := context.Background()
			dsn := filepath.Join(b.TempDir(), "fleet.db")
			if kind == KindPostgres {
				dsn = peer.Postgres(b)
			}
			st, err := Open(ctx, dsn, Options{Clock: func() time.Time {
				return benchStart.AddDate(0, 0, 7*benchWeeks)
			}})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { st.Close() })
			if err := st.Migrate(ctx); err != nil {
				b.Fatal(err)
			}
			y := &year{st: st, hosts: benchSize(b)}
			b.Run("fill", y.fill)
			if b.Failed() {
				return
			}
			for _, q := range y.queries() {
				b.Run("query/"+q.name, func(b *testing.B) { measure(b, q.ask) })
			}
		})
	}
}

type year struct {
	st      *Store
	hosts   int
	e       *estate
	targets []Target
	metrics map[string]float64 // of filling the database, which is measured once
}

func (y *year) fill(b *testing.B) {
	ctx := context.Background()
	defer func() {
		for name, value := range y.metrics {
			b.ReportMetric(value, name)
		}
		b.ReportMetric(0, "ns/op")
	}()
	if y.metrics != nil {
		return // the file exists; filling it was measured the first time
	}
	y.metrics = map[string]float64{}
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	site := Site{Name: "main"}
	must(y.st.SaveSite(ctx, &site))
	y.e = newEstate(site.ID, y.hosts)
	for i := range y.hosts {
		y.targets = append(y.targets, y.e.target(i))
	}
	start := time.Now()
	_, _, err := y.st.SaveTargets(ctx, y.targets)
	must(err)
	y.metrics["targets/s"] = float64(y.hosts) / time.Since(start).Seconds()
	var first, again time.Duration
	var recordedFirst, recordedAgain int
	for week := range benchWeeks {
		at := benchStart.AddDate(0, 0, 7*week)
		run := Run{Kind: RunScan, By: "schedule", Created: at, Schedule: 1, Due: at}
		must(y.st.InTx(ctx, func(tx *Tx) error {
			if err := tx.CreateRun(ctx, &run); err != nil {
				return err
			}
			_, err := tx.AddUnits(ctx, run.ID, Selector{})
			return err
		}))
		var batch []*Result
		whole := week == 0 || week >= benchWeeks-2
		flush := func() {
			start := time.Now()
			n, err := y.st.RecordResults(ctx, batch)
			must(err)
			if week == 0 {
				first, recordedFirst = first+time.Since(start), recordedFirst+n
			} else if whole {
				again, recordedAgain = again+time.Since(start), recordedAgain+n
			}
			batch = batch[:0]
		}
		for i := range y.hosts {
			changed := week > 0 && i%50 == week%50
			if changed {
				y.e.class[i] = y.e.pick()
			}
			if !whole && !changed {
				continue
			}
			r := y.e.result(&run, y.targets[i].ID, i, at.Add(time.Duration(i)*time.Millisecond), whole)
			if changed {
				r.Events = []Event{
					{
						At: r.At, Kind: EventSettingChanged, Severity: model.Medium,
						Subject: "setting-01", Text: "A setting of this host was changed.",
					},
				}
			}
			if batch = append(batch, r); len(batch) == 500 {
				flush()
			}
		}
		flush()
		if !whole {
			must(y.repeat(ctx, run.ID, at))
		}
		_, err := y.st.FinishRuns(ctx)
		must(err)
	}
	if y.st.pg { // as autovacuum does; the program itself gathers no statistics, and SQLite has none
		_, err = y.st.c.exec(ctx, `VACUUM ANALYZE`)
		must(err)
	}
	size, err := y.st.Size(ctx)
	must(err)
	y.metrics["new-results/s"] = float64(recordedFirst) / first.Seconds()
	y.metrics["results/s"] = float64(recordedAgain) / again.Seconds()
	y.metrics["MB"] = float64(size) / 1e6
}

// repeat writes the results of the open units, which are those of the previous week.
func (y *year) repeat(ctx context.Context, run int64, at time.Time) error {
	return y.st.InTx(ctx, func(tx *Tx) error {
		for _, step := range []struct {
			query string
			args  []any
		}{
			{`INSERT INTO results (host_id, at, run_id, target_id, kind, verdict, partial, duration_ms, requests,
				snapshot_id, reason)
				SELECT h.id, CAST($1 AS BIGINT) + h.id * 1000, CAST($2 AS BIGINT), u.target_id, 1, h.verdict, 0, 40,
				220, s.snapshot_id, ''
				FROM units u JOIN targets t ON t.id = u.target_id JOIN hosts h ON h.id = t.host_id
				JOIN spans s ON s.host_id = h.id AND s.kind = 1 AND s.until = 0 WHERE u.run_id = $2
				AND u.state = 0`, []any{at, run}},
			{`UPDATE spans SET last_at = CAST($1 AS BIGINT) + host_id * 1000,
				findings_at = CAST($1 AS BIGINT) + host_id * 1000, results = results + 1
				WHERE until = 0 AND host_id IN (SELECT t.host_id FROM units u JOIN targets t ON t.id = u.target_id
				WHERE u.run_id = $2 AND u.state = 0)`, []any{at, run}},
			{
				`UPDATE units SET state = 2, attempt = 1, started = $1, ended = $1, worker = 'worker-1-4711-abcdef'
					WHERE run_id = $2 AND state = 0`,
				[]any{at, run},
			},
		} {
			if _, err := tx.exec(ctx, step.query, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
}

type benchQuery struct {
	name string
	ask  func(ctx context.Context, n int) error
}

// queries returns the pages' queries.
func (y *year) queries() []benchQuery {
	st := y.st
	year := func(n int) time.Time { return benchStart.AddDate(0, 0, 7*n) }
	host := func(n int) int64 { return int64(n*7919%y.hosts) + 1 }
	hosts := func(name string, f HostFilter, p Page) benchQuery {
		if p.Size == 0 {
			p.Size = 100
		}
		return benchQuery{"hosts/" + name, func(ctx context.Context, _ int) error {
			all, total, err := st.Hosts(ctx, f, p)
			if err == nil && (len(all) == 0 || total == 0) {
				err = fmt.Errorf("%d of %d hosts", len(all), total)
			}
			return err
		}}
	}
	out := []benchQuery{
		hosts("first", HostFilter{}, Page{}),
		hosts("deep", HostFilter{}, Page{Offset: y.hosts - 200}),
		hosts("text", HostFilter{Text: "49"}, Page{}),
		hosts("text-rare", HostFilter{Text: fmt.Sprintf("srv%05d", y.hosts-7)}, Page{}),
		hosts("tag", HostFilter{Tag: "floor-3"}, Page{}),
		hosts("owner", HostFilter{Owner: "team-05"}, Page{}),
		hosts("discloses", HostFilter{Discloses: model.DisclosesShares}, Page{Sort: "-last_changed"}),
		hosts("finding", HostFilter{Finding: "finding-07"}, Page{Sort: "-severity"}),
		hosts("setting", HostFilter{Setting: "setting-07"}, Page{Sort: "site"}),
		hosts("verdict-text", HostFilter{Verdict: model.Exposed, Text: "srv0", Tag: "production"},
			Page{Sort: "-findings"}),
		hosts("export-page", HostFilter{}, Page{Size: MaxPage}),
	}
	for sort := range hostSorts {
		out = append(out, hosts("sort-"+sort, HostFilter{}, Page{Sort: "-" + sort}))
	}
	slices.SortFunc(out[11:], func(a, b benchQuery) int { return slices.Compare([]byte(a.name), []byte(b.name)) })
	one := func(name string, ask func(ctx context.Context, n int) error) {
		out = append(out, benchQuery{name, ask})
	}
	for name, f := range map[string]HostFilter{"all": {}, "tag": {Tag: "production"}, "text": {Text: "srv0"}} {
		one("counts/"+name, func(ctx context.Context, _ int) error { _, err := st.Counts(ctx, f); return err })
		one("cells/"+name, func(ctx context.Context, _ int) error { _, err := st.CellCounts(ctx, f); return err })
		one("settings/"+name, func(ctx context.Context, _ int) error { _, err := st.SettingCounts(ctx, f); return err })
		one("finding-counts/"+name,
			func(ctx context.Context, _ int) error { _, err := st.FindingCounts(ctx, f); return err })
		one("findings/"+name,
			func(ctx context.Context, _ int) error { _, _, err := st.Findings(ctx, f, Page{Size: 100}); return err })
	}
	one("findings/setting", func(ctx context.Context, _ int) error {
		_, _, err := st.Findings(ctx, HostFilter{Setting: "setting-03"}, Page{Size: 100})
		return err
	})
	one("host", func(ctx context.Context, n int) error { _, err := st.Host(ctx, host(n)); return err })
	one("host/names", func(ctx context.Context, n int) error { _, err := st.HostNames(ctx, host(n)); return err })
	one("host/findings", func(ctx context.Context, n int) error { _, err := st.HostFindings(ctx, host(n)); return err })
	one("host/spans", func(ctx context.Context, n int) error { _, err := st.Spans(ctx, host(n), RunScan); return err })
	one("host/results", func(ctx context.Context, n int) error {
		_, _, err := st.Results(ctx, host(n), Page{Size: 60})
		return err
	})
	one("host/document",
		func(ctx context.Context, n int) error { _, _, err := st.Document(ctx, host(n), "scan"); return err })
	one("host/events", func(ctx context.Context, n int) error {
		_, _, err := st.Events(ctx, EventFilter{HostID: host(n)}, Page{Size: 50})
		return err
	})
	one("events", func(ctx context.Context, _ int) error {
		_, _, err := st.Events(ctx, EventFilter{}, Page{Size: 100})
		return err
	})
	one("events/since", func(ctx context.Context, _ int) error {
		_, _, err := st.Events(ctx, EventFilter{Since: year(50), Least: model.Medium, Site: "main"}, Page{Size: 100})
		return err
	})
	one("events/kind", func(ctx context.Context, _ int) error {
		_, _, err := st.Events(ctx, EventFilter{Kinds: []EventKind{EventSettingChanged}, NotExcepted: true},
			Page{Size: 100})
		return err
	})
	one("trend", func(ctx context.Context, _ int) error { _, err := st.Trend(ctx, year(0), year(52), ""); return err })
	one("compare/week", func(ctx context.Context, _ int) error {
		_, _, err := st.Compare(ctx, year(50).Add(-time.Hour), year(51).Add(-time.Hour), HostFilter{}, Page{Size: 100})
		return err
	})
	one("compare/year", func(ctx context.Context, _ int) error {
		_, _, err := st.Compare(ctx, year(1), year(52), HostFilter{}, Page{Size: 100})
		return err
	})
	one("runs", func(ctx context.Context, _ int) error { _, _, err := st.Runs(ctx, Page{Size: 50}); return err })
	one("run", func(ctx context.Context, n int) error { _, err := st.Run(ctx, int64(n%benchWeeks)+1); return err })
	one("run/units", func(ctx context.Context, n int) error {
		_, _, err := st.Units(ctx, int64(n%benchWeeks)+1, UnitDone, Page{Size: 100})
		return err
	})
	one("targets", func(ctx context.Context, _ int) error {
		_, _, err := st.Targets(ctx, TargetFilter{}, Page{Size: 100})
		return err
	})
	one("targets/text", func(ctx context.Context, _ int) error {
		_, _, err := st.Targets(ctx, TargetFilter{Text: "49"}, Page{Size: 100})
		return err
	})
	one("tags", func(ctx context.Context, _ int) error { _, err := st.Tags(ctx, nil); return err })
	one("owners", func(ctx context.Context, _ int) error { _, err := st.Owners(ctx, nil); return err })
	return out
}

// measure reports the median and the maximum of a hundred runs.
func measure(b *testing.B, ask func(ctx context.Context, n int) error) {
	var times []time.Duration
	for n := 0; b.Loop(); n++ {
		start := time.Now()
		if err := ask(context.Background(), n); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1e3, "p99-ms")
}
