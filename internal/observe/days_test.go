package observe

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ipcguard/internal/model"
)

// TestDays counts uses by day, also those of merged results, each once.
func TestDays(t *testing.T) {
	use := func(day int, id model.Identity, n int64) model.Use {
		at := time.Date(2026, 11, day, 23, 59, 59, 0, time.UTC)
		return model.Use{
			Client: "c", Identity: id, Basis: "b", Layer: model.LayerOpen, Outcome: model.Allowed,
			Count: n, First: at, Last: at,
		}
	}
	a, cov := NewAggregator(0), new(Coverage)
	a.Add(use(1, model.Anonymous, 2))
	a.Add(use(1, model.Anonymous, 0))
	a.Add(use(3, model.Anonymous, 1))
	a.Add(use(3, model.User, 1))
	a.Touch(use(4, model.User, 1))
	want := []model.Day{
		{Day: "2026-11-01", Identity: model.Anonymous, Count: 3},
		{Day: "2026-11-03", Identity: model.Anonymous, Count: 1},
		{Day: "2026-11-03", Identity: model.User, Count: 1},
	}
	if diff := cmp.Diff(want, a.Days()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	o := Result(a, cov)
	old := *o
	old.Days = nil // of an older version: its rows of several days do not give the day
	b := NewAggregator(0)
	Merge(b, cov, o)
	Merge(b, cov, o)
	Merge(b, cov, &old)
	for i := range want {
		want[i].Count *= 2
	}
	// The one row of the anonymous has two days, and Touch moved the user's last.
	if diff := cmp.Diff(want, b.Days()); diff != "" {
		t.Errorf("joined, -want +got:\n%s", diff)
	}
	old.Uses = []model.Use{use(9, model.Guest, 4)}
	Merge(b, cov, &old)
	if days := b.Days(); days[len(days)-1] != (model.Day{Day: "2026-11-09", Identity: model.Guest, Count: 4}) {
		t.Errorf("%+v", days)
	}
	b.Reset()
	if len(b.Days()) != 0 {
		t.Errorf("after Reset: %+v", b.Days())
	}
	for i := range maxDays + 10 {
		at := time.Unix(int64(i)*86400, 0)
		b.Add(model.Use{Identity: model.User, Count: 1, First: at, Last: at})
	}
	if n := len(b.Days()); n != maxDays {
		t.Errorf("%d days", n)
	}
}
