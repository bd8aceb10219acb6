package fleet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/fleet/places"
	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/store"
)

// A remote worker has no database. It gets units of its own site, scans the hosts, and reports their answers: see
// docs/fleet-worker-protocol.md. The server judges the answers by the same steps as for hosts that it scans itself.

// clockSlack is how much older than its job a result may be: messages take time.
const clockSlack = 5 * time.Minute

// openFor bounds how long a window is promised to a worker: a job takes no longer.
const openFor = 15 * time.Minute

// ErrRevoked says that a worker was revoked while it asked.
var ErrRevoked = errors.New("fleet: the worker was revoked")

// Give returns the next job of an enrolled worker's site, or nil. The job's units are assigned to the worker.
func (f *Fleet) Give(ctx context.Context, e store.Enrolled, most int) (*wire.Job, error) {
	site, err := f.st.Site(ctx, e.SiteID)
	if err != nil {
		return nil, err
	}
	runs, err := f.st.OpenRuns(ctx)
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if run.Selector.Site != "" && run.Selector.Site != site.Name {
			continue
		}
		windows, err := f.windowsOf(ctx, e.SiteID, run.Schedule)
		if err != nil {
			return nil, err
		}
		open := windows.open(f.now(), openFor)
		if open == 0 {
			continue
		}
		size := min(max(most, 1), f.batchSize(run.Kind, site.Rate), wire.MaxTargets)
		h, units, err := f.handOut(ctx, e, run, size)
		if err != nil {
			return nil, err
		}
		if len(units) > 0 {
			return f.describe(ctx, run, h, units, open)
		}
	}
	return nil, nil
}

