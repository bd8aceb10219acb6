// Package fleet keeps thousands of servers closed. It knows targets, starts runs by hand and by schedule, distributes
// the work to workers at every site, reports changes, and plans.
//
//	schedule, a person ─► run ─► a unit for each target ─► jobs of up to 64 units in the queue of their site
//	                       ▲                                      │ one transaction
//	                       │                                      ▼
//	   live progress, from our own tables        worker: window? rate? resolve ─► scan or audit ─► drift
//	                       ▲                                      │
//	                       └──────── results, in groups, each with its events ◄──┘
//
// The rules of the room:
//
//   - The queue (River) only carries work. The units hold the state: a unit ends once, in the transaction that stores
//     its result. A job may be done twice, lost or late, and no result is lost or doubled.
//   - A job is created in the transaction that creates its run and units, or not at all.
//   - A worker that is silent for three heartbeats is dead: its units are released and get new jobs, well before the
//     queue's own rescue.
//   - A worker that stops gives back what it has not done. A worker leaves jobs that are newer than itself to others.
//   - The workers of a site share its rate. Its window also applies in the middle of a run.
//   - Clocks jump: a schedule never runs twice for one due time, and one run makes up for any number of missed due
//     times.
//   - The database may go away and come back: workers wait, and continue.
//   - Below this room, drift, when and csv are pure; secret, access and notify are rooms of their own.
package fleet

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ipcguard/internal/audit"
	"ipcguard/internal/catalog"
	"ipcguard/internal/fleet/drift"
	"ipcguard/internal/fleet/places"
	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/scan"
	"ipcguard/internal/store"
)

// DefaultSite is the site that is used if none is named.
const DefaultSite = "default"

// Logon is how one stored credential logs on. Either field may be nil if the credential cannot be used for it.
type Logon struct {
	Scan  func(*scan.Options) // sets the user that scans compare with
	Pipes audit.Pipes         // opens remote registries
}

// Options configure a fleet. The zero value serves DefaultSite with the scanner's defaults.
type Options struct {
	Site    string // the site whose targets this process scans
	Name    string // of this process, unique among all workers; empty generates one
	Version string // of the program, for people
	Scan    scan.Options
	Catalog *catalog.Catalog // nil is the embedded one
	Log     *slog.Logger     // nil is silent
	Clock   func() time.Time // nil is time.Now
	Key     secret.Key       // opens stored credentials
	// Authenticate turns a stored credential and its opened secret into a logon for one target; nil refuses all. It is
	// a hook because this room does not know how to log on.
	Authenticate func(ctx context.Context, c store.Credential, secret []byte, t store.Target) (Logon, error)
	// Watch returns the problems of this machine, such as its disk or its certificate. Nil reports none.
	Watch func(ctx context.Context) []Problem
	// Beside runs with Serve and is restarted when it fails: notifications.
	Beside []func(ctx context.Context) error

	// Lookup resolves a name; nil is the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// DiscoverPorts are the ports that a discovery tries, in order; nil is 445 and 139.
	DiscoverPorts []uint16

	BatchSize   int           // targets of a job; 0 is 64
	JobTimeout  time.Duration // 0 is 15 minutes; then a job is given back and retried
	RescueAfter time.Duration // 0 is twice JobTimeout: when the queue itself reassigns a job
	Heartbeat   time.Duration // 0 is store.Beat, which no server on PostgreSQL may exceed; less is for tests
	Poll        time.Duration // interval for polling jobs on SQLite; 0 is 250 ms. PostgreSQL notifies
	Retention   time.Duration // how long history is kept; 0 is for ever
	RetireAfter time.Duration // how long a host may stay silent before it leaves the fleet; 0 is for ever

	ActsRetention time.Duration // how long the audit log is kept; 0 is for ever
	Protocol      int           // of the jobs it supports; 0 is Protocol. For tests
}

