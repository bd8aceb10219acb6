package observe

import (
	"strings"
	"testing"
	"time"
)

// This host's own logs: every one is read, or it is said why not.
func TestReadLocal(t *testing.T) {
	agg, cov := NewAggregator(0), new(Coverage)
	l := NewLogs(agg, cov, LogOptions{})
	if err := l.ReadLocal(t.Context(), 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if len(cov.Unreadable) > 0 {
		t.Errorf("unreadable: %v", cov.Unreadable)
	}
	if q := localQuery([]int{1, 2}, time.Second); q != "*[System[(EventID=1 or EventID=2) and TimeCreated[timediff(@SystemTime) <= 1000]]]" {
		t.Error(q)
	}
	t.Logf("%d rows, %v, %s", len(agg.Rows()), cov.Read, strings.Join(cov.Notes, "; "))
}
