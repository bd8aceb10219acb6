package store

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ipcguard/internal/model"
)

// naive is the store without a database: every answer is computed from everything that was recorded. Hosts, targets and
// addresses have the numbers 0 to 4.
type naive struct {
	at         map[int]*naiveHost // by address
	tags       [naiveHosts][]string
	exceptions []*naiveException
}

const naiveHosts = 5

type naiveHost struct {
	main          int // its first address
	targets       map[int]bool
	verdict       model.Verdict
	last, changed time.Time
	spans         map[RunKind][]naiveSpan
	open          map[RunKind]map[string]bool
}

type naiveSpan struct {
	Since, Until, Last time.Time
	Results            int
	Key                string
}

type naiveException struct {
	finding string
	host    int // an address, or -1
	tag     string
	until   time.Time
	over    bool
	id      [2]int64 // in the two databases
}

func naiveSeverity(finding string) model.Severity {
	return map[string]model.Severity{"f0": model.Low, "f1": model.High, "f2": model.Critical}[finding]
}

func (n *naive) hosts() []*naiveHost {
	var all []*naiveHost
	for i := range naiveHosts {
		if h := n.at[i]; h != nil && !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	return all
}

func (n *naive) hostTags(h *naiveHost) []string {
	var tags []string
	for i := range h.targets {
		tags = append(tags, n.tags[i]...)
	}
	return normalTags(tags)
}

// cover returns the index of the oldest exception that matches a finding, or -1.
func (n *naive) cover(h *naiveHost, finding string) int {
	return slices.IndexFunc(n.exceptions, func(e *naiveException) bool {
		return !e.over && e.finding == finding &&
			(e.host < 0 && (e.tag == "" || slices.Contains(n.hostTags(h), e.tag)) || e.host >= 0 && n.at[e.host] == h)
	})
}

// look is one generated result.
type look struct {
	host     int
	kind     RunKind
	verdict  model.Verdict
	findings []string
	told     bool // whether it says anything about findings
	partial  bool
}

func (n *naive) record(l look, now time.Time) {
	h := n.at[l.host]
	isNew := h == nil
	if isNew {
		h = &naiveHost{
			main:    l.host,
			targets: map[int]bool{},
			spans:   map[RunKind][]naiveSpan{},
			open:    map[RunKind]map[string]bool{RunScan: {}, RunAudit: {}},
		}
		n.at[l.host] = h
	}
	h.targets[l.host] = true
	h.last = now
	if l.kind == RunScan {
		h.verdict = l.verdict
	}
	if l.told {
		if !l.partial {
			clear(h.open[l.kind])
		}
		for _, f := range l.findings {
			h.open[l.kind][f] = true
		}
	}
	key := fmt.Sprint(l.verdict, l.findings)
	spans := h.spans[l.kind]
	at := now
	if len(spans) > 0 {
		open := &spans[len(spans)-1]
		if at.Before(open.Last) {
			at = open.Last
		}
		if open.Key == key {
			open.Last, open.Results = at, open.Results+1
			return
		}
		if !at.After(open.Since) {
			at = open.Since.Add(time.Microsecond)
		}
		open.Until = at
	}
	h.spans[l.kind] = append(spans, naiveSpan{Since: at, Last: at, Results: 1, Key: key})
	h.changed = now
}

func (n *naive) merge(keep, gone *naiveHost, now time.Time) {
	if len(keep.spans[RunScan]) == 0 {
		keep.verdict = gone.verdict
	}
	for _, kind := range []RunKind{RunScan, RunAudit} {
		if len(keep.spans[kind]) == 0 {
			keep.spans[kind], keep.open[kind] = gone.spans[kind], gone.open[kind]
		}
	}
	maps.Copy(keep.targets, gone.targets)
	for i, h := range n.at {
		if h == gone {
			n.at[i] = keep
		}
	}
	keep.changed = now
	if gone.last.After(keep.last) {
		keep.last = gone.last
	}
}

// answer is the answers of one side.
type answer struct {
	Hosts    []answerHost
	Counts   Counts
	Findings []FindingCount
	Settings []SettingCount
}

type answerHost struct {
	Address            string
	Verdict            model.Verdict
	Severity           model.Severity
	Findings, Excepted int
	LastSeen, Changed  time.Time
	Tags               []string
	Open               []string // kind, finding and exception
	Spans              map[RunKind][]naiveSpan
}

func naiveAddress(i int) string { return fmt.Sprintf("10.0.0.%d:445", i) }

func (n *naive) answer() answer {
	var a answer
	type tallied struct {
		hosts, findings, excepted int
		severity                  model.Severity
	}
	findings, settings := map[string]*tallied{}, map[string]*tallied{}
	for _, h := range n.hosts() {
		out := answerHost{
			Address:  naiveAddress(h.main),
			Verdict:  h.verdict,
			LastSeen: h.last,
			Changed:  h.changed,
			Tags:     n.hostTags(h),
			Spans:    map[RunKind][]naiveSpan{},
		}
		seen := map[string]bool{}
		for kind, open := range h.open {
			for f := range open {
				covered := n.cover(h, f)
				out.Open = append(out.Open, fmt.Sprint(kind, f, covered))
				out.Findings++
				severity := naiveSeverity(f)
				out.Severity = worst(out.Severity, severity)
				for in, names := range map[*map[string]*tallied][]string{
					&findings: {f},
					&settings: {"set-" + f, "shared"},
				} {
					for _, name := range names {
						t := (*in)[name]
						if t == nil {
							t = &tallied{}
							(*in)[name] = t
						}
						if k := fmt.Sprint(in == &findings, name); !seen[k] {
							seen[k] = true
							t.hosts++
						}
						t.findings++
						t.severity = worst(t.severity, severity)
						if covered >= 0 {
							t.excepted++
						}
					}
				}
				if covered >= 0 {
					out.Excepted++
				}
			}
		}
		slices.Sort(out.Open)
		for kind, spans := range h.spans {
			for _, span := range spans {
				span.Last = time.Time{}
				out.Spans[kind] = append(out.Spans[kind], span)
			}
		}
		a.Hosts = append(a.Hosts, out)
		a.Counts.Hosts++
		switch h.verdict {
		case model.Exposed:
			a.Counts.Exposed++
		case model.Limited:
			a.Counts.Limited++
		case model.Closed:
			a.Counts.Closed++
		default:
			a.Counts.Unknown++
		}
	}
	slices.SortFunc(a.Hosts, func(x, y answerHost) int { return strings.Compare(x.Address, y.Address) })
	for name, t := range findings {
		a.Findings = append(a.Findings, FindingCount{name, t.hosts, t.findings, t.excepted, t.severity})
	}
	for name, t := range settings {
		a.Settings = append(a.Settings, SettingCount{name, t.hosts, t.findings, t.excepted, t.severity})
	}
	slices.SortFunc(a.Findings, func(x, y FindingCount) int { return strings.Compare(x.Finding, y.Finding) })
	slices.SortFunc(a.Settings, func(x, y SettingCount) int { return strings.Compare(x.Setting, y.Setting) })
	return a
}

func worst(a, b model.Severity) model.Severity {
	return severities[max(slices.Index(severities, a), slices.Index(severities, b))]
}

// answer queries a database; which is its index in the ids of the exceptions.
func (s *suite) answer(n *naive, which int) answer {
	s.Helper()
	var a answer
	hosts, err := s.allHosts()
	s.ok(err)
	for _, h := range hosts {
		out := answerHost{
			Address: h.Address, Verdict: h.Verdict, Severity: h.Severity, Findings: h.Findings,
			Excepted: h.Excepted, LastSeen: h.LastSeen,
			Changed: h.LastChanged, Tags: h.Tags, Spans: map[RunKind][]naiveSpan{},
		}
		open, err := s.HostFindings(s.ctx, h.ID)
		s.ok(err)
		for _, f := range open {
			if f.Ended.IsZero() {
				out.Open = append(out.Open,
					fmt.Sprint(f.Kind, f.Finding, slices.IndexFunc(n.exceptions, func(e *naiveException) bool {
						return e.id[which] == f.Exception
					})))
			}
		}
		slices.Sort(out.Open)
		for _, kind := range []RunKind{RunScan, RunAudit} {
			spans, err := s.Spans(s.ctx, h.ID, kind)
			s.ok(err)
			for _, span := range spans {
				out.Spans[kind] = append(out.Spans[kind], naiveSpan{
					Since: span.From, Until: span.Until, Results: span.Results,
					Key: fmt.Sprint(span.Snapshot.Verdict, span.Snapshot.Findings),
				})
			}
		}
		a.Hosts = append(a.Hosts, out)
	}
	slices.SortFunc(a.Hosts, func(x, y answerHost) int { return strings.Compare(x.Address, y.Address) })
	a.Counts, err = s.Counts(s.ctx, HostFilter{})
	s.ok(err)
	a.Findings, err = s.FindingCounts(s.ctx, HostFilter{})
	s.ok(err)
	a.Settings, err = s.SettingCounts(s.ctx, HostFilter{})
	s.ok(err)
	slices.SortFunc(a.Findings, func(x, y FindingCount) int { return strings.Compare(x.Finding, y.Finding) })
	slices.SortFunc(a.Settings, func(x, y SettingCount) int { return strings.Compare(x.Setting, y.Setting) })
	return a
}

// TestModel runs random histories on both databases and on the naive store, and expects the same answers from all
// three.
func TestModel(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("30"); err != nil { // each runs some thousand statements
			t.Fatal(err)
		}
	}
	both := [2]*suite{newSuite(t, KindSQLite), newSuite(t, KindPostgres)}
	rapid.Check(t, func(rt *rapid.T) {
		m := &modelRun{both: both, n: &naive{at: map[int]*naiveHost{}}}
		for i, s := range both {
			s.complaints = rt
			s.empty()
			s.micro.Store(0)
			m.targets[i] = s.targets("t0", "t1", "t2", "t3", "t4")
		}
		rt.Repeat(map[string]func(*rapid.T){
			"": m.compare, "time": m.time, "record": m.record, "tag": m.tag, "except": m.exempt,
			"withdraw": m.withdraw, "expire": m.expire, "merge": m.merge,
		})
		m.each(func(_ int, s *suite) { s.consistent() })
	})
	for _, s := range both {
		s.complaints = t
	}
}

