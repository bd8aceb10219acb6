package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"ipcguard/internal/model"
)

// TestHosts queries a small estate with every filter and every order.
func TestHosts(t *testing.T) {
	onBoth(t, func(s *suite) {
		h := newHostsTest(s)
		h.filters()
		h.counts()
		h.findings()
		twins, err := s.HostsByIdentity(s.ctx, s.site.ID, "guid-a")
		s.ok(err)
		if len(twins) != 1 || twins[0].Name != "ALPHA" {
			s.Errorf("by identity: %+v", twins)
		}
		s.consistent()
	})
}

// hostsTest is four hosts at two sites, with the name of each by its ID.
type hostsTest struct {
	*suite
	specs map[int64]string
}

func newHostsTest(s *suite) *hostsTest {
	branch := Site{Name: "branch"}
	s.ok(s.SaveSite(s.ctx, &branch))
	targets := []Target{
		{
			SiteID: s.site.ID, Spec: "alpha", Enabled: true, Tags: []string{"web", "dmz"},
			Owner: "Web", Criticality: CriticalityHigh,
		},
		{SiteID: s.site.ID, Spec: "beta", Enabled: true, Tags: []string{"web"}, Owner: "Web"},
		{SiteID: branch.ID, Spec: "gamma", Enabled: true, Owner: "Files", Criticality: CriticalityLow},
		{SiteID: branch.ID, Spec: "delta", Enabled: true},
	}
	_, _, err := s.SaveTargets(s.ctx, targets)
	s.ok(err)
	run := s.run(RunScan)
	specs := map[int64]string{}
	add := func(i int, v model.Verdict, cells Cells, smb1 bool, findings ...string) {
		r := s.scan(run, targets[i], i+1, v, findings...)
		r.Host.Name, r.Host.Cells, r.Host.SMB1, r.Host.Identity = strings.ToUpper(targets[i].Spec), cells, smb1,
			"guid-"+targets[i].Spec[:1]
		s.advance(time.Minute)
		r.At = s.clock()
		specs[s.record(r).ID] = targets[i].Spec
	}
	add(0, model.Exposed, "aadd", true, "f1", "f2", "f3")
	add(1, model.Closed, "dddd", false)
	add(2, model.Exposed, "addd", false, "f1")
	add(3, model.Unreachable, "", false)
	s.ok(s.SaveException(s.ctx, &Exception{
		Finding: "f2",
		Tag:     "dmz",
		Reason:  "r",
		Owner:   "o",
		Until:   s.clock().Add(time.Hour),
	}))
	return &hostsTest{s, specs}
}

// ask lists the names of a filter's hosts, and checks that counting and walking find as many.
func (h *hostsTest) ask(f HostFilter, sort string) string {
	s := h.suite
	s.Helper()
	all, total, err := s.Hosts(s.ctx, f, Page{Sort: sort})
	s.ok(err)
	counts, err := s.Counts(s.ctx, f)
	s.ok(err)
	var words []string
	seen := 0
	for _, found := range all {
		words = append(words, h.specs[found.ID])
	}
	s.ok(s.EachHost(s.ctx, f, func(Host) error { seen++; return nil }))
	if total != len(all) || counts.Hosts != total || seen != total {
		s.Errorf("%+v: listed %d, total %d, counted %d, walked %d", f, len(all), total, counts.Hosts, seen)
	}
	return strings.Join(words, " ")
}

