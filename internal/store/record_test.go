package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/model"
)

func TestRecord(t *testing.T) {
	onBoth(t, func(s *suite) {
		targets := s.targets("a.example", "b.example")
		targets[0].Tags, targets[0].Owner, targets[0].Criticality = []string{"web"}, "Web team", CriticalityHigh
		s.ok(s.SaveTarget(s.ctx, &targets[0]))
		first := s.run(RunScan)
		r := s.scan(first, targets[0], 1, model.Exposed, "f1", "f2")
		r.Document, r.Events = []byte(`{"n":1}`), []Event{
			{Kind: EventNewHost, At: s.clock(), Severity: model.Info, Text: "A new host."},
		}
		start := s.clock()
		h := s.record(r)
		want := Host{
			ID: r.HostID, SiteID: s.site.ID, Site: "main", Address: "10.0.0.1:445", Name: "HOST1",
			Tags: []string{"web"}, Owner: "Web team",
			Criticality: CriticalityHigh, System: "windows", Verdict: model.Exposed, Cells: "ad",
			Severity: model.High, Findings: 2,
			FirstSeen: start, LastSeen: start, LastChanged: start,
		}
		same(s, "host", h, want)
		if done, err := s.RecordResult(s.ctx, r); done || err != nil {
			s.Fatalf("recorded twice: %v, %v", done, err)
		}
		target, err := s.Target(s.ctx, targets[0].ID)
		s.ok(err)
		if target.HostID != h.ID {
			s.Errorf("the target leads to %d, want %d", target.HostID, h.ID)
		}

		// The next week the answers are the same, and then different.
		s.advance(7 * 24 * time.Hour)
		same2 := s.scan(s.run(RunScan), targets[0], 1, model.Exposed, "f1", "f2")
		same2.Document = []byte(`{"n":2}`)
		h = s.record(same2)
		want.LastSeen = s.clock()
		same(s, "host a week later", h, want)
		s.advance(7 * 24 * time.Hour)
		closed := s.scan(s.run(RunScan), targets[0], 1, model.Closed, "f2")
		closed.Document = []byte(`{"n":3}`)
		h = s.record(closed)
		want.LastSeen, want.LastChanged, want.Verdict, want.Cells, want.Findings = s.clock(), s.clock(), model.Closed,
			"dd", 1
		same(s, "host when closed", h, want)

		spans, err := s.Spans(s.ctx, h.ID, RunScan)
		s.ok(err)
		same(s, "spans", spans, []Span{
			{
				HostID: h.ID, Kind: RunScan, From: start, Until: s.clock(), Last: start.Add(7 * 24 * time.Hour), Results: 2,
				Snapshot: r.Snapshot,
			},
			{HostID: h.ID, Kind: RunScan, From: s.clock(), Last: s.clock(), Results: 1, Snapshot: closed.Snapshot},
		})
		findings, err := s.HostFindings(s.ctx, h.ID)
		s.ok(err)
		base := HostFinding{
			HostID: h.ID, Host: "HOST1", Kind: RunScan, Severity: model.High,
			Identity: model.Anonymous, Pipe: "samr", Evidence: "seen", FirstSeen: start,
		}
		f1, f2 := base, base
		f2.Finding, f2.Settings, f2.LastSeen = "f2", []string{"set-f2", "shared"}, s.clock()
		f1.Finding, f1.Settings, f1.LastSeen, f1.Ended = "f1", []string{"set-f1", "shared"},
			s.clock().Add(-7*24*time.Hour), s.clock()
		same(s, "findings", findings, []HostFinding{f2, f1})

		for i, ask := range []func() ([]byte, time.Time, error){
			func() ([]byte, time.Time, error) { return s.Document(s.ctx, h.ID, "scan") },
			func() ([]byte, time.Time, error) { return s.PreviousDocument(s.ctx, h.ID, "scan") },
		} {
			b, at, err := ask()
			if want := fmt.Sprintf(`{"n":%d}`, 3-i); err != nil || string(b) != want ||
				!at.Equal(s.clock().Add(-time.Duration(i)*7*24*time.Hour)) {
				s.Errorf("document %d back: %s of %v, %v", i, b, at, err)
			}
		}
		if n := s.number(`SELECT count(*) FROM documents`); n != 2 {
			s.Errorf("%d documents are kept, want the last two", n)
		}
		results, total, err := s.Results(s.ctx, h.ID, Page{Size: 2})
		s.ok(err)
		if total != 3 || len(results) != 2 || results[0].Verdict != model.Closed ||
			results[1].Snapshot.Verdict != model.Exposed || results[0].Worker != "w1" {
			s.Errorf("%d results: %+v", total, results)
		}
		last, at, err := s.LastSnapshot(s.ctx, h.ID, RunScan)
		s.ok(err)
		same(s, "last snapshot", last, closed.Snapshot)
		same(s, "its time", at, s.clock())
		many, err := s.LastSnapshots(s.ctx, []int64{h.ID, 999}, RunScan)
		s.ok(err)
		same(s, "last snapshots", many, map[int64]Snapshot{h.ID: closed.Snapshot})
		events, total, err := s.Events(s.ctx, EventFilter{HostID: h.ID}, Page{})
		s.ok(err)
		if total != 1 || events[0].Host != "HOST1" || events[0].Site != "main" || events[0].RunID != first.ID ||
			events[0].Text != "A new host." {
			s.Errorf("events: %+v", events)
		}
		if n := s.number(`SELECT count(*) FROM snapshots`); n != 2 {
			s.Errorf("%d snapshots for two contents", n)
		}
		s.consistent()
	})
}

