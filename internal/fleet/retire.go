package fleet

import (
	"context"
	"fmt"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Retire removes hosts from the fleet and records why. why returns words that follow the host's name. Retire returns
// how many of the hosts were in the fleet. It changes no target.
func (f *Fleet) Retire(
	ctx context.Context, tx *store.Tx, hosts []store.Host, why func(store.Host) string,
) (int, error) {
	var events []store.Event
	for _, h := range hosts {
		was, err := tx.RetireHost(ctx, h.ID, f.now())
		if err != nil {
			return 0, err
		}
		if !was {
			continue
		}
		events = append(events, store.Event{
			At: f.now(), Kind: store.EventRetired, Severity: model.Info, HostID: h.ID, Host: h.Name,
			Site: h.Site, Before: string(h.Verdict),
			Text: fmt.Sprintf("%s was retired: %s.", h.Name, why(h)),
		})
	}
	return len(events), tx.AddEvents(ctx, events)
}

// RetireStrays removes hosts that no target leads to any more; among limits it to some hosts, nil checks all.
func (f *Fleet) RetireStrays(ctx context.Context, tx *store.Tx, among []int64) error {
	if among != nil && len(among) == 0 {
		return nil
	}
	for {
		strays, err := tx.StrayHosts(ctx, among)
		if err != nil || len(strays) == 0 {
			return err
		}
		if _, err := f.Retire(ctx, tx, strays, func(store.Host) string {
			return "no target leads to it any more"
		}); err != nil {
			return err
		}
	}
}

// retire removes hosts that no target leads to, and hosts that have not answered for too long.
func (f *Fleet) retire(ctx context.Context) error {
	return f.st.InTx(ctx, func(tx *store.Tx) error {
		if err := f.RetireStrays(ctx, tx, nil); err != nil {
			return err
		}
		if f.o.RetireAfter <= 0 {
			return nil
		}
		silent, err := tx.SilentHosts(ctx, f.o.RetireAfter)
		if err != nil {
			return err
		}
		n, err := f.Retire(ctx, tx, silent, func(h store.Host) string {
			return fmt.Sprintf("it has not answered since %s", h.LastChanged.UTC().Format(time.DateOnly))
		})
		if n > 0 {
			f.o.Log.Info("hosts were retired", "hosts", n, "silent for", f.o.RetireAfter)
		}
		return err
	})
}
