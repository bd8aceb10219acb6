package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// The size that the fleet is made for. IPCGUARD_BENCH_HOSTS makes it smaller.
const (
	benchHosts = 50_000
	benchWeeks = 52
)

// BenchmarkPages asks for every page of a server that has watched 50,000 hosts for a year, by a browser's requests,
// session and all. Pages have to be there within 200 ms; p95-ms is the slowest but one of twenty, cpu-ms what one
// costs, the client included. PostgreSQL gets what SQLite was filled with, by [store.Copy].
func BenchmarkPages(b *testing.B) {
	hosts := benchHosts
	if text := os.Getenv("IPCGUARD_BENCH_HOSTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 100 {
			b.Fatalf("IPCGUARD_BENCH_HOSTS is %q", text)
		}
		hosts = n
	}
	path := filepath.Join(b.TempDir(), "fleet.db")
	if kept := os.Getenv("IPCGUARD_BENCH_STORE"); kept != "" { // filled once, for many looks
		path = kept
	}
	_, err := os.Stat(path)
	s := openSite(b, path)
	if err != nil {
		start := time.Now()
		fillYear(b, s.st, hosts)
		b.Logf("%d hosts × %d weeks were filled in %v", hosts, benchWeeks, time.Since(start).Round(time.Second))
		if _, err := s.access.AddUser(b.Context(), access.System(), "admin", store.RoleAdmin, password); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("sqlite", func(b *testing.B) { benchPages(b, s, hosts) })
	b.Run("postgres", func(b *testing.B) {
		other := openSite(b, peer.Postgres(b))
		start := time.Now()
		if err := store.Copy(b.Context(), s.st, other.st, nil); err != nil {
			b.Fatal(err)
		}
		b.Logf("copied in %v", time.Since(start).Round(time.Second))
		if _, err := other.st.Pool().Exec(b.Context(), "VACUUM ANALYZE"); err != nil {
			b.Fatal(err)
		}
		benchPages(b, other, hosts)
	})
}

func benchPages(b *testing.B, s *testSite, hosts int) {
	p := s.login(store.RoleAdmin)
	list, _, err := s.st.Hosts(b.Context(), store.HostFilter{Verdict: model.Exposed}, store.Page{Size: 1})
	if err != nil || len(list) == 0 {
		b.Fatal("no host is exposed", err)
	}
	h := list[0]
	runs, _, err := s.st.Runs(b.Context(), store.Page{Size: 1})
	if err != nil || len(runs) == 0 {
		b.Fatal("no run", err)
	}
	now := time.Now()
	for _, path := range []string{
		"/", "/?site=main", "/hosts", "/hosts?sort=-severity", "/hosts?sort=-last_seen", "/hosts?q=srv0423",
		"/hosts?verdict=exposed&tag=floor-3&discloses=accounts", "/hosts?owner=team-07",
		"/hosts?sort=name&offset=" + strconv.Itoa(hosts*9/10),
		"/hosts?setting=RestrictAnonymous", "/hosts?finding=anonymous-lists-shares&sort=-verdict",
		fmt.Sprintf("/hosts/%d", h.ID), "/findings", "/findings?finding=anonymous-lists-shares",
		"/findings?tag=floor-3", "/settings", "/settings?setting=RestrictAnonymous", "/settings?owner=team-07",
		"/events", "/events?kind=setting-changed&least=medium", fmt.Sprintf("/events?host=%d", h.ID), "/compare?from=" +
			day(now.AddDate(0, 0, -21)) + "&to=" + day(now), "/compare?from=" + day(now.AddDate(0, 0, -300)) + "&to=" +
			day(now),
		"/report", "/runs", fmt.Sprintf("/runs/%d", runs[0].ID), fmt.Sprintf("/runs/%d?state=done&offset=%d",
			runs[0].ID, hosts/2), "/targets", "/targets?q=srv042", "/targets/1", "/targets/new", "/sites", "/schedules",
		"/exceptions", "/exceptions/new", "/channels", "/credentials", "/accounts", "/account", "/acts", "/catalog",
		"/catalog/setting/RestrictAnonymous",
	} {
		b.Run(strings.ReplaceAll(path, "/", "⁄"), func(b *testing.B) {
			p := &person{b, p.base, p.http}
			var took []time.Duration
			bytes, used := 0, cpuTime()
			for b.Loop() {
				start := time.Now()
				a := p.get(path)
				took = append(took, time.Since(start))
				if a.status != http.StatusOK {
					b.Fatalf("%s: %d", path, a.status)
				}
				bytes = len(a.body)
			}
			b.ReportMetric(float64((cpuTime()-used).Microseconds())/1000/float64(len(took)), "cpu-ms")
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			b.ReportMetric(float64(bytes)/1000, "KB")
		})
	}
}