// TestWhatIsKept checks what a result keeps of a host's state and of its findings.
func TestWhatIsKept(t *testing.T) {
	onBoth(t, func(s *suite) {
		target := s.targets("a")[0]
		h := s.record(s.scan(s.run(RunScan), target, 1, model.Exposed, "f1", "f2"))

		gone := s.scan(s.run(RunScan), target, 1, model.Unreachable)
		gone.Findings, gone.Host = nil, Host{Address: "10.0.0.1:445"}
		got := s.record(gone)
		want := h
		want.Verdict = model.Unreachable
		same(s, "unreachable", got, want)

		partial := s.scan(s.run(RunScan), target, 1, model.VerdictInconclusive, "f3")
		partial.Partial, partial.Host.Cells = true, "a?"
		if got = s.record(partial); got.Findings != 3 || got.Cells != "a?" {
			s.Errorf("after a partial result: %+v", got)
		}
		if got = s.record(s.scan(s.run(RunScan), target, 1, model.Closed, "f3")); got.Findings != 1 {
			s.Errorf("after a whole one: %+v", got)
		}

		audit := s.scan(s.run(RunAudit), target, 1, model.Exposed, "f9")
		audit.Kind, audit.Findings[0].Kind, audit.Host.Name, audit.Host.OS = RunAudit, RunAudit, "other", "Samba 4.17"
		got = s.record(audit)
		if got.Verdict != model.Closed || got.Name != "HOST1" || got.OS != "Samba 4.17" || got.Findings != 2 ||
			!got.LastAudit.Equal(s.clock()) {
			s.Errorf("after an audit: %+v", got)
		}
		if got = s.record(s.scan(s.run(RunScan), target, 1, model.Closed)); got.Findings != 1 {
			s.Errorf("a scan ended an audit's finding, or not its own: %+v", got)
		}
		s.consistent()
	})
}

// TestClock checks that history stays in order when the clock does not.
func TestClock(t *testing.T) {
	onBoth(t, func(s *suite) {
		target := s.targets("a")[0]
		var h Host
		for i, jump := range []time.Duration{
			0, time.Hour, -48 * time.Hour, 0, 0, 400 * 24 * time.Hour, -400 * 24 * time.Hour, time.Second,
		} {
			s.advance(jump)
			verdict := []model.Verdict{model.Exposed, model.Closed, model.Exposed}[i%3]
			h = s.record(s.scan(s.run(RunScan), target, 1, verdict, "f1"))
			s.consistent()
		}
		if !h.LastSeen.Equal(s.clock()) {
			s.Errorf("last seen %v, the clock says %v", h.LastSeen, s.clock())
		}
		spans, err := s.Spans(s.ctx, h.ID, RunScan)
		s.ok(err)
		if n := len(spans); n != 6 || spans[n-1].Snapshot.Verdict != model.Closed {
			s.Errorf("%d spans: %+v", n, spans)
		}
	})
}

// TestSameMicrosecond checks that two results within one microsecond, the database's precision, are both recorded.
func TestSameMicrosecond(t *testing.T) {
	onBoth(t, func(s *suite) {
		target := s.targets("a")[0]
		var h Host
		for i, verdict := range []model.Verdict{model.Exposed, model.Closed, model.Exposed} {
			r := s.scan(s.run(RunScan), target, 1, verdict, "f1")
			r.At = r.At.Add(time.Duration(i) * 300 * time.Nanosecond)
			h = s.record(r)
		}
		s.consistent()
		spans, err := s.Spans(s.ctx, h.ID, RunScan)
		s.ok(err)
		if len(spans) != 3 {
			s.Errorf("%+v", spans)
		}
	})
}