// filters asks with every filter and every order, and with orders that do not exist.
func (h *hostsTest) filters() {
	s := h.suite
	for _, test := range []struct {
		filter HostFilter
		sort   string
		want   string
	}{
		{HostFilter{}, "", "alpha beta delta gamma"},
		{HostFilter{}, "-name", "gamma delta beta alpha"},
		{HostFilter{}, "id", "alpha beta gamma delta"},
		{HostFilter{}, "-verdict", "gamma alpha delta beta"},
		{HostFilter{}, "-severity", "alpha gamma delta beta"},
		{HostFilter{}, "-findings", "alpha gamma delta beta"},
		{HostFilter{}, "owner", "delta gamma alpha beta"},
		{HostFilter{}, "-criticality", "alpha delta beta gamma"},
		{HostFilter{}, "last_seen", "alpha beta gamma delta"},
		{HostFilter{}, "-last_changed", "delta gamma beta alpha"},
		{HostFilter{}, "-site", "delta gamma beta alpha"},
		{HostFilter{}, "cells", "delta alpha gamma beta"},
		{HostFilter{Site: "branch"}, "", "delta gamma"},
		{HostFilter{Site: "none"}, "", ""},
		{HostFilter{Tag: "WEB"}, "", "alpha beta"},
		{HostFilter{Owner: "Web"}, "", "alpha beta"},
		{HostFilter{Criticality: CriticalityHigh}, "", "alpha"},
		{HostFilter{Verdict: model.Exposed}, "", "alpha gamma"},
		{HostFilter{Discloses: model.Disclosures()[0]}, "", "alpha gamma"},
		{HostFilter{Discloses: model.Disclosures()[1]}, "", "alpha"},
		{HostFilter{Discloses: "no such thing"}, "", ""},
		{HostFilter{Finding: "f1"}, "", "alpha gamma"},
		{HostFilter{Finding: "f2", Verdict: model.Exposed}, "", "alpha"},
		{HostFilter{Setting: "set-f1"}, "", "alpha gamma"},
		{HostFilter{Setting: "shared"}, "", "alpha gamma"},
		{HostFilter{Setting: "set-f9"}, "", ""},
		{HostFilter{Text: "LPh"}, "", "alpha"},
		{HostFilter{Text: "10.0.0.3"}, "", "gamma"},
		{HostFilter{Text: "%"}, "", ""},
		{HostFilter{SMB1: true}, "", "alpha"},
		{HostFilter{Excepted: true}, "", "alpha"},
		{HostFilter{IDs: []int64{2, 3, 99}}, "", "beta gamma"},
		{HostFilter{IDs: []int64{}}, "", ""},
		{
			HostFilter{
				Site:        "main",
				Tag:         "dmz",
				Owner:       "Web",
				Criticality: CriticalityHigh,
				Verdict:     model.Exposed,
				Discloses:   "accounts",
				Finding:     "f1",
				Setting:     "shared",
				Text:        "a",
				SMB1:        true,
				Excepted:    true,
				IDs:         []int64{1},
			},
			"-last_seen", "alpha",
		},
	} {
		if got := h.ask(test.filter, test.sort); got != test.want {
			s.Errorf("%+v by %q: %q, want %q", test.filter, test.sort, got, test.want)
		}
	}
	for _, sort := range []string{"password", "-", "name--", "h.name"} {
		if _, _, err := s.Hosts(s.ctx, HostFilter{}, Page{Sort: sort}); err == nil {
			s.Errorf("hosts are sorted by %q", sort)
		}
	}
}

// counts counts hosts by verdict, disclosure, finding and setting.
func (h *hostsTest) counts() {
	s := h.suite
	counts, err := s.Counts(s.ctx, HostFilter{})
	s.ok(err)
	same(s, "counts", counts, Counts{Hosts: 4, Exposed: 2, Closed: 1, Unknown: 1})
	cells, err := s.CellCounts(s.ctx, HostFilter{})
	s.ok(err)
	same(s, "cells", cells, map[model.Disclosure]int{model.Disclosures()[0]: 2, model.Disclosures()[1]: 1})
	byFinding, err := s.FindingCounts(s.ctx, HostFilter{})
	s.ok(err)
	same(s, "findings", byFinding, []FindingCount{
		{Finding: "f1", Hosts: 2, Findings: 2, Severity: model.High},
		{Finding: "f2", Hosts: 1, Findings: 1, Excepted: 1, Severity: model.High},
		{Finding: "f3", Hosts: 1, Findings: 1, Severity: model.High},
	})
	bySetting, err := s.SettingCounts(s.ctx, HostFilter{Site: "main"})
	s.ok(err)
	same(s, "settings", bySetting, []SettingCount{
		{Setting: "set-f1", Hosts: 1, Findings: 1, Severity: model.High},
		{Setting: "set-f2", Hosts: 1, Findings: 1, Excepted: 1, Severity: model.High},
		{Setting: "set-f3", Hosts: 1, Findings: 1, Severity: model.High},
		{Setting: "shared", Hosts: 1, Findings: 3, Excepted: 1, Severity: model.High},
	})
}