// classesOf are the ways in which the hosts of a year are configured, the first ones the most frequent.
const classesOf = 60

func classOf(i, week int) int {
	x := uint32(i*2654435761) ^ uint32(week/26+i%50)*97
	x ^= x >> 15
	return int(x%classesOf) * int(x>>8%classesOf) / classesOf
}

func classKind(c int) hostKind {
	k := hostKind{
		verdict: model.Closed, system: "windows", os: fmt.Sprintf("Windows Server build %d", 14393+c*100),
		signing: "required", smb1: c%13 == 0,
	}
	for i, d := range model.Disclosures() {
		if (c*7+i*3)%17 < c%9 {
			k.given, k.signing = append(k.given, d), "enabled"
			if d.IsExposure() {
				k.verdict = model.Exposed
				for _, id := range []string{"anonymous-lists-" + string(d), "anonymous-reads-" + string(d)} {
					if catalogOf().Finding(id) != nil {
						k.findings = append(k.findings, id)
					}
				}
			} else if k.verdict == model.Closed {
				k.verdict = model.Limited
			}
		}
	}
	slices.Sort(k.findings)
	return k
}

// fillYear records the first week and the last two as runs do; those between, which say the same once more, are written
// in bulk, as the store's own benchmark does it: recording 2.6 million results takes the better part of an hour.
func fillYear(b testing.TB, st *store.Store, hosts int) {
	ctx := context.Background()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	site := store.Site{Name: "main"}
	must(st.SaveSite(ctx, &site))
	var targets []store.Target
	for i := range hosts {
		targets = append(targets, store.Target{
			SiteID: site.ID, Spec: fmt.Sprintf("srv%05d.corp.example", i),
			Enabled: true, Owner: fmt.Sprintf("team-%02d", i%37), Criticality: store.CriticalityNormal,
			Tags: []string{fmt.Sprintf("floor-%d", i%11), []string{"production", "test", "office"}[i%3]},
		})
	}
	_, _, err := st.SaveTargets(ctx, targets)
	must(err)
	var ids []int64
	must(st.EachTarget(ctx, store.TargetFilter{}, func(t store.Target) error { ids = append(ids, t.ID); return nil }))
	var kinds []hostKind
	for c := range classesOf {
		kinds = append(kinds, classKind(c))
	}
	start := time.Now().UTC().AddDate(0, 0, -7*(benchWeeks-1)).Truncate(time.Hour)
	for week := range benchWeeks {
		at := start.AddDate(0, 0, 7*week)
		run := store.Run{Kind: store.RunScan, By: "schedule", Created: at}
		must(st.CreateRun(ctx, &run))
		_, err := st.AddUnits(ctx, run.ID, store.Selector{})
		must(err)
		whole := week == 0 || week >= benchWeeks-2
		var batch []*store.Result
		flush := func() {
			_, err := st.RecordResults(ctx, batch)
			must(err)
			batch = batch[:0]
		}
		for i := range hosts {
			changed := week > 0 && i%50 == week%50
			if !whole && !changed {
				continue
			}
			k := kinds[classOf(i, week)]
			r := yearResult(&k, i, at.Add(time.Duration(i)*time.Millisecond), run.ID, ids[i])
			if week >= benchWeeks-2 {
				doc, err := json.Marshal(k.scanOf(targets[i].Spec, r.Host.Address, at,
					func(s string) string { return s }))
				must(err)
				r.Document = doc
			}
			if changed {
				r.Events = []store.Event{{
					At: r.At, Kind: store.EventSettingChanged, Severity: model.Medium,
					Subject: "RestrictAnonymous", Text: "A setting of this host was changed.",
				}}
			}
			if batch = append(batch, r); len(batch) == 500 {
				flush()
			}
		}
		flush()
		if !whole {
			must(repeatWeek(ctx, st, run.ID, at))
		}
		_, err = st.FinishRuns(ctx)
		must(err)
	}
}

