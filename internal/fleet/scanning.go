package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"ipcguard/internal/fleet/drift"
	"ipcguard/internal/model"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/store"
)

// visit is the scan of one address in a job, for one or several units.
type visit struct {
	target store.Target
	where  targets.Target
	names  []string // of all targets that lead here
	also   []alias
	main   *visit // for a further address: the visit of the unit's first one
	more   []*visit
	all    []netip.AddrPort // all addresses of the unit's name
	past   past
	moved  *store.Host // the host that this is, which had another address until now
	entry  *entry
	result *store.Result
	at     time.Time // when it was scanned; zero is now
	left   int       // remaining visits of a unit; under the job's lock
}

// literal parses a spec that is an address, with or without a port.
func literal(spec string) (netip.AddrPort, bool) {
	if a, err := netip.ParseAddrPort(spec); err == nil && a.Port() != 0 {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), true
	}
	if a, err := netip.ParseAddr(spec); err == nil {
		return netip.AddrPortFrom(a.Unmap(), 445), true
	}
	return netip.AddrPort{}, false
}

// scan scans every host of the job. It returns when all are stored or the job has to end.
func (j *job) scan(ctx context.Context) error {
	found, err := j.probe.resolve(ctx)
	if err != nil {
		return err
	}
	for i, t := range j.targets {
		if err := j.plan(ctx, t, found[i]); err != nil {
			return err
		}
	}
	if err := j.recall(ctx); err != nil {
		return err
	}
	done := make(chan error, len(j.visits))
	for _, v := range j.visits {
		if !j.open(ctx) {
			break
		}
		if v.main == nil {
			v.entry = &entry{also: v.also, done: done}
		}
		if err := j.seats.Take(ctx); err != nil {
			break
		}
		j.wg.Go(func() { j.visit(ctx, v) })
	}
	return j.settle(ctx, done)
}

// settle waits for the job's scans and for their results to be stored. It returns the first error.
func (j *job) settle(ctx context.Context, done <-chan error) error {
	j.wg.Wait()
	if j.by != "" || j.seats.Busy() == 0 { // nobody else adds to the group
		j.records.flush()
	}
	for range j.entries {
		if err := <-done; err != nil {
			j.fail(err)
		}
	}
	if j.err == nil {
		j.err = ctx.Err()
	}
	return j.err
}

// plan turns a target into visits, one for each address of its name. An address that the job already has is not scanned
// twice: the unit ends with the other one's scan.
func (j *job) plan(ctx context.Context, t store.Target, found []targets.Target) error {
	var main *visit
	for _, w := range found {
		if w.Err != nil {
			return j.st.FailUnit(ctx, j.run.ID, t.ID, w.Err.Error())
		}
		address := w.Addr.String()
		if other := j.byAddress[address]; other != nil {
			if !slices.Contains(other.names, t.Spec) {
				other.names = append(other.names, t.Spec)
			}
			if main == nil && other.target.ID != t.ID {
				root := other
				if other.main != nil {
					root = other.main
				}
				root.also = append(root.also,
					alias{t.ID, fmt.Sprintf("the same host as %s (%s)", other.target.Spec, address)})
				return nil
			}
			continue
		}
		v := &visit{target: t, where: w, names: []string{t.Spec}}
		if main == nil {
			main = v
		} else {
			v.main = main
			main.more = append(main.more, v)
		}
		main.all = append(main.all, w.Addr)
		main.left++
		j.byAddress[address] = v
		j.visits = append(j.visits, v)
	}
	if main == nil && len(found) == 0 {
		return j.st.FailUnit(ctx, j.run.ID, t.ID, "the name has no address")
	}
	return nil
}

// recall loads what is known of the hosts.
func (j *job) recall(ctx context.Context) error {
	if len(j.visits) == 0 {
		return nil
	}
	known := map[string]store.Host{}
	for part := range slices.Chunk(j.visits, store.MaxPage) { // a job belongs to one site
		addresses := make([]string, len(part))
		for i, v := range part {
			addresses[i] = v.where.Addr.String()
		}
		some, err := j.st.HostsByAddress(ctx, j.visits[0].target.SiteID, addresses)
		if err != nil {
			return err
		}
		maps.Copy(known, some)
	}
	var ids []int64
	for _, v := range j.visits {
		if h, ok := known[v.where.Addr.String()]; ok {
			v.past.host = &h
			ids = append(ids, h.ID)
		}
	}
	last := map[int64]store.Snapshot{}
	for part := range slices.Chunk(ids, store.MaxPage) {
		some, err := j.st.LastSnapshots(ctx, part, store.RunScan)
		if err != nil {
			return err
		}
		maps.Copy(last, some)
	}
	open, err := j.openFindings(ctx)
	if err != nil {
		return err
	}
	for _, v := range j.visits {
		if v.past.host != nil {
			if s, ok := last[v.past.host.ID]; ok {
				v.past.last = &s
			}
			v.past.open = open[v.past.host.ID]
		}
	}
	return nil
}

