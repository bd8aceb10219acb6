package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/model"
	"ipcguard/internal/peer"
	"ipcguard/internal/store"
)

// onBoth runs a test on SQLite and on a real PostgreSQL.
func onBoth(t *testing.T, f func(t *testing.T, c *scene)) {
	t.Helper()
	for kind, dsn := range peer.Databases() {
		t.Run(kind, func(t *testing.T) { f(t, sceneOn(t, dsn(t))) })
	}
}

func newScene(t *testing.T) *scene {
	t.Helper()
	return sceneOn(t, peer.Databases()[store.KindSQLite](t))
}

// scene is a service on a store of its own with a manual clock, and a receiver that records messages.
type scene struct {
	t    *testing.T
	st   *store.Store
	s    *Service
	key  secret.Key
	now  time.Time
	url  string
	mu   sync.Mutex
	got  []payload
	fail bool
}

func sceneOn(t *testing.T, dsn string) *scene {
	t.Helper()
	c := &scene{t: t, now: time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return c.now }
	var err error
	if c.st, err = store.Open(t.Context(), dsn, store.Options{Clock: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.st.Close() })
	if err := c.st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.key, _, err = secret.Create(filepath.Join(t.TempDir(), "key")); err != nil {
		t.Fatal(err)
	}
	server := receiver(t, "127.45.4.1", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var p payload
		if err := json.Unmarshal(body, &p); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.fail {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		c.got = append(c.got, p)
	})
	server.Start()
	c.url = server.URL
	c.s = New(c.st, Options{
		Key:     c.key,
		Version: "test",
		Clock:   clock,
		Log:     slog.New(slog.DiscardHandler),
		Holder:  "one",
	})
	return c
}

func (c *scene) channel(name string, change func(*store.Channel)) *store.Channel {
	c.t.Helper()
	sealed, err := SealSecrets(c.key, Secrets{URL: c.url, Key: secretKey})
	if err != nil {
		c.t.Fatal(err)
	}
	ch := &store.Channel{
		Name:    name,
		Kind:    KindWebhook,
		Config:  `{"loopback":true}`,
		Sealed:  sealed,
		Enabled: true,
		Least:   model.Info,
	}
	if change != nil {
		change(ch)
	}
	if err := c.st.SaveChannel(c.t.Context(), ch); err != nil {
		c.t.Fatal(err)
	}
	return ch
}

func (c *scene) events(n int, kind store.EventKind, severity model.Severity) {
	c.t.Helper()
	var all []store.Event
	for range n {
		all = append(all, store.Event{At: c.now, Kind: kind, Host: "192.0.2.1:445", Severity: severity, Text: "x"})
	}
	if err := c.st.AddEvents(c.t.Context(), all); err != nil {
		c.t.Fatal(err)
	}
}

func (c *scene) round() {
	c.t.Helper()
	if err := c.s.Round(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}

// taken returns the number of events in each message that arrived since the last call, by channel.
func (c *scene) taken() map[string][]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string][]int{}
	for _, p := range c.got {
		out[p.Channel] = append(out[p.Channel], len(p.Events))
	}
	c.got = nil
	return out
}

func TestGather(t *testing.T) { onBoth(t, testGather) }

func testGather(t *testing.T, c *scene) {
	c.events(3, store.EventNewHost, model.Info) // before there were channels
	c.channel("all", nil)
	c.channel("high", func(ch *store.Channel) { ch.Least = model.High })
	c.channel("smb1", func(ch *store.Channel) { ch.Kinds = []store.EventKind{store.EventSMB1Returned} })
	c.channel("off", func(ch *store.Channel) { ch.Enabled = false })
	c.channel("daily", func(ch *store.Channel) { ch.Digest = "0 6 * * *" })
	c.round()
	if got := c.taken(); len(got) > 0 {
		t.Errorf("a new channel is told what was before it: %v", got)
	}
	c.events(2, store.EventBecameExposed, model.Critical)
	c.events(1, store.EventSMB1Returned, model.Medium)
	if err := c.st.AddEvents(t.Context(), []store.Event{
		{At: c.now, Kind: store.EventNewFinding, Severity: model.Critical, Excepted: true, Text: "accepted"},
	}); err != nil {
		t.Fatal(err)
	}
	c.round()
	c.round()
	if got := c.taken(); !same(got, map[string][]int{"all": {3}, "high": {2}, "smb1": {1}}) {
		t.Errorf("%v", got)
	}
	c.now = c.now.Add(15 * time.Hour) // 05:00
	c.events(1, store.EventBecameExposed, model.High)
	c.round()
	if got := c.taken(); !same(got, map[string][]int{"all": {1}, "high": {1}}) {
		t.Errorf("%v", got)
	}
	c.now = c.now.Add(time.Hour) // 06:00
	c.round()
	c.round()
	if got := c.taken(); !same(got, map[string][]int{"daily": {4}}) {
		t.Errorf("the digest: %v", got)
	}
	c.now = c.now.Add(24 * time.Hour)
	c.round()
	if got := c.taken(); len(got) > 0 {
		t.Errorf("a digest of nothing: %v", got)
	}
}

