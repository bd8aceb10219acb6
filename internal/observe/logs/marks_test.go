package logs

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe"
)

// TestMarks reads the same log again and again behind its marks, over a day's end and a failure: every event counts
// once.
func TestMarks(t *testing.T) {
	dir := t.TempDir()
	events := 0 // that the log holds
	read := func(now time.Time, more int, fail error) error {
		events += more
		l := New(observe.NewAggregator(0), new(observe.Coverage), Options{})
		return l.intoState(dir, now, func(after observe.Marks) (observe.Marks, error) {
			at := after["Security"].Time
			if want := after["Security"].Bookmark; want != "" && at.IsZero() {
				t.Errorf("a mark without a time: %q", want)
			}
			done := int(at.Unix() - 1e9)
			if at.IsZero() {
				done = 0
			}
			for i := done; i < events; i++ {
				l.add(model.Use{Client: "10.0.0.9", Layer: model.LayerTree, Count: 1, First: time.Unix(1e9+int64(i)+1,
					0), Last: time.Unix(1e9+int64(i)+1, 0)})
			}
			return observe.Marks{"Security": {Bookmark: "<BookmarkList/>", Time: time.Unix(1e9+int64(events), 0)}}, fail
		})
	}
	total := func() (n int64) {
		agg, cov := observe.NewAggregator(0), new(observe.Coverage)
		if err := observe.LoadState(dir, agg, cov); err != nil {
			t.Fatal(err)
		}
		for _, u := range agg.Rows() {
			n += u.Count
		}
		return n
	}
	monday := time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC)
	for i, step := range []struct {
		now  time.Time
		more int
		fail error
	}{
		{monday, 5, nil},
		{monday, 0, nil},
		{monday.Add(time.Minute), 3, nil},
		{monday.Add(2 * time.Minute), 2, errors.New("cut off")},
		{monday.Add(2 * time.Hour), 4, nil},
		{monday.Add(3 * time.Hour), 1, nil},
	} {
		before := int64(events)
		if i == 0 {
			before = 0
		}
		if err := read(step.now, step.more, step.fail); !errors.Is(err, step.fail) {
			t.Fatal(err)
		}
		want := int64(events)
		if step.fail != nil {
			want = before
		}
		if n := total(); n != want {
			t.Errorf("step %d: %d uses of %d", i, n, want)
		}
	}
	if all, err := filepath.Glob(filepath.Join(dir, "*-*.json")); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	state, err := observe.OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	o, err := state.Load(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
	if err != nil || o == nil || o.Schema != model.SchemaObserve {
		t.Errorf("%+v, %v", o, err)
	}
}
