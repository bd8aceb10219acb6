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

// Take stores an enrolled worker's results for the targets of a job. A result that does not belong to the job is
// refused; the others are kept. Errors come from the database: the worker may send the same results again.
func (f *Fleet) Take(ctx context.Context, e store.Enrolled, in wire.Results) (wire.Taken, error) {
	var out wire.Taken
	refuse := func(target int64, why string) {
		out.Refused = append(out.Refused, wire.Refused{Target: target, Why: shown(why)})
	}
	h, err := f.st.Handout(ctx, in.Job, e.ID)
	if errors.Is(err, store.ErrNotFound) {
		for _, r := range in.Results {
			refuse(r.Target, "the job is not this worker's")
		}
		return out, nil
	}
	if err != nil {
		return out, err
	}
	run, err := f.st.Run(ctx, h.RunID)
	if err != nil {
		return out, err
	}
	known, err := f.st.TargetsByID(ctx, h.Targets)
	if err != nil {
		return out, err
	}
	known = slices.DeleteFunc(known, func(t store.Target) bool { return t.SiteID != e.SiteID })
	now := f.now()
	good := reported{results: map[int64]wire.Result{}, at: map[int64]time.Time{}, scans: map[string]*model.Scan{}}
	j := &job{
		Fleet:     f,
		run:       run,
		cancel:    func() {},
		byAddress: map[string]*visit{},
		seats:     places.New(wire.MaxTargets),
		by:        e.Name,
	}
	for _, r := range in.Results {
		t, why := admits(run, h, known, &r, now)
		if _, twice := good.results[r.Target]; twice && why == "" && run.Kind != store.RunDiscover {
			why = "told twice"
		}
		if why != "" {
			refuse(r.Target, why)
			continue
		}
		good.results[r.Target], good.at[r.Target] = r, now.Add(-time.Duration(r.AgeMS)*time.Millisecond)
		j.targets = append(j.targets, t)
		out.Taken++
		if run.Kind == store.RunDiscover { // its parts are stored one after the other
			if err := j.takeSearch(ctx, t, r); err != nil {
				return out, err
			}
		}
	}
	switch run.Kind {
	case store.RunScan:
		err = j.takeScans(ctx, &good)
	case store.RunAudit:
		err = j.takeAudits(ctx, &good)
	}
	return out, err
}

// admits returns the target that a result of a job is of, and why the result is refused, or "".
func admits(run store.Run, h store.Handout, known []store.Target, r *wire.Result, now time.Time) (store.Target, string) {
	i := slices.IndexFunc(known, func(t store.Target) bool { return t.ID == r.Target })
	switch {
	case i < 0:
		return store.Target{}, "the target is not one of the job"
	case !run.Ended.IsZero():
		return known[i], "the run has ended"
	// Compare milliseconds: a peer may send any number, and most overflow a Duration.
	case r.AgeMS < 0 || r.AgeMS > now.Sub(h.At.Add(-clockSlack)).Milliseconds():
		return known[i], fmt.Sprintf("%d ms old: that is before the job, or in the future", r.AgeMS)
	}
	return known[i], check(run.Kind, known[i], r)
}

// check returns what is wrong with a result, or an empty string.
func check(kind store.RunKind, t store.Target, r *wire.Result) string {
	if r.Error != "" {
		return ""
	}
	a, literally := literal(t.Spec)
	for _, text := range r.Found {
		found, err := netip.ParseAddrPort(text)
		switch {
		case err != nil || found.Port() == 0 || found.String() != text || found.Addr().Is4In6() ||
			!literally && found.Addr().Zone() != "":
			return "an address that is none"
		case kind != store.RunDiscover && literally && found != a:
			return "not the address of the target"
		case kind == store.RunDiscover && !within(t.Spec, found.Addr()):
			return "not an address of the range"
		}
	}
	switch kind {
	case store.RunDiscover:
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
			if why := unfit(s); why != "" {
				return why
			}
		}
	case store.RunAudit:
		if r.Audit == nil || r.Audit.Schema != model.SchemaAudit {
			return "want an audit"
		}
		return unfitFindings(r.Audit.Findings)
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
	if len(j.targets) == 0 {
		return nil
	}
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

// takeSearch stores one part of a search. It ignores a part that was stored before.
func (j *job) takeSearch(ctx context.Context, t store.Target, r wire.Result) error {
	if r.Error != "" {
		return j.st.FailUnit(ctx, j.run.ID, t.ID, shown(r.Error))
	}
	key := sweepKey(j.run.ID, t.ID)
	s, err := j.sweepSoFar(ctx, key)
	if err != nil || s.Next != r.From {
		return err
	}
	var found []netip.AddrPort
	for _, text := range r.Found {
		found = append(found, netip.MustParseAddrPort(text)) // checked on arrival
	}
	if err := j.note(ctx, t, key, &s, found, max(r.Asked, 0), r.Next); err != nil {
		return err
	}
	if r.Next != "" {
		return nil
	}
	if err := j.searched(ctx, t, key, s); err != nil {
		return err
	}
	return j.maybeLast(ctx)
}

// maybeLast ends the run if these were its last results.
func (j *job) maybeLast(ctx context.Context) error {
	run, err := j.st.Run(ctx, j.run.ID)
	if err != nil || run.Done < run.Total || !run.Ended.IsZero() {
		return err
	}
	return j.finish(ctx)
}
