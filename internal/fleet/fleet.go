// Package fleet keeps thousands of servers closed: it knows targets, starts runs over them by hand and by schedule, hands
// the work to workers at every site, tells what changed, and plans.
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
//   - The queue (River) carries work and no truth. What is done is in the units: a unit ends once, in the transaction
//     that stores its result. So a job may be done twice, lost or late, and no result is lost or doubled.
//   - A job comes into being in the transaction that made its run and units, or not at all.
//   - Who is silent for three heartbeats is gone: its units wait again and get new jobs, well before the queue's own rescue.
//   - A worker that stops gives back what it has not done. One that is older than a job leaves it to others.
//   - The rate of a site is shared by its workers, and its window holds in the middle of a run, too.
//   - Clocks jump: a schedule is never run twice for one due time, and however many due times were missed, one run
//     makes up for them.
//   - The database goes away and comes back: workers wait, and go on where they were.
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

// DefaultSite is the site of whoever names none.
const DefaultSite = "default"

// Logon is how one stored credential logs on. Either part may be nil: then it cannot be used for that.
type Logon struct {
	Scan  func(*scan.Options) // sets the user that hosts are asked as, for comparison
	Pipes audit.Pipes         // reaches remote registries
}

// Options of a fleet. The zero value serves DefaultSite with the scanner's own defaults.
type Options struct {
	Site    string // whose targets this process scans
	Name    string // of this process among all workers; empty makes one that nobody else has
	Version string // of the program, for people
	Scan    scan.Options
	Catalog *catalog.Catalog // nil is the embedded one
	Log     *slog.Logger     // nil is silent
	Clock   func() time.Time // nil is time.Now
	Key     secret.Key       // opens stored credentials
	// Authenticate makes a logon of a stored credential and its opened secret, for one target; nil refuses them all. It
	// is a hook because how to log on is no business of this room.
	Authenticate func(ctx context.Context, c store.Credential, secret []byte, t store.Target) (Logon, error)
	// Watch finds what is wrong with this machine: its disk, its certificate. Nil finds nothing.
	Watch func(ctx context.Context) []Problem
	// Beside runs with Serve, and is started again when it fails: notifications.
	Beside []func(ctx context.Context) error

	// Lookup resolves a name; nil is the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// DiscoverPorts are where a discovery knocks, in their order; nil is 445 and 139.
	DiscoverPorts []uint16

	BatchSize   int           // targets of a job; 0 is 64
	JobTimeout  time.Duration // 0 is 15 minutes, after which a job is given back and taken up again
	RescueAfter time.Duration // 0 is twice JobTimeout: when the queue itself gives a job to somebody else
	Heartbeat   time.Duration // 0 is 5 s
	Poll        time.Duration // between two looks for jobs on SQLite; 0 is a second. PostgreSQL tells of new ones
	Retention   time.Duration // how long history is kept; 0 is for ever
	RetireAfter time.Duration // how long a host is asked without an answer before it leaves the fleet; 0 is for ever

	ActsRetention time.Duration // how long the audit log is kept; 0 is for ever
	Protocol      int           // of the jobs it understands; 0 is Protocol. For tests
}

// silentFor is after how many heartbeats somebody silent is taken for dead.
const silentFor = 3

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
	o.Heartbeat = cmp.Or(o.Heartbeat, 5*time.Second)
	o.Poll = cmp.Or(o.Poll, time.Second)
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

// Fleet is one process of the fleet: a server, a worker, or neither, which may still start runs. It is safe for use by
// many goroutines.
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

	exceptions exceptions

	lock     sync.Mutex
	began    chan struct{} // closed when a run has begun here
	scanners map[scannerKey]*scan.Scanner
	windows  map[windowKey]windowEntry
	busy     bool // Serve runs

	watched map[string]time.Time // problems since when, told or not; the supervisor's own
}

// migrateTime bounds the making of the queue's tables: a dozen statements, that may wait for another server which makes
// them at the same moment.
const migrateTime = time.Minute

// New makes a fleet over an open, migrated store, and makes or upgrades the tables of its queue.
func New(st *store.Store, o Options) (*Fleet, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	f := &Fleet{
		st: st, o: o, reach: drift.ReachOf(o.Catalog), places: places.New(o.Scan.Concurrency), pace: scan.NewPace(0), started: o.Clock(),
		began: make(chan struct{}), scanners: map[scannerKey]*scan.Scanner{}, windows: map[windowKey]windowEntry{},
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

// pollInterval: PostgreSQL tells of new jobs, so that looking is for what was not heard.
func (f *Fleet) pollInterval() time.Duration {
	if f.st.Kind() == store.KindPostgres {
		return max(f.o.Poll, 2*time.Second)
	}
	return f.o.Poll
}

// Name is what this process is called among all workers.
func (f *Fleet) Name() string { return f.o.Name }

// now is the time as the store keeps it.
func (f *Fleet) now() time.Time { return f.o.Clock().Truncate(time.Microsecond) }

// site finds the site that this process works for, and makes it where it is not there.
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