// findings lists the findings of a filter's hosts.
func (h *hostsTest) findings() {
	s := h.suite
	for _, test := range []struct {
		filter HostFilter
		want   int
	}{
		{HostFilter{}, 4},
		{HostFilter{Finding: "f1"}, 2},
		{HostFilter{Setting: "shared", Tag: "web"}, 3},
		{HostFilter{Setting: "set-f2"}, 1},
		{HostFilter{SMB1: true}, 3},
	} {
		all, total, err := s.Findings(s.ctx, test.filter, Page{})
		s.ok(err)
		if total != test.want || len(all) != test.want {
			s.Errorf("%+v: %d findings, total %d, want %d", test.filter, len(all), total, test.want)
		}
	}
}

func TestMerge(t *testing.T) {
	onBoth(t, func(s *suite) {
		targets := s.targets("a", "b")
		targets[1].Tags = []string{"t"}
		s.ok(s.SaveTarget(s.ctx, &targets[1]))
		run := s.run(RunScan)
		keep := s.record(s.scan(run, targets[0], 1, model.Closed, "f1"))
		s.advance(time.Hour)
		r := s.scan(run, targets[1], 2, model.Exposed, "f1", "f2")
		r.Events, r.Document = []Event{{Kind: EventNewHost, Text: "new"}}, []byte("d")
		gone := s.record(r)
		audit := s.scan(s.run(RunAudit), targets[1], 2, model.Exposed, "f3")
		audit.Kind = RunAudit
		gone = s.record(audit)
		s.ok(s.SetSameAs(s.ctx, keep.ID, gone.ID))
		s.ok(s.MergeHosts(s.ctx, keep.ID, gone.ID))

		h, err := s.Host(s.ctx, keep.ID)
		s.ok(err)
		// Its own scan stays; it had no audit, so that and its finding are taken over.
		if h.Verdict != model.Closed || h.Findings != 2 || h.SameAs != 0 || !h.LastAudit.Equal(gone.LastAudit) ||
			!h.LastSeen.Equal(gone.LastSeen) {
			s.Errorf("merged: %+v", h)
		}
		same(s, "tags", h.Tags, []string{"t"})
		if _, err = s.Host(s.ctx, gone.ID); err == nil {
			s.Error("the other is still there")
		}
		for _, address := range []string{"10.0.0.1:445", "10.0.0.2:445"} {
			got, err := s.HostByAddress(s.ctx, s.site.ID, address)
			s.ok(err)
			if got.ID != keep.ID {
				s.Errorf("%s is host %d", address, got.ID)
			}
		}
		if _, total, err := s.Results(s.ctx, keep.ID, Page{}); err != nil || total != 3 {
			s.Errorf("%d results, %v", total, err)
		}
		found, _, err := s.Hosts(s.ctx, HostFilter{Text: "10.0.0.2"}, Page{})
		s.ok(err)
		if len(found) != 1 {
			s.Errorf("found by its other address %d times", len(found))
		}
		s.consistent()
		// Results from the other address belong to the same host from now on.
		s.advance(time.Hour)
		if h = s.record(s.scan(s.run(RunScan), targets[1], 2, model.Exposed, "f1")); h.ID != keep.ID ||
			h.Verdict != model.Exposed {
			s.Errorf("the next result: %+v", h)
		}
		s.consistent()

		other := s.record(s.scan(Run{}, Target{}, 9, model.Closed))
		for _, ids := range [][2]int64{{keep.ID, keep.ID}, {keep.ID, 99}} {
			if err := s.MergeHosts(s.ctx, ids[0], ids[1]); err == nil {
				s.Errorf("%v are merged", ids)
			}
		}
		s.ok(s.MoveHost(s.ctx, other.ID, "10.0.0.77:445"))
		s.fails(s.MoveHost(s.ctx, other.ID, "10.0.0.2:445"), ErrConflict)
		s.consistent()
		s.ok(s.DeleteHost(s.ctx, other.ID))
		_, err = s.Host(s.ctx, other.ID)
		s.fails(err, ErrNotFound)
		s.consistent()
	})
}

