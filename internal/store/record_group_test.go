package store

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ipcguard/internal/model"
)

// TestGroup checks that in one group a host may occur three times and a unit twice, among others that are new.
func TestGroup(t *testing.T) {
	onBoth(t, func(s *suite) {
		targets := s.targets("a", "b", "c")
		known := s.record(s.scan(s.run(RunScan), targets[0], 1, model.Exposed, "f1"))
		start := s.clock()
		s.advance(time.Hour)
		scan, audit := s.run(RunScan), s.run(RunAudit)
		result := func(run Run, target, host int, v model.Verdict, findings ...string) *Result {
			r := s.scan(run, targets[target], host, v, findings...)
			r.Document = fmt.Appendf(nil, "%d-%d-%s", run.ID, target, v)
			return r
		}
		closed, again := result(scan, 0, 1, model.Closed, "f2"), result(scan, 0, 1, model.Exposed, "f3")
		under := result(scan, 1, 1, model.Limited, "f2", "f4") // the same host under another name
		audited := result(audit, 0, 1, "", "f5")
		audited.Kind = RunAudit
		third := result(Run{}, 0, 1, model.Limited, "f2", "f4")
		third.At = third.At.Add(time.Minute)
		twice := *third
		one, two := result(scan, 2, 3, model.Exposed, "f1"), result(audit, 2, 3, "", "f6")
		two.Kind = RunAudit
		n, err := s.RecordResults(s.ctx, []*Result{one, closed, again, two, under, audited, third, &twice})
		s.ok(err)
		if n != 6 {
			s.Errorf("%d are recorded, want all but the unit and the result that came twice", n)
		}
		if again.ID != 0 || again.HostID != 0 || twice.ID != 0 {
			s.Errorf("what is not recorded has the numbers %d, %d and %d", again.ID, again.HostID, twice.ID)
		}
		ids := []int64{closed.ID, under.ID, audited.ID, third.ID, one.ID, two.ID}
		if !slices.IsSorted(ids) || ids[0] < 2 || closed.HostID != known.ID || third.HostID != known.ID ||
			one.HostID != two.HostID || one.HostID == known.ID {
			s.Errorf("results %v of hosts %d, %d, %d and %d", ids, closed.HostID, third.HostID, one.HostID, two.HostID)
		}
		h, err := s.Host(s.ctx, known.ID)
		s.ok(err)
		if h.Verdict != model.Limited || h.Findings != 3 || !h.LastSeen.Equal(third.At) ||
			!h.LastChanged.Equal(s.clock()) || !h.LastAudit.Equal(s.clock()) {
			s.Errorf("host: %+v", h)
		}
		spans, err := s.Spans(s.ctx, known.ID, RunScan)
		s.ok(err)
		same(s, "spans", spans, []Span{
			{
				HostID: h.ID, Kind: RunScan, From: start, Until: s.clock(), Last: start, Results: 1,
				Snapshot: Snapshot{Verdict: model.Exposed, Cells: "ad", Findings: []string{"f1"}},
			},
			{
				HostID: h.ID, Kind: RunScan, From: s.clock(), Last: s.clock(),
				Until: s.clock().Add(time.Microsecond), Results: 1, Snapshot: closed.Snapshot,
			},
			{
				HostID: h.ID, Kind: RunScan, From: s.clock().Add(time.Microsecond), Last: third.At, Results: 2,
				Snapshot: under.Snapshot,
			},
		})
		last, _, err := s.Document(s.ctx, h.ID, "scan")
		s.ok(err)
		before, _, err := s.PreviousDocument(s.ctx, h.ID, "scan")
		s.ok(err)
		if string(last) != string(third.Document) || string(before) != string(under.Document) ||
			s.number(`SELECT count(*) FROM documents WHERE host_id = $1`, h.ID) != 3 {
			s.Errorf("documents: %s after %s", last, before)
		}
		for i, want := range []int64{h.ID, h.ID, one.HostID} {
			if target, err := s.Target(s.ctx, targets[i].ID); err != nil || target.HostID != want {
				s.Errorf("target %d leads to %d, want %d: %v", i, target.HostID, want, err)
			}
		}
		if run, err := s.Run(s.ctx, scan.ID); err != nil || run.Done != 3 || run.Exposed != 1 || run.Closed != 1 ||
			run.Limited != 1 {
			s.Errorf("run: %+v, %v", run, err)
		}
		s.consistent()

		bad := result(s.run(RunScan), 0, 1, model.Exposed)
		bad.Verdict = "no verdict"
		if n, err := s.RecordResults(s.ctx, []*Result{result(s.run(RunScan), 1, 2, model.Exposed), bad}); err == nil ||
			n != 0 {
			s.Errorf("with one that cannot be written %d are recorded, %v", n, err)
		}
		if n := s.number(`SELECT count(*) FROM hosts`); n != 2 {
			s.Errorf("%d hosts, want what there was", n)
		}
		s.consistent()
	})
}

