package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"ipcguard/internal/model"
	"ipcguard/internal/scan/targets"
	"ipcguard/internal/store"
)

// discoverPorts are the ports that a sweep tries: SMB, and SMB over NetBIOS if the first does not answer.
var discoverPorts = []uint16{445, 139}

// sweep is the progress of a search of one range. It is stored, so that a search continues there after a stop.
type sweep struct {
	Next  string `json:"next"` // the first address that was not tried
	Asked int    `json:"asked"`
	Found int    `json:"found"`
	New   int    `json:"new"`
}

// sweepGroup is how many addresses are tried between two updates of a sweep's progress.
const sweepGroup = 1024

// discover searches the ranges of a job. An address where SMB answers becomes a target with the tags and the owner of
// its range; an existing target stays as it is.
func (j *job) discover(ctx context.Context) error {
	for _, t := range j.targets {
		if !j.open(ctx) {
			break
		}
		if err := j.search(ctx, t); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func sweepKey(run, target int64) string { return fmt.Sprintf("sweep/%d/%d", run, target) }

func (j *job) search(ctx context.Context, t store.Target) error {
	list, err := targets.Parse(ctx, []string{t.Spec}, targets.Options{Port: discoverPorts[0]})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return j.st.FailUnit(ctx, j.run.ID, t.ID, err.Error())
	}
	key := sweepKey(j.run.ID, t.ID)
	s, err := j.sweepSoFar(ctx, key)
	if err != nil {
		return err
	}
	begun := s.Next == ""
	var group []netip.Addr
	for w := range list.All() {
		if !begun {
			begun = w.Addr.Addr().String() == s.Next
		}
		if !begun {
			continue
		}
		if len(group) == sweepGroup {
			if err := j.knock(ctx, t, key, &s, group, w.Addr.Addr().String()); err != nil || j.shut {
				return err
			}
			group = group[:0]
		}
		group = append(group, w.Addr.Addr())
	}
	if err := j.knock(ctx, t, key, &s, group, ""); err != nil || j.shut {
		return err
	}
	return j.searched(ctx, t, key, s)
}

// searched ends the unit of a range.
func (j *job) searched(ctx context.Context, t store.Target, key string, s sweep) error {
	return j.st.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.SetMeta(ctx, key, ""); err != nil {
			return err
		}
		return tx.DoneUnit(ctx, j.run.ID, t.ID,
			fmt.Sprintf("%d of %d addresses answered, %d of them new", s.Found, s.Asked, s.New))
	})
}

func (j *job) sweepSoFar(ctx context.Context, key string) (sweep, error) {
	var s sweep
	text, err := j.st.Meta(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal([]byte(text), &s)
}

// knock tries a group of addresses, then saves those that answered as targets and the progress of the sweep in one
// transaction.
func (j *job) knock(ctx context.Context, t store.Target, key string, s *sweep, group []netip.Addr, next string) error {
	var found []netip.AddrPort
	var lock sync.Mutex
	var wg sync.WaitGroup
	asked := 0
	for _, a := range group {
		if !j.open(ctx) || j.places.Take(ctx) != nil {
			break
		}
		asked++
		wg.Go(func() {
			defer j.places.Free()
			if port, ok := j.answers(ctx, t, a); ok {
				lock.Lock()
				defer lock.Unlock()
				found = append(found, netip.AddrPortFrom(a, port))
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err() // this group is tried again
	}
	if asked < len(group) {
		next = group[asked].String()
	}
	return j.note(ctx, t, key, s, found, asked, next)
}

// note stores the progress of a search, with the targets for the addresses that answered, in one transaction.
func (j *job) note(
	ctx context.Context, t store.Target, key string, s *sweep, found []netip.AddrPort, asked int, next string,
) error {
	now := *s
	now.Next, now.Asked, now.Found = next, s.Asked+asked, s.Found+len(found)
	err := j.st.InTx(ctx, func(tx *store.Tx) error {
		now.New = s.New
		for _, a := range found {
			added, err := j.meet(ctx, tx, t, a)
			if err != nil {
				return err
			}
			if added {
				now.New++
			}
		}
		text, err := json.Marshal(now)
		if err != nil {
			return err
		}
		return tx.SetMeta(ctx, key, string(text))
	})
	if err == nil {
		*s = now
	}
	return err
}

// answers reports whether SMB answers at an address, and on which port.
func (j *job) answers(ctx context.Context, t store.Target, a netip.Addr) (uint16, bool) {
	scanner, err := j.scanner(ctx, true, store.Target{SiteID: t.SiteID})
	if err != nil {
		return 0, false
	}
	for _, port := range j.knockPorts() {
		s := scanner.Host(ctx, targets.Target{Name: a.String(), Addr: netip.AddrPortFrom(a, port), Ranged: true})
		if s.Verdict != model.Unreachable && (s.Server.Signing != "" || len(s.Identities) > 0) {
			return port, true
		}
	}
	return 0, false
}

// knockPorts returns the ports of a sweep.
func (f *Fleet) knockPorts() []uint16 {
	if len(f.o.DiscoverPorts) > 0 {
		return f.o.DiscoverPorts
	}
	return discoverPorts
}

// meet creates a target for an address that answered, unless there is one.
func (j *job) meet(ctx context.Context, tx *store.Tx, t store.Target, a netip.AddrPort) (added bool, err error) {
	spec := a.String()
	if a.Port() == 445 {
		spec = a.Addr().String()
	}
	for _, known := range []string{spec, a.String()} {
		if _, err := tx.TargetBySpec(ctx, t.SiteID, known); err == nil {
			return false, nil
		} else if !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
	}
	n := store.Target{
		SiteID: t.SiteID, Spec: spec, Kind: store.TargetHost, Tags: t.Tags, Owner: t.Owner,
		Criticality: t.Criticality, Enabled: true, FoundBy: t.ID,
	}
	if h, err := tx.HostByAddress(ctx, t.SiteID, a.String()); err == nil {
		// A target's name resolves to this address, and its host has its own tags and owner.
		n.HostID, n.Tags, n.Owner = h.ID, nil, ""
		known, _, err := tx.Targets(ctx, store.TargetFilter{HostID: h.ID}, store.Page{Size: 1})
		if err != nil {
			return false, err
		}
		if len(known) > 0 {
			return false, nil
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	err = tx.SaveTarget(ctx, &n)
	if errors.Is(err, store.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}
