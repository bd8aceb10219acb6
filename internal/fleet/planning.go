package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/plan"
	"ipcguard/internal/store"
)

// ErrNoAudit says that a plan is impossible because the host was never audited.
var ErrNoAudit = errors.New("fleet: the host was never audited: a plan starts from what the configuration says")

// Wish is the kind of plan that is wanted, by whom and when.
type Wish struct {
	Strategy string // restrict (also if empty) or block
	Goal     string // of restrict, how far it goes: one of plan.Goals; empty is the first
	Accept   bool   // a block may stop what is in use
	Setting  string // of restrict, the only setting to change; empty is all
	By       string
	Made     time.Time
}

// Plan computes a plan for a host from its last stored audit, scan and observation. It stores nothing.
func (f *Fleet) Plan(ctx context.Context, hostID int64, wish Wish) (*model.Plan, error) {
	e, err := f.evidence(ctx, hostID, wish)
	if err != nil {
		return nil, err
	}
	return plan.Make(*e)
}

// evidence loads what is stored of a host, for a plan.
func (f *Fleet) evidence(ctx context.Context, hostID int64, wish Wish) (*plan.Evidence, error) {
	h, err := f.st.Host(ctx, hostID)
	if err != nil {
		return nil, err
	}
	e := &plan.Evidence{
		Catalog: f.o.Catalog, Tool: f.o.Version, By: wish.By, Made: wish.Made, Target: h.Name,
		Policy: plan.Policy{Strategy: wish.Strategy, Goal: wish.Goal, AcceptBreakage: wish.Accept},
	}
	if wish.Setting != "" {
		e.Policy.Only = []string{wish.Setting}
	}
	b, _, err := f.st.Document(ctx, hostID, string(store.RunAudit))
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoAudit
	}
	if err != nil {
		return nil, err
	}
	if e.Audit, err = plan.ReadAudit(b); err != nil {
		return nil, fmt.Errorf("fleet: a stored audit: %w", err)
	}
	s, err := f.lastScan(ctx, hostID)
	if err != nil {
		return nil, err
	}
	if s != nil {
		e.Scans = []*model.Scan{s}
	}
	if b, _, err = f.st.Document(ctx, hostID, DocumentObserve); err == nil {
		o := &model.Observation{}
		if err := json.Unmarshal(b, o); err != nil {
			return nil, fmt.Errorf("fleet: a stored observation: %w", err)
		}
		e.Observed = plan.FromObservation(o)
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return e, nil
}

// The kinds of a host's documents in addition to those of runs.
const (
	DocumentPlan    = "plan"
	DocumentObserve = store.KindObserve
	DocumentJournal = "journal"
)

// hostsNamed finds the hosts with an address or a name, at any site, retired ones too.
func (f *Fleet) hostsNamed(ctx context.Context, name string) ([]store.Host, error) {
	addresses := []string{}
	if a, err := netip.ParseAddrPort(name); err == nil {
		addresses = append(addresses, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String())
	} else if a, err := netip.ParseAddr(name); err == nil {
		for _, port := range discoverPorts {
			addresses = append(addresses, netip.AddrPortFrom(a.Unmap(), port).String())
		}
	}
	sites, err := f.st.Sites(ctx)
	if err != nil {
		return nil, err
	}
	var found []store.Host
	for _, s := range sites {
		for _, a := range addresses {
			h, err := f.st.HostByAddress(ctx, s.ID, a)
			if err == nil {
				found = append(found, h)
				break
			}
			if !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
		}
	}
	if len(addresses) > 0 || name == "" {
		return found, nil
	}
	for _, retired := range []bool{false, true} {
		list, _, err := f.st.Hosts(ctx, store.HostFilter{Called: name, Retired: retired},
			store.Page{Size: store.MaxPage, Uncounted: true}) // two are as good as a thousand: the name is not one host's
		if err != nil {
			return nil, err
		}
		for _, h := range list {
			ok, err := f.isCalled(ctx, h, name)
			if err != nil {
				return nil, err
			}
			if ok {
				found = append(found, h)
			}
		}
	}
	return found, nil
}

// isCalled reports whether a host has a name, in full or up to its first dot.
func (f *Fleet) isCalled(ctx context.Context, h store.Host, name string) (bool, error) {
	same := func(s string) bool {
		short, _, _ := strings.Cut(s, ".")
		return strings.EqualFold(s, name) || strings.EqualFold(short, name)
	}
	if same(h.Name) {
		return true, nil
	}
	names, err := f.st.HostNames(ctx, h.ID)
	return slices.ContainsFunc(names, func(n store.HostName) bool {
		return n.Kind != "address" && same(hostPart(n.Name))
	}), err
}
