package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"ipcguard/internal/audit"
	"ipcguard/internal/model"
	"ipcguard/internal/scan"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/store"
)

// audit reads the configuration of every target of the job that has an audit source, a few at a time.
func (j *job) audit(ctx context.Context) error {
	done := make(chan error, len(j.targets))
	for _, t := range j.targets {
		if t.AuditSource == "" {
			if err := j.st.SkipUnit(ctx, j.run.ID, t.ID, "the target has no audit source"); err != nil {
				return err
			}
			continue
		}
		if !j.open(ctx) || j.places.Take(ctx) != nil {
			break
		}
		j.wg.Go(func() {
			defer j.places.Free()
			r, err := j.auditOne(ctx, t)
			switch {
			case err == nil:
				j.lock.Lock()
				j.entries++
				j.lock.Unlock()
				j.Fleet.done.Add(1)
				j.records.add(entry{own: r, done: done})
			case ctx.Err() != nil:
			case later(err):
				j.fail(err)
			default:
				if err := j.st.FailUnit(ctx, j.run.ID, t.ID, shown(err.Error())); err != nil {
					j.fail(err)
				}
			}
		})
	}
	return j.settle(ctx, done)
}

// errNoAddress says that an audit cannot be assigned to a host.
var errNoAddress = errors.New(
	"the target does not resolve, and no scan has found its host: there is no host that the audit belongs to",
)

func (j *job) auditOne(ctx context.Context, t store.Target) (*store.Result, error) {
	started := j.now()
	var p past
	address := ""
	var last *model.Scan
	switch h, err := j.hostOf(ctx, t); {
	case err != nil:
		return nil, err
	case h != nil:
		p.host, address = h, h.Address
		if last, err = j.lastScan(ctx, h.ID); err != nil {
			return nil, err
		}
	default:
		if address, err = j.firstAddress(ctx, t.Spec); err != nil {
			return nil, err
		}
	}
	o := audit.Options{Catalog: j.o.Catalog, Jobs: 1}
	if last != nil {
		o.Scans = []*model.Scan{last}
	}
	if strings.HasPrefix(t.AuditSource, "winreg://") {
		if t.Credential == 0 {
			return nil, errors.New("a remote registry needs a stored credential, and the target has none")
		}
		logon, err := j.logon(ctx, t)
		if err != nil {
			return nil, err
		}
		o.Pipes = Paced{logon.Pipes, j.pace}
		if logon.Pipes == nil {
			return nil, errors.New("this credential does not reach remote registries")
		}
	}
	audits, err := o.Source(ctx, t.AuditSource)
	if err != nil {
		return nil, err
	}
	if len(audits) != 1 {
		return nil, fmt.Errorf("the source holds %d configurations; name the one of this host", len(audits))
	}
	return j.judgeAudit(ctx, t, audits[0], address, started, &p)
}

// judgeAudit turns an audit into a result. p.host must be set.
func (j *job) judgeAudit(
	ctx context.Context, t store.Target, a *model.Audit, address string, started time.Time, p *past,
) (*store.Result, error) {
	if p.host != nil {
		if err := j.recallAudit(ctx, p, a); err != nil {
			return nil, err
		}
	}
	r, err := j.ofAudit(a, address, []string{t.Spec}, started, p)
	if err != nil {
		return nil, err
	}
	r.RunID, r.TargetID, r.Host.SiteID = j.run.ID, t.ID, t.SiteID
	return r, j.excuse(ctx, r, p.host)
}

// recallAudit loads the earlier audits of the host. It loads all of them only if something differs.
func (f *Fleet) recallAudit(ctx context.Context, p *past, a *model.Audit) error {
	s, _, err := f.st.LastSnapshot(ctx, p.host.ID, store.RunAudit)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p.last = &s
	if !changedSettings(&s, a) {
		return nil
	}
	spans, err := f.st.Spans(ctx, p.host.ID, store.RunAudit)
	if err != nil {
		return err
	}
	for _, x := range spans {
		p.history = append(p.history, x.Snapshot)
	}
	return nil
}

// hostOf finds a target's host: the one that answered there last, or the one that has its address.
func (f *Fleet) hostOf(ctx context.Context, t store.Target) (*store.Host, error) {
	if t.HostID != 0 {
		h, err := f.st.Host(ctx, t.HostID)
		if err == nil {
			return &h, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	a, ok := literal(t.Spec)
	if !ok {
		return nil, nil
	}
	h, err := f.st.HostByAddress(ctx, t.SiteID, a.String())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &h, err
}

// firstAddress returns the address for a host that no scan has seen yet.
func (f *Fleet) firstAddress(ctx context.Context, spec string) (string, error) {
	if a, ok := literal(spec); ok {
		return a.String(), nil
	}
	list, err := targets.Parse(ctx, []string{spec}, targets.Options{Lookup: f.o.Lookup})
	if err != nil {
		return "", err
	}
	for t := range list.All() {
		if t.Err == nil && t.Addr != (netip.AddrPort{}) {
			return t.Addr.String(), nil
		}
	}
	return "", errNoAddress
}

// lastScan returns the last stored scan of a host, or nil.
func (f *Fleet) lastScan(ctx context.Context, host int64) (*model.Scan, error) {
	b, _, err := f.st.Document(ctx, host, "scan")
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &model.Scan{}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("fleet: a stored scan: %w", err)
	}
	return s, nil
}

// Paced applies a site's rate to connections to remote registries.
type Paced struct {
	audit.Pipes
	Pace *scan.Pace
}

// Open implements audit.Pipes.
func (p Paced) Open(ctx context.Context, host string) (audit.PipeHost, error) {
	if err := p.Pace.Wait(ctx); err != nil {
		return nil, err
	}
	return p.Pipes.Open(ctx, host)
}
