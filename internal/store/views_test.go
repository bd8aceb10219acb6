package store

import (
	"fmt"
	"testing"
	"time"

	"ipcguard/internal/model"
)

// A view belongs to its account: only that account can list it and replace it by name, and it is deleted with the
// account.
func TestViews(t *testing.T) {
	onBoth(t, func(s *suite) {
		ada, bo := User{Name: "ada", Role: RoleViewer}, User{Name: "bo", Role: RoleViewer}
		s.ok(s.SaveUser(s.ctx, &ada))
		s.ok(s.SaveUser(s.ctx, &bo))
		v := SavedView{UserID: ada.ID, Name: "exposed", Path: "/hosts", Query: "verdict=exposed"}
		s.ok(s.SaveView(s.ctx, &v))
		again := SavedView{UserID: ada.ID, Name: "exposed", Path: "/findings", Query: ""}
		s.ok(s.SaveView(s.ctx, &again))
		other := SavedView{UserID: bo.ID, Name: "exposed", Path: "/hosts"}
		s.ok(s.SaveView(s.ctx, &other))
		all, err := s.Views(s.ctx, ada.ID)
		s.ok(err)
		same(s, "views", all, []SavedView{{v.ID, ada.ID, "exposed", "/findings", "", s.clock()}})
		if _, err := s.View(s.ctx, bo.ID, v.ID); err == nil {
			s.Error("somebody else's view is found")
		}
		if err := s.DeleteView(s.ctx, bo.ID, v.ID); err == nil {
			s.Error("somebody else's view is removed")
		}
		s.ok(s.DeleteView(s.ctx, ada.ID, v.ID))
		all, err = s.Views(s.ctx, ada.ID)
		s.ok(err)
		same(s, "views after", len(all), 0)
	})
}

// Hosts are filtered by their worst finding and by age, and sorted by what they give; the worst come first.
func TestHostAges(t *testing.T) {
	onBoth(t, func(s *suite) {
		for i, h := range []struct {
			verdict  model.Verdict
			severity model.Severity
			gives    byte
			days     int
		}{
			{model.Closed, "", 'd', 0},
			{model.Exposed, model.High, 'a', 40},
			{model.Limited, model.Low, '?', 10},
			{model.Exposed, model.Low, 'a', 0},
		} {
			cells := []byte{h.gives}
			for range model.Disclosures()[1:] {
				cells = append(cells, 'd')
			}
			r := &Result{
				Kind: RunScan, At: s.clock().AddDate(0, 0, -h.days), Verdict: h.verdict,
				Snapshot: Snapshot{Verdict: h.verdict, Cells: Cells(cells)}, Findings: []HostFinding{},
				Host: Host{
					SiteID:  s.site.ID,
					Address: fmt.Sprintf("10.0.0.%d:445", i+1),
					Name:    fmt.Sprintf("h%d", i+1),
					Cells:   Cells(cells),
				},
			}
			if h.severity != "" {
				r.Findings = append(r.Findings, HostFinding{
					Kind:     RunScan,
					Finding:  "f",
					Severity: h.severity,
					Identity: model.Anonymous,
				})
			}
			n, err := s.RecordResults(s.ctx, []*Result{r})
			s.ok(err)
			same(s, "recorded", n, 1)
		}
		ago := func(days int) time.Time { return s.clock().AddDate(0, 0, -days) }
		for _, test := range []struct {
			f    HostFilter
			sort string
			want []string
		}{
			{HostFilter{}, "-severity", []string{"h2", "h4", "h3", "h1"}},
			{HostFilter{Least: model.Medium}, "id", []string{"h2"}},
			{HostFilter{Least: model.Low}, "id", []string{"h2", "h3", "h4"}},
			{HostFilter{Unseen: ago(7)}, "id", []string{"h2", "h3"}},
			{HostFilter{Unchanged: ago(30)}, "id", []string{"h2"}},
			{HostFilter{}, "-" + GivesSort(model.Disclosures()[0]), []string{"h4", "h2", "h3", "h1"}},
		} {
			list, total, err := s.Hosts(s.ctx, test.f, Page{Sort: test.sort})
			s.ok(err)
			var names []string
			for _, h := range list {
				names = append(names, h.Name)
			}
			same(s, fmt.Sprintf("%+v by %s", test.f, test.sort), names, test.want)
			same(s, "total", total, len(test.want))
		}
		standings, err := s.Standings(s.ctx, HostFilter{})
		s.ok(err)
		same(s, "standings", standings, []Standing{
			{s.site.Name, "", model.Closed, 1, ago(0)},
			{s.site.Name, "", model.Limited, 1, ago(10)},
			{s.site.Name, "", model.Exposed, 2, ago(40)},
		})
		counts, err := s.Counts(s.ctx, HostFilter{})
		s.ok(err)
		same(s, "the standings added up", CountsOf(standings), counts)
		since, err := s.OpenSince(s.ctx, HostFilter{IDs: []int64{1, 2, 4}})
		s.ok(err)
		same(s, "open since", since, map[int64]time.Time{2: ago(40), 4: ago(0)})
	})
}
