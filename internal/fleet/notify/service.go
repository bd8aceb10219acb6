package notify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/fleet/when"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Options configure a service.
type Options struct {
	Key     secret.Key    // opens the sealed secrets of channels
	Version string        // of this program, for receivers
	Base    string        // base URL of the page for links; empty is none
	Holder  string        // names this server among those on one database; empty generates a name
	Poll    time.Duration // how often to look for events and deliveries; 0 is five seconds
	Clock   func() time.Time
	Log     *slog.Logger
}

// Service sends what is due until its context ends.
type Service struct {
	st    *store.Store
	until time.Time // our lease ends; used only by begin
	Options

	running sync.WaitGroup // of deliveries
	mu      sync.Mutex
	busy    map[int64]bool // channels that something is being sent to
	errs    []error        // of the store, from deliveries that ended
}

// New returns a service.
func New(st *store.Store, o Options) *Service {
	if o.Poll <= 0 {
		// People are notified within seconds; an idle server runs a handful of indexed queries for it.
		o.Poll = 5 * time.Second
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Holder == "" {
		o.Holder = "notify " + rand.Text()
	}
	return &Service{st: st, Options: o, busy: map[int64]bool{}}
}

// leaseFor is how long another server waits after one has fallen silent. At least half of it is left when a round
// begins, which is longer than a round takes: see batch.
const leaseFor = 10 * time.Minute

// slowest bounds the interval of attempts while the database is down.
const slowest = time.Minute

// Run gathers and sends until ctx ends and returns its error. It waits for a database that is down.
func (s *Service) Run(ctx context.Context) error {
	defer func() { // another server need not wait
		s.running.Wait()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := s.st.ReleaseLease(ctx, "notify", s.Holder); err != nil {
			s.Log.Debug("the lease runs out by itself", "error", err)
		}
	}()
	wait, failing := s.Poll, false
	for {
		// A receiver that hangs must not keep others waiting: the next round begins while something is still being
		// sent.
		err := errors.Join(s.begin(ctx), s.failed())
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			if !failing {
				s.Log.Warn("notifications wait", "error", err)
			}
			failing, wait = true, min(2*wait, slowest)
		default:
			if failing {
				s.Log.Info("notifications go on")
			}
			failing, wait = false, s.Poll
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// failed returns the errors of deliveries since the last call.
func (s *Service) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.Join(s.errs...)
	s.errs = nil
	return err
}

// idle returns the channels that nothing is being sent to.
func (s *Service) idle(all []store.Channel) []store.Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(all, func(c store.Channel) bool { return s.busy[c.ID] })
}

// begin gathers what is due now, and begins to send it.
func (s *Service) begin(ctx context.Context) error {
	// Not in every round: an idle server writes nothing.
	if now := s.now(); s.until.Sub(now) < leaseFor/2 || s.until.Sub(now) > leaseFor {
		mine, err := s.st.Lease(ctx, "notify", s.Holder, leaseFor)
		if err != nil || !mine {
			return err
		}
		s.until = now.Add(leaseFor)
	}
	channels, err := s.st.Channels(ctx)
	if err != nil {
		return err
	}
	channels = s.idle(channels)
	var errs []error
	for i := range channels { // invalid settings of one must not stop the others
		errs = append(errs, s.gather(ctx, &channels[i]))
	}
	return errors.Join(append(errs, s.deliver(ctx, channels))...)
}

// batch bounds the deliveries to one channel that a round begins: with sendWait for each, they end before the lease.
const batch = 8

// deliver begins to send what is due: channels in parallel, the deliveries of each in turn. After a failure the rest of
// the channel waits for the next round, since the same peer would block it again.
func (s *Service) deliver(ctx context.Context, channels []store.Channel) error {
	due, err := s.st.DueDeliveries(ctx, s.now(), store.MaxPage)
	if err != nil {
		return err
	}
	of := map[int64][]store.Delivery{}
	for _, d := range due {
		if len(of[d.Channel]) < batch {
			of[d.Channel] = append(of[d.Channel], d)
		}
	}
	for i := range channels {
		mine := of[channels[i].ID]
		quiet, _ := hushed(&channels[i], s.now()) // gatherInto has reported errors of the hours
		if at := slices.IndexFunc(mine, func(d store.Delivery) bool { return quiet && len(d.Acts) == 0 }); at >= 0 {
			mine = mine[:at] // earlier failures wait too, and so does what follows them
		}
		if len(mine) == 0 {
			continue
		}
		s.mu.Lock()
		s.busy[channels[i].ID] = true
		s.mu.Unlock()
		s.running.Go(func() {
			err := s.all(ctx, channels[i], mine)
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.busy, channels[i].ID)
			if err != nil {
				s.errs = append(s.errs, err)
			}
		})
	}
	return nil
}

// all sends deliveries to a channel up to the first that fails.
func (s *Service) all(ctx context.Context, c store.Channel, due []store.Delivery) error {
	for _, d := range due {
		if sent, err := s.one(ctx, c, d); !sent || err != nil {
			return err
		}
	}
	return nil
}

// one sends one delivery and stores the outcome. err comes only from the store.
func (s *Service) one(ctx context.Context, c store.Channel, d store.Delivery) (sent bool, err error) {
	var problem error
	if c.Enabled {
		m, err := s.message(ctx, c, d)
		if err != nil {
			return false, err
		}
		if len(m.Events)+len(m.Acts) > 0 { // else they were pruned: nothing is left to send
			problem = s.send(ctx, c, m)
		}
	} else {
		problem = errors.New("notify: the channel was switched off")
	}
	if ctx.Err() != nil {
		return false, ctx.Err() // it may or may not have arrived: it is sent again
	}
	text := ""
	if problem != nil {
		text = line(problem.Error(), maxProblem)
		s.Log.Warn("a notification was not taken", "channel", c.Name, "try", d.Tries+1, "error", problem)
	}
	// The store decides when it is retried, and when it is given up.
	return problem == nil, s.st.DeliveryDone(ctx, d.ID, text)
}

