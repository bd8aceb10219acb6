package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"ipcguard/internal/audit"
	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/wire"
	"ipcguard/internal/model"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/store"
)

// work is one job in progress.
type work struct {
	*Worker
	wire.Job
	cancel context.CancelFunc
	until  time.Time // no host starts after that: the window closes

	lock     sync.Mutex
	scanners map[int64]*scan.Scanner // by credential
	asked    map[netip.AddrPort]*look
	left     bool // something was not done
}

// look is the scan of one address, to which several names may resolve.
type look struct {
	once sync.Once
	scan *model.Scan
	at   time.Time
}

// lookups is the number of names of one job resolved at a time.
const lookups = 16

// run does the job and reports whether all of it was done.
func (x *work) run(ctx context.Context) bool {
	x.scanners, x.asked = map[int64]*scan.Scanner{}, map[netip.AddrPort]*look{}
	var wg sync.WaitGroup
	names := make(chan struct{}, lookups)
	for _, t := range x.Targets {
		wg.Go(func() {
			switch x.Kind {
			case store.RunScan:
				x.scanOne(ctx, t, names)
			case store.RunAudit:
				x.auditOne(ctx, t)
			case store.RunDiscover:
				x.search(ctx, t)
			}
		})
	}
	wg.Wait()
	x.lock.Lock()
	defer x.lock.Unlock()
	return !x.left
}

// begin waits for a place; false says that no more hosts may start.
func (x *work) begin(ctx context.Context) bool {
	if x.places.Take(ctx) == nil {
		if time.Now().Before(x.until) && !x.spool.losing() {
			return true
		}
		x.places.Free()
	}
	x.lock.Lock()
	x.left = true
	x.lock.Unlock()
	return false
}

// tell stores a result.
func (x *work) tell(at time.Time, r wire.Result) {
	if err := x.spool.put(x.ID, at, r); err != nil {
		x.o.Log.Error("a result cannot be kept, and is lost", "target", r.Target, "err", err)
		x.lock.Lock()
		x.left = true
		x.lock.Unlock()
		return
	}
	x.done.Add(1)
}

// resolve returns a target's addresses.
func (x *work) resolve(ctx context.Context, spec string) ([]netip.AddrPort, error) {
	list, err := targets.Parse(ctx, []string{spec}, targets.Options{Lookup: x.o.Lookup})
	if err != nil {
		return nil, err
	}
	var out []netip.AddrPort
	for t := range list.All() {
		if t.Err != nil {
			return nil, t.Err
		}
		a := netip.AddrPortFrom(t.Addr.Addr().Unmap(), t.Addr.Port())
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return nil, errNoAddress
	}
	return out, nil
}

// scanOne scans every address of a target. It reports nothing if it was cut short.
func (x *work) scanOne(ctx context.Context, t wire.Target, names chan struct{}) {
	names <- struct{}{}
	found, err := x.resolve(ctx, t.Spec)
	<-names
	if ctx.Err() != nil {
		x.begin(ctx) // notes that the target is left
		return
	}
	if err != nil {
		x.tell(time.Now(), wire.Result{Target: t.ID, Error: err.Error()})
		return
	}
	r := wire.Result{Target: t.ID}
	at := time.Now()
	for _, a := range found {
		s, when := x.ask(ctx, t, a)
		if s == nil {
			return
		}
		one := *s
		one.Target = t.Spec
		r.Found, r.Scans = append(r.Found, a.String()), append(r.Scans, &one)
		if when.Before(at) {
			at = when
		}
	}
	x.tell(at, r)
}

// ask scans an address, once in a job. It returns nil if the scan was cut short.
func (x *work) ask(ctx context.Context, t wire.Target, a netip.AddrPort) (*model.Scan, time.Time) {
	x.lock.Lock()
	l := x.asked[a]
	if l == nil {
		l = &look{}
		x.asked[a] = l
	}
	x.lock.Unlock()
	l.once.Do(func() {
		if !x.begin(ctx) {
			return
		}
		defer x.places.Free()
		scanner, err := x.scanner(ctx, t)
		if err != nil {
			x.o.Log.Error("a host is left out of this job", "target", t.Spec, "err", err)
			return
		}
		at := time.Now()
		s := scanner.Host(ctx, targets.Target{Name: t.Spec, Addr: a})
		if ctx.Err() != nil { // it may have been cut short
			x.lock.Lock()
			x.left = true
			x.lock.Unlock()
			return
		}
		s.Address = a.String()
		l.scan, l.at = s, at
	})
	return l.scan, l.at
}

// scanner returns the job's scanner for a target, and creates it if needed.
func (x *work) scanner(ctx context.Context, t wire.Target) (*scan.Scanner, error) {
	x.lock.Lock()
	defer x.lock.Unlock()
	if s := x.scanners[t.Credential]; s != nil {
		return s, nil
	}
	o := x.o.Scan
	o.Quick, o.Catalog, o.Rate, o.Pace = x.Quick, x.o.Catalog, 0, x.pace
	if t.Credential != 0 {
		logon, err := x.logon(ctx, t)
		if err != nil {
			x.o.Log.Warn("a credential cannot be used; the host is asked without", "target", t.Spec, "err", err)
		} else if logon.Scan != nil {
			logon.Scan(&o)
		}
	}
	s, err := scan.New(o)
	if err == nil {
		x.scanners[t.Credential] = s
	}
	return s, err
}