// TestCounts: the numbers of hosts are the same by way of the kept counts and by way of the hosts, and a database that
// is taken back a version and forward again counts what it has.
func TestCounts(t *testing.T) {
	onBoth(t, func(s *suite) {
		branch := Site{Name: "branch"}
		s.ok(s.SaveSite(s.ctx, &branch))
		for n := 1; n <= 9; n++ {
			verdict := []model.Verdict{model.Exposed, model.Closed, model.Limited}[n%3]
			r := s.scan(Run{}, Target{}, n, verdict, []string{"f1", "f2"}[:n%3]...)
			if r.Host.Owner = "team"; n == 9 {
				r.Host.Owner = "gone"
			}
			if n%4 == 0 {
				r.Host.SiteID = branch.ID
			}
			s.record(r)
		}
		_, err := s.RetireHost(s.ctx, 9, s.clock())
		s.ok(err)
		owners, err := s.Owners(s.ctx, nil)
		s.ok(err)
		same(s, "owners", owners, []string{"gone", "team"})
		s.ok(s.DeleteHost(s.ctx, 8))
		s.advance(1000)
		s.record(s.scan(Run{}, Target{}, 7, model.Closed)) // nothing is open any more
		check := func() {
			s.Helper()
			s.counted()
			for _, f := range []HostFilter{
				{},
				{Site: "branch"},
				{Within: Sites{s.site.ID}},
				{Verdict: model.Exposed},
				{Verdict: VerdictUnknown},
				{Discloses: model.Disclosures()[0]},
				{Finding: "f2"},
				{Setting: "shared", Least: model.High},
				{Owner: "x"},
				{Site: "nowhere"},
			} {
				if !f.counted() {
					s.Errorf("%+v is not counted", f)
				}
				rows := f // the same hosts, by way of the rows
				rows.Unseen = s.clock().AddDate(1, 0, 0)
				all, total, err := s.Hosts(s.ctx, f, Page{Sort: "-severity"})
				s.ok(err)
				same(s, fmt.Sprintf("%+v", f), total, len(all))
				ask(s, f, rows, s.Counts)
				ask(s, f, rows, s.CellCounts)
				ask(s, f, rows, s.FindingCounts)
				ask(s, f, rows, s.SettingCounts)
				ask(s, f, rows, s.Standings)
			}
		}
		check()
		s.ok(s.withGoose(func(p *goose.Provider) error {
			_, err := p.DownTo(s.ctx, 11)
			return err
		}))
		s.ok(s.Migrate(s.ctx))
		check()
	})
}

// ask asks the same of two filters.
func ask[T any](s *suite, f, g HostFilter, of func(context.Context, HostFilter) (T, error)) {
	s.Helper()
	want, err := of(s.ctx, g)
	s.ok(err)
	got, err := of(s.ctx, f)
	s.ok(err)
	same(s, fmt.Sprintf("%+v: %T", f, got), got, want)
}