// modelRun is one random sequence of acts on both stores and the naive one.
type modelRun struct {
	both    [2]*suite
	n       *naive
	targets [2][]Target
}

func (m *modelRun) each(do func(i int, s *suite)) {
	for i, s := range m.both {
		do(i, s)
	}
}

func (m *modelRun) now() time.Time { return m.both[0].clock() }

func (m *modelRun) host(s *suite, i int) Host {
	h, err := s.HostByAddress(s.ctx, s.site.ID, naiveAddress(i))
	s.ok(err)
	return h
}

// known draws a host that has a result.
func (m *modelRun) known(rt *rapid.T, label string) int {
	var all []int
	for i := range naiveHosts {
		if m.n.at[i] != nil {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		rt.Skip("no hosts yet")
	}
	return rapid.SampledFrom(all).Draw(rt, label)
}

// someFinding generates one of three findings.
func someFinding() *rapid.Generator[string] { return rapid.SampledFrom([]string{"f0", "f1", "f2"}) }

// compare asks both stores and the naive one, and compares the answers.
func (m *modelRun) compare(rt *rapid.T) {
	want := m.n.answer()
	m.each(func(i int, s *suite) { same(s, s.Kind(), s.answer(m.n, i), want) })
	if rt.Failed() {
		rt.FailNow()
	}
}

// time moves the clock, also back.
func (m *modelRun) time(rt *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{
		time.Microsecond, time.Minute, 7 * 24 * time.Hour, -time.Minute, -9 * 24 * time.Hour,
	}).Draw(rt, "by")
	m.each(func(_ int, s *suite) { s.advance(d) })
}

