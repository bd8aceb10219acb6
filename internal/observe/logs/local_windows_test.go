package logs

import (
	"strings"
	"testing"
	"time"

	"ipcguard/internal/observe"
)

// This host's own logs: every one is read, or it is said why not.
func TestReadLocal(t *testing.T) {
	agg, cov := observe.NewAggregator(0), new(observe.Coverage)
	l := New(agg, cov, Options{})
	marks, err := l.ReadLocal(t.Context(), 24*time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if len(cov.Unreadable) > 0 {
		t.Errorf("unreadable: %v", cov.Unreadable)
	}
	for name, m := range marks { // what was read is not read again
		if m.Bookmark != "" && !strings.Contains(m.Bookmark, "<BookmarkList") {
			t.Errorf("%s: %q", name, m.Bookmark)
		}
	}
	if q := localQuery([]int{1}, time.Second, time.Date(2026, 11, 22, 1, 2, 3, 456789000, time.UTC)); q != "*[System[(EventID=1) and TimeCreated[@SystemTime > '2026-11-22T01:02:03.4567890Z']]]" {
		t.Error(q)
	}
	if q := localQuery([]int{1, 2}, time.Second, time.Time{}); q != "*[System[(EventID=1 or EventID=2) and TimeCreated[timediff(@SystemTime) <= 1000]]]" {
		t.Error(q)
	}
	t.Logf("%d rows, %v, %s", len(agg.Rows()), cov.Read, strings.Join(cov.Notes, "; "))
}
