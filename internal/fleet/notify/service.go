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

// Options of a service.
type Options struct {
	Key     secret.Key    // opens what channels keep sealed
	Version string        // of this program, for receivers
	Base    string        // the page's address for links; empty is none
	Holder  string        // names this server among those on one database; empty is a name of its own
	Poll    time.Duration // how often events and deliveries are looked for; 0 is five seconds
	Clock   func() time.Time
	Log     *slog.Logger
}

// Service sends what is due until its context ends.
type Service struct {
	st    *store.Store
	until time.Time // the lease is ours; used by Round alone
	Options
}

// New makes a service.
func New(st *store.Store, o Options) *Service {
	if o.Poll <= 0 {
		o.Poll = 5 * time.Second // people are told within seconds; an idle server asks a handful of indexed questions for it
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
	return &Service{st: st, Options: o}
}

// leaseFor is how long another server waits for one that fell silent. What is left of it when a round begins, half of it
// at the least, is longer than a round takes: see batch.
const leaseFor = 10 * time.Minute

// slowest bounds how rarely a service asks while the database is away.
const slowest = time.Minute

// Run gathers and sends until ctx ends, whose error it returns. A database that goes away is waited for.
func (s *Service) Run(ctx context.Context) error {
	defer func() { // another server need not wait
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := s.st.ReleaseLease(ctx, "notify", s.Holder); err != nil {
			s.Log.Debug("the lease runs out by itself", "error", err)
		}
	}()
	wait, failing := s.Poll, false
	for {
		err := s.Round(ctx)
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

// Round does once what is due now. Where another server has the lease it does nothing.
func (s *Service) Round(ctx context.Context) error {
	if now := s.now(); s.until.Sub(now) < leaseFor/2 || s.until.Sub(now) > leaseFor { // not every round: an idle server writes nothing
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
	var errs []error
	for i := range channels { // one whose settings cannot be understood keeps no other from being told
		errs = append(errs, s.gather(ctx, &channels[i]))
	}
	return errors.Join(append(errs, s.deliver(ctx, channels))...)
}

// batch bounds the deliveries of a round: with sendWait for each and a channel at a time beside the others, a round ends
// before its lease.
const batch = 8

// deliver sends what is due: the channels beside one another, the deliveries of each in turn. After a failure the rest of
// its channel waits for the next round, since the same peer would keep it waiting again.
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
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		errs    []error
	)
	for i := range channels {
		mine := of[channels[i].ID]
		quiet, _ := hushed(&channels[i], s.now()) // what is wrong with its hours was said when it was gathered for
		if at := slices.IndexFunc(mine, func(d store.Delivery) bool { return quiet && len(d.Acts) == 0 }); at >= 0 {
			mine = mine[:at] // what failed before waits as well, and so does what comes after it
		}
		if len(mine) == 0 {
			continue
		}
		running.Go(func() {
			for _, d := range mine {
				sent, err := s.one(ctx, channels[i], d)
				if err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
				if !sent || err != nil {
					return
				}
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// one sends one delivery and notes how it went. err is the store's alone.
func (s *Service) one(ctx context.Context, c store.Channel, d store.Delivery) (sent bool, err error) {
	var problem error
	if c.Enabled {
		m, err := s.message(ctx, c, d)
		if err != nil {
			return false, err
		}
		if len(m.Events)+len(m.Acts) > 0 { // else they were pruned: there is nothing left to tell
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
	return problem == nil, s.st.DeliveryDone(ctx, d.ID, text) // the store says when it is tried again, and when no more
}

// maxProblem bounds a problem's text in bytes.
const maxProblem = 300

// note keeps on a channel how its test went.
func (s *Service) note(ctx context.Context, id int64, problem error) error {
	return s.st.InTx(ctx, func(tx *store.Tx) error {
		c, err := tx.Channel(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		c.Sealed = nil // stays as it is
		if c.LastFail = ""; problem != nil {
			c.LastFail = line(problem.Error(), maxProblem)
		} else {
			c.LastOK = s.now()
		}
		return tx.SaveChannel(ctx, &c)
	})
}

func (s *Service) now() time.Time { return s.Clock().UTC() }

// send opens the channel's secrets and sends.
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

// Test sends a made-up event through a channel, saved or not, and says how it went.
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

// OpenSecrets opens what a channel keeps sealed. None is none.
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

// SealSecrets seals what a channel keeps from its readers. None is none.
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

// listed is how many events a kind of channel lists in one message, worst first where there are more; the rest of a
// delivery is a number. A person reads no more in a mail, and a program takes them all.
func listed(kind string) int {
	if kind == KindEmail {
		return 200
	}
	return perDelivery
}

// perDelivery bounds the events or acts of one delivery: some 500 KiB of JSON.
const perDelivery = 1000

// message fetches what a delivery tells of.
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
		events, _, err := s.st.Events(ctx, store.EventFilter{AfterID: after}, store.Page{Size: store.MaxPage, Sort: "id"})
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

// maxSystems is of how many hosts of a message the system is looked up, for the advice that fits it; of more the advice is
// general.
const maxSystems = 50

// systems looks up what the hosts of a message run.
func (s *Service) systems(ctx context.Context, m *Message) error {
	m.Systems = map[int64]string{}
	for _, e := range m.Events {
		if _, known := m.Systems[e.HostID]; known || e.HostID == 0 || e.Kind != store.EventNewFinding || len(m.Systems) == maxSystems {
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

// actsOf fetches acts by their numbers, in their order.
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
