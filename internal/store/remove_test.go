package store

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ipcguard/internal/model"
)

// seen is everything that can be read about results.
type seen struct {
	Hosts  []Host
	Spans  map[string][]Span
	Open   map[string][]HostFinding
	Ended  map[string][]string
	Trend  []TrendPoint
	Counts Counts
	Events []string
}

// tells reads all of it.
func (s *suite) tells(until time.Time) seen {
	s.Helper()
	out := seen{Spans: map[string][]Span{}, Open: map[string][]HostFinding{}, Ended: map[string][]string{}}
	hosts, err := s.allHosts()
	s.ok(err)
	slices.SortFunc(hosts, func(a, b Host) int { return a.FirstSeen.Compare(b.FirstSeen) })
	for _, h := range hosts {
		id := h.ID
		for _, kind := range []RunKind{RunScan, RunAudit} {
			spans, err := s.Spans(s.ctx, id, kind)
			s.ok(err)
			for i := range spans {
				spans[i].HostID = 0
			}
			out.Spans[h.Address+string(kind)] = spans
		}
		findings, err := s.HostFindings(s.ctx, id)
		s.ok(err)
		for _, f := range findings {
			f.HostID = 0
			if f.Ended.IsZero() {
				f.LastSeen = time.Time{} // while it is open this is the span's
				out.Open[h.Address] = append(out.Open[h.Address], f)
			} else {
				out.Ended[h.Address] = append(out.Ended[h.Address],
					fmt.Sprint(f.Kind, f.Finding, f.FirstSeen.UnixMicro(), " ", f.LastSeen.UnixMicro(), " ",
						f.Ended.UnixMicro()))
			}
		}
		slices.Sort(out.Ended[h.Address])
		h.ID = 0
		out.Hosts = append(out.Hosts, h)
	}
	out.Trend, err = s.Trend(s.ctx, began.AddDate(0, 0, -3), until, "")
	s.ok(err)
	out.Counts, err = s.Store.Counts(s.ctx, HostFilter{})
	s.ok(err)
	events, _, err := s.Store.Events(s.ctx, EventFilter{}, Page{Size: MaxPage, Sort: "at"})
	s.ok(err)
	for _, e := range events {
		out.Events = append(out.Events, fmt.Sprint(e.At.UnixMicro(), e.Kind, e.Text))
	}
	slices.Sort(out.Events)
	return out
}

// TestRemovedIsNeverRecorded records random results in two databases and removes one from the first that was never
// recorded in the second. Both must return the same, then and after further results.
func TestRemovedIsNeverRecorded(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("60"); err != nil { // each runs some hundred statements
			t.Fatal(err)
		}
	}
	for _, kind := range []string{KindSQLite, KindPostgres} {
		t.Run(kind, func(t *testing.T) {
			both := [2]*suite{newSuite(t, kind), newSuite(t, kind)} // with the result removed, and without it
			rapid.Check(t, func(rt *rapid.T) {
				for _, s := range both {
					s.complaints = rt
					s.empty()
					s.micro.Store(0)
				}
				made := rapid.SliceOfN(rapid.Custom(drawSeen), 2, 12).Draw(rt, "results")
				gone := rapid.IntRange(0, len(made)-1).Draw(rt, "gone")
				later := rapid.SliceOfN(rapid.Custom(drawSeen), 0, 3).Draw(rt, "later")
				var taken *Result
				record := func(i int, m seenResult) {
					for k, s := range both {
						s.advance(7*time.Hour + time.Minute)
						if k == 1 && i == gone {
							continue
						}
						r := m.result(s, i)
						s.record(r)
						if i == gone {
							taken = r
						}
					}
				}
				for i, m := range made {
					record(i, m)
				}
				out, err := both[0].RemoveResult(both[0].ctx, taken.ID)
				both[0].ok(err)
				if out.Result.ID != taken.ID || out.Host.ID != taken.HostID {
					rt.Errorf("taken back: %+v", out)
				}
				until := both[0].clock().AddDate(0, 0, 40)
				same(both[0], "what is told", both[0].tells(until), both[1].tells(until))
				both[0].consistent()
				if _, err := both[0].RemoveResult(both[0].ctx, taken.ID); !errors.Is(err, ErrNotFound) {
					rt.Errorf("once more: %v", err)
				}
				for i, m := range later {
					record(len(made)+i, m)
				}
				same(both[0], "what is told after later results", both[0].tells(until), both[1].tells(until))
				both[0].consistent()
			})
			for _, s := range both {
				s.complaints = t
			}
		})
	}
}

