package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ipcguard/internal/model"
)

// TestRetire retires hosts and brings them back: lists, counts, findings and the trend agree at every step.
func TestRetire(t *testing.T) {
	onBoth(t, func(s *suite) {
		targets := []Target{
			{SiteID: s.site.ID, Spec: "alpha", Enabled: true},
			{SiteID: s.site.ID, Spec: "beta", Enabled: true},
			{SiteID: s.site.ID, Spec: "gamma", Enabled: true},
		}
		_, _, err := s.SaveTargets(s.ctx, targets)
		s.ok(err)
		run := s.run(RunScan)
		look := func(run Run, i int, v model.Verdict, findings ...string) Host {
			s.Helper()
			s.advance(time.Minute)
			r := s.scan(run, targets[i], i+1, v, findings...)
			r.At = s.clock()
			h, err := s.Host(s.ctx, s.record(r).ID)
			s.ok(err)
			return h
		}
		agree := func(what string, exposed, unknown, findings int) {
			s.Helper()
			c, err := s.Counts(s.ctx, HostFilter{})
			s.ok(err)
			list, total, err := s.Hosts(s.ctx, HostFilter{}, Page{})
			s.ok(err)
			open, n, err := s.Findings(s.ctx, HostFilter{}, Page{})
			s.ok(err)
			trend, err := s.Trend(s.ctx, s.clock(), s.clock(), "")
			s.ok(err)
			last := trend[len(trend)-1]
			if c.Exposed != exposed || c.Unknown != unknown || total != c.Hosts || len(list) != total ||
				last.Exposed != exposed || last.Unknown != unknown {
				s.Errorf("%s: counted %+v, listed %d, trend %+v; want %d exposed, %d unknown",
					what, c, total, last, exposed, unknown)
			}
			if n != findings || len(open) != findings {
				s.Errorf("%s: %d findings, %d listed, want %d", what, n, len(open), findings)
			}
		}
		a := look(run, 0, model.Exposed, "f1", "f2")
		look(run, 1, model.Exposed, "f1")
		c := look(run, 2, model.Exposed)
		agree("three hosts", 3, 0, 3)

		begun := s.run(RunScan)
		s.advance(time.Second)
		was, err := s.RetireHost(s.ctx, a.ID, s.clock())
		s.ok(err)
		again, err := s.RetireHost(s.ctx, a.ID, s.clock())
		s.ok(err)
		if !was || again {
			s.Errorf("retired %v, then %v", was, again)
		}
		agree("one retired", 2, 0, 1)
		gone, total, err := s.Hosts(s.ctx, HostFilter{Retired: true}, Page{})
		s.ok(err)
		if total != 1 || gone[0].ID != a.ID || gone[0].Retired.IsZero() {
			s.Errorf("the retired: %+v", gone)
		}
		s.advance(10 * time.Second)
		underWay := s.scan(s.run(RunScan), targets[0], 1, model.Exposed, "f1", "f2")
		underWay.At, underWay.DurationMS = s.clock(), 20_000
		underWay.Events = []Event{{
			Kind: EventReturned, Severity: model.Low, At: s.clock(), Before: "retired",
			Text: "x",
		}}
		h, err := s.Host(s.ctx, s.record(underWay).ID)
		s.ok(err)
		if h.Retired.IsZero() {
			s.Error("a scan that was under way brought a host back")
		}
		if _, n, err := s.Events(s.ctx, EventFilter{Kinds: []EventKind{EventReturned}}, Page{}); err != nil || n != 0 {
			s.Errorf("%d events of it, %v", n, err)
		}
		agree("retired during a scan", 2, 0, 1)
		if h := look(begun, 0, model.Exposed, "f1", "f2"); h.Retired.IsZero() {
			s.Error("a run that was under way brought a host back when it came to it")
		}
		agree("retired during a run", 2, 0, 1)
		second := s.run(RunScan)
		if h := look(second, 0, model.Unreachable); h.Retired.IsZero() {
			s.Error("silence brought a host back")
		}
		agree("still retired", 2, 0, 1)
		third := s.run(RunScan)
		if h := look(third, 0, model.Exposed, "f1", "f2"); !h.Retired.IsZero() || h.Findings != 2 {
			s.Errorf("back: %+v", h)
		}
		agree("back", 3, 0, 3)

		// The rule: scanned for thirty days without an answer.
		look(second, 2, model.Unreachable)
		s.advance(31 * 24 * time.Hour)
		silent, err := s.SilentHosts(s.ctx, 30*24*time.Hour)
		s.ok(err)
		if len(silent) != 0 {
			s.Errorf("nobody asked for a month, and these are silent: %+v", silent)
		}
		look(s.run(RunScan), 2, model.Unreachable)
		if silent, err = s.SilentHosts(s.ctx, 30*24*time.Hour); err != nil || len(silent) != 1 || silent[0].ID != c.ID {
			s.Errorf("silent: %+v, %v", silent, err)
		}

		// A host without a target is found; one to which a name leads is not.
		strays, err := s.StrayHosts(s.ctx, nil)
		s.ok(err)
		if len(strays) != 0 {
			s.Errorf("strays: %+v", strays)
		}
		s.ok(s.DeleteTargets(s.ctx, []int64{targets[0].ID}))
		if strays, err = s.StrayHosts(s.ctx, []int64{a.ID}); err != nil || len(strays) != 1 || strays[0].ID != a.ID {
			s.Errorf("strays: %+v, %v", strays, err)
		}
		s.ok(s.DeleteHost(s.ctx, a.ID))
		agree("removed", 1, 1, 1)
		was, err = s.RetireHost(s.ctx, c.ID, s.clock())
		if err != nil || !was {
			s.Error(was, err)
		}
		s.ok(s.DeleteHost(s.ctx, c.ID))
		agree("removed after it was retired", 1, 0, 1)
	})
}

