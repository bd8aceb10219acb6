// Package gate is the listener for workers: HTTPS of its own, with the fleet's authority on both sides.
//
//	TLS 1.3 ─► a worker's certificate? ─► its number ─► database: revoked? the serial? ─► one of six requests
//	       └─► none: only join
//
// The rules of the room:
//
//   - The certificate says who a worker is; only the database says which site it belongs to. No request names a site.
//   - It answers six requests and serves nothing else: no page, no API.
//   - Bodies and waits are bounded here, their times by the listener. An error response is one sentence without
//     details.
package gate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/authority"
	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Options configure the gate.
type Options struct {
	Clock func() time.Time
	Log   *slog.Logger
	Wait  time.Duration // for a job, and for a turn to send results; 0 is wire.JobWait
	// Came is called for every request of an enrolled worker, so that its connection is kept; nil is none.
	Came func(ctx context.Context)

	Protocol int // the protocol that it speaks; 0 is wire.Protocol. For tests
}

// Gate serves workers.
type Gate struct {
	fleet  *fleet.Fleet
	st     *store.Store
	access *access.Access
	o      Options
	mux    *http.ServeMux
	bodies chan struct{}
	turns  sync.Map // by worker: chan struct{}, for its one body of results
	busy   sync.Map // by worker: chan struct{}, for its requests at a time
	joins  chan struct{}
	older  sync.Map // workers of the previous version that were already logged

	lock   sync.Mutex
	trust  *authority.Authority
	pair   *tls.Certificate
	looked time.Time
}

// lookAgain is the maximum age of the cached authority: another server may have created a new one.
const lookAgain = time.Minute

// New returns a gate.
func New(f *fleet.Fleet, st *store.Store, a *access.Access, o Options) *Gate {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Wait <= 0 {
		o.Wait = wire.JobWait
	}
	o.Protocol = cmp.Or(o.Protocol, wire.Protocol)
	if o.Came == nil {
		o.Came = func(context.Context) {}
	}
	g := &Gate{
		fleet: f, st: st, access: a, o: o, mux: http.NewServeMux(), bodies: make(chan struct{}, atOnce),
		joins: make(chan struct{}, joinsAtOnce),
	}
	g.mux.HandleFunc("POST "+wire.PathJoin, g.join)
	g.handle(wire.PathRenew, wire.MaxOther, g.renew)
	g.handle(wire.PathAlive, wire.MaxOther, g.alive)
	g.handle(wire.PathJob, wire.MaxOther, g.job)
	g.handle(wire.PathResults, wire.MaxResults, g.results)
	g.handle(wire.PathReturn, wire.MaxOther, g.back)
	return g
}

// ServeHTTP implements http.Handler.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }

// known returns the current authority, and this server's certificate of it.
func (g *Gate) known(ctx context.Context) (*authority.Authority, *tls.Certificate, error) {
	g.lock.Lock()
	defer g.lock.Unlock()
	now := g.o.Clock()
	if g.trust != nil && now.Sub(g.looked) < lookAgain && now.Sub(g.looked) >= 0 {
		return g.trust, g.pair, nil
	}
	trust, err := g.fleet.Authority(ctx)
	if err != nil {
		if g.trust != nil { // the database is down: the cached one holds
			return g.trust, g.pair, nil
		}
		return nil, nil, err
	}
	if g.pair == nil || now.After(g.pair.Leaf.NotAfter.Add(-7*24*time.Hour)) ||
		trust.Fingerprint(now) != authority.Fingerprint(g.pair.Certificate[1]) {
		if g.pair, err = trust.Server(now); err != nil {
			return nil, nil, err
		}
	}
	g.trust, g.looked = trust, now
	return g.trust, g.pair, nil
}

// TLS returns the listener's configuration.
func (g *Gate) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			trust, pair, err := g.known(hello.Context())
			if err != nil {
				return nil, err
			}
			return &tls.Config{
				MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"},
				Certificates: []tls.Certificate{*pair},
				ClientAuth:   tls.VerifyClientCertIfGiven, ClientCAs: trust.Pool(), Time: g.o.Clock,
				// A resumed session would not be checked against an authority that has expired.
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}

// failure is an error response.
type failure struct {
	status int
	text   string
}

func (f failure) Error() string { return f.text }

var (
	errStranger = failure{http.StatusForbidden, "this worker is not enrolled, or was revoked"}
	errCode     = failure{http.StatusForbidden, "the code is wrong, was used, or has ended"}
	errBody     = failure{http.StatusBadRequest, "the body cannot be read"}
)