// TestGroupIsOneByOne records random groups in one database and their results one by one in another: all rows must be
// equal.
func TestGroupIsOneByOne(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("30"); err != nil { // each runs some thousand statements
			t.Fatal(err)
		}
	}
	for _, kind := range []string{KindSQLite, KindPostgres} {
		t.Run(kind, func(t *testing.T) {
			both := [2]*suite{newSuite(t, kind), newSuite(t, kind)} // one by one, and in groups
			rapid.Check(t, func(rt *rapid.T) {
				var targets [2][]Target
				for i, s := range both {
					s.complaints = rt
					s.empty()
					s.micro.Store(0)
					targets[i] = s.targets("t0", "t1", "t2", "t3")
					for j := range targets[i][:3] {
						targets[i][j].Tags, targets[i][j].Owner = []string{fmt.Sprint("tag",
							j/2)}, fmt.Sprint("owner", j)
						s.ok(s.SaveTarget(s.ctx, &targets[i][j]))
					}
					s.ok(s.SaveException(s.ctx, &Exception{
						Finding: "f1",
						Tag:     "tag0",
						Reason:  "r",
						Owner:   "o",
						Until:   s.clock().Add(9000 * time.Hour),
					}))
				}
				for range rapid.IntRange(1, 4).Draw(rt, "groups") {
					var runs [2][]Run
					for i, s := range both {
						s.advance(time.Hour)
						runs[i] = []Run{{}, s.run(RunScan), s.run(RunAudit), s.run(RunScan)}
					}
					made := rapid.SliceOfN(rapid.Custom(drawResult), 1, 12).Draw(rt, "results")
					var results [2][]*Result
					for i, s := range both {
						for _, m := range made {
							results[i] = append(results[i], m.result(s, runs[i], targets[i]))
						}
						slices.SortStableFunc(results[i], func(a, b *Result) int {
							return strings.Compare(a.Host.Address, b.Host.Address)
						})
					}
					want := 0
					for _, r := range results[0] {
						done, err := both[0].RecordResult(both[0].ctx, r)
						both[0].ok(err)
						if done {
							want++
						}
					}
					got, err := both[1].RecordResults(both[1].ctx, results[1])
					both[1].ok(err)
					same(both[1], "how many", got, want)
					same(both[1], "results", results[1], results[0])
					if keep, gone := rapid.IntRange(1, 4).Draw(rt,
						"keep"), rapid.IntRange(1, 4).Draw(rt, "gone"); keep != gone {
						for _, s := range both {
							s.merge(keep, gone)
						}
					}
					same(both[1], "database", both[1].dump(both[1].Store), both[0].dump(both[0].Store))
					if rt.Failed() {
						rt.FailNow()
					}
				}
				both[1].consistent()
			})
			for _, s := range both {
				s.complaints = t
			}
		})
	}
}

// made is one generated result.
type made struct {
	Run, Target, Host int
	At                time.Duration
	Verdict           model.Verdict
	Audit, Partial    bool
	Findings          []string
	Told              bool
	Name, Identity    string
	Names             []string
	Document, Event   bool
}

func drawResult(rt *rapid.T) made {
	least, most := 0, 3
	if rapid.IntRange(0, 5).Draw(rt, "many names") == 0 {
		least, most = 90, 150
	}
	return made{
		Run: rapid.IntRange(0, 3).Draw(rt, "run"), Target: rapid.IntRange(-1, 3).Draw(rt, "target"),
		Host: rapid.IntRange(1, 4).Draw(rt, "host"),
		At: rapid.SampledFrom([]time.Duration{
			0, 0, time.Microsecond, 1500 * time.Nanosecond, time.Minute, -time.Minute, -48 * time.Hour,
		}).Draw(rt, "at"),
		Verdict: rapid.SampledFrom([]model.Verdict{model.Exposed, model.Closed, model.Unreachable}).Draw(rt, "verdict"),
		Audit:   rapid.IntRange(0, 3).Draw(rt, "audit") == 0, Partial: rapid.IntRange(0, 5).Draw(rt, "partial") == 0,
		Findings: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"f0", "f1", "f\x002"}), 0, 2, rapid.ID).Draw(rt,
			"findings"),
		Told:     rapid.IntRange(0, 4).Draw(rt, "told") > 0,
		Name:     rapid.SampledFrom([]string{"", "A", "B", "\xffÄ"}).Draw(rt, "name"),
		Identity: rapid.SampledFrom([]string{"", "x", "y"}).Draw(rt, "identity"),
		Names: rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) string {
			return fmt.Sprint("n", rapid.IntRange(0, most).Draw(rt, "n"))
		}), least, most).Draw(rt, "names"),
		Document: rapid.Bool().Draw(rt, "document"), Event: rapid.IntRange(0, 3).Draw(rt, "event") == 0,
	}
}

