package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/authority"
	"ipcguard/internal/fleet/places"
	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/scan"
	"ipcguard/internal/store"
)

// Options configure a worker. The zero value uses the scanner's defaults.
type Options struct {
	Version string // of the program, for people
	Scan    scan.Options
	Catalog *catalog.Catalog // nil is the embedded one
	Log     *slog.Logger     // nil is silent
	Beat    time.Duration    // interval of heartbeats; 0 is wire.Beat
	Clock   func() time.Time // for the validity of certificates; nil is time.Now
	// Authenticate returns the logon of a credential that came with a job, as for [fleet.Options].
	Authenticate func(ctx context.Context, c store.Credential, secret []byte, t store.Target) (fleet.Logon, error)
	// Lookup resolves a name; nil is the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// DiscoverPorts are the ports that a discovery tries; nil is 445 and 139.
	DiscoverPorts []uint16
}

// Worker is a running worker.
type Worker struct {
	o      Options
	spool  *spool
	pace   *scan.Pace
	places *places.Places
	done   atomic.Int64

	lock   sync.Mutex
	id     *Identity
	client *http.Client
	jobs   map[string]*work
	last   error // the error that stops the worker
	stop   context.CancelFunc
}

// Run works until ctx ends or the server no longer knows this worker.
func Run(ctx context.Context, id *Identity, o Options) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Beat = cmp.Or(o.Beat, wire.Beat)
	// One for all scanners.
	o.Scan.Room = scan.NewRoom(cmp.Or(o.Scan.Concurrency, scan.DefaultConcurrency), o.Scan.Files)
	o.Scan.Concurrency = o.Scan.Room.Hosts()
	if o.Catalog == nil {
		c, err := catalog.Load()
		if err != nil {
			return err
		}
		o.Catalog = c
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	id.clock = o.Clock
	s, err := openSpool(id.dir)
	if err != nil {
		return err
	}
	w := &Worker{
		o:      o,
		spool:  s,
		pace:   scan.NewPace(0),
		places: places.New(o.Scan.Concurrency),
		id:     id,
		client: id.client(),
		jobs:   map[string]*work{},
	}
	return w.run(ctx)
}

// stopTime bounds a graceful stop: finished results are sent, the rest is given back.
const stopTime = 15 * time.Second

func (w *Worker) run(ctx context.Context) error {
	inner, stop := context.WithCancel(ctx)
	defer stop()
	w.stop = stop
	w.o.Log.Info("at work", "site", w.id.Site, "worker", w.id.Name, "server", w.id.Server,
		"certificate until", w.id.Until(), "results to send", w.spool.left())
	var loops, jobs sync.WaitGroup
	loops.Go(func() { w.beat(inner) })
	loops.Go(func() { w.renew(inner) })
	for range senders {
		loops.Go(func() { w.send(inner) })
	}
	w.take(inner, &jobs)
	stop()
	jobs.Wait()
	loops.Wait()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	w.leave(end)
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.last
}

// fail stops the worker if an error says that it was revoked; other errors are logged once a minute.
func (w *Worker) fail(what string, err error, said *time.Time) {
	var status *statusError
	if errors.As(err, &status) && (status.status == http.StatusForbidden ||
		status.status == http.StatusUpgradeRequired) {
		last := ErrRevoked
		if status.status == http.StatusUpgradeRequired {
			last = errors.New(status.detail)
		}
		w.end(last)
		return
	}
	if now := time.Now(); now.Sub(*said) > time.Minute {
		*said = now
		w.o.Log.Warn(what+": is tried again", "err", err)
	}
}

func (w *Worker) end(err error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if w.last == nil {
		w.last = err
	}
	w.stop()
}

// post sends a request with the worker's current identity. The server accepts an old certificate until the new one was
// used: a request in transit during a renewal may arrive too late with the old one, and is sent again with the new one.
func (w *Worker) post(ctx context.Context, path string, in, out any) (bool, error) {
	for {
		w.lock.Lock()
		client, server := w.client, w.id.Server
		w.lock.Unlock()
		found, err := post(ctx, client, server+path, in, out)
		var status *statusError
		if !errors.As(err, &status) || status.status != http.StatusForbidden {
			return found, err
		}
		w.lock.Lock()
		renewed := w.client != client
		w.lock.Unlock()
		if !renewed {
			return found, err
		}
	}
}