// maxProblem bounds a problem's text in bytes.
const maxProblem = 300

// note stores the result of a test with its channel.
func (s *Service) note(ctx context.Context, id int64, problem error) error {
	return s.st.InTx(ctx, func(tx *store.Tx) error {
		c, err := tx.Channel(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		c.Sealed = nil // unchanged
		if c.LastFail = ""; problem != nil {
			c.LastFail = line(problem.Error(), maxProblem)
		} else {
			c.LastOK = s.now()
		}
		return tx.SaveChannel(ctx, &c)
	})
}

func (s *Service) now() time.Time { return s.Clock().UTC() }

// send opens the channel's secrets and sends a message.
func (s *Service) send(ctx context.Context, c store.Channel, m *Message) error {
	secrets, err := OpenSecrets(s.Key, c.Sealed)
	if err != nil {
		return err
	}
	to, err := open(c.Kind, c.Config, secrets)
	if err != nil {
		return err
	}
	return to.send(ctx, m)
}

// Test sends a sample event through a channel, stored or not, and returns the outcome.
func (s *Service) Test(ctx context.Context, c store.Channel) error {
	now := s.now()
	err := s.send(ctx, c, &Message{
		Key: "test:" + rand.Text(), Channel: c.Name, Test: true, At: now, Base: s.Base, Version: s.Version,
		Events: []store.Event{{
			At: now, Kind: store.EventBecameExposed, Host: "test.example", Severity: model.Info,
			Text: "This is a test of the channel; nothing has changed.",
		}},
	})
	if c.ID == 0 {
		return err
	}
	return errors.Join(err, s.note(ctx, c.ID, err))
}

// OpenSecrets opens a channel's sealed secrets. Empty input gives no secrets.
func OpenSecrets(key secret.Key, sealed []byte) (Secrets, error) {
	var out Secrets
	if len(sealed) == 0 {
		return out, nil
	}
	plain, err := key.Open(sealed)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(plain, &out); err != nil {
		return Secrets{}, errors.New("notify: what is sealed is not a channel's")
	}
	return out, nil
}

// SealSecrets seals a channel's secrets. No secrets give empty output.
func SealSecrets(key secret.Key, secrets Secrets) ([]byte, error) {
	if secrets == (Secrets{}) {
		return nil, nil
	}
	b, err := json.Marshal(secrets)
	if err != nil {
		return nil, fmt.Errorf("notify: %w", err)
	}
	return key.Seal(b)
}

// listed is how many events a kind of channel lists in one message, worst first if there are more; the message counts
// the rest. A person reads no more in an e-mail, and a program takes them all.
func listed(kind string) int {
	if kind == KindEmail {
		return 200
	}
	return perDelivery
}

// perDelivery bounds the events or acts of one delivery: about 500 KiB of JSON.
const perDelivery = 1000

// message loads the content of a delivery.
func (s *Service) message(ctx context.Context, c store.Channel, d store.Delivery) (*Message, error) {
	m := &Message{Key: d.Key, Channel: c.Name, Digest: c.Digest != "", At: s.now(), Base: s.Base, Version: s.Version}
	if zone, err := when.Zone(c.Zone); err == nil { // else UTC
		m.Zone = zone
	}
	if len(d.Acts) > 0 {
		var err error
		m.Acts, err = s.actsOf(ctx, d.Acts)
		return m, err
	}
	want := map[int64]bool{}
	last := int64(0)
	for _, id := range d.Events {
		want[id] = true
		last = max(last, id)
	}
	if len(want) == 0 {
		return m, nil
	}
	after := slices.Min(d.Events) - 1
	for after < last {
		events, _, err := s.st.Events(ctx, store.EventFilter{AfterID: after},
			store.Page{Size: store.MaxPage, Sort: "id"})
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if want[e.ID] {
				m.Events = append(m.Events, e)
			}
			after = max(after, e.ID)
		}
		if len(events) == 0 {
			break
		}
	}
	if most := listed(c.Kind); len(m.Events) > most {
		slices.SortStableFunc(m.Events, func(a, b store.Event) int { return b.Severity.Rank() - a.Severity.Rank() })
		m.Events, m.More = m.Events[:most], len(m.Events)-most
	}
	return m, s.systems(ctx, m)
}

// maxSystems is the number of hosts of a message whose operating system is looked up for advice that fits it; others
// get general advice.
const maxSystems = 50

// systems looks up the operating systems of a message's hosts.
func (s *Service) systems(ctx context.Context, m *Message) error {
	m.Systems = map[int64]string{}
	for _, e := range m.Events {
		if _, known := m.Systems[e.HostID]; known || e.HostID == 0 || e.Kind != store.EventNewFinding ||
			len(m.Systems) == maxSystems {
			continue
		}
		h, err := s.st.Host(ctx, e.HostID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		m.Systems[e.HostID] = h.System
	}
	return nil
}

// actsOf loads acts by their ids, in their order.
func (s *Service) actsOf(ctx context.Context, ids []int64) ([]store.Act, error) {
	var out []store.Act
	for after, last := slices.Min(ids)-1, slices.Max(ids); after < last; {
		acts, err := s.st.ActsAfter(ctx, after)
		if err != nil {
			return nil, err
		}
		for _, a := range acts {
			if slices.Contains(ids, a.ID) {
				out = append(out, a)
			}
			after = a.ID
		}
		if len(acts) == 0 {
			break
		}
	}
	return out, nil
}