// handle registers a request of enrolled workers.
func (g *Gate) handle(path string, limit int64, do func(*http.Request, store.Enrolled) (any, error)) {
	g.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		id, err := g.shown(r)
		if err != nil {
			g.fail(w, r, err)
			return
		}
		done, err := g.room(id)
		if err != nil {
			g.fail(w, r, err)
			return
		}
		defer done()
		r.Body = http.MaxBytesReader(w, r.Body, limit) // net/http waits for the body of what is refused after this
		e, err := g.who(r, id)
		if err == nil {
			g.o.Came(r.Context())
			var out any
			if out, err = do(r, e); err == nil {
				g.answer(w, out)
				return
			}
		}
		g.fail(w, r, err)
	})
}

// shown returns the number of the worker that a request's certificate names.
func (g *Gate) shown(r *http.Request) (int64, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return 0, errStranger
	}
	cert := r.TLS.PeerCertificates[0]
	id, ok := authority.WorkerID(cert)
	if !ok || g.o.Clock().After(cert.NotAfter) { // a connection outlives its handshake
		return 0, errStranger
	}
	return id, nil
}

// workerAtOnce bounds the requests of a worker at a time. It has four: one each for a job, for results, for its sign of
// life and for its certificate; there is room for those that a broken connection left behind. A connection carries
// hundreds, and each may ask the database every second.
const workerAtOnce = 16

var errMany = failure{http.StatusServiceUnavailable, "too many requests of this worker at a time; try again"}

// room counts a request of a worker until done, before the database is asked who that is.
func (g *Gate) room(id int64) (done func(), err error) {
	v, _ := g.busy.LoadOrStore(id, make(chan struct{}, workerAtOnce))
	busy := v.(chan struct{})
	select {
	case busy <- struct{}{}:
		return func() { <-busy }, nil
	default:
		return nil, errMany
	}
}

// who returns the worker behind a request.
func (g *Gate) who(r *http.Request, id int64) (store.Enrolled, error) {
	e, err := g.st.EnrolledWorker(r.Context(), id)
	switch serial := authority.Serial(r.TLS.PeerCertificates[0]); {
	case errors.Is(err, store.ErrNotFound):
		return e, errStranger
	case err != nil:
		return e, err
	case !e.Revoked.IsZero() || serial != e.Serial && serial != e.Earlier:
		return e, errStranger
	case serial == e.Serial && e.Earlier != "": // the new certificate has arrived
		if err := g.st.CertificateUsed(r.Context(), e.ID, serial); err != nil {
			return e, err
		}
	}
	protocol, err := strconv.Atoi(r.Header.Get(wire.Header))
	if err != nil {
		protocol = 0
	}
	if err := g.speaks(protocol); err != nil {
		return e, err
	}
	from := origin(r)
	if e.Protocol != protocol || e.Origin != from {
		e.Protocol, e.Origin = protocol, from
		if err := g.st.SetOrigin(r.Context(), e.ID, from, protocol); err != nil {
			return e, err
		}
	}
	if protocol < g.o.Protocol {
		if _, said := g.older.LoadOrStore(e.ID, protocol); !said { // once since the server started
			g.o.Log.Warn("a worker is of the version before: the next version of the server refuses it",
				"worker", e.Name, "protocol", protocol, "server", g.o.Protocol)
		}
	}
	return e, nil
}

// speaks returns an error if a worker's protocol is neither the server's nor the previous one. Protocol 1 is the first.
func (g *Gate) speaks(protocol int) error {
	own := g.o.Protocol
	switch {
	case protocol > own:
		return failure{
			http.StatusUpgradeRequired,
			fmt.Sprintf("the worker speaks protocol %d, this server %d: update the server first", protocol, own),
		}
	case protocol < max(own-1, 1):
		return failure{
			http.StatusUpgradeRequired,
			fmt.Sprintf("the worker speaks protocol %d, this server %d and the one before: update the worker",
				protocol, own),
		}
	}
	return nil
}

func origin(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (g *Gate) answer(w http.ResponseWriter, out any) {
	if out == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	b, err := json.Marshal(out)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // a client that has gone asks again
}

func (g *Gate) fail(w http.ResponseWriter, r *http.Request, err error) {
	var f failure
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &f):
	case errors.Is(err, fleet.ErrRevoked):
		f = errStranger
	case errors.As(err, &large):
		f = failure{http.StatusRequestEntityTooLarge, "this is more than is taken"}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrFull):
		f = failure{http.StatusServiceUnavailable, "the database does not take it; try again"}
	default:
		f = failure{http.StatusInternalServerError, "something went wrong on the server; its log says more"}
		if r.Context().Err() == nil {
			g.o.Log.Error("a worker's request failed", "path", r.URL.Path, "err", err)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(wire.Problem{Detail: f.text})
}

