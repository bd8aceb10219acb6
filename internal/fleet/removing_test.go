package fleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
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

// testRemovedNames removes a result with which a name was written, and one that alone had a name. The name of the first
// was seen when the last result that reports it says, and that of the second never.
func testRemovedNames(t *testing.T, open func() *store.Store) {
	st := open()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	f := fleetOf(t, st, func(o *Options) { o.Clock = func() time.Time { return now } })
	ctx := t.Context()
	results := map[string]int64{}
	var host int64
	scan := func(at time.Duration, name string) {
		t.Helper()
		b, err := json.Marshal(&model.Scan{
			Schema: model.SchemaScan, Target: "srv1.example", Address: "10.0.0.1:445", Verdict: model.Closed,
			Started: now.Add(at), Server: model.Server{DNSName: name},
		})
		if err != nil {
			t.Fatal(err)
		}
		if in, err := f.Import(ctx, "scan", bytes.NewReader(b), nil, nil); err != nil || in.Taken != 1 {
			t.Fatalf("%+v %v", in, err)
		}
		hosts, _, err := st.Hosts(ctx, store.HostFilter{}, store.Page{})
		if err != nil || len(hosts) != 1 {
			t.Fatal(len(hosts), err)
		}
		host = hosts[0].ID
		list, _, err := st.Results(ctx, host, store.Page{Sort: "-at"})
		if err != nil {
			t.Fatal(err)
		}
		results[name+at.String()] = list[0].ID
	}
	remove := func(what string) {
		t.Helper()
		if err := st.InTx(ctx, func(tx *store.Tx) error {
			_, err := f.RemoveResult(ctx, tx, results[what])
			return err
		}); err != nil {
			t.Fatal(what, err)
		}
	}
	seen := func() map[string]string {
		t.Helper()
		names, err := st.HostNames(ctx, host)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, n := range names {
			out[n.Kind+" "+n.Name] = n.FirstSeen.Sub(now).String() + " to " + n.LastSeen.Sub(now).String()
		}
		return out
	}
	const week = 7 * 24 * time.Hour
	scan(-week, "srv1.example")
	scan(-3*time.Hour, "srv1.example") // the time of its names is written with this one
	scan(-150*time.Minute, "srv1.example")
	remove("srv1.example-3h0m0s")
	want := map[string]string{}
	for _, n := range []string{"dns srv1.example", "target srv1.example", "address 10.0.0.1:445"} {
		want[n] = "-168h0m0s to -2h30m0s"
	}
	if got := seen(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	scan(-time.Hour, "mistaken.example")
	scan(0, "srv1.example")
	remove("mistaken.example-1h0m0s")
	for n := range want {
		want[n] = "-168h0m0s to 0s"
	}
	if got := seen(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, n, err := st.Hosts(ctx, store.HostFilter{Text: "mistaken"}, store.Page{}); err != nil || n != 0 {
		t.Errorf("it is found by a name that no result has: %d %v", n, err)
	}
}