func (m made) result(s *suite, runs []Run, targets []Target) *Result {
	target := Target{}
	if m.Target >= 0 {
		target = targets[m.Target]
	} else {
		m.Run = 0 // a unit has a target
	}
	r := s.scan(runs[m.Run], target, m.Host, m.Verdict, m.Findings...)
	r.At, r.Partial, r.Host.SiteID, r.Host.Name, r.Host.Identity = r.At.Add(m.At), m.Partial, s.site.ID, m.Name,
		m.Identity
	if m.Audit {
		r.Kind = RunAudit
	}
	if !m.Told {
		r.Findings = nil
	}
	r.Names = nil
	for i, n := range m.Names {
		r.Names = append(r.Names, HostName{Name: n, Kind: []string{"dns", "netbios"}[i%2]})
	}
	if m.Document {
		r.Document = fmt.Appendf(nil, "%+v", m)
	}
	if m.Event {
		r.Events = []Event{{At: r.At, Kind: EventNewHost, Text: m.Name}, {At: r.At, Kind: EventSettingChanged}}
	}
	return r
}

// merge merges two hosts if both exist and differ.
func (s *suite) merge(keep, gone int) {
	s.Helper()
	a, err := s.HostByAddress(s.ctx, s.site.ID, naiveAddress(keep))
	if errors.Is(err, ErrNotFound) {
		return
	}
	s.ok(err)
	b, err := s.HostByAddress(s.ctx, s.site.ID, naiveAddress(gone))
	if errors.Is(err, ErrNotFound) || a.ID == b.ID {
		return
	}
	s.ok(err)
	s.ok(s.MergeHosts(s.ctx, a.ID, b.ID))
}

// TestGroupsOverlap lets two servers record overlapping groups of known hosts at the same time. Each unit counts once,
// and there are no retries: the servers wait for each other without deadlock.
func TestGroupsOverlap(t *testing.T) {
	t.Parallel()
	const hosts, rounds = 60, 12
	s := newSuite(t, KindPostgres)
	other := s.open(s.pool.Config().ConnString())
	var specs []string
	for i := range hosts {
		specs = append(specs, fmt.Sprintf("h%02d", i))
	}
	targets := s.targets(specs...)
	first := s.run(RunScan)
	for i := range targets { // in another order than addresses and units
		s.record(s.scan(first, targets[i], (i*37)%hosts, model.Exposed, "f1", "f2"))
	}
	for round := range rounds {
		s.advance(time.Hour)
		run := s.run(RunScan)
		var group errgroup
		var recorded [4]int
		for w := range recorded {
			st := []*Store{s.Store, other}[w%2]
			var results []*Result
			for i := range 40 {
				// 40 of 60: any two groups share some, each in an order of its own.
				i = (i*(2*w+1) + 15*w + round) % hosts
				r := s.scan(run, targets[i], (i*37)%hosts, model.Exposed, "f1", "f2")
				r.Worker, r.Document = fmt.Sprint("w", w), fmt.Appendf(nil, "%d of %d", i, w)
				results = append(results, r)
			}
			group.Go(func() error {
				return st.try(s.ctx, func(tx *Tx) error { // once, without a retry
					n, err := tx.RecordResults(s.ctx, results)
					recorded[w] = n
					return err
				})
			})
		}
		s.ok(group.Wait())
		done := int(s.number(`SELECT count(*) FROM units WHERE run_id = $1 AND state = 2`, run.ID))
		got, err := s.Run(s.ctx, run.ID)
		s.ok(err)
		if sum := recorded[0] + recorded[1] + recorded[2] + recorded[3]; sum != done || got.Done != done ||
			got.Exposed != done || done < 40 {
			s.Errorf("%v recorded, %d units done, the run counts %d", recorded, done, got.Done)
		}
		s.consistent()
	}
	if n := s.number(
		`SELECT count(*) FROM spans WHERE results <> (SELECT count(*) FROM results r WHERE r.host_id = spans.host_id)`,
	); n != 0 {
		s.Errorf("%d spans lost a result", n)
	}
	if n := s.number(
		`SELECT count(*) FROM (SELECT host_id FROM documents GROUP BY host_id HAVING count(*) > 2
			OR max(seq) - min(seq) > 1) d`); n != 0 {
		s.Errorf("%d hosts have other documents than the last two", n)
	}
}
