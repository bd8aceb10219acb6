package fleet

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"ipcguard/internal/store"
)

// testWatch: a problem of the fleet is an event when it has lasted for a while and when it ends, once each.
func testWatch(t *testing.T, open func() *store.Store) {
	st := open()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	full := false
	f := fleetOf(t, st, func(o *Options) {
		o.Clock = func() time.Time { return now }
		o.Watch = func(context.Context) []Problem {
			if full {
				return []Problem{
					{Kind: store.EventDiskFull, About: "/state", Text: "The disk of /state is nearly full."},
				}
			}
			return nil
		}
	})
	ctx := t.Context()
	site, err := f.site(ctx)
	if err != nil {
		t.Fatal(err)
	}
	worker := store.Enrolled{Name: "branch-1", SiteID: site.ID, Created: now}
	channel := store.Channel{Name: "chat", Kind: "webhook", Config: "{}", Enabled: true}
	for _, err := range []error{st.AddEnrolled(ctx, &worker), st.SaveChannel(ctx, &channel)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	alive := func() {
		t.Helper()
		if err := st.Heartbeat(ctx, store.Worker{
			Name:    "branch-1",
			Site:    site.Name,
			Seen:    now,
			Started: now,
		}); err != nil {
			t.Fatal(err)
		}
	}
	var last int64
	look := func(d time.Duration, want ...store.EventKind) {
		t.Helper()
		now = now.Add(d)
		if err := f.watch(ctx); err != nil {
			t.Fatal(err)
		}
		var got []store.EventKind
		for _, e := range eventsOf(t, st, store.EventFilter{AfterID: last}) {
			got = append(got, e.Kind)
			last = max(last, e.ID)
			if e.Host != self || e.Text == "" || strings.Contains(e.Text, "%!") {
				t.Errorf("%+v", e)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("at %s: %q, want %q", now.Format(time.TimeOnly), got, want)
		}
	}
	alive()
	look(0)
	full = true
	channel.LastFail = "it answers 500"
	if err := st.SaveChannel(ctx, &channel); err != nil {
		t.Fatal(err)
	}
	look(time.Minute) // the worker is silent now too, and nothing is reported yet
	look(time.Minute)
	look(time.Minute, store.EventChannelFailing, store.EventDiskFull, store.EventWorkerSilent)
	look(time.Minute)
	if p, err := Problems(ctx, st); err != nil || len(p) != 3 {
		t.Errorf("%+v, %v", p, err)
	}
	// Another server takes over: it does not see the disk, and reports the rest once.
	again := fleetOf(t, st, func(o *Options) { o.Clock = f.o.Clock })
	f = again
	alive()
	look(time.Millisecond, store.EventProblemEnded, store.EventProblemEnded)
	channel.LastFail = ""
	if err := st.SaveChannel(ctx, &channel); err != nil {
		t.Fatal(err)
	}
	look(time.Millisecond, store.EventProblemEnded)
	if p, err := Problems(ctx, st); err != nil || len(p) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	for _, r := range []struct {
		run  store.Run
		told bool
	}{
		{store.Run{Total: 10, Failed: 4}, false},
		{store.Run{Total: 10, Failed: 5}, true},
		{store.Run{}, false},
		{store.Run{Total: 1, Failed: 1}, true},
	} {
		if got := len(f.failed(r.run)) == 1; got != r.told {
			t.Errorf("%d of %d failed, told: %v", r.run.Failed, r.run.Total, got)
		}
	}
}