// TestHostileNames checks that any name of a host is stored, found and returned the same by both databases.
func TestHostileNames(t *testing.T) {
	onBoth(t, func(s *suite) {
		for i, name := range []string{
			"a\x00b", "\xff\xfe", `'; DROP TABLE hosts; --`, "<script>", strings.Repeat("x", 5000), "ÄÖ%_\\",
			"\u202etxt",
		} {
			r := s.scan(Run{}, Target{}, i, model.Exposed, "f"+name)
			r.Host.Name, r.Host.OS, r.Reason = name, name, name
			r.Names = []HostName{{Name: name, Kind: "netbios"}, {Name: name, Kind: "netbios"}, {Kind: "dns"}}
			r.Findings[0].Evidence, r.Findings[0].Pipe, r.Findings[0].Settings = name, name, []string{name}
			r.Snapshot.Pipes = map[string]string{name: "allowed"}
			r.Events = []Event{{Kind: EventNewHost, Subject: name, Before: name, After: name, Text: name}}
			h := s.record(r)
			want := strings.ReplaceAll(strings.ToValidUTF8(name, "\ufffd"), "\x00", "\ufffd")
			if h.Name != want || h.OS != want {
				s.Errorf("%q is kept as %q and %q", name, h.Name, h.OS)
			}
			found, _, err := s.Hosts(s.ctx, HostFilter{Text: want, Finding: clean("f" + name), Setting: want}, Page{})
			s.ok(err)
			if len(found) != 1 || found[0].ID != h.ID {
				s.Errorf("%q is found in %d hosts", name, len(found))
			}
			names, err := s.HostNames(s.ctx, h.ID)
			s.ok(err)
			if len(names) != 1 || names[0].Name != want {
				s.Errorf("names: %+v", names)
			}
		}
	})
}

// TestImported checks that a result from elsewhere is recorded once, and that names are bounded.
func TestImported(t *testing.T) {
	onBoth(t, func(s *suite) {
		r := s.scan(Run{}, Target{}, 1, model.Exposed)
		h := s.record(r)
		if done, err := s.RecordResult(s.ctx, r); done || err != nil {
			s.Fatalf("recorded twice: %v, %v", done, err)
		}
		r.At = r.At.Add(time.Microsecond)
		s.record(r)
		for i := range 150 {
			r.At = r.At.Add(time.Second)
			r.Names = []HostName{{Name: fmt.Sprintf("n%d", i), Kind: "dns"}}
			s.record(r)
		}
		names, err := s.HostNames(s.ctx, h.ID)
		s.ok(err)
		if len(names) != maxNames || names[0].Name != "n149" {
			s.Errorf("%d names, first %+v", len(names), names[0])
		}
		if _, err := s.RecordResult(s.ctx, &Result{Kind: RunScan, At: s.clock()}); err == nil {
			s.Error("a result of no host is recorded")
		}
		r.Host.SiteID, r.Host.Address = 77, "10.9.9.9:445"
		_, err = s.RecordResult(s.ctx, r)
		s.fails(err, ErrNotFound)
	})
}

// TestNamesSeenAgain checks that a name's time follows the results, but is not written with each of them.
func TestNamesSeenAgain(t *testing.T) {
	onBoth(t, func(s *suite) {
		r := s.scan(Run{}, Target{}, 1, model.Exposed)
		r.Names = []HostName{{Name: "files1", Kind: "dns"}}
		first := r.At
		h := s.record(r)
		for _, c := range []struct{ after, want time.Duration }{
			{nameAge - time.Second, 0},
			{nameAge, nameAge},
			{nameAge + time.Minute, nameAge},
			{2*nameAge + time.Minute, 2*nameAge + time.Minute},
		} {
			r.At = first.Add(c.after)
			s.record(r)
			names, err := s.HostNames(s.ctx, h.ID)
			s.ok(err)
			if len(names) != 1 || !names[0].FirstSeen.Equal(first) || !names[0].LastSeen.Equal(first.Add(c.want)) {
				s.Errorf("%s after the first: %+v, want last seen %s after it", c.after, names, c.want)
			}
		}
	})
}

// TestNamesSetBack: a clock that was ahead for one result keeps no name in the future.
func TestNamesSetBack(t *testing.T) {
	onBoth(t, func(s *suite) {
		r := s.scan(Run{}, Target{}, 1, model.Exposed)
		r.Names = []HostName{{Name: "files1", Kind: "dns"}}
		right := r.At
		r.At = right.AddDate(10, 0, 0)
		h := s.record(r)
		for _, after := range []time.Duration{time.Minute, 2 * nameAge} {
			r.At = right.Add(after)
			s.record(r)
			names, err := s.HostNames(s.ctx, h.ID)
			s.ok(err)
			if len(names) != 1 || !names[0].FirstSeen.Equal(right.Add(time.Minute)) ||
				!names[0].LastSeen.Equal(right.Add(after)) {
				s.Errorf("%s after: %+v", after, names)
			}
		}
	})
}