// record records a result, twice.
func (m *modelRun) record(rt *rapid.T) {
	l := look{
		host: rapid.IntRange(0, naiveHosts-1).Draw(rt, "host"),
		kind: rapid.SampledFrom([]RunKind{RunScan, RunScan, RunAudit}).Draw(rt, "kind"),
		verdict: rapid.SampledFrom([]model.Verdict{
			model.Exposed, model.Closed, model.Limited, model.Unreachable,
		}).Draw(rt, "verdict"),
		findings: rapid.SliceOfNDistinct(someFinding(), 0, 3, rapid.ID).Draw(rt, "findings"),
		told:     rapid.IntRange(0, 4).Draw(rt, "told") > 0,
		partial:  rapid.IntRange(0, 5).Draw(rt, "partial") == 0,
	}
	slices.Sort(l.findings)
	m.n.record(l, m.now())
	m.each(func(i int, s *suite) {
		r := s.scan(s.run(l.kind), m.targets[i][l.host], l.host, l.verdict, l.findings...)
		r.Kind, r.Partial = l.kind, l.partial
		for j := range r.Findings {
			r.Findings[j].Severity = naiveSeverity(r.Findings[j].Finding)
		}
		if !l.told {
			r.Findings = nil
		}
		s.record(r)
		if again, err := s.RecordResult(s.ctx, r); again || err != nil {
			rt.Errorf("%s: recorded twice: %v, %v", s.Kind(), again, err)
		}
	})
}