// openFindings loads the open findings of a quick job's hosts: a quick scan asks too little to end them.
func (j *job) openFindings(ctx context.Context) (map[int64][]store.HostFinding, error) {
	if !j.run.Quick {
		return nil, nil
	}
	var ids []int64
	for _, v := range j.visits {
		if v.past.host != nil && v.past.host.Findings > 0 {
			ids = append(ids, v.past.host.ID)
		}
	}
	open := map[int64][]store.HostFinding{}
	for part := range slices.Chunk(ids, store.MaxPage) {
		some, err := j.st.OpenFindings(ctx, part, store.RunScan)
		if err != nil {
			return nil, err
		}
		maps.Copy(open, some)
	}
	return open, nil
}

// seen reports whether a host already has a result of this run: another name led to it, in another job.
func (j *job) seen(ctx context.Context, v *visit) (bool, error) {
	h := v.past.host
	if h == nil || h.LastSeen.Before(j.run.Created) {
		return false, nil
	}
	list, _, err := j.st.Results(ctx, h.ID, store.Page{Size: 5})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list, func(r store.Result) bool {
		return r.RunID == j.run.ID && r.TargetID != v.target.ID
	}), nil
}

// visit scans one host, and passes on its unit's results when the last of the unit's hosts is done.
func (j *job) visit(ctx context.Context, v *visit) {
	err := func() error {
		defer j.seats.Free()
		if v.main == nil && len(v.more) == 0 {
			again, err := j.seen(ctx, v)
			if err != nil {
				return err
			}
			if again {
				err := j.st.SkipUnit(ctx, j.run.ID, v.target.ID,
					"the host was done under another name: "+v.past.host.Name)
				for _, a := range v.also {
					err = errors.Join(err, j.st.SkipUnit(ctx, j.run.ID, a.target, a.reason))
				}
				return err
			}
		}
		s, err := j.probe.ask(ctx, v)
		if err != nil || s == nil {
			return err
		}
		return j.judge(ctx, v, s)
	}()
	if err != nil {
		j.fail(err)
		if !later(err) && ctx.Err() == nil {
			j.o.Log.Error("a host is left out of this job", "target", v.target.Spec, "err", err)
		}
		return
	}
	if v.result == nil {
		return
	}
	root := v
	if v.main != nil {
		root = v.main
	}
	j.lock.Lock()
	root.left--
	ready := root.left == 0
	if ready {
		j.entries++
	}
	j.lock.Unlock()
	if !ready {
		return
	}
	j.done.Add(1)
	e := root.entry
	e.own, e.moved = root.result, root.moved
	for _, m := range root.more {
		e.further = append(e.further, m.result)
	}
	j.records.add(*e)
}

// ask scans a host. It returns nil if the job ended during the scan.
func (j *job) ask(ctx context.Context, v *visit) (*model.Scan, error) {
	scanner, err := j.scanner(ctx, j.run.Quick, v.target)
	if err != nil {
		return nil, err
	}
	v.where.Aliases = slices.DeleteFunc(slices.Clone(v.names), func(n string) bool { return n == v.where.Name })
	s := scanner.Host(ctx, v.where)
	if ctx.Err() != nil && (s.Partial || !drift.Conclusive(s.Verdict)) {
		return nil, nil
	}
	return s, nil
}