type seenResult struct {
	Host     int
	Ahead    time.Duration // of the clock
	Verdict  model.Verdict
	Audit    bool
	Findings []string
}

func drawSeen(rt *rapid.T) seenResult {
	return seenResult{
		Host: rapid.IntRange(1, 2).Draw(rt, "host"),
		Ahead: rapid.SampledFrom([]time.Duration{
			0, 0, 0, -9 * time.Hour, 20 * time.Hour, 30 * 24 * time.Hour,
		}).Draw(rt, "ahead"),
		Verdict: rapid.SampledFrom([]model.Verdict{
			model.Exposed, model.Closed, model.Unreachable,
		}).Draw(rt, "verdict"),
		Audit: rapid.IntRange(0, 3).Draw(rt, "audit") == 0,
		Findings: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"f0", "f1", "f2"}), 0, 2, rapid.ID).Draw(rt,
			"findings"),
	}
}

// result returns the i-th result: no two have the same microsecond.
func (m seenResult) result(s *suite, i int) *Result {
	slices.Sort(m.Findings)
	r := s.scan(Run{}, Target{}, m.Host, m.Verdict, m.Findings...)
	r.At = r.At.Add(m.Ahead + time.Duration(i)*time.Microsecond)
	switch {
	case m.Audit:
		r.Kind, r.Verdict = RunAudit, ""
		r.Snapshot = Snapshot{Findings: m.Findings}
	case m.Verdict == model.Unreachable:
		r.Findings = nil
		r.Snapshot = Snapshot{Verdict: model.Unreachable}
	}
	r.Events = []Event{{At: r.At, Kind: EventNewHost, Text: fmt.Sprint("result ", i)}}
	return r
}

// TestRemoveRefused: if the remaining results do not determine what came before, nothing is removed.
func TestRemoveRefused(t *testing.T) {
	onBoth(t, func(s *suite) {
		target := s.targets("a")[0]
		var ids []int64
		var h Host
		for _, v := range []model.Verdict{model.Exposed, model.Exposed, model.Closed} {
			s.advance(time.Hour)
			r := s.scan(Run{}, target, 1, v)
			r.Document = []byte(`"` + string(v) + `"`)
			h = s.record(r)
			ids = append(ids, r.ID)
		}
		refused := func(what string, id int64) {
			s.Helper()
			before := s.dump(s.Store)
			_, err := s.RemoveResult(s.ctx, id)
			s.fails(err, ErrHistory)
			same(s, what, s.dump(s.Store), before)
		}
		_, err := s.Prune(s.ctx, began.Add(90*time.Minute)) // deletes the first
		s.ok(err)
		refused("the oldest that is left", ids[1])
		_, err = s.RemoveResult(s.ctx, ids[2])
		s.ok(err)
		if got, err := s.Host(s.ctx, h.ID); err != nil || got.Verdict != model.Exposed {
			s.Errorf("%+v %v", got, err)
		}
		if b, _, err := s.Document(s.ctx, h.ID, "scan"); err != nil || string(b) != `"exposed"` {
			s.Errorf("%s %v", b, err)
		}
		s.consistent()
		_, err = s.RetireHost(s.ctx, h.ID, s.clock())
		s.ok(err)
		refused("a retired host", ids[1])
		s.fails(func() error { _, err := s.RemoveResult(s.ctx, 99); return err }(), ErrNotFound)
	})
}
