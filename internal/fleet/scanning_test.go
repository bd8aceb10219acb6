package fleet

import (
	"strings"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/smbtest"
	"ipcguard/internal/store"
)

// TestWatch follows one host from its first scan through its exposure to its fix, and its absence and return.
func TestWatch(t *testing.T) {
	st, _ := sqlite(t)
	o, _ := quickOptions(t)
	f := newFleet(t, st, o)
	serve(t, f.Serve)
	where := "127.44.1.1:0"
	var server *smbtest.Server
	be := func(profile string) { // "" removes it
		t.Helper()
		if server != nil {
			server.Close()
			server = nil
		}
		if profile == "" {
			return
		}
		var err error
		if server, err = smbtest.Start(where, practiceHost(t, profile, "FILES1")); err != nil {
			t.Fatal(err)
		}
		where = server.Address()
	}
	t.Cleanup(func() { be("") })
	be("samba-2")
	addTargets(t, f, where)
	scan := func() (store.Run, []store.Event) {
		t.Helper()
		r, err := f.StartRun(t.Context(), "anna", store.RunScan, store.Selector{}, false)
		if err != nil {
			t.Fatal(err)
		}
		done := runDone(t, st, r.ID)
		return done, eventsOf(t, st, store.EventFilter{RunID: r.ID})
	}
	site, err := f.site(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	host := func() store.Host {
		t.Helper()
		h, err := st.HostByAddress(t.Context(), site.ID, where)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}

	if r, events := scan(); r.Closed != 1 || r.Done != 1 || len(events) != 1 || !has(events, store.EventNewHost, "") {
		t.Fatalf("first: %+v %+v", r, events)
	}
	be("samba")
	r, events := scan()
	if r.Exposed != 1 || !has(events, store.EventBecameExposed, "") ||
		!has(events, store.EventNewFinding, "anonymous-lists-accounts") || !has(events, store.EventPipeOpened, "IPC$") {
		t.Fatalf("weak: %+v %+v", r, events)
	}
	h := host()
	if h.Verdict != model.Exposed || h.Findings < 5 || h.Name != "FILES1" || h.Cells[0] != 'a' || h.System != "samba" {
		t.Errorf("weak: %+v", h)
	}
	if _, _, err := st.Document(t.Context(), h.ID, "scan"); err != nil {
		t.Errorf("no document: %v", err)
	}
	findings := h.Findings
	if _, events = scan(); len(events) != 0 {
		t.Errorf("nothing changed, and there is %+v", events)
	}
	be("")
	if r, events = scan(); r.Unknown != 1 || len(events) != 1 || !has(events, store.EventVanished, "") {
		t.Errorf("away: %+v %+v", r, events)
	}
	if h := host(); h.Findings != findings || h.Verdict != model.Unreachable {
		t.Errorf("away: %+v", h)
	}
	be("samba")
	if _, events = scan(); len(events) != 1 || !has(events, store.EventReturned, "") {
		t.Errorf("back: %+v", events)
	}
	be("samba-2")
	if _, events = scan(); !has(events, store.EventBecameClosed, "") ||
		!has(events, store.EventFindingEnded, "anonymous-lists-accounts") {
		t.Errorf("mended: %+v", events)
	}
	if h := host(); h.Verdict != model.Closed || h.Findings != 1 {
		t.Errorf("mended: %+v", h)
	}
	for _, e := range eventsOf(t, st, store.EventFilter{HostID: h.ID}) {
		if e.Host != "FILES1" || e.Site != DefaultSite || e.At.IsZero() || !strings.HasPrefix(e.Text, "FILES1 ") {
			t.Errorf("%+v", e)
		}
	}
}