// TestLateAudit: an audit from before the last scan, which somebody uploads late, does not make the host look unseen or
// unchanged since then, but audited before it changed. Taking a result back does not either.
func TestLateAudit(t *testing.T) {
	onBoth(t, func(s *suite) {
		s.record(s.scan(Run{}, Target{}, 1, model.Closed))
		s.advance(24 * time.Hour)
		scanned := s.clock()
		s.record(s.scan(Run{}, Target{}, 1, model.Exposed, "f1"))
		audit := s.scan(Run{}, Target{}, 1, "")
		audit.Kind, audit.Findings, audit.At = RunAudit, nil, scanned.Add(-time.Hour)
		h := s.record(audit)
		same(s, "seen, changed, audited", []time.Time{h.LastSeen, h.LastChanged, h.LastAudit},
			[]time.Time{scanned, scanned, audit.At})
		list := func(audit string) int {
			_, n, err := s.Hosts(s.ctx, HostFilter{Audit: audit}, Page{Sort: "last_audit"})
			s.ok(err)
			return n
		}
		same(s, "with an old audit, with none", []int{list(AuditOld), list(AuditNone)}, []int{1, 0})
		s.record(s.scan(Run{}, Target{}, 2, model.Closed))
		same(s, "with an old audit, with none", []int{list(AuditOld), list(AuditNone)}, []int{1, 1})
		s.advance(time.Hour)
		late := s.scan(Run{}, Target{}, 1, "")
		late.Kind, late.Findings = RunAudit, nil
		s.record(late)
		same(s, "audited again", list(AuditOld), 0)
		results, _, err := s.Results(s.ctx, h.ID, Page{Sort: "-at"})
		s.ok(err)
		_, err = s.RemoveResult(s.ctx, results[0].ID)
		s.ok(err)
		h, err = s.Host(s.ctx, h.ID)
		s.ok(err)
		same(s, "seen, changed, audited", []time.Time{h.LastSeen, h.LastChanged, h.LastAudit},
			[]time.Time{scanned, scanned, audit.At})
	})
}

// A page of what matches is the same whether few or many do, which SQLite finds in different ways.
func TestFewAndMany(t *testing.T) {
	onBoth(t, func(s *suite) {
		const hosts = mostSorted + 50
		var results []*Result
		for i := range hosts {
			r := s.scan(Run{}, Target{}, 1, model.Exposed)
			r.Host.Address = fmt.Sprintf("10.1.%d.%d:445", i/250, i%250+1)
			r.Host.Name = fmt.Sprintf("host-%04d.example", hosts-i)
			r.Names = nil
			r.Events = []Event{{At: s.clock().Add(time.Duration(i) * time.Second), Kind: EventPipeOpened, Severity: model.High, Text: fmt.Sprint(i)}}
			if i%1000 == 7 {
				r.Events[0].Kind = EventPipeClosed
			}
			results = append(results, r)
		}
		n, err := s.RecordResults(s.ctx, results)
		s.ok(err)
		same(s, "recorded", n, hosts)
		for _, c := range []struct {
			text        string
			total       int
			first, last string
		}{
			{"host-", hosts, "host-0001.example", "host-2050.example"},
			{"host-000", 9, "host-0001.example", "host-0009.example"},
			{"example", hosts, "host-0001.example", "host-2050.example"},
			{"nothing", 0, "", ""},
		} {
			for _, f := range []HostFilter{
				{Text: c.text}, {Text: c.text, Site: "main", Verdict: model.Exposed}, {Text: c.text, Within: Sites{s.site.ID}},
			} {
				for sort, want := range map[string]string{"name": c.first, "-name": c.last} {
					list, total, err := s.Hosts(s.ctx, f, Page{Size: 1, Sort: sort})
					s.ok(err)
					if total != c.total || (c.total > 0) != (len(list) == 1) || len(list) == 1 && list[0].Name != want {
						s.Errorf("%+v by %s: %d, %+v, want %d, %s", f, sort, total, list, c.total, want)
					}
				}
				cells, err := s.CellCounts(s.ctx, f)
				s.ok(err)
				all, err := s.Counts(s.ctx, f)
				s.ok(err)
				if all.Hosts != c.total || all.Exposed != c.total {
					s.Errorf("%+v: %+v, %v", f, all, cells)
				}
			}
		}
		for kind, want := range map[EventKind][]string{
			EventPipeOpened: {"2049", "2048"}, EventPipeClosed: {"2007", "1007", "7"},
		} {
			list, total, err := s.Events(s.ctx, EventFilter{Kinds: []EventKind{kind}, Least: model.Medium},
				Page{Size: len(want), Sort: "-at"})
			s.ok(err)
			var got []string
			for _, e := range list {
				got = append(got, e.Text)
			}
			same(s, string(kind), got, want)
			if (total > mostSorted) != (kind == EventPipeOpened) {
				s.Errorf("%d events of %s", total, kind)
			}
		}
	})
}