func (o *Options) defaults() error {
	o.Site = cmp.Or(o.Site, DefaultSite)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "host"
		}
		o.Name = fmt.Sprintf("%.40s-%d-%s", host, os.Getpid(), rand.Text()[:6])
	}
	o.BatchSize = cmp.Or(o.BatchSize, 64)
	o.JobTimeout = cmp.Or(o.JobTimeout, 15*time.Minute)
	o.RescueAfter = cmp.Or(o.RescueAfter, 2*o.JobTimeout)
	o.Heartbeat = cmp.Or(o.Heartbeat, store.Beat)
	o.Poll = cmp.Or(o.Poll, 250*time.Millisecond)
	o.Protocol = cmp.Or(o.Protocol, Protocol)
	if o.Scan.Room == nil { // one for all scanners
		o.Scan.Room = scan.NewRoom(cmp.Or(o.Scan.Concurrency, scan.DefaultConcurrency), o.Scan.Files)
	}
	o.Scan.Concurrency = min(cmp.Or(o.Scan.Concurrency, scan.DefaultConcurrency), o.Scan.Room.Hosts())
	if o.BatchSize < 1 || o.BatchSize > 64 {
		return errors.New("fleet: a job has 1 to 64 targets")
	}
	if o.RescueAfter <= o.JobTimeout {
		return errors.New("fleet: a job is rescued only after it has timed out")
	}
	if o.Catalog == nil {
		c, err := catalog.Load()
		if err != nil {
			return err
		}
		o.Catalog = c
	}
	return nil
}

// Fleet is one process of the fleet: a server, a worker, or a process that only starts runs. It is safe for concurrent
// use.
type Fleet struct {
	st    *store.Store
	o     Options
	queue queue
	reach *drift.Reach

	places  *places.Places
	pace    *scan.Pace
	started time.Time
	done    atomic.Int64
	records *recorder

	imports    chan struct{} // see decoding
	exceptions exceptions
	unopened   atomic.Pointer[[]string] // see WrongKey
	full       atomic.Bool              // the last sign of life found no space

	lock     sync.Mutex
	began    chan struct{} // closed when a run has begun here
	scanners map[scannerKey]*scan.Scanner
	windows  map[windowKey]windowEntry
	busy     bool // Serve runs

	// These are used only by the supervisor.
	watched map[string]time.Time // when each problem began, reported or not
	ahead   map[string]sighting  // workers whose last sign of life is in the future
	looked  sighting             // both clocks when the supervisor looked at the workers
	jumped  time.Time            // when the clock last jumped, by the one that nobody sets
}

// migrateTime bounds the creation of the queue's tables: a dozen statements that may wait for another server doing the
// same.
const migrateTime = time.Minute

// New returns a fleet over an open, migrated store, and creates or upgrades the tables of its queue.
func New(st *store.Store, o Options) (*Fleet, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	f := &Fleet{
		st: st, o: o, reach: drift.ReachOf(o.Catalog), places: places.New(o.Scan.Concurrency),
		pace: scan.NewPace(0), started: o.Clock(),
		ahead: map[string]sighting{}, began: make(chan struct{}), imports: make(chan struct{}, importsAtOnce),
		scanners: map[scannerKey]*scan.Scanner{}, windows: map[windowKey]windowEntry{},
	}
	f.queue = newQueue(st, o.Name, timing{job: o.JobTimeout, rescue: o.RescueAfter, poll: f.pollInterval()}, o.Log)
	f.records = newRecorder(st, o.Log)
	ctx, cancel := context.WithTimeout(context.Background(), migrateTime)
	defer cancel()
	if err := f.queue.migrate(ctx); err != nil {
		return nil, err
	}
	return f, nil
}

// pollInterval returns how often to poll for jobs. PostgreSQL notifies of new ones; polling finds those whose
// notification was lost.
func (f *Fleet) pollInterval() time.Duration {
	if f.st.Kind() == store.KindPostgres {
		return max(f.o.Poll, 2*time.Second)
	}
	return f.o.Poll
}

// Name returns the name of this process among all workers.
func (f *Fleet) Name() string { return f.o.Name }

// now returns the time at the store's precision.
func (f *Fleet) now() time.Time { return f.o.Clock().Truncate(time.Microsecond) }

// site returns the site that this process works for, and creates it if it does not exist.
func (f *Fleet) site(ctx context.Context) (store.Site, error) {
	s, err := f.st.SiteByName(ctx, f.o.Site)
	if errors.Is(err, store.ErrNotFound) {
		s = store.Site{Name: f.o.Site}
		if err = f.st.SaveSite(ctx, &s); errors.Is(err, store.ErrConflict) {
			return f.st.SiteByName(ctx, f.o.Site)
		}
	}
	if err != nil {
		return s, fmt.Errorf("fleet: site %s: %w", f.o.Site, err)
	}
	return s, nil
}
