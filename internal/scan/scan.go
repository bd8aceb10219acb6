// Package scan finds out what a stranger can reach through IPC$.
//
// One host is asked like this; each arrow is a layer, and each layer's answer is kept with its own status:
//
//	connect ─► negotiate ─► session ─► tree IPC$ ─► open a pipe ─► bind an interface ─► call
//	                          │
//	                          anonymous to the end; then guest and user; a made-up user last
//
// The rules of this package:
//
//   - A session, a tree connect, an open and a bind are never an exposure. A call that returned data is.
//   - No answer is inconclusive: never denied, never empty.
//   - Every call reads. What could change the server, or make it log on elsewhere, ends at the bind.
//   - Names are counted, and kept only if requested.
//   - The catalog says which pipes and interfaces to try, and what a call discloses; how to call is Go, one file an
//     interface family (probe_*.go).
package scan

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/smb"
)

// Options says how to scan. The zero value asks everything, as anonymous, guest and a made-up user.
type Options struct {
	Dialects      []smb.Dialect // to negotiate; nil is the newest that the server has
	NetBIOS       bool          // open a NetBIOS session first, on any port; always on port 139
	Quick         bool          // only the null-session question: session, tree, who am I?
	NoAnonymous   bool
	NoGuest       bool
	NoUnknownUser bool
	ShowNames     bool
	AllPipes      bool // also try pipes that a server of this kind is not known to have
	// Shares are disk shares to try in addition to those that the server lists: it need not list all, and a stranger
	// who may not list any may still open them.
	Shares []string
	// Pipes are opened in addition to the catalog's, and nothing is asked there. Those that are never opened stay
	// excluded.
	Pipes []string
	// Earlier is another scan of the same host in the same run. A logon that it saw refused is not repeated: that would
	// teach nothing, and may cause a ban.
	Earlier *model.Scan
	// OneConnection limits a server to one connection at a time, and one question on it.
	OneConnection bool
	// Gentle is OneConnection with a pause between pipes, for servers with very little capacity.
	Gentle bool
	// User makes the authenticator for one logon at this target with the given credentials; nil is none.
	User func(targets.Target) (smb.Authenticator, error)
	// Weak, if not nil, probes weak ways to log on as the user, too.
	Weak *WeakLogons
	// UserInRanges sends the credentials to addresses of prefixes and ranges too: servers that nobody named.
	UserInRanges bool

	Timeouts smb.Timeouts
	Host     time.Duration // for everything about one host; 0 is DefaultHostTimeout
	Retries  int           // further tries for a host whose answers were cut off

	Concurrency int     // hosts at a time; 0 is DefaultConcurrency
	Rate        float64 // connections a second, all hosts together; 0 is no limit
	// Pace, if not nil, replaces Rate: for several scanners that share a rate, or a rate that changes.
	Pace  *Pace
	Files int // open files of this process for connections; 0 asks the system
	// Room, if not nil, replaces Files: for several scanners of a process.
	Room *Room

	Catalog *catalog.Catalog // nil is the embedded one
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	// DefaultConcurrency keeps a small machine and its network busy: most hosts wait most of the time.
	DefaultConcurrency = 256
	// DefaultHostTimeout is enough for all identities at 50 ms each way, with first pipes that take 4 s and a failed
	// logon's 2 s, several times over.
	DefaultHostTimeout = 2 * time.Minute
)

// Scanner scans hosts. It is safe for concurrent use.
type Scanner struct {
	o       Options
	catalog *catalog.Catalog
	room    *Room
	hosts   int
	pipes   []pipe
	matters map[string]bool // the pipes with questions
	tarpits tarpits
}

// New returns a scanner.
func New(o Options) (*Scanner, error) {
	s := &Scanner{o: o, catalog: o.Catalog}
	if s.catalog == nil {
		c, err := catalog.Load()
		if err != nil {
			return nil, err
		}
		s.catalog = c
	}
	if s.o.Concurrency <= 0 {
		s.o.Concurrency = DefaultConcurrency
	}
	if s.o.Host <= 0 {
		s.o.Host = DefaultHostTimeout
	}
	if s.o.Pace == nil {
		s.o.Pace = NewPace(s.o.Rate)
	}
	if s.room = s.o.Room; s.room == nil {
		s.room = NewRoom(s.o.Concurrency, s.o.Files)
	}
	s.hosts = min(s.o.Concurrency, s.room.hosts)
	var err error
	s.pipes, err = pipesOf(s.catalog, s.o.Pipes)
	s.matters = make(map[string]bool, len(s.pipes))
	for _, p := range s.pipes {
		s.matters[p.name] = p.calls
	}
	return s, err
}

// Concurrency returns how many hosts are scanned at a time: the requested number, or fewer if the system limits open
// files.
func (s *Scanner) Concurrency() int { return s.hosts }

// Run scans every target of the list and emits each result when it is ready; see Schedule.Run.
func (s *Scanner) Run(ctx context.Context, list *targets.List, tally *Tally, emit func(*model.Scan) error) error {
	return Schedule{Concurrency: s.hosts, Tally: tally}.Run(ctx, list.All(), s.Host, emit)
}

