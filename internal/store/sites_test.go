package store

import (
	"fmt"
	"strings"
	"testing"
)

func TestSites(t *testing.T) {
	onBoth(t, func(s *suite) {
		a := Site{Name: "branch", Rate: 12.5, Concurrency: 8, Window: "Mon-Fri 22:00-06:00", Zone: "Europe/Vienna"}
		s.ok(s.SaveSite(s.ctx, &a))
		s.fails(s.SaveSite(s.ctx, &Site{Name: "branch"}), ErrConflict)
		a.Rate, a.Name = 3, "branch office"
		s.ok(s.SaveSite(s.ctx, &a))
		got, err := s.SiteByName(s.ctx, "branch office")
		s.ok(err)
		same(s, "site", got, a)
		all, err := s.Sites(s.ctx)
		s.ok(err)
		same(s, "sites", all, []Site{a, s.site})
		_, err = s.SiteByName(s.ctx, "branch")
		s.fails(err, ErrNotFound)
		s.fails(s.SaveSite(s.ctx, &Site{ID: 99, Name: "x"}), ErrNotFound)
		b := Site{Name: "main"}
		b.ID = a.ID
		s.fails(s.SaveSite(s.ctx, &b), ErrConflict)

		s.ok(s.SaveTarget(s.ctx, &Target{SiteID: a.ID, Spec: "x"}))
		s.fails(s.DeleteSite(s.ctx, a.ID), ErrConflict)
		s.ok(s.DeleteTargets(s.ctx, []int64{1}))
		s.ok(s.DeleteSite(s.ctx, a.ID))
		s.fails(s.DeleteSite(s.ctx, a.ID), ErrNotFound)
	})
}

func TestTargets(t *testing.T) {
	onBoth(t, func(s *suite) {
		web := Target{
			SiteID: s.site.ID, Spec: "web.example:445", Tags: []string{"Prod ", "dmz", "prod"},
			Owner: "Web", Criticality: CriticalityHigh,
			Enabled: true, Note: "50% of sales_",
		}
		s.ok(s.SaveTarget(s.ctx, &web))
		again := Target{SiteID: s.site.ID, Spec: "web.example:445"}
		s.fails(s.SaveTarget(s.ctx, &again), ErrConflict)
		net := Target{SiteID: s.site.ID, Spec: "10.0.0.0/24", Kind: TargetRange, Owner: "Net"}
		s.ok(s.SaveTarget(s.ctx, &net))
		net.Spec = web.Spec
		s.fails(s.SaveTarget(s.ctx, &net), ErrConflict)
		net.Spec = "10.0.0.0/24"
		got, err := s.Target(s.ctx, web.ID)
		s.ok(err)
		web.Tags, web.Site, web.Kind = []string{"dmz", "prod"}, "main", TargetHost
		same(s, "target", got, web)

		for _, test := range []struct {
			filter TargetFilter
			want   string
		}{
			{TargetFilter{}, "10.0.0.0/24 web.example:445"},
			{TargetFilter{Tag: "PROD"}, "web.example:445"},
			{TargetFilter{Tag: "pro"}, ""},
			{TargetFilter{Owner: "Net"}, "10.0.0.0/24"},
			{TargetFilter{Kind: TargetRange}, "10.0.0.0/24"},
			{TargetFilter{OnlyEnabled: true}, "web.example:445"},
			{TargetFilter{Site: "main", Text: "WEB.ex"}, "web.example:445"},
			{TargetFilter{Text: "0% of Sales_"}, "web.example:445"},
			{TargetFilter{Text: "%"}, "web.example:445"}, // literally: in the note
			{TargetFilter{Text: "_"}, "web.example:445"},
			{TargetFilter{Text: `\`}, ""},
			{TargetFilter{Site: "nowhere"}, ""},
		} {
			all, total, err := s.Targets(s.ctx, test.filter, Page{})
			s.ok(err)
			var specs []string
			for _, t := range all {
				specs = append(specs, t.Spec)
			}
			if got := strings.Join(specs, " "); got != test.want || total != len(all) {
				s.Errorf("%+v: %q (%d), want %q", test.filter, got, total, test.want)
			}
		}
		if _, _, err := s.Targets(s.ctx, TargetFilter{}, Page{Sort: "spec; DROP TABLE targets"}); err == nil {
			s.Error("anything can be sorted by")
		}
		owners, err := s.Owners(s.ctx, nil)
		s.ok(err)
		same(s, "owners", owners, []string{"Net", "Web"})
		tags, err := s.Tags(s.ctx, nil)
		s.ok(err)
		same(s, "tags", tags, []string{"dmz", "prod"})
	})
}

// TestManyTargets saves more than one transaction holds, twice, and reads them in pages.
func TestManyTargets(t *testing.T) {
	onBoth(t, func(s *suite) {
		const n = 1200
		var all []Target
		for i := range n {
			all = append(all, Target{
				SiteID:  s.site.ID,
				Spec:    fmt.Sprintf("h%04d", i),
				Enabled: true,
				Tags:    []string{fmt.Sprintf("t%d", i%3)},
			})
		}
		counts := func(wantAdded, wantUpdated int) {
			s.Helper()
			added, updated, err := s.SaveTargets(s.ctx, all)
			s.ok(err)
			if added != wantAdded || updated != wantUpdated {
				s.Errorf("added %d and updated %d, want %d and %d", added, updated, wantAdded, wantUpdated)
			}
		}
		counts(n, 0)
		counts(0, 0)
		all[7].Owner, all[700].Tags = "me", nil
		counts(0, 2)
		page, total, err := s.Targets(s.ctx, TargetFilter{}, Page{Offset: 1150, Size: 100, Sort: "-spec"})
		s.ok(err)
		if total != n || len(page) != 50 || page[0].Spec != "h0049" || page[49].Spec != "h0000" {
			s.Errorf("%d of %d, from %s", len(page), total, page[0].Spec)
		}
		if page, _, err = s.Targets(s.ctx, TargetFilter{}, Page{Size: 1 << 30}); err != nil || len(page) != MaxPage {
			s.Errorf("a page of %d, %v", len(page), err)
		}
		seen := 0
		s.ok(s.EachTarget(s.ctx, TargetFilter{Tag: "t1"}, func(t Target) error {
			seen++
			return s.SaveTarget(s.ctx, &t) // allowed from inside
		}))
		if want := n/3 - 1; seen != want && seen != n/3 {
			s.Errorf("saw %d with the tag, want %d", seen, want)
		}
		var ids []int64
		for _, t := range all[:1100] {
			ids = append(ids, t.ID)
		}
		s.ok(s.DeleteTargets(s.ctx, ids))
		if n := s.number(`SELECT count(*) FROM targets`); n != 100 {
			s.Errorf("%d are left", n)
		}
		if n := s.number(`SELECT count(*) FROM target_tags`); n != 100 {
			s.Errorf("%d tags are left", n)
		}
	})
}