// tag gives a target other tags.
func (m *modelRun) tag(rt *rapid.T) {
	i := rapid.IntRange(0, naiveHosts-1).Draw(rt, "target")
	m.n.tags[i] = normalTags(rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y"}), 0, 2).Draw(rt, "tags"))
	m.each(func(which int, s *suite) {
		m.targets[which][i].Tags = m.n.tags[i]
		s.ok(s.SaveTarget(s.ctx, &m.targets[which][i]))
	})
}

// exempt makes an exception of a finding: everywhere, for a host or for a tag.
func (m *modelRun) exempt(rt *rapid.T) {
	e := &naiveException{
		finding: someFinding().Draw(rt, "finding"),
		host:    -1,
		until: m.now().Add(rapid.SampledFrom([]time.Duration{time.Second, 1000 * time.Hour}).Draw(rt,
			"for")),
	}
	switch rapid.IntRange(0, 2).Draw(rt, "of") {
	case 0:
		e.host = m.known(rt, "host")
	case 1:
		e.tag = rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "tag")
	}
	m.n.exceptions = append(m.n.exceptions, e)
	m.each(func(i int, s *suite) {
		saved := Exception{Finding: e.finding, Tag: e.tag, Reason: "r", Owner: "o", Until: e.until}
		if e.host >= 0 {
			saved.HostID = m.host(s, e.host).ID
		}
		s.ok(s.SaveException(s.ctx, &saved))
		e.id[i] = saved.ID
	})
}

// withdraw ends an exception.
func (m *modelRun) withdraw(rt *rapid.T) {
	if len(m.n.exceptions) == 0 {
		rt.Skip("none")
	}
	e := rapid.SampledFrom(m.n.exceptions).Draw(rt, "exception")
	m.each(func(i int, s *suite) {
		if err := s.WithdrawException(s.ctx, e.id[i], "me"); (err != nil) != e.over {
			rt.Errorf("%s: withdrawing gives %v", s.Kind(), err)
		}
	})
	e.over = true
}

// expire ends the exceptions whose time is over.
func (m *modelRun) expire(rt *rapid.T) {
	var want []int
	for i, e := range m.n.exceptions {
		if !e.over && !e.until.After(m.now()) {
			e.over, want = true, append(want, i)
		}
	}
	m.each(func(which int, s *suite) {
		ended, err := s.ExpireExceptions(s.ctx, m.now())
		s.ok(err)
		var got []int
		for _, x := range ended {
			got = append(got, slices.IndexFunc(m.n.exceptions, func(e *naiveException) bool {
				return e.id[which] == x.ID
			}))
		}
		same(s, "ended", got, want)
	})
}

// merge makes one host of two.
func (m *modelRun) merge(rt *rapid.T) {
	keep, gone := m.known(rt, "keep"), m.known(rt, "gone")
	if m.n.at[keep] == m.n.at[gone] {
		rt.Skip("one host")
	}
	m.each(func(_ int, s *suite) { s.ok(s.MergeHosts(s.ctx, m.host(s, keep).ID, m.host(s, gone).ID)) })
	m.n.merge(m.n.at[keep], m.n.at[gone], m.now())
}

// empty removes the rows of a history.
func (s *suite) empty() {
	s.Helper()
	for _, t := range slices.Backward(tables) {
		if t.name != "sites" {
			_, err := s.exec(s.ctx, `DELETE FROM `+t.name)
			s.ok(err)
		}
	}
}