// Host scans one target.
func (s *Scanner) Host(ctx context.Context, t targets.Target) *model.Scan {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.o.Host)
	defer cancel()
	var best *host
	for try := 0; ; try++ {
		h := s.once(ctx, t, best)
		if h.shut {
			h, t = s.older(ctx, t, h, best)
		}
		h.beside()
		last := best
		if best = better(last, h); best == last { // what the lesser try was told is not forgotten
			best.before = append([]*model.Scan{h.result}, best.before...)
			best.usedUp = best.usedUp || h.usesUp()
		}
		if try >= s.o.Retries || !h.again || sleep(ctx, time.Second<<min(try, 4)) != nil {
			break
		}
	}
	best.result.Started = started.UTC()
	best.result.DurationMS = time.Since(started).Milliseconds()
	return best.result
}

// host is one try at one target.
type host struct {
	*Scanner
	target  targets.Target
	result  *model.Scan
	again   bool          // another try may give a better result
	shut    bool          // port 445 refused the connection
	single  bool          // one connection and one question at a time
	before  []*model.Scan // of earlier tries, the last one first
	ladders []*ladder
	refused model.Identity // whose logon was refused last
	logons  int            // that were answered
	dialect smb.Dialect

	usedUp bool        // the made-up user's logon was sent in an earlier try
	twice  bool        // SMB1 was offered alone with no other dialect beside it, and again if it was dropped
	shaky  atomic.Bool // a connection ended that had no reason to
	// servesBare tells that a stranger who did not offer encryption lost no connection, after one who did had.
	servesBare atomic.Bool
	garbled    bool          // the answer to SMB1's negotiate was invalid
	apart      atomic.Bool   // pipes are opened and bound in two frames
	strict     atomic.Bool   // a handle is valid only on its own instance of a pipe
	numbers    atomic.Uint32 // of the calls, by instances of pipes
	crowded    atomic.Bool   // there was no room for a connection at once
	early      map[model.Identity]*arrival
	distance   atomic.Int64 // the shortest time that a connection took to make, in nanoseconds

	turn      sync.Mutex // held by the asking identity, if the server is asked by one at a time
	lock      sync.Mutex
	meters    []*meter
	listed    []shareName     // disk shares that some identity could list
	heard     map[string]bool // their folded names
	greetings []greeting
	names     []string // from the server's challenges
	hearing   hearing  // what the server said about itself in any logon
}

// meter counts the cost of connections that began after offset round trips.
type meter struct {
	smb.Counters
	offset int64
}

// once is one try. After a try that was cut off, the server gets one connection at a time.
func (s *Scanner) once(ctx context.Context, t targets.Target, earlier *host) *host {
	h := &host{Scanner: s, target: t, heard: map[string]bool{}}
	h.result = &model.Scan{
		Schema: model.SchemaScan, Target: t.Name, Aliases: t.Aliases, Verdict: model.Unreachable,
		Server:     model.Server{Dialects: []string{}},
		Identities: []model.IdentityResult{}, Findings: []model.Finding{},
	}
	h.single = s.o.OneConnection || s.o.Gentle
	if earlier != nil {
		h.single, h.usedUp = true, earlier.usesUp()
		h.before = append([]*model.Scan{earlier.result}, earlier.before...)
	}
	switch a := t.Addr.Addr(); {
	case errors.Is(t.Err, targets.ErrUnresolved):
		h.result.Verdict, h.result.Reason, h.result.Partial = model.VerdictInconclusive, t.Err.Error(), true
		return h
	case t.Err != nil:
		h.result.Reason = t.Err.Error()
		return h
	case a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "": // a name's: no connection could be made
		h.result.Verdict, h.result.Address = model.VerdictInconclusive, t.Addr.String()
		h.result.Reason = "a link-local address needs its network interface: name it as fe80::1%eth0"
		return h
	}
	h.result.Address = t.Addr.String()
	h.result.Started = time.Now().UTC()
	h.run(ctx)
	h.result.Stats = h.stats()
	return h
}

// better returns the try that says more. What an earlier one saw existed: a later one that sees less does not
// contradict it.
func better(first, second *host) *host {
	if first == nil || weight(second.result) > weight(first.result) {
		return second
	}
	if weight(second.result) < weight(first.result) {
		r := first.result
		r.Partial = true
		r.Reason = strings.TrimPrefix(r.Reason+"; asked again, it was "+string(second.result.Verdict)+": "+
			second.result.Reason, "; ")
		return first
	}
	if unanswered(second.result) <= unanswered(first.result) {
		return second
	}
	return first
}

// Better returns the one of two results of the same host, from different runs, that says more; the later if they are
// equal.
func Better(first, second *model.Scan) *model.Scan {
	a, b := weight(first), weight(second)
	switch {
	case a != b && a > b, a == b && second.Partial && !first.Partial:
		return first
	case a != b || first.Partial != second.Partial || unanswered(second) <= unanswered(first):
		return second
	}
	return first
}

// weight orders results by what they prove.
func weight(r *model.Scan) int {
	switch r.Verdict {
	case model.Exposed:
		return 5
	case model.Limited, model.Closed:
		return 4
	case model.VerdictInconclusive:
		for _, i := range r.Identities {
			if i.Session.Outcome == model.Allowed {
				return 3
			}
		}
		if r.Server.Signing != "" {
			return 2
		}
		return 1
	}
	return 0
}

func (h *host) stats() model.Stats {
	var out model.Stats
	for _, m := range h.meters {
		out.Connections += int(m.Connections.Load())
		out.Requests += int(m.Requests.Load())
		out.BytesSent += m.BytesSent.Load()
		out.BytesReceived += m.BytesReceived.Load()
		out.RoundTrips = max(out.RoundTrips, int(m.offset+m.RoundTrips.Load()))
	}
	return out
}