func TestBegin(t *testing.T) { onBoth(t, testBegin) }

// testBegin: a channel gets what happens after it is enabled, even before the service runs a round.
func testBegin(t *testing.T, c *scene) {
	begin := func(ch *store.Channel) {
		if err := c.st.InTx(t.Context(), func(tx *store.Tx) error {
			return Begin(t.Context(), tx, &store.Channel{}, ch)
		}); err != nil {
			t.Fatal(err)
		}
	}
	c.events(3, store.EventNewHost, model.Info)
	ch := c.channel("all", nil)
	begin(ch)
	c.events(2, store.EventBecameExposed, model.Critical)
	c.round()
	if got := c.taken(); !same(got, map[string][]int{"all": {2}}) {
		t.Errorf("new: %v", got)
	}
	c.events(4, store.EventNewHost, model.Info) // while it is disabled
	begin(ch)
	c.events(1, store.EventBecameExposed, model.Critical)
	c.round()
	if got := c.taken(); !same(got, map[string][]int{"all": {1}}) {
		t.Errorf("switched on again: %v", got)
	}
}

func same(a, b map[string][]int) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if !slices.Equal(v, b[k]) {
			return false
		}
	}
	return true
}

// A receiver that is down is retried later; what happens meanwhile is combined when it is back, each event once.
func TestReceiverAway(t *testing.T) { onBoth(t, testReceiverAway) }

func testReceiverAway(t *testing.T, c *scene) {
	ch := c.channel("ops", nil)
	c.round()
	c.fail = true
	total := 0
	for range 20 {
		c.events(2, store.EventNewHost, model.Info)
		total += 2
		c.round()
		c.now = c.now.Add(5 * time.Second)
	}
	all, n, err := c.st.Deliveries(t.Context(), ch.ID, store.Page{Size: 100})
	if err != nil || n != 1 || all[0].Tries < 1 || all[0].Tries > 3 {
		t.Errorf("%d deliveries, %+v, %v", n, all, err)
	}
	kept, err := c.st.Channel(t.Context(), ch.ID)
	if err != nil || !strings.Contains(kept.LastFail, "503") || strings.Contains(kept.LastFail, c.url) {
		t.Errorf("%q, %v", kept.LastFail, err)
	}
	c.fail = false
	c.now = c.now.Add(time.Hour)
	c.round()
	c.round()
	if got := c.taken(); !same(got, map[string][]int{"ops": {2, total - 2}}) {
		t.Errorf("%v, want %d events", got, total)
	}
	if kept, _ = c.st.Channel(t.Context(), ch.ID); kept.LastFail != "" || kept.LastOK.IsZero() {
		t.Errorf("%+v", kept)
	}
	// It fails for good: after a bounded number of attempts it is given up, and the next message is tried.
	c.fail = true
	c.events(1, store.EventNewHost, model.Info)
	for range 40 {
		c.round()
		c.now = c.now.Add(7 * time.Hour)
	}
	if all, n, err = c.st.Deliveries(t.Context(), ch.ID, store.Page{Size: 100}); err != nil || n != 3 ||
		all[0].Tries > 20 || all[0].Tries < 5 {
		t.Errorf("%d deliveries, the last tried %d times, %v", n, all[0].Tries, err)
	}
	c.fail = false
	c.events(1, store.EventNewHost, model.Info)
	c.round()
	if got := c.taken(); !same(got, map[string][]int{"ops": {1}}) {
		t.Errorf("after one was given up: %v", got)
	}
}

// Many events are sent in messages of bounded size, each once, also if the service is restarted between any two steps.
func TestManyEvents(t *testing.T) { onBoth(t, testManyEvents) }

func testManyEvents(t *testing.T, c *scene) {
	c.channel("ops", nil)
	c.round()
	const many = perDelivery*3 + 17
	c.events(many, store.EventNewHost, model.Info)
	for range 3 {
		c.s = New(c.st, c.s.Options) // as after a restart
		c.round()
	}
	n := 0
	for _, size := range c.taken()["ops"] {
		if size > perDelivery {
			t.Errorf("a message of %d events", size)
		}
		n += size
	}
	if n != many {
		t.Errorf("%d events of %d", n, many)
	}
}

