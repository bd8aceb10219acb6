package api

import (
	"io"
	"strconv"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/fleet/handover"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

func listRollouts(c *call) (any, error) {
	rollouts, total, err := c.store.Rollouts(c.ctx(), nil, c.page())
	return part(c, rollouts, total, err)
}

func startRollout(c *call) (any, error) {
	in, err := body[acts.NewRollout](c)
	if err != nil {
		return nil, err
	}
	in.Read = view.ReadHosts
	return c.acts.StartRollout(c.ctx(), c.who, in)
}

func (c *call) rollout() (store.Rollout, error) {
	id, err := c.id()
	if err != nil {
		return store.Rollout{}, err
	}
	return c.store.Rollout(c.ctx(), id, nil)
}

func getRollout(c *call) (any, error) { return c.rollout() }

func listGroups(c *call) (any, error) {
	o, err := c.rollout()
	if err != nil {
		return nil, err
	}
	groups, total, err := c.store.RolloutGroups(c.ctx(), o.ID, nil, c.page())
	return part(c, groups, total, err)
}

func listRolloutHosts(c *call) (any, error) {
	o, err := c.rollout()
	if err != nil {
		return nil, err
	}
	f := store.RolloutFilter{
		Group: c.number("group"), State: store.RolloutState(c.query.Get("state")), Newer: c.yes("newer"),
	}
	hosts, total, err := c.store.RolloutHosts(c.ctx(), o.ID, f, c.page())
	return part(c, hosts, total, err)
}

func listStops(c *call) (any, error) {
	o, err := c.rollout()
	if err != nil {
		return nil, err
	}
	stops, total, err := c.store.RolloutStops(c.ctx(), o.ID, nil, c.page())
	return part(c, stops, total, err)
}

// handedOver sends all files of a rollout, and their names.
func (c *call) handedOver() (*handover.Rollout, string, error) {
	id, err := c.id()
	if err != nil {
		return nil, "", err
	}
	r, err := handover.Read(c.ctx(), c.store, c.catalog, id)
	return r, "ipcguard-rollout-" + strconv.FormatInt(id, 10), err
}

func rolloutArchive(c *call) error {
	r, name, err := c.handedOver()
	if err != nil {
		return err
	}
	return c.attach(name+".zip", "application/zip", r.WriteArchive)
}

func rolloutTickets(c *call) error {
	shape := c.query.Get("shape")
	r, name, err := c.handedOver()
	if err != nil {
		return err
	}
	return c.attach(name+"-"+shape+".csv", view.Media(view.CSV),
		func(w io.Writer) error { return r.WriteTickets(w, shape) })
}

func planAgain(c *call) (any, error) {
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	return c.acts.PlanAgain(c.ctx(), c.who, id)
}

func endRollout(c *call) (any, error) {
	id, err := c.id()
	if err != nil {
		return nil, err
	}
	return c.acts.EndRollout(c.ctx(), c.who, id)
}

func deleteRollout(c *call) (any, error) { return remove(c, c.acts.DeleteRollout) }