func body[T any](r *http.Request) (v T, err error) {
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return v, err
		}
		return v, errBody
	}
	return v, nil
}

var goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// join enrols a worker that presents a join code.
func (g *Gate) join(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, wire.MaxOther)
	in, err := body[wire.Join](r)
	if err == nil {
		var out wire.Joined
		if out, err = g.enrol(r, in); err == nil {
			g.answer(w, out)
			return
		}
	}
	g.fail(w, r, err)
}

// joinsAtOnce bounds the strangers whose code is looked up at a time, after their body has come. Each also has a
// certificate request checked.
const joinsAtOnce = 4

func (g *Gate) enrol(r *http.Request, in wire.Join) (out wire.Joined, err error) {
	ctx := r.Context()
	select {
	case g.joins <- struct{}{}:
		defer func() { <-g.joins }()
	case <-ctx.Done():
		return out, ctx.Err()
	}
	trust, _, err := g.known(ctx)
	if err != nil {
		return out, err
	}
	if err := g.speaks(in.Protocol); err != nil {
		return out, err
	}
	now := g.o.Clock()
	if _, err := trust.Worker(1, in.Request, now); err != nil { // before the code is used up
		return out, failure{http.StatusBadRequest, "the certificate request cannot be taken"}
	}
	err = g.st.InTx(ctx, func(tx *store.Tx) (err error) {
		out, err = g.admit(ctx, tx, trust, in, origin(r), now)
		return err
	})
	if err == nil {
		g.o.Log.Info("a worker has joined", "worker", out.Name, "site", out.Site, "from", origin(r))
	}
	return out, err
}

// admit uses up the code of a join, and adds the worker with its certificate.
func (g *Gate) admit(ctx context.Context, tx *store.Tx, trust *authority.Authority, in wire.Join, from string,
	now time.Time,
) (out wire.Joined, err error) {
	j, err := tx.TakeJoin(ctx, CodeHash(in.Code))
	if errors.Is(err, store.ErrNotFound) {
		return out, errCode
	}
	if err != nil {
		return out, err
	}
	site, err := tx.Site(ctx, j.SiteID)
	if err != nil {
		return out, err
	}
	name := cmp.Or(j.Name, in.Name)
	if !goodName.MatchString(name) {
		return out, failure{
			http.StatusUnprocessableEntity, "a worker's name has letters, digits, dots and hyphens, 63 at most",
		}
	}
	e := store.Enrolled{
		Name:     name,
		SiteID:   site.ID,
		Origin:   from,
		Protocol: in.Protocol,
		Until:    now,
		Renewed:  now,
	}
	if err := tx.AddEnrolled(ctx, &e); errors.Is(err, store.ErrConflict) {
		return out, failure{http.StatusConflict, "another worker has this name"}
	} else if err != nil {
		return out, err
	}
	issued, err := trust.Worker(e.ID, in.Request, now)
	if err != nil {
		return out, err
	}
	if err := tx.SetCertificate(ctx, e.ID, issued.Serial, "", issued.Until, now); err != nil {
		return out, err
	}
	who := access.System()
	who.From = e.Origin
	if err := g.access.ActIn(ctx, tx, who, "worker.join", e.Name,
		"site "+site.Name+", with the code of "+j.By); err != nil {
		return out, err
	}
	return wire.Joined{
		Worker:      e.ID,
		Name:        e.Name,
		Site:        site.Name,
		Certificate: issued.PEM,
		Authorities: trust.PEM(),
	}, nil
}

// CodeHash returns the stored form of a join code's secret.
func CodeHash(secret string) string {
	sum := sha256.Sum256([]byte("join " + secret))
	return hex.EncodeToString(sum[:])
}

func (g *Gate) renew(r *http.Request, e store.Enrolled) (any, error) {
	in, err := body[wire.Renew](r)
	if err != nil {
		return nil, err
	}
	trust, _, err := g.known(r.Context())
	if err != nil {
		return nil, err
	}
	now := g.o.Clock()
	issued, err := trust.Worker(e.ID, in.Request, now)
	if err != nil {
		return nil, failure{http.StatusBadRequest, "the certificate request cannot be taken"}
	}
	// The presented certificate stays valid until the new one is used: the response may be lost.
	shown := authority.Serial(r.TLS.PeerCertificates[0])
	if err := g.st.SetCertificate(r.Context(), e.ID, issued.Serial, shown, issued.Until, now); err != nil {
		return nil, err
	}
	return wire.Joined{Worker: e.ID, Name: e.Name, Site: e.Site, Certificate: issued.PEM, Authorities: trust.PEM()}, nil
}

