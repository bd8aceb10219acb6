package fleet

import (
	"strconv"
	"testing"

	"ipcguard/internal/store"
)

// TestFull takes the space from the database in the middle of a run: that is told while it lasts, and nothing is lost.
func TestFull(t *testing.T) {
	t.Parallel()
	st, _ := sqlite(t)
	w := newWorld(t, "samba-2")
	f := fleetOf(t, st, nil)
	const n = 200
	addTargets(t, f, addresses(n, "127.44.2.1", w.Port())...)
	run := start(t, f, store.Selector{})
	space := func(pages int) {
		t.Helper()
		if _, err := st.DB().ExecContext(t.Context(), "PRAGMA max_page_count = "+strconv.Itoa(pages)); err != nil {
			t.Error(err)
		}
	}
	if f.Full() {
		t.Error("it is full before it began")
	}
	w.after(20, func() { space(1) }) // what it has by now
	serve(t, f.Serve)
	until(t, "the server says that its disk is full", f.Full)
	space(1 << 30)
	once(t, st, runDone(t, st, run.ID), n)
	until(t, "the server no longer says so", func() bool { return !f.Full() })
}
