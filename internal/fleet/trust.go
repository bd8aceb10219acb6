package fleet

import (
	"context"
	"errors"

	"ipcguard/internal/fleet/authority"
	"ipcguard/internal/store"
)

// authorityKey is where the store keeps the fleet's authority, its private keys sealed.
const (
	authorityKey   = "workers.authority"
	authorityTouch = "workers.authority.looked"
)

// Authority is the fleet's, made or made anew where it is time. All servers of a database have the same.
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
		// Another server may be at it: whoever writes this row first makes it, and the other one reads what was made.
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
