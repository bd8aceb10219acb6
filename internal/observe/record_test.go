package observe

import (
	"context"
	"testing"
	"time"

	"ipcguard/internal/model"
)

// TestRecorder adds rows, ends, goes on after a restart, and shows all of them.
func TestRecorder(t *testing.T) {
	dir := t.TempDir()
	now := time.Now().UTC()
	for run := range 2 {
		r, err := NewRecorder(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewRecorder(dir); err == nil {
			t.Error("two recorders have one directory")
		}
		for range 3 {
			r.Add(model.Use{
				Client: "192.0.2.1", Server: "192.0.2.2", Identity: model.Anonymous, Layer: model.LayerSession,
				Opnum:   -1,
				Outcome: model.Denied, Count: 1, First: now, Last: now, Source: "test",
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Run(ctx); err != nil {
			t.Fatal(err)
		}
		agg, cov := NewAggregator(0), new(Coverage)
		if err := LoadState(dir, agg, cov); err != nil {
			t.Fatal(err)
		}
		rows := agg.Rows()
		if want := int64(3 * (run + 1)); len(rows) != 1 || rows[0].Count != want || cov.Read["test"] != want {
			t.Errorf("run %d: %+v, %v", run, rows, cov.Read)
		}
	}
}

// TestRecorderDay begins a new result with a new day, and keeps the old one.
func TestRecorderDay(t *testing.T) {
	dir := t.TempDir()
	r, err := NewRecorder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.state.Close()
	today := r.day
	r.Add(model.Use{
		Client: "192.0.2.1", Identity: model.User, Layer: model.LayerSession, Outcome: model.Allowed,
		Count: 1, First: today, Last: today,
	})
	if err := r.save(today.Add(25 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if len(r.agg.Rows()) != 0 || !r.day.Equal(today.Add(24*time.Hour)) {
		t.Errorf("on the next day: %v, %v", r.day, r.agg.Rows())
	}
	if o, err := r.state.Load(today); err != nil || o == nil || len(o.Uses) != 1 {
		t.Errorf("yesterday's result: %v, %v", o, err)
	}
}
