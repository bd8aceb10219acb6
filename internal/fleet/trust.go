package fleet

import (
	"context"
	"errors"

	"ipcguard/internal/fleet/authority"
	"ipcguard/internal/store"
)

// authorityKey is the store's key of the fleet's authority, its private keys sealed.
const (
	authorityKey   = "workers.authority"
	authorityTouch = "workers.authority.looked"
)

// Authority returns the fleet's authority, and creates or renews it if needed. All servers of a database share it.
func (f *Fleet) Authority(ctx context.Context) (a *authority.Authority, err error) {
	err = f.st.InTx(ctx, func(tx *store.Tx) error {
		text, err := tx.Meta(ctx, authorityKey)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		changed := false
		if a, changed, err = authority.Open(text, f.o.Key, f.now()); err != nil || !changed {
			return err
		}
		// Another server may do the same: whoever writes this row first creates it, and the other one reads the result.
		if err := tx.SetMeta(ctx, authorityTouch, f.o.Name); err != nil {
			return err
		}
		if text, err = tx.Meta(ctx, authorityKey); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if a, changed, err = authority.Open(text, f.o.Key, f.now()); err != nil || !changed {
			return err
		}
		if text, err = a.Text(); err != nil {
			return err
		}
		return tx.SetMeta(ctx, authorityKey, text)
	})
	return a, err
}
