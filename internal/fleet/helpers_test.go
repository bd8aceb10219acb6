package fleet

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/scan"
	"ipcguard/internal/smbtest"
	"ipcguard/internal/store"
)

// world is a practice network in the process: a different host at each address of 127.44.0.0/16, on one port. Tests
// change it while it is scanned.
type world struct {
	*smbtest.Server
	lock  sync.Mutex
	hosts map[netip.Addr]*smbtest.Host
	first *smbtest.Host // of addresses without a host of their own; nil is no host
	asked map[netip.Addr]int
	delay time.Duration
	most  int // after this many hosts, then is called once; 0 is never
	then  func()
}

func newWorld(t testing.TB, profile string) *world {
	t.Helper()
	w := &world{hosts: map[netip.Addr]*smbtest.Host{}, asked: map[netip.Addr]int{}}
	if profile != "" {
		w.first = practiceHost(t, profile, "PRACTICE1")
	}
	s, err := smbtest.StartMany("0.0.0.0:0", func(a netip.Addr) *smbtest.Host {
		w.lock.Lock()
		delay := w.delay
		w.lock.Unlock()
		time.Sleep(delay)
		w.lock.Lock()
		defer w.lock.Unlock()
		w.asked[a]++
		if w.most > 0 && len(w.asked) >= w.most {
			w.most = 0
			w.then()
		}
		if h, ok := w.hosts[a]; ok {
			return h
		}
		return w.first
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Server = s
	t.Cleanup(func() { s.Close() })
	return w
}

func practiceHost(t testing.TB, profile, name string) *smbtest.Host {
	t.Helper()
	h, err := smbtest.NewHost(profile, name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// set makes an address behave as a product; "" removes the host.
func (w *world) set(t testing.TB, address, profile, name string) {
	t.Helper()
	var h *smbtest.Host
	if profile != "" {
		h = practiceHost(t, profile, name)
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	w.hosts[netip.MustParseAddr(address)] = h
}

// after calls a function once, after a number of hosts: in the middle of the work, however fast that is.
func (w *world) after(hosts int, then func()) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.most, w.then = len(w.asked)+hosts, then
}

// slow makes every host wait before it accepts a connection.
func (w *world) slow(d time.Duration) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.delay = d
}

// awake clears the cached windows and makes waiting jobs available now.
func (f *Fleet) awake(t testing.TB) {
	t.Helper()
	f.lock.Lock()
	clear(f.windows)
	f.lock.Unlock()
	const now = `UPDATE river_job SET state = 'available', scheduled_at = CURRENT_TIMESTAMP WHERE state = 'scheduled'`
	var err error
	if f.st.Kind() == store.KindPostgres {
		_, err = f.st.Pool().Exec(t.Context(), now)
	} else {
		_, err = f.st.DB().ExecContext(t.Context(), now)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// jobs counts the jobs of the queue in some states.
func (f *Fleet) jobs(t testing.TB, states ...string) (n int) {
	t.Helper()
	query := `SELECT count(*) FROM river_job WHERE state IN ('` + strings.Join(states, `', '`) + `')`
	var err error
	if f.st.Kind() == store.KindPostgres {
		err = f.st.Pool().QueryRow(t.Context(), query).Scan(&n)
	} else {
		err = f.st.DB().QueryRowContext(t.Context(), query).Scan(&n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *world) spec(address string) string { return fmt.Sprintf("%s:%d", address, w.Port()) }

// count returns the number of connections made to an address.
func (w *world) count(address string) int {
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.asked[netip.MustParseAddr(address)]
}

// heard is a log that a test can read.
type heard struct {
	slog.Handler
	lock *sync.Mutex
	b    *bytes.Buffer
}

func newHeard() *heard {
	h := &heard{lock: &sync.Mutex{}, b: &bytes.Buffer{}}
	h.Handler = slog.NewTextHandler(h, nil)
	return h
}

// Write implements io.Writer.
func (h *heard) Write(b []byte) (int, error) {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.b.Write(b)
}

func (h *heard) text() string {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.b.String()
}

func sqlite(t testing.TB) (*store.Store, string) {
	t.Helper()
	dsn := filepath.Join(t.TempDir(), "fleet.db")
	return reopen(t, dsn), dsn
}

// reopen opens a store as another process would.
func reopen(t testing.TB, dsn string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), dsn, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return st
}

// quickOptions returns options for a practice network on this machine. The log is shown if the test fails.
func quickOptions(t testing.TB) (Options, *heard) {
	l := newHeard()
	t.Cleanup(func() {
		if t.Failed() {
			lines := strings.Split(l.text(), "\n")
			t.Logf("the fleet's log:\n%s", strings.Join(lines[max(0, len(lines)-40):], "\n"))
		}
	})
	return optionsOf(l), l
}

func optionsOf(l slog.Handler) Options {
	o := Options{
		Log:  slog.New(l),
		Scan: scan.Options{Concurrency: 64, NoUnknownUser: true, NoGuest: true},
		Poll: 50 * time.Millisecond, Heartbeat: 300 * time.Millisecond,
	}
	o.Scan.Timeouts.Connect, o.Scan.Timeouts.Negotiate = time.Second, 5*time.Second
	return o
}

func newFleet(t testing.TB, st *store.Store, o Options) *Fleet {
	t.Helper()
	f, err := New(st, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// serve runs Serve or Work until the returned function is called, which waits for its end.
func serve(t testing.TB, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("it ended with %v", err)
			}
		case <-time.After(never):
			t.Error("it does not stop")
		}
	})
	t.Cleanup(stop)
	return stop
}

// hold makes a site so slow that its run cannot end before the test acts on it, or releases it.
func hold(t *testing.T, f *Fleet, on bool) {
	t.Helper()
	site, err := f.site(t.Context())
	if err == nil {
		if site.Rate = 0; on {
			site.Rate = 2 // connections a second: hundreds of hosts take minutes
		}
		err = f.st.SaveSite(t.Context(), &site)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// never is the timeout for what never happens: no machine is so busy that it takes longer.
const never = 10 * time.Minute

// until waits for something that other goroutines do.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	// Check slow conditions less often.
	for began := time.Now(); !ok(); time.Sleep(10*time.Millisecond + time.Since(began)/50) {
		if time.Since(began) > never {
			t.Fatalf("it does not come: %s", what)
		}
	}
}

// runDone waits until a run has ended.
func runDone(t testing.TB, st *store.Store, id int64) store.Run {
	t.Helper()
	var r store.Run
	until(t, fmt.Sprintf("run %d is over", id), func() bool {
		var err error
		if r, err = st.Run(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return !r.Ended.IsZero()
	})
	return r
}

// add saves host targets of the fleet's own site.
func addTargets(t testing.TB, f *Fleet, specs ...string) []store.Target {
	t.Helper()
	return addTagged(t, f, nil, specs...)
}

func addTagged(t testing.TB, f *Fleet, tags []string, specs ...string) []store.Target {
	t.Helper()
	site, err := f.site(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := make([]store.Target, len(specs))
	for i, s := range specs {
		list[i] = store.Target{SiteID: site.ID, Spec: s, Enabled: true, Tags: tags}
		if err := CheckTarget(&list[i]); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := f.st.SaveTargets(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	return list
}

func addresses(n int, base string, port int) []string {
	a := netip.MustParseAddr(base)
	out := make([]string, n)
	for i := range out {
		out[i] = netip.AddrPortFrom(a, uint16(port)).String()
		a = a.Next()
	}
	return out
}

// eventsOf lists a host's events after an event.
func eventsOf(t testing.TB, st *store.Store, f store.EventFilter) []store.Event {
	t.Helper()
	list, _, err := st.Events(t.Context(), f, store.Page{Size: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func has(events []store.Event, kind store.EventKind, subject string) bool {
	for _, e := range events {
		if e.Kind == kind && (subject == "" || e.Subject == subject) {
			return true
		}
	}
	return false
}

// StartRun starts a run in a transaction of its own.
func (f *Fleet) StartRun(
	ctx context.Context, by string, kind store.RunKind, sel store.Selector, quick bool,
) (*store.Run, error) {
	var r store.Run
	err := f.st.InTx(ctx, func(tx *store.Tx) error {
		r = store.Run{Kind: kind, Selector: sel, Quick: quick, By: by}
		return f.Start(ctx, tx, &r)
	})
	return &r, err
}
