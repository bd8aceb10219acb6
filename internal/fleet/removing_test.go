package fleet

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ipcguard/internal/fleet/drift"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// testRemoving removes a result with a future date: the scan after it, whose changes it hid, reports them; spans, trend
// and counts are those of the other results; and events that only the wrong result caused are gone.
func testRemoving(t *testing.T, open func() *store.Store) {
	st := open()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	f := fleetOf(t, st, func(o *Options) { o.Clock = func() time.Time { return now } })
	ctx := t.Context()
	site, err := f.site(ctx)
	if err != nil {
		t.Fatal(err)
	}
	scan := func(verdict model.Verdict, at time.Time) *store.Result {
		t.Helper()
		cells := map[model.Verdict]store.Cells{model.Exposed: "a", model.Closed: "d"}[verdict]
		look := store.Snapshot{
			Verdict: verdict,
			Cells:   cells,
			Pipes:   map[string]string{"anonymous/" + drift.Door: string(model.Allowed)},
		}
		if verdict == model.Closed {
			look.Pipes["anonymous/"+drift.Door] = string(model.Denied)
		}
		r := &store.Result{
			Kind: store.RunScan, At: at, Verdict: verdict, Snapshot: look, Findings: []store.HostFinding{},
			Host: store.Host{SiteID: site.ID, Address: "10.0.0.1:445", Name: "srv1", Cells: cells},
		}
		known := drift.Fold()
		if h, err := st.HostByAddress(ctx, site.ID, r.Host.Address); err == nil {
			last, _, err := st.LastSnapshot(ctx, h.ID, store.RunScan)
			if err != nil {
				t.Fatal(err)
			}
			known = drift.Fold(last)
		}
		r.Events = drift.Compare(known, drift.Look{Kind: store.RunScan, Host: "srv1", Now: look})
		stamp(r)
		if _, err := st.RecordResults(ctx, []*store.Result{r}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	events := func() (out []string) {
		for _, e := range eventsOf(t, st, store.EventFilter{}) {
			out = append(out, fmt.Sprintf("%s %s %s", e.At.Format("02 15:04"), e.Kind, e.After))
		}
		slices.Sort(out)
		return out
	}
	hour := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) }
	scan(model.Exposed, hour(0))
	wrong := scan(model.Closed, hour(24*300)) // its clock is wrong, and so is its date
	scan(model.Closed, hour(2))
	if got := events(); !slices.ContainsFunc(got, func(s string) bool {
		return s != "" && s[:2] == hour(24*300).Format("02")
	}) {
		t.Fatalf("before: %q", got)
	}
	var out store.Removed
	if err := st.InTx(ctx, func(tx *store.Tx) (err error) {
		out, err = f.RemoveResult(ctx, tx, wrong.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"01 12:00 new-host exposed", "01 14:00 became-closed closed", "01 14:00 pipe-closed denied",
	}
	if got := events(); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	h, err := st.Host(ctx, wrong.HostID)
	if err != nil {
		t.Fatal(err)
	}
	spans, err := st.Spans(ctx, h.ID, store.RunScan)
	if err != nil {
		t.Fatal(err)
	}
	if h.Verdict != model.Closed || !h.LastSeen.Equal(hour(2)) || !h.LastChanged.Equal(hour(2)) || len(spans) != 2 ||
		!spans[1].From.Equal(hour(2)) || out.Gone {
		t.Errorf("%+v, spans %+v", h, spans)
	}
	trend, err := st.Trend(ctx, now, now.AddDate(1, 0, 0), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range trend {
		if p.Closed != 1 || p.Exposed != 0 {
			t.Errorf("trend: %+v", p)
			break
		}
	}
	// The last two results are removed, and the host with them.
	for _, r := range []int{1, 0} {
		results, _, err := st.Results(ctx, h.ID, store.Page{Sort: "at"})
		if err != nil || len(results) != r+1 {
			t.Fatalf("%+v %v", results, err)
		}
		if err := st.InTx(ctx, func(tx *store.Tx) (err error) {
			out, err = f.RemoveResult(ctx, tx, results[r].ID)
			return err
		}); err != nil || out.Gone != (r == 0) {
			t.Fatalf("%+v %v", out, err)
		}
	}
	if got := events(); len(got) > 0 {
		t.Errorf("of a host that is gone: %q", got)
	}
	if c, err := st.Counts(ctx, store.HostFilter{}); err != nil || c.Hosts != 0 {
		t.Errorf("%+v %v", c, err)
	}
}