// handOut assigns units to a worker and records it, in one transaction.
func (f *Fleet) handOut(
	ctx context.Context, e store.Enrolled, run store.Run, size int,
) (h store.Handout, units []store.Unit, err error) {
	err = f.st.InTx(ctx, func(tx *store.Tx) error {
		units = nil
		ids, err := tx.WaitingTargets(ctx, run.ID, e.SiteID, size)
		if err != nil || len(ids) == 0 {
			return err
		}
		// The request may have waited since before the worker was revoked.
		now, err := tx.EnrolledWorker(ctx, e.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && !now.Revoked.IsZero() {
			return ErrRevoked
		}
		if err != nil {
			return err
		}
		if units, err = tx.TakeUnits(ctx, run.ID, ids, e.Name); err != nil || len(units) == 0 {
			return err
		}
		h = store.Handout{ID: rand.Text(), Worker: e.ID, RunID: run.ID, At: f.now(), Targets: ids}
		return tx.AddHandout(ctx, h)
	})
	return h, units, err
}

// describe returns a job as it is sent, with the secrets of its own targets only.
func (f *Fleet) describe(
	ctx context.Context, run store.Run, h store.Handout, units []store.Unit, open time.Duration,
) (*wire.Job, error) {
	j := &job{Fleet: f, run: run}
	if err := j.load(ctx, units); err != nil {
		return nil, err
	}
	out := &wire.Job{ID: h.ID, Kind: run.Kind, Quick: run.Quick, OpenMS: open.Milliseconds()}
	opened := map[int64]bool{}
	for _, t := range j.targets {
		x := wire.Target{ID: t.ID, Spec: t.Spec}
		switch run.Kind {
		case store.RunScan:
			if !run.Quick {
				x.Credential = t.Credential
			}
		case store.RunAudit:
			x.Credential, x.AuditSource = t.Credential, t.AuditSource
			host, err := f.hostOf(ctx, t)
			if err != nil {
				return nil, err
			}
			if host != nil {
				if b, _, err := f.st.Document(ctx, host.ID, string(store.RunScan)); err == nil && json.Valid(b) {
					x.Scan = b
				}
			}
		case store.RunDiscover:
			s, err := j.sweepSoFar(ctx, sweepKey(run.ID, t.ID))
			if err != nil {
				return nil, err
			}
			x.Next = s.Next
		}
		if x.Credential != 0 && !opened[x.Credential] {
			opened[x.Credential] = true
			c, err := f.st.Credential(ctx, x.Credential)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			if secret, err := f.o.Key.Open(c.Sealed); err == nil {
				out.Credentials = append(out.Credentials, wire.Credential{
					ID:      c.ID,
					Name:    c.Name,
					Kind:    c.Kind,
					Account: c.Account,
					Secret:  secret,
				})
			} else {
				f.o.Log.Warn("a credential cannot be used; hosts are asked without", "credential", c.Name, "err", err)
			}
		}
		out.Targets = append(out.Targets, x)
	}
	return out, nil
}

// open returns how long all windows stay open, at most most and to the minute; 0 says that one is closed.
func (w windows) open(now time.Time, most time.Duration) time.Duration {
	if w.wait(now) > 0 {
		return 0
	}
	for d := time.Minute; d < most; d += time.Minute {
		if w.wait(now.Add(d)) > 0 {
			return d
		}
	}
	return most
}

// Heard records a heartbeat of an enrolled worker, and returns its share of the site's rate and which of its jobs have
// ended.
func (f *Fleet) Heard(ctx context.Context, e store.Enrolled, in wire.Alive) (wire.State, error) {
	var out wire.State
	if err := f.st.Heartbeat(ctx, store.Worker{
		Name: e.Name, Site: e.Site, Version: shown(in.Version), Protocol: e.Protocol,
		Started: e.Created, Seen: f.now(), Busy: min(max(in.Busy, 0), wire.MaxJobs*wire.MaxTargets),
		Done: max(in.Done, 0),
	}); err != nil {
		return out, err
	}
	site, rate, err := f.share(ctx, e.Site)
	if err != nil {
		return out, err
	}
	out.Rate, out.Concurrency, out.Ended = rate, site.Concurrency, []string{}
	// Some may still be on their way to it. Another server's clock may be ahead; those of much later were given before
	// the clock was set back.
	now, while := f.now(), store.MissedBeats*f.o.Heartbeat
	has, err := f.st.RecentHandouts(ctx, e.ID, now.Add(-while), now.Add(while))
	if err != nil {
		return out, err
	}
	for _, id := range in.Jobs[:min(len(in.Jobs), wire.MaxJobs)] {
		h, err := f.goesOn(ctx, e, id)
		if err != nil {
			return out, err
		}
		if h == nil {
			out.Ended = append(out.Ended, id)
			continue
		}
		has = append(has, *h)
	}
	return out, f.forgotten(ctx, e, has)
}

// forgotten releases the units that the store assigns to a worker that does not know them: it was killed and has
// restarted.
func (f *Fleet) forgotten(ctx context.Context, e store.Enrolled, has []store.Handout) error {
	running, err := f.st.RunningUnits(ctx, e.Name)
	if err != nil {
		return err
	}
	for run, ids := range running {
		lost := slices.DeleteFunc(ids, func(id int64) bool {
			return slices.ContainsFunc(has, func(h store.Handout) bool {
				return h.RunID == run && slices.Contains(h.Targets, id)
			})
		})
		if len(lost) == 0 {
			continue
		}
		n, err := f.st.ReturnUnits(ctx, run, lost, e.Name)
		if err != nil {
			return err
		}
		f.o.Log.Info("a worker has forgotten what it had in hand; it waits for others", "worker", e.Name, "run", run,
			"units", n)
	}
	return nil
}

// goesOn returns a worker's job if its run is still active.
func (f *Fleet) goesOn(ctx context.Context, e store.Enrolled, id string) (*store.Handout, error) {
	h, err := f.st.Handout(ctx, id, e.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	run, err := f.st.Run(ctx, h.RunID)
	if err != nil || !run.Ended.IsZero() {
		return nil, err
	}
	return &h, nil
}

// GiveBack releases the units of a job that a worker has not done.
func (f *Fleet) GiveBack(ctx context.Context, e store.Enrolled, id string) error {
	h, err := f.st.Handout(ctx, id, e.ID)
	if err != nil {
		return err
	}
	_, err = f.st.ReturnUnits(ctx, h.RunID, h.Targets, e.Name)
	return err
}

// Drop releases all units of a worker: it was revoked.
func (f *Fleet) Drop(ctx context.Context, tx *store.Tx, e store.Enrolled) error {
	if _, err := tx.ResetUnits(ctx, e.Name); err != nil {
		return err
	}
	if err := tx.RemoveWorker(ctx, e.Name); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// Has reports whether a job is that of an enrolled worker: nothing else of a body of results need be read if not.
func (f *Fleet) Has(ctx context.Context, e store.Enrolled, id string) (bool, error) {
	_, err := f.st.Handout(ctx, id, e.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// NotTheirs is why results of a job that is not the worker's are refused.
const NotTheirs = "the job is not this worker's"

// Take stores an enrolled worker's results for the targets of a job. A result that does not belong to the job is
// refused, and so is one that cannot be stored, whose unit fails with the reason; the others are kept. Errors come from
// the database: the worker may send the same results again, and those that were stored are told before then.
func (f *Fleet) Take(ctx context.Context, e store.Enrolled, in wire.Results) (wire.Taken, error) {
	k := &taking{Fleet: f, worker: e, now: f.now()}
	var err error
	k.h, err = f.st.Handout(ctx, in.Job, e.ID)
	if errors.Is(err, store.ErrNotFound) {
		for _, r := range in.Results {
			k.refuse(r.Target, NotTheirs)
		}
		return k.out, nil
	}
	if err != nil {
		return k.out, err
	}
	if k.run, err = f.st.Run(ctx, k.h.RunID); err != nil {
		return k.out, err
	}
	if k.known, err = f.st.TargetsByID(ctx, k.h.Targets); err != nil {
		return k.out, err
	}
	k.known = slices.DeleteFunc(k.known, func(t store.Target) bool { return t.SiteID != e.SiteID })
	if k.units, err = k.states(ctx); err != nil {
		return k.out, err
	}
	err = k.take(ctx, in.Results)
	return k.out, err
}

// taking is the storing of a worker's results.
type taking struct {
	*Fleet
	worker store.Enrolled
	run    store.Run
	h      store.Handout
	known  []store.Target       // of the job
	units  map[int64]store.Unit // of the job, as they were
	now    time.Time
	out    wire.Taken
}

func (k *taking) refuse(target int64, why string) {
	k.out.Refused = append(k.out.Refused, wire.Refused{Target: target, Why: shown(why)})
}

// states returns the units of the job by target.
func (k *taking) states(ctx context.Context) (map[int64]store.Unit, error) {
	all, err := k.st.UnitsOf(ctx, k.run.ID, k.h.Targets)
	out := map[int64]store.Unit{}
	for _, u := range all {
		out[u.TargetID] = u
	}
	return out, err
}

func (k *taking) take(ctx context.Context, results []wire.Result) error {
	good := reported{results: map[int64]wire.Result{}, at: map[int64]time.Time{}, scans: map[string]*model.Scan{}}
	j := &job{
		Fleet:     k.Fleet,
		run:       k.run,
		cancel:    func() {},
		byAddress: map[string]*visit{},
		seats:     places.New(wire.MaxTargets),
		by:        k.worker.Name,
	}
	failed := false
	for _, r := range results {
		t, why := k.admits(&r)
		if _, twice := good.results[r.Target]; twice && why == "" && k.run.Kind != store.RunDiscover {
			why = "told twice"
		}
		if why == "" {
			if why = unfitResult(&r); why != "" {
				failed = true
				if err := k.st.FailUnit(ctx, k.run.ID, t.ID, unfitWords+shown(why)); err != nil {
					return err
				}
			}
		}
		if why != "" {
			k.refuse(r.Target, why)
			continue
		}
		good.results[r.Target], good.at[r.Target] = r, k.now.Add(-time.Duration(r.AgeMS)*time.Millisecond)
		if k.run.Kind == store.RunDiscover { // its parts are stored one after the other
			if err := k.takePart(ctx, j, t, r); err != nil {
				return err
			}
			continue
		}
		j.targets = append(j.targets, t)
	}
	var err error
	switch {
	case k.run.Kind == store.RunScan && len(j.targets) > 0:
		err = j.takeScans(ctx, &good)
	case k.run.Kind == store.RunAudit && len(j.targets) > 0:
		err = j.takeAudits(ctx, &good)
	case failed:
		err = j.maybeLast(ctx)
	}
	if err != nil {
		return err
	}
	return k.count(ctx, j.targets, &good)
}

// unfitWords is what the reason of a unit begins with whose result was refused for what it holds.
const unfitWords = "the worker's result cannot be stored: "

// Refuse fails the unit of a result that was not decoded, and answers it: it is of a target of the worker's job, and
// why says what is wrong with it.
func (f *Fleet) Refuse(ctx context.Context, e store.Enrolled, id string, target int64, why string) error {
	h, err := f.st.Handout(ctx, id, e.ID)
	if err != nil || !slices.Contains(h.Targets, target) {
		return ignoreNotFound(err)
	}
	run, err := f.st.Run(ctx, h.RunID)
	if err != nil || !run.Ended.IsZero() {
		return err
	}
	if err := f.st.FailUnit(ctx, run.ID, target, unfitWords+shown(why)); err != nil {
		return err
	}
	return (&job{Fleet: f, run: run, cancel: func() {}}).maybeLast(ctx)
}

func ignoreNotFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// takePart stores a part of a discovery, and counts it.
func (k *taking) takePart(ctx context.Context, j *job, t store.Target, r wire.Result) error {
	taken, err := j.takeSearch(ctx, t, r)
	switch {
	case err != nil:
		return err
	case !taken:
		k.refuse(t.ID, wire.ToldBefore)
	default:
		k.out.Taken++
		if u := k.units[t.ID]; r.Next == "" {
			u.State = store.UnitDone
			k.units[t.ID] = u
		}
	}
	return nil
}

// count counts what was stored: another worker may have told a result first, and the database may refuse one.
func (k *taking) count(ctx context.Context, all []store.Target, told *reported) error {
	if len(all) == 0 {
		return nil
	}
	units, err := k.states(ctx)
	if err != nil {
		return err
	}
	for _, t := range all {
		u, ok := units[t.ID]
		switch {
		case !ok: // its run was deleted meanwhile
			k.refuse(t.ID, wire.ToldBefore)
		case u.State == store.UnitDone && u.Worker != k.worker.Name:
			k.refuse(t.ID, wire.ToldBefore)
		case u.State == store.UnitFailed && told.results[t.ID].Error == "":
			k.refuse(t.ID, u.Reason)
		default:
			k.out.Taken++
		}
	}
	return nil
}

// admits returns the target that a result of a job is of, and why the result is not one of it, or "".
func (k *taking) admits(r *wire.Result) (store.Target, string) {
	i := slices.IndexFunc(k.known, func(t store.Target) bool { return t.ID == r.Target })
	if i < 0 {
		return store.Target{}, "the target is not one of the job"
	}
	t := k.known[i]
	switch u, ok := k.units[t.ID]; {
	case ok && u.State != store.UnitWaiting && u.State != store.UnitRunning:
		return t, wire.ToldBefore
	case !k.run.Ended.IsZero():
		return t, "the run has ended"
	// Compare milliseconds: a peer may send any number, and most overflow a Duration.
	case r.AgeMS < 0 || r.AgeMS > k.now.Sub(k.h.At.Add(-clockSlack)).Milliseconds():
		return t, fmt.Sprintf("%d ms old: that is before the job, or in the future", r.AgeMS)
	}
	return t, belongs(k.run.Kind, t, r, k.knockPorts())
}

// mostAddresses bounds the addresses of a name: a lookup takes no more.
const mostAddresses = 64

// belongs returns why a result is not one of its target and kind of run, or an empty string. ports are those that a
// discovery asks.
func belongs(kind store.RunKind, t store.Target, r *wire.Result, ports []uint16) string {
	if r.Error != "" {
		return ""
	}
	if why := belongsAt(kind, t, r.Found, ports); why != "" {
		return why
	}
	switch kind {
	case store.RunDiscover:
		if r.Asked > sweepGroup {
			return "more addresses than a part of a search has"
		}
		if next, err := netip.ParseAddr(r.Next); r.Next != "" && (err != nil || !within(t.Spec, next)) {
			return "a search that goes on outside its range"
		}
	case store.RunScan:
		if len(r.Scans) == 0 || len(r.Scans) != len(r.Found) {
			return "want a scan of each address"
		}
		for i, s := range r.Scans {
			if s == nil || s.Schema != model.SchemaScan || s.Target != t.Spec || s.Address != r.Found[i] {
				return "a scan of something else"
			}
		}
	case store.RunAudit:
		if r.Audit == nil || r.Audit.Schema != model.SchemaAudit {
			return "want an audit"
		}
	}
	return ""
}

// belongsAt returns why addresses are not those of a target, or an empty string.
func belongsAt(kind store.RunKind, t store.Target, all []string, ports []uint16) string {
	if most := mostAddresses; len(all) > most && kind != store.RunDiscover || len(all) > sweepGroup {
		return "more addresses than a name or a part of a search has"
	}
	a, literally := literal(t.Spec)
	for _, text := range all {
		found, err := netip.ParseAddrPort(text)
		switch {
		case err != nil || found.Port() == 0 || found.String() != text || found.Addr().Is4In6() ||
			!literally && found.Addr().Zone() != "":
			return "an address that is none"
		case kind != store.RunDiscover && literally && found != a:
			return "not the address of the target"
		case kind == store.RunDiscover && !within(t.Spec, found.Addr()):
			return "not an address of the range"
		case kind == store.RunDiscover && !slices.Contains(ports, found.Port()):
			return "not a port that a discovery asks"
		}
	}
	return ""
}

// unfitResult returns why a result that belongs to its target cannot be stored, or an empty string.
func unfitResult(r *wire.Result) string {
	if r.Error != "" {
		return ""
	}
	for _, s := range r.Scans {
		if s == nil { // of another kind of run, which does not use them
			continue
		}
		if why := unfit(s); why != "" {
			return why
		}
	}
	if r.Audit != nil {
		return unfitAudit(r.Audit)
	}
	return ""
}

// within reports whether an address is in a prefix or a range as typed.
func within(spec string, a netip.Addr) bool {
	a = a.Unmap()
	if p, err := netip.ParsePrefix(spec); err == nil {
		return p.Masked().Contains(a)
	}
	left, right, _ := strings.Cut(spec, "-")
	first, err := netip.ParseAddr(left)
	if err != nil {
		return false
	}
	last, err := netip.ParseAddr(right)
	if err != nil { // 10.0.0.1-99: only the last number
		i := strings.LastIndexAny(left, ".:")
		if last, err = netip.ParseAddr(left[:i+1] + right); err != nil {
			return false
		}
	}
	return a.BitLen() == first.BitLen() && a.Compare(first) >= 0 && a.Compare(last) <= 0
}

// reported is a prober that returns what a worker has reported.
type reported struct {
	job     *job
	results map[int64]wire.Result
	at      map[int64]time.Time
	scans   map[string]*model.Scan // by address
}

func (p *reported) resolve(context.Context) ([][]targets.Target, error) {
	out := make([][]targets.Target, len(p.job.targets))
	for i, t := range p.job.targets {
		r := p.results[t.ID]
		if r.Error != "" {
			out[i] = []targets.Target{{Name: t.Spec, Err: errors.New(shown(r.Error))}}
			continue
		}
		for k, text := range r.Found {
			a := netip.MustParseAddrPort(text) // checked on arrival
			out[i] = append(out[i], targets.Target{Name: t.Spec, Addr: a})
			p.scans[a.String()] = r.Scans[k]
		}
	}
	return out, nil
}

func (p *reported) ask(_ context.Context, v *visit) (*model.Scan, error) {
	s := p.scans[v.where.Addr.String()]
	v.at = p.at[v.target.ID]
	s.Started = v.at
	return s, nil
}

// takeScans judges and stores scans as if this process had scanned the hosts.
func (j *job) takeScans(ctx context.Context, p *reported) error {
	p.job, j.probe = j, p
	if err := j.scan(ctx); err != nil {
		return err
	}
	return j.maybeLast(ctx)
}

func (j *job) takeAudits(ctx context.Context, p *reported) error {
	done := make(chan error, len(j.targets))
	for _, t := range j.targets {
		r := p.results[t.ID]
		if r.Error != "" {
			if err := j.st.FailUnit(ctx, j.run.ID, t.ID, shown(r.Error)); err != nil {
				return err
			}
			continue
		}
		host, err := j.hostOf(ctx, t)
		if err != nil {
			return err
		}
		address := ""
		switch {
		case host != nil:
			address = host.Address
		case len(r.Found) > 0:
			address = r.Found[0]
		default:
			if err := j.st.FailUnit(ctx, j.run.ID, t.ID, errNoAddress.Error()); err != nil {
				return err
			}
			continue
		}
		result, err := j.judgeAudit(ctx, t, r.Audit, address, p.at[t.ID], &past{host: host})
		if err != nil {
			return err
		}
		result.At, result.Worker, result.DurationMS = p.at[t.ID], j.by, 0
		stamp(result)
		j.entries++
		j.records.add(entry{own: result, done: done})
	}
	if err := j.settle(ctx, done); err != nil {
		return err
	}
	return j.maybeLast(ctx)
}

// takeSearch stores one part of a search, and reports whether it did: none is stored twice.
func (j *job) takeSearch(ctx context.Context, t store.Target, r wire.Result) (bool, error) {
	if r.Error != "" {
		return true, j.st.FailUnit(ctx, j.run.ID, t.ID, shown(r.Error))
	}
	key := sweepKey(j.run.ID, t.ID)
	s, err := j.sweepSoFar(ctx, key)
	if err != nil || s.Next != r.From {
		return false, err
	}
	var found []netip.AddrPort
	for _, text := range r.Found {
		found = append(found, netip.MustParseAddrPort(text)) // checked on arrival
	}
	if err := j.note(ctx, t, key, &s, found, max(r.Asked, 0), r.Next); err != nil {
		return false, err
	}
	if r.Next != "" {
		return true, nil
	}
	if err := j.searched(ctx, t, key, s); err != nil {
		return false, err
	}
	return true, j.maybeLast(ctx)
}

// maybeLast ends the run if these were its last results.
func (j *job) maybeLast(ctx context.Context) error {
	run, err := j.st.Run(ctx, j.run.ID)
	if err != nil || run.Done < run.Total || !run.Ended.IsZero() {
		return err
	}
	return j.finish(ctx)
}
