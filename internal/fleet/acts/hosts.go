package acts

import (
	"context"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// RetireHost removes a host from the fleet: it no longer counts, and its targets are disabled. Its history stays; a
// scan that it answers brings it back.
func (a *Acts) RetireHost(ctx context.Context, who access.Who, id int64) error {
	return a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		h, targets, err := ledHost(ctx, tx, who, id)
		if err != nil {
			return line{}, err
		}
		for _, t := range targets {
			if t.Enabled {
				t.Enabled = false
				if err := tx.SaveTarget(ctx, &t); err != nil {
					return line{}, err
				}
			}
		}
		n, err := a.fleet.Retire(ctx, tx, []store.Host{h}, func(store.Host) string { return "by " + who.Name() })
		if err == nil && n == 0 {
			err = &Refusal{Kind: Conflict, Text: "the host is retired already"}
		}
		return entry("host.retire", h.Name, h.Address).at(h.SiteID), err
	})
}

// RemoveHost deletes a host with everything that is known of it, and its targets.
func (a *Acts) RemoveHost(ctx context.Context, who access.Who, id int64) error {
	return a.doAt(ctx, who, store.RoleOperator, func(tx *store.Tx) (line, error) {
		h, targets, err := ledHost(ctx, tx, who, id)
		if err != nil {
			return line{}, err
		}
		ids := make([]int64, len(targets))
		for i, t := range targets {
			ids[i] = t.ID
		}
		if err := tx.DeleteTargets(ctx, ids); err != nil {
			return line{}, err
		}
		return entry("host.remove", h.Name,
			h.Address+", "+model.Count(len(ids), "target", "targets")).at(h.SiteID), tx.DeleteHost(ctx, id)
	})
}

// ledHost returns a host that the account may operate, with the targets that lead to it.
func ledHost(ctx context.Context, tx *store.Tx, who access.Who, id int64) (store.Host, []store.Target, error) {
	h, err := tx.Host(ctx, id)
	if err == nil {
		err = at(who, store.RoleOperator, h.SiteID) // before anything about it is revealed
	}
	if err != nil {
		return store.Host{}, nil, err
	}
	targets, _, err := tx.Targets(ctx, store.TargetFilter{HostID: id}, store.Page{Size: store.MaxPage, Sort: "id"})
	return h, targets, err
}