// logon returns the logon of the credential that came with the job.
func (x *work) logon(ctx context.Context, t wire.Target) (fleet.Logon, error) {
	i := slices.IndexFunc(x.Credentials, func(c wire.Credential) bool { return c.ID == t.Credential })
	if i < 0 || x.o.Authenticate == nil {
		return fleet.Logon{}, errors.New("the job came without it")
	}
	c := x.Credentials[i]
	l, err := x.o.Authenticate(ctx, store.Credential{
		ID:      c.ID,
		Name:    c.Name,
		Kind:    c.Kind,
		Account: c.Account,
	}, bytes.Clone(c.Secret),
		store.Target{ID: t.ID, Spec: t.Spec, AuditSource: t.AuditSource, Credential: t.Credential})
	if err != nil {
		return fleet.Logon{}, fmt.Errorf("credential %s: %w", c.Name, err)
	}
	return l, nil
}

// auditOne reads a target's configuration.
func (x *work) auditOne(ctx context.Context, t wire.Target) {
	if !x.begin(ctx) {
		return
	}
	defer x.places.Free()
	at := time.Now()
	r := wire.Result{Target: t.ID}
	a, err := x.read(ctx, t)
	switch {
	case ctx.Err() != nil:
		x.lock.Lock()
		x.left = true
		x.lock.Unlock()
		return
	case err != nil:
		r.Error = err.Error()
	default:
		r.Audit = a
		if found, err := x.resolve(ctx, t.Spec); err == nil {
			r.Found = []string{found[0].String()}
		}
	}
	x.tell(at, r)
}

func (x *work) read(ctx context.Context, t wire.Target) (*model.Audit, error) {
	if t.AuditSource == "" {
		return nil, errors.New("the target has no audit source")
	}
	o := audit.Options{Catalog: x.o.Catalog, Jobs: 1}
	if len(t.Scan) > 0 {
		s := &model.Scan{}
		if err := json.Unmarshal(t.Scan, s); err == nil {
			o.Scans = []*model.Scan{s}
		}
	}
	if strings.HasPrefix(t.AuditSource, "winreg://") {
		if t.Credential == 0 {
			return nil, errors.New("a remote registry needs a stored credential, and the target has none")
		}
		logon, err := x.logon(ctx, t)
		if err != nil {
			return nil, err
		}
		if logon.Pipes == nil {
			return nil, errors.New("this credential does not reach remote registries")
		}
		o.Pipes = fleet.Paced{Pipes: logon.Pipes, Pace: x.pace}
	}
	audits, err := o.Source(ctx, t.AuditSource)
	if err != nil {
		return nil, err
	}
	if len(audits) != 1 {
		return nil, fmt.Errorf("the source holds %d configurations; name the one of this host", len(audits))
	}
	return audits[0], nil
}

// sweepGroup is how many addresses are tried between two reports of a search's progress.
const sweepGroup = 1024

// search tries the addresses of a range, a group at a time.
func (x *work) search(ctx context.Context, t wire.Target) {
	list, err := targets.Parse(ctx, []string{t.Spec}, targets.Options{Port: 445})
	if err != nil {
		if ctx.Err() == nil {
			x.tell(time.Now(), wire.Result{Target: t.ID, Error: err.Error()})
		}
		return
	}
	from, begun := t.Next, t.Next == ""
	var group []netip.Addr
	for a := range list.All() {
		addr := a.Addr.Addr()
		if begun = begun || addr.String() == t.Next; !begun {
			continue
		}
		if len(group) == sweepGroup {
			if !x.knock(ctx, t, from, group, addr.String()) {
				return
			}
			from, group = addr.String(), group[:0]
		}
		group = append(group, addr)
	}
	x.knock(ctx, t, from, group, "")
}

// knock tries a group of addresses and reports those that answered; false says that not all could be tried.
func (x *work) knock(ctx context.Context, t wire.Target, from string, group []netip.Addr, next string) bool {
	var found []string
	var lock sync.Mutex
	var wg sync.WaitGroup
	at, asked := time.Now(), 0
	for _, a := range group {
		if !x.begin(ctx) {
			break
		}
		asked++
		wg.Go(func() {
			defer x.places.Free()
			if port, ok := x.answers(ctx, a); ok {
				lock.Lock()
				defer lock.Unlock()
				found = append(found, netip.AddrPortFrom(a, port).String())
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		x.lock.Lock()
		x.left = true
		x.lock.Unlock()
		return false // this group is tried again
	}
	if asked < len(group) {
		next = group[asked].String()
	}
	if asked > 0 {
		x.tell(at, wire.Result{Target: t.ID, Found: found, From: from, Asked: asked, Next: next})
	}
	return asked == len(group)
}

// answers reports whether SMB answers at an address, and on which port.
func (x *work) answers(ctx context.Context, a netip.Addr) (uint16, bool) {
	x.lock.Lock()
	s := x.scanners[0]
	if s == nil {
		o := x.o.Scan
		o.Quick, o.Catalog, o.Rate, o.Pace = true, x.o.Catalog, 0, x.pace
		var err error
		if s, err = scan.New(o); err != nil {
			x.lock.Unlock()
			return 0, false
		}
		x.scanners[0] = s
	}
	x.lock.Unlock()
	ports := x.o.DiscoverPorts
	if len(ports) == 0 {
		ports = []uint16{445, 139}
	}
	for _, port := range ports {
		r := s.Host(ctx, targets.Target{Name: a.String(), Addr: netip.AddrPortFrom(a, port), Ranged: true})
		if r.Verdict != model.Unreachable && (r.Server.Signing != "" || len(r.Identities) > 0) {
			return port, true
		}
	}
	return 0, false
}
