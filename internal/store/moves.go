package store

import (
	"context"
	"errors"
	"fmt"
)

// SetRunState says that an open run waits or runs, and why. One that is over stays as it is, and is [ErrNotFound].
func (q *Queries) SetRunState(ctx context.Context, runID int64, state RunState, reason string) error {
	if state != RunWaiting && state != RunRunning {
		return fmt.Errorf("store: a run that is open waits or runs, and is not %s", state)
	}
	return q.must(ctx, `UPDATE runs SET state = $2, reason = $3 WHERE id = $1 AND ended = 0`, runID, state, reason)
}

// DoneUnit ends a unit well that has no host, such as a range that was searched.
func (q *Queries) DoneUnit(ctx context.Context, runID, targetID int64, reason string) error {
	return q.endUnit(ctx, runID, targetID, UnitDone, reason)
}

// SetTargetHost says which host answers where a target leads, and gives the host what the target says of it.
func (q *Queries) SetTargetHost(ctx context.Context, targetID, hostID int64) error {
	return q.atomic(ctx, func(q *Queries) error {
		if err := q.must(ctx, `UPDATE targets SET host_id = $2 WHERE id = $1`, targetID, hostID); err != nil {
			return err
		}
		return q.refreshHost(ctx, hostID)
	})
}

// MoveHost gives a host a new address: results from there are its own from now on, and so are those from the ones that it
// had. An address that another host has is [ErrConflict].
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
		if _, err := q.exec(ctx, `INSERT INTO addresses (site_id, address, host_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, h.SiteID, address, h.ID); err != nil {
			return err
		}
		if err := q.must(ctx, `UPDATE hosts SET address = $2 WHERE id = $1`, h.ID, address); err != nil {
			return err
		}
		h.Address = address
		return q.searchable(ctx, &h)
	})
}

// TargetBySpec finds a target.
func (q *Queries) TargetBySpec(ctx context.Context, siteID int64, spec string) (Target, error) {
	return get(ctx, q, scanTarget, targetColumns+` WHERE t.site_id = $1 AND t.spec = $2`, siteID, spec)
}