// Two servers on one database send once.
func TestTwoServers(t *testing.T) { onBoth(t, testTwoServers) }

func testTwoServers(t *testing.T, c *scene) {
	c.channel("ops", nil)
	c.round()
	options := c.s.Options
	options.Holder = "two"
	other := New(c.st, options)
	c.events(5, store.EventNewHost, model.Info)
	if err := other.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.taken(); len(got) != 0 {
		t.Errorf("the server without the lease sends: %v", got)
	}
	c.now = c.now.Add(leaseFor + time.Second) // the first server is gone
	if err := other.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.round()
	if got := c.taken(); !same(got, map[string][]int{"ops": {5}}) {
		t.Errorf("%v", got)
	}
}

func TestTestButton(t *testing.T) { onBoth(t, testTestButton) }

func testTestButton(t *testing.T, c *scene) {
	ch := c.channel("ops", nil)
	if err := c.s.Test(t.Context(), *ch); err != nil {
		t.Fatal(err)
	}
	if len(c.got) != 1 || !c.got[0].Test || !strings.HasPrefix(c.got[0].Text, "ipcguard: test") {
		t.Errorf("%+v", c.got)
	}
	c.fail = true
	if err := c.s.Test(t.Context(), *ch); err == nil {
		t.Error("a refused test passes")
	}
	kept, err := c.st.Channel(t.Context(), ch.ID)
	if err != nil || kept.LastOK.IsZero() || kept.LastFail == "" {
		t.Errorf("%+v, %v", kept, err)
	}
	if s, err := OpenSecrets(c.key, kept.Sealed); err != nil || s.Key != secretKey {
		t.Errorf("the secrets after a test: %v", err)
	}
	other, _, err := secret.Create(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	options := c.s.Options
	options.Key = other
	if err := New(c.st, options).Test(t.Context(), *ch); !errors.Is(err, secret.ErrWrongKey) {
		t.Errorf("with another key: %v", err)
	}
}

// A channel with invalid settings does not stop the others.
func TestBrokenChannel(t *testing.T) {
	c := newScene(t)
	c.channel("broken", func(ch *store.Channel) { ch.Digest = "every now and then" })
	c.channel("sealed", func(ch *store.Channel) { ch.Sealed = []byte("not age") })
	c.channel("ops", nil)
	_ = c.s.Round(t.Context())
	c.events(1, store.EventNewHost, model.Info)
	if err := c.s.Round(t.Context()); err == nil {
		t.Error("nobody is told of the broken one")
	}
	if got := c.taken(); !same(got, map[string][]int{"ops": {1}}) {
		t.Errorf("%v", got)
	}
}

// Run survives the loss of the database: it logs it once and ends with its context.
func TestRunWithoutDatabase(t *testing.T) {
	c := newScene(t)
	var log strings.Builder
	var mu sync.Mutex
	c.s.Log = slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(p)
	}), nil))
	c.s.Poll = time.Millisecond
	c.st.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.s.Run(ctx) }()
	told := func() int {
		mu.Lock()
		defer mu.Unlock()
		return strings.Count(log.String(), "notifications wait")
	}
	for told() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond) // for many more rounds
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := told(); n != 1 {
		t.Errorf("told %d times: %s", n, log.String())
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestHangingReceiver: while a receiver holds a message, others get theirs, also those of later rounds, and it gets
// nothing twice.
func TestHangingReceiver(t *testing.T) {
	c := newScene(t)
	held, let, gaveUp := make(chan bool, 10), make(chan bool), make(chan bool, 10)
	server := receiver(t, "127.45.4.2", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the end of the connection is noticed
		held <- true
		select {
		case <-let:
		case <-r.Context().Done():
			gaveUp <- true
		}
	})
	server.Start()
	fine := c.url
	c.url = server.URL
	c.channel("hangs", nil)
	c.url = fine
	c.channel("fine", nil)
	c.round() // both begin here
	c.s.Poll = time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.s.Run(ctx) }()
	tell := func() {
		c.events(1, store.EventBecameExposed, model.High)
		for len(c.taken()["fine"]) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	tell()
	<-held
	tell()
	tell()
	if len(gaveUp) != 0 {
		t.Error("messages to others waited until the service gave the receiver up that hangs")
	}
	if n := len(held); n != 0 {
		t.Errorf("%d more messages went to the receiver that hangs", n)
	}
	close(let)
	<-held // what came meanwhile, together
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Round gathers and sends what is due now, and waits for it. It does nothing if another server has the lease.
func (s *Service) Round(ctx context.Context) error {
	err := s.begin(ctx)
	s.running.Wait()
	return errors.Join(err, s.failed())
}