// What the last audit found of a host counts again when the host is back, also if the audit came while it was retired,
// and so does what its last scan found if a quick one brings it back.
func TestRetiredAudits(t *testing.T) {
	onBoth(t, func(s *suite) {
		targets := s.targets("alpha", "beta", "gamma", "delta")
		s.ok(s.SaveException(s.ctx, &Exception{Finding: "a2", Reason: "x", Owner: "x", Until: s.clock().AddDate(1, 0, 0)}))
		look := func(i int, kind RunKind, v model.Verdict, findings ...string) Host {
			s.Helper()
			s.advance(time.Minute)
			r := s.scan(s.run(kind), targets[i], i+1, v, findings...)
			r.At, r.Kind = s.clock(), kind
			if findings == nil {
				r.Findings = nil
			}
			h, err := s.Host(s.ctx, s.record(r).ID)
			s.ok(err)
			return h
		}
		var ids []int64
		for i := range targets {
			ids = append(ids, look(i, RunScan, model.Exposed, "f1").ID)
			if i > 0 {
				look(i, RunAudit, "", "a1", "a2")
			}
		}
		s.advance(time.Minute)
		for _, id := range ids {
			_, err := s.RetireHost(s.ctx, id, s.clock())
			s.ok(err)
		}
		// The first has its first audit now, the second another one, and then a third.
		look(0, RunAudit, "", "a1", "a2")
		look(1, RunAudit, "", "a2", "a3")
		look(1, RunAudit, "", "a3", "a4")
		for _, id := range ids {
			h, err := s.Host(s.ctx, id)
			s.ok(err)
			if h.Retired.IsZero() || h.Findings != 0 {
				s.Errorf("host %d is in the fleet, or counts: %+v", id, h)
			}
		}
		open := func(i int, h Host, want ...string) {
			s.Helper()
			var got []string
			all, err := s.HostFindings(s.ctx, h.ID)
			s.ok(err)
			excepted := 0
			for _, f := range all {
				if f.Ended.IsZero() {
					got = append(got, f.Finding)
					if f.Exception != 0 {
						excepted++
					}
				}
			}
			slices.Sort(got)
			same(s, fmt.Sprint("open of host ", i), got, want)
			same(s, "their number", []int{h.Findings, h.Excepted}, []int{len(want), excepted})
			if slices.Contains(want, "a2") != (excepted == 1) {
				s.Errorf("%d excepted of %v", excepted, got)
			}
		}
		open(0, look(0, RunScan, model.Exposed, "f2"), "a1", "a2", "f2")
		open(1, look(1, RunScan, model.Exposed, "f1"), "a3", "a4", "f1")
		open(2, look(2, RunScan, model.Exposed), "a1", "a2", "f1")         // it keeps what is open
		open(3, look(3, RunScan, model.Closed, []string{}...), "a1", "a2") // it has none
		open(1, look(1, RunAudit, "", "a4"), "a4", "f1")
	})
}
