package store

import (
	"context"
	"errors"
	"fmt"
)

// SetRunState records that an open run waits or runs, and why. For a run that has ended it returns [ErrNotFound].
func (q *Queries) SetRunState(ctx context.Context, runID int64, state RunState, reason string) error {
	if state != RunWaiting && state != RunRunning {
		return fmt.Errorf("store: a run that is open waits or runs, and is not %s", state)
	}
	return q.must(ctx, `UPDATE runs SET state = $2, reason = $3 WHERE id = $1 AND ended = 0`, runID, state, reason)
}

// DoneUnit completes a unit that has no host, such as a range that was searched.
func (q *Queries) DoneUnit(ctx context.Context, runID, targetID int64, reason string) error {
	return q.endUnit(ctx, runID, targetID, UnitDone, reason)
}

// SetTargetHost records which host a target leads to, and updates what the host takes from the target.
func (q *Queries) SetTargetHost(ctx context.Context, targetID, hostID int64) error {
	return q.atomic(ctx, func(q *Queries) error {
		if err := q.must(ctx, `UPDATE targets SET host_id = $2 WHERE id = $1`, targetID, hostID); err != nil {
			return err
		}
		return q.refreshHost(ctx, hostID)
	})
}

// MoveHost changes a host's address: it gets the results from the new address from now on, and still those from the old
// ones. If another host has the address, it returns [ErrConflict].
func (q *Queries) MoveHost(ctx context.Context, hostID int64, address string) error {
	return q.atomic(ctx, func(q *Queries) error {
		h, err := q.Host(ctx, hostID)
		if err != nil {
			return err
		}
		address = clean(address)
		switch other, err := q.HostByAddress(ctx, h.SiteID, address); {
		case err == nil && other.ID != hostID:
			return fmt.Errorf("%w: another host has the address", ErrConflict)
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		}
		if _, err := q.exec(ctx,
			`INSERT INTO addresses (site_id, address, host_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, h.SiteID,
			address, h.ID); err != nil {
			return err
		}
		if err := q.must(ctx, `UPDATE hosts SET address = $2 WHERE id = $1`, h.ID, address); err != nil {
			return err
		}
		h.Address = address
		return q.searchable(ctx, &h)
	})
}

// TargetBySpec returns a target.
func (q *Queries) TargetBySpec(ctx context.Context, siteID int64, spec string) (Target, error) {
	return get(ctx, q, scanTarget, targetColumns+` WHERE t.site_id = $1 AND t.spec = $2`, siteID, spec)
}

// TargetsByID returns the targets of a job, unsorted and without deleted ones, at most [MaxPage].
func (q *Queries) TargetsByID(ctx context.Context, targetIDs []int64) ([]Target, error) {
	if len(targetIDs) > MaxPage {
		return nil, fmt.Errorf("store: %d targets at once, at most %d", len(targetIDs), MaxPage)
	}
	return list(ctx, q, scanTarget, targetColumns+` WHERE t.id `+q.in("$1"), q.ids(targetIDs))
}

// HostsByAddress returns the hosts of a site at addresses, by the requested address, at most [MaxPage]; addresses
// without a host are left out.
func (q *Queries) HostsByAddress(ctx context.Context, siteID int64, addresses []string) (map[string]Host, error) {
	if len(addresses) > MaxPage {
		return nil, fmt.Errorf("store: hosts of %d addresses at once, at most %d", len(addresses), MaxPage)
	}
	out := map[string]Host{}
	if len(addresses) == 0 {
		return out, nil
	}
	at := map[int64][]string{}
	w := &where{pg: q.pg}
	w.and(`a.site_id = ?`, siteID)
	w.and(`a.address IN (`+marks(len(addresses))+`)`, anys(addresses)...)
	ids := []int64{}
	if err := q.each(ctx, func(r row) error {
		var address string
		var id int64
		if err := r.Scan(&address, &id); err != nil {
			return err
		}
		if at[id] == nil {
			ids = append(ids, id)
		}
		at[id] = append(at[id], address)
		return nil
	}, `SELECT a.address, a.host_id FROM addresses a`+w.String(), w.args...); err != nil {
		return nil, err
	}
	hosts, err := list(ctx, q, scanHost, hostColumns+` WHERE h.id `+q.in("$1"), q.ids(ids))
	for _, h := range hosts {
		for _, address := range at[h.ID] {
			out[address] = h
		}
	}
	return out, err
}