// judge turns a scan into a result.
func (j *job) judge(ctx context.Context, v *visit, s *model.Scan) error {
	sameAs, err := j.identify(ctx, v, identityOf(&s.Server))
	if err != nil {
		return err
	}
	if m := v.moved; m != nil {
		v.past.host = m
		last, _, err := j.st.LastSnapshot(ctx, m.ID, store.RunScan)
		if err == nil {
			v.past.last = &last
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	now := j.reach.Scan(s)
	if p := &v.past; p.host != nil && p.last != nil {
		if !drift.Settled(p.last) {
			spans, err := j.st.Spans(ctx, p.host.ID, store.RunScan)
			if err != nil {
				return err
			}
			for _, x := range spans {
				p.history = append(p.history, x.Snapshot)
			}
		}
		if p.host.Findings > 0 && p.open == nil && (unclear(s, &now) || j.run.Quick) {
			open, err := j.st.OpenFindings(ctx, []int64{p.host.ID}, store.RunScan)
			if err != nil {
				return err
			}
			p.open = open[p.host.ID]
		}
	}
	r, err := j.ofScan(s, now, j.run.Quick, v.names, &v.past)
	if err != nil {
		return err
	}
	r.Host.SiteID, r.Host.SameAs = v.target.SiteID, sameAs
	if v.main == nil {
		r.RunID, r.TargetID = j.run.ID, v.target.ID
	}
	if !v.at.IsZero() {
		r.At, r.Worker = v.at, j.by
		stamp(r)
	}
	if v.moved != nil {
		r.Reason = joined(r.Reason, fmt.Sprintf("the host has moved from %s to %s", v.moved.Address, r.Host.Address))
		j.o.Log.Info("a host has moved", "target", v.target.Spec, "from", v.moved.Address, "to", r.Host.Address)
	}
	if err := j.excuse(ctx, r, v.past.host); err != nil {
		return err
	}
	v.result = r
	return nil
}

// identify finds out whether a host is known under another address. The host of the same target at an address that the
// name no longer has, has moved; any other one only looks like the same machine, and is marked.
func (j *job) identify(ctx context.Context, v *visit, identity string) (sameAs int64, err error) {
	h := v.past.host
	if identity == "" || h != nil && h.Identity == identity && (h.SameAs != 0 || h.LastSeen.After(h.FirstSeen)) {
		// It was checked when it was new and once more: two may be new at the same time.
		return 0, nil
	}
	same, err := j.st.HostsByIdentity(ctx, v.target.SiteID, identity)
	if err != nil {
		return 0, err
	}
	for _, other := range same {
		if other.Address == v.where.Addr.String() || h != nil && other.ID >= h.ID {
			continue
		}
		if other.ID == v.target.HostID && h == nil && v.main == nil &&
			!slices.ContainsFunc(v.all, func(a netip.AddrPort) bool { return a.String() == other.Address }) {
			v.moved = &other
			return 0, nil
		}
		if sameAs == 0 {
			sameAs = other.ID
		}
	}
	return sameAs, nil
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// scannerKey distinguishes scanners: what they ask, and as whom.
type scannerKey struct {
	quick      bool
	credential int64
	round      int64 // a stored credential is reopened after a while, so that changes take effect
}

// credentialAge is how long a scanner with a stored credential is used.
const credentialAge = 5 * time.Minute

// scanner returns the scanner for a target, and creates it if needed.
func (f *Fleet) scanner(ctx context.Context, quick bool, t store.Target) (*scan.Scanner, error) {
	key := scannerKey{quick: quick}
	if t.Credential != 0 && !quick && f.o.Authenticate != nil {
		key.credential, key.round = t.Credential, f.now().UnixNano()/int64(credentialAge)
	}
	f.lock.Lock()
	s := f.scanners[key]
	f.lock.Unlock()
	if s != nil {
		return s, nil
	}
	o := f.o.Scan
	o.Quick, o.Catalog, o.Rate, o.Pace = quick, f.o.Catalog, 0, f.pace
	if key.credential != 0 {
		logon, err := f.logon(ctx, t)
		if err != nil {
			f.o.Log.Warn("a credential cannot be used; the host is asked without", "target", t.Spec, "err", err)
		} else if logon.Scan != nil {
			logon.Scan(&o)
		}
	}
	s, err := scan.New(o)
	if err != nil {
		return nil, err
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	if other := f.scanners[key]; other != nil {
		return other, nil
	}
	for k := range f.scanners { // scanners of an earlier round are no longer used
		if k.round != 0 && k.round != key.round && key.round != 0 {
			delete(f.scanners, k)
		}
	}
	f.scanners[key] = s
	return s, nil
}

// logon opens a target's stored credential.
func (f *Fleet) logon(ctx context.Context, t store.Target) (Logon, error) {
	if f.o.Authenticate == nil {
		return Logon{}, errors.New("fleet: stored credentials are not used here")
	}
	c, err := f.st.Credential(ctx, t.Credential)
	if err != nil {
		return Logon{}, fmt.Errorf("fleet: credential: %w", err)
	}
	plain, err := f.o.Key.Open(c.Sealed)
	if err != nil {
		return Logon{}, fmt.Errorf("fleet: credential %s: %w", c.Name, err)
	}
	defer clear(plain)
	l, err := f.o.Authenticate(ctx, c, plain, t)
	if err != nil {
		return Logon{}, fmt.Errorf("fleet: credential %s: %w", c.Name, err)
	}
	return l, nil
}