func (g *Gate) alive(r *http.Request, e store.Enrolled) (any, error) {
	in, err := body[wire.Alive](r)
	if err != nil {
		return nil, err
	}
	return g.fleet.Heard(r.Context(), e, in)
}

// job waits for a job for a while.
func (g *Gate) job(r *http.Request, e store.Enrolled) (any, error) {
	in, err := body[wire.Ask](r)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(g.o.Wait); ; {
		next := g.fleet.Next() // before the query: a run that begins during it closes the channel
		j, err := g.fleet.Give(r.Context(), e, in.Most)
		if err != nil || j != nil {
			return j, err
		}
		if time.Now().After(end) {
			return nil, nil
		}
		select {
		case <-next:
		case <-time.After(time.Second): // another server may have started one, a window may have opened
		case <-r.Context().Done():
			return nil, nil
		}
	}
}

// atOnce bounds the groups of results that are decoded and stored at a time, over all workers: each has groupBytes and
// one result more at most, and some ten times that when decoded, see model.CheckDocument.
const atOnce = 4

// turnWait is how long a body of results waits for the one before of the same worker. It is shorter than a body may be
// quiet.
const turnWait = 10 * time.Second

var errTurn = failure{http.StatusServiceUnavailable, "other results of this worker are on their way; try again"}

// turn waits until a worker sends no other body of results. A worker has one at a time: it sends one after the other,
// and one that is slow, or stolen, keeps no other worker waiting and has no more than one body in memory.
func (g *Gate) turn(ctx context.Context, e store.Enrolled) (done func(), err error) {
	v, _ := g.turns.LoadOrStore(e.ID, make(chan struct{}, 1))
	turn := v.(chan struct{})
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-time.After(min(turnWait, g.o.Wait)):
		return nil, errTurn
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *Gate) results(r *http.Request, e store.Enrolled) (any, error) {
	done, err := g.turn(r.Context(), e)
	if err != nil {
		return nil, err
	}
	defer done()
	in := newIncoming(r.Body)
	out, err := g.takeAll(r.Context(), e, in)
	if len(out.Refused) > 0 {
		g.o.Log.Warn("results of a worker were refused", "worker", e.Name, "refused", len(out.Refused),
			"first", out.Refused[0].Why)
	}
	return out, err
}

// takeAll reads results as they come, and stores a group at a time. Of a job that is not the worker's it keeps nothing.
func (g *Gate) takeAll(ctx context.Context, e store.Enrolled, in *incoming) (out wire.Taken, err error) {
	job, err := in.begin()
	if err != nil {
		return out, err
	}
	has, err := g.fleet.Has(ctx, e, job)
	if err != nil {
		return out, err
	}
	if !has {
		out.Refused = []wire.Refused{{Why: fleet.NotTheirs}}
		return out, in.drain()
	}
	for {
		group, err := in.group()
		if err != nil {
			return out, err
		}
		if len(group) == 0 {
			return out, in.end()
		}
		part, err := g.takeGroup(ctx, e, job, group)
		if err != nil {
			return out, err
		}
		out.Taken, out.Refused = out.Taken+part.Taken, append(out.Refused, part.Refused...)
	}
}

// takeGroup decodes and stores some results.
func (g *Gate) takeGroup(
	ctx context.Context, e store.Enrolled, job string, group []json.RawMessage,
) (out wire.Taken, err error) {
	select {
	case g.bodies <- struct{}{}:
		defer func() { <-g.bodies }()
	case <-ctx.Done():
		return out, ctx.Err()
	}
	in := wire.Results{Job: job}
	for _, b := range group {
		var which struct {
			Target int64 `json:"target"`
		}
		if json.Unmarshal(b, &which) != nil {
			return out, errBody
		}
		if err := model.CheckDocument(b); err != nil { // decoded, it would take many times its size
			why := err.Error()
			if err := g.fleet.Refuse(ctx, e, job, which.Target, why); err != nil {
				return out, err
			}
			out.Refused = append(out.Refused, wire.Refused{Target: which.Target, Why: why})
			continue
		}
		var r wire.Result
		if json.Unmarshal(b, &r) != nil {
			return out, errBody
		}
		in.Results = append(in.Results, r)
	}
	if len(in.Results) == 0 {
		return out, nil
	}
	taken, err := g.fleet.Take(ctx, e, in)
	taken.Refused = append(out.Refused, taken.Refused...)
	return taken, err
}

func (g *Gate) back(r *http.Request, e store.Enrolled) (any, error) {
	in, err := body[struct {
		Job string `json:"job"`
	}](r)
	if err != nil {
		return nil, err
	}
	err = g.fleet.GiveBack(r.Context(), e, in.Job)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return nil, err
}