// TestLastingName checks that new names displace older ones, and none that every result has.
func TestLastingName(t *testing.T) {
	onBoth(t, func(s *suite) {
		r := s.scan(Run{}, Target{}, 1, model.Exposed)
		first := r.At
		var h Host
		for i := range 5 {
			r.At = first.Add(time.Duration(i) * time.Minute)
			r.Names = []HostName{{Name: "lasting", Kind: "dns"}}
			for j := range 25 {
				r.Names = append(r.Names, HostName{Name: fmt.Sprintf("n%d-%d", i, j), Kind: "dns"})
			}
			h = s.record(r)
		}
		names, err := s.HostNames(s.ctx, h.ID)
		s.ok(err)
		i := slices.IndexFunc(names, func(n HostName) bool { return n.Name == "lasting" })
		if len(names) != maxNames || i < 0 || !names[i].FirstSeen.Equal(first) || !names[i].LastSeen.Equal(r.At) {
			s.Errorf("%d names; the lasting one is number %d: %+v", len(names), i, names[max(i, 0)])
		}
	})
}

func TestTrendAndCompare(t *testing.T) {
	onBoth(t, func(s *suite) {
		targets := s.targets("a", "b", "c")
		week := func(verdicts ...model.Verdict) {
			run := s.run(RunScan)
			for i, v := range verdicts {
				s.record(s.scan(run, targets[i], i+1, v))
			}
		}
		start := s.clock()
		week(model.Exposed, model.Exposed)
		s.advance(48 * time.Hour)
		week(model.Exposed, model.Closed, model.Limited)
		s.advance(24 * time.Hour)
		week(model.Closed, model.Unreachable, model.Limited)
		day := func(n int) time.Time { return time.Date(2026, 3, 2+n, 0, 0, 0, 0, time.UTC) }
		points, err := s.Trend(s.ctx, start.Add(-24*time.Hour), s.clock(), "main")
		s.ok(err)
		same(s, "trend", points, []TrendPoint{
			{Day: day(-1)},
			{Day: day(0), Exposed: 2},
			{Day: day(1), Exposed: 2},
			{Day: day(2), Exposed: 1, Closed: 1, Limited: 1},
			{Day: day(3), Closed: 1, Limited: 1, Unknown: 1},
		})
		if points, err = s.Trend(s.ctx, day(3), day(3), ""); err != nil || len(points) != 1 || points[0].Limited != 1 {
			s.Errorf("the last day alone: %+v, %v", points, err)
		}
		if _, err := s.Trend(s.ctx, day(0).AddDate(-20, 0, 0), day(0), ""); err == nil {
			s.Error("twenty years are drawn")
		}

		ask := func(from, to time.Time, f HostFilter) string {
			s.Helper()
			all, total, err := s.Compare(s.ctx, from, to, f, Page{})
			s.ok(err)
			if total != len(all) {
				s.Errorf("%d of %d", len(all), total)
			}
			var words []string
			for _, d := range all {
				words = append(words, fmt.Sprintf("%s:%s>%s", d.Host, d.Before.Verdict, d.After.Verdict))
			}
			return strings.Join(words, " ")
		}
		for _, test := range []struct {
			from, to time.Time
			filter   HostFilter
			want     string
		}{
			{start, start.Add(time.Hour), HostFilter{}, ""},
			{start, start.Add(48 * time.Hour), HostFilter{}, "HOST2:exposed>closed HOST3:>limited"},
			{start, s.clock(), HostFilter{}, "HOST1:exposed>closed HOST2:exposed>unreachable HOST3:>limited"},
			{start, s.clock(), HostFilter{Text: "host3"}, "HOST3:>limited"},
			{start.Add(-time.Hour), start, HostFilter{}, "HOST1:>exposed HOST2:>exposed"},
			{start.Add(48 * time.Hour), s.clock(), HostFilter{Verdict: model.Closed}, "HOST1:exposed>closed"},
		} {
			if got := ask(test.from, test.to, test.filter); got != test.want {
				s.Errorf("%v to %v: %q, want %q", test.from, test.to, got, test.want)
			}
		}
		if _, _, err := s.Compare(s.ctx, s.clock(), start, HostFilter{}, Page{}); err == nil {
			s.Error("time runs backwards")
		}
		s.consistent()
	})
}