func yearResult(k *hostKind, i int, at time.Time, run, target int64) *store.Result {
	name := fmt.Sprintf("SRV%05d", i)
	r := &store.Result{
		RunID: run, TargetID: target, Kind: store.RunScan, At: at, Verdict: k.verdict, DurationMS: int64(20 + i%70),
		Requests: 200, Worker: "worker-1", Findings: []store.HostFinding{},
		Snapshot: store.Snapshot{
			Verdict: k.verdict, Cells: k.cells(), SMB1: k.smb1, Signing: k.signing,
			Findings: k.findings, Pipes: map[string]string{"anonymous/samr": "allowed", "anonymous/srvsvc": "denied"},
		},
		Host: store.Host{
			Address: fmt.Sprintf("10.%d.%d.%d:445", i>>16, i>>8&255, i&255), Name: name,
			System: k.system, OS: k.os, Cells: k.cells(), SMB1: k.smb1, Signing: k.signing,
		},
		Names: []store.HostName{{Name: name, Kind: "netbios"}},
	}
	for _, id := range k.findings {
		f := catalogOf().Finding(id)
		r.Findings = append(r.Findings, store.HostFinding{
			Kind: store.RunScan, Finding: id,
			Severity: f.Severity[0].Level, Identity: model.Anonymous, Pipe: "samr",
			Evidence: "3 things were listed through a call", Settings: settingsOn(k.system, f.Settings),
		})
	}
	return r
}

// settingsOn returns those of a system: a scan names no others.
func settingsOn(system string, all []string) []string {
	return slices.DeleteFunc(slices.Clone(all),
		func(id string) bool { return catalogOf().Setting(id).System != system })
}

// repeatWeek writes what the results of the units that are still open say, which is the same as the week before.
func repeatWeek(ctx context.Context, st *store.Store, run int64, at time.Time) error {
	return st.InTx(ctx, func(tx *store.Tx) error {
		for _, step := range []struct {
			query string
			args  []any
		}{
			{`INSERT INTO results (host_id, at, run_id, target_id, kind, verdict, partial, duration_ms, requests, snapshot_id, reason)
				SELECT h.id, $1 + h.id * 1000, $2, u.target_id, 1, h.verdict, 0, 40, 220, s.snapshot_id, ''
				FROM units u JOIN targets t ON t.id = u.target_id JOIN hosts h ON h.id = t.host_id
				JOIN spans s ON s.host_id = h.id AND s.kind = 1 AND s.until = 0 WHERE u.run_id = $2 AND u.state = 0`, []any{at.UnixMicro(), run}},
			{`UPDATE spans SET last_at = $1 + host_id * 1000, findings_at = $1 + host_id * 1000, results = results + 1
				WHERE until = 0 AND host_id IN (SELECT t.host_id FROM units u JOIN targets t ON t.id = u.target_id WHERE u.run_id = $2 AND u.state = 0)`, []any{at.UnixMicro(), run}},
			{`UPDATE units SET state = 2, attempt = 1, started = $1, ended = $1, worker = 'worker-1' WHERE run_id = $2 AND state = 0`, []any{at.UnixMicro(), run}},
		} {
			if _, err := tx.SQL().ExecContext(ctx, step.query, step.args...); err != nil {
				return err
			}
		}
		return nil
	})
}