// pause waits, a little longer each time; false says that the worker stops.
func pause(ctx context.Context, tries *int) bool {
	*tries++
	wait := min(time.Second<<min(*tries-1, 5), 30*time.Second)
	wait += time.Duration(rand.Int64N(int64(wait) / 4)) // spread the workers
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}

// beat sends heartbeats and follows the responses.
func (w *Worker) beat(ctx context.Context) {
	tick := time.NewTicker(w.o.Beat)
	defer tick.Stop()
	var said time.Time
	for {
		var state wire.State
		if _, err := w.post(ctx, wire.PathAlive, w.alive(), &state); err == nil {
			w.adapt(state)
		} else if ctx.Err() == nil {
			w.fail("telling that it lives", err, &said)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *Worker) alive() wire.Alive {
	w.lock.Lock()
	defer w.lock.Unlock()
	a := wire.Alive{Version: w.o.Version, Busy: w.places.Busy(), Done: w.done.Load(), Jobs: []string{}}
	for id := range w.jobs {
		a.Jobs = append(a.Jobs, id)
	}
	return a
}

// adapt applies the site's rate and concurrency, and drops jobs that have ended.
func (w *Worker) adapt(s wire.State) {
	hosts := w.o.Scan.Concurrency
	if s.Concurrency > 0 {
		hosts = min(hosts, s.Concurrency)
	}
	if s.Rate > 0 { // a host waits for the rate with each connection, and its time runs
		hosts = max(1, min(hosts, int(2*s.Rate)))
	}
	w.pace.Set(max(s.Rate, 0))
	w.places.Resize(hosts)
	w.lock.Lock()
	defer w.lock.Unlock()
	for _, id := range s.Ended {
		if j := w.jobs[id]; j != nil {
			j.cancel()
		}
	}
}

// looksAt is the number of heartbeats between checks of the certificate's age: a minute by default.
const looksAt = 12

// renew renews the certificate in time.
func (w *Worker) renew(ctx context.Context) {
	var said time.Time
	for tries := 0; ; {
		w.lock.Lock()
		id, client := w.id, w.client
		w.lock.Unlock()
		now := w.o.Clock()
		switch {
		case now.After(id.cert.NotAfter):
			w.end(ErrEnded)
			return
		case now.After(id.cert.NotAfter.Add(authority.WorkerNew - authority.WorkerLife)):
			fresh, err := id.renewed(ctx, client)
			if err != nil {
				if ctx.Err() == nil {
					w.fail("renewing the certificate", err, &said)
				}
				if !pause(ctx, &tries) {
					return
				}
				continue
			}
			tries = 0
			w.lock.Lock()
			w.id, w.client = fresh, fresh.client()
			w.lock.Unlock()
			client.CloseIdleConnections()
			w.o.Log.Info("the certificate was renewed", "until", fresh.Until())
		}
		select {
		case <-time.After(looksAt * w.o.Beat):
		case <-ctx.Done():
			return
		}
	}
}

// senders is the number of groups in transit at a time: while the server writes one, it reads the next. More would make
// the groups smaller, not the upload faster.
const senders = 2

// send uploads the spool, the oldest results first, until ctx ends.
func (w *Worker) send(ctx context.Context) {
	var said time.Time
	for tries := 0; ; {
		more, err := w.sendSome(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			w.fail("handing in results", err, &said)
			if !pause(ctx, &tries) {
				return
			}
		case more:
			tries = 0
			continue
		}
		select {
		case <-w.spool.wake:
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
			return
		}
	}
}

// sendSome uploads one group, and reports whether there was one.
func (w *Worker) sendSome(ctx context.Context) (bool, error) {
	g, err := w.spool.oldest()
	if err != nil || len(g.files) == 0 {
		return false, err
	}
	var taken wire.Taken
	_, err = w.post(ctx, wire.PathResults, g.aged(time.Now()), &taken)
	var status *statusError
	if errors.As(err, &status) && (status.status == http.StatusBadRequest ||
		status.status == http.StatusRequestEntityTooLarge) {
		w.o.Log.Error("results cannot be handed in, and are left out", "results", len(g.files), "err", err)
		err = nil
	}
	if err != nil {
		w.spool.keep(&g)
		return false, err
	}
	for _, r := range taken.Refused {
		if r.Why == wire.ToldBefore { // the answer was lost, or another worker was faster
			w.o.Log.Debug("a result was told before", "target", r.Target)
			continue
		}
		w.o.Log.Warn("a result was refused", "target", r.Target, "why", r.Why)
	}
	return true, w.spool.drop(&g)
}

// take requests jobs and does them until ctx ends.
func (w *Worker) take(ctx context.Context, jobs *sync.WaitGroup) {
	// Jobs whose hosts are scanned.
	slots := make(chan struct{}, min(w.o.Scan.Concurrency/wire.MaxTargets+2, wire.MaxJobs))
	hands := make(chan struct{}, wire.MaxJobs) // those, and jobs whose results are uploaded
	var said time.Time
	for tries := 0; ctx.Err() == nil; {
		if w.spool.full() {
			w.o.Log.Warn("the disk holds as many results as it may: no job is taken until they were handed in")
			if !pause(ctx, &tries) {
				return
			}
			continue
		}
		for _, places := range []chan struct{}{hands, slots} {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		if err := w.spool.room(); err != nil { // or every host would be scanned for nothing, again and again
			<-slots
			<-hands
			w.o.Log.Warn("results cannot be stored: no job is taken until they can be", "err", err)
			if !pause(ctx, &tries) {
				return
			}
			continue
		}
		var j wire.Job
		found, err := w.post(ctx, wire.PathJob, wire.Ask{Most: wire.MaxTargets}, &j)
		if err != nil || !found {
			<-slots
			<-hands
			if err != nil && ctx.Err() == nil {
				w.fail("asking for a job", err, &said)
				if !pause(ctx, &tries) {
					return
				}
			}
			continue
		}
		tries = 0
		jobs.Go(func() {
			defer func() { <-hands }()
			w.do(ctx, j, func() { <-slots })
		})
	}
}

// do does a job, calls asked when all its hosts are done, so that another may begin, and waits until its results are
// uploaded. It gives back what was not done.
func (w *Worker) do(ctx context.Context, j wire.Job, asked func()) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &work{Worker: w, Job: j, cancel: cancel, until: time.Now().Add(time.Duration(j.OpenMS) * time.Millisecond)}
	w.lock.Lock()
	w.jobs[j.ID] = x
	w.lock.Unlock()
	w.o.Log.Debug("a job", "job", j.ID, "kind", j.Kind, "targets", len(j.Targets))
	whole := x.run(inner)
	asked()
	for i := range j.Credentials {
		clear(j.Credentials[i].Secret)
	}
	for ctx.Err() == nil && w.spool.has(j.ID) {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return // leave gives it back
	}
	w.lock.Lock()
	delete(w.jobs, j.ID)
	w.lock.Unlock()
	if !whole {
		if _, err := w.post(ctx, wire.PathReturn, map[string]string{"job": j.ID}, nil); err != nil && ctx.Err() == nil {
			w.o.Log.Warn("what is left of a job is not given back; others get it when they miss it", "err", err)
		}
	}
}

// leave uploads finished results and gives back the rest, if the server answers.
func (w *Worker) leave(ctx context.Context) {
	for {
		more, err := w.sendSome(ctx)
		if err != nil || !more {
			break
		}
	}
	w.lock.Lock()
	var ids []string
	for id := range w.jobs {
		ids = append(ids, id)
	}
	w.lock.Unlock()
	slices.Sort(ids)
	for _, id := range ids {
		if _, err := w.post(ctx, wire.PathReturn, map[string]string{"job": id}, nil); err != nil {
			break
		}
	}
	w.o.Log.Info("stopped", "worker", w.id.Name, "results to send", w.spool.left())
}

var errNoAddress = fmt.Errorf("the name has no address")
