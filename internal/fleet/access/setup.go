package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"

	"ipcguard/internal/store"
)

// setupKey is the store's key for the hash of the set-up link's token; empty once used.
const setupKey = "access.setup"

// Setup creates the token of the link that creates the first administrator. needed is false if there are accounts. Each
// call creates a new token; only the last one works.
func (a *Access) Setup(ctx context.Context) (token string, needed bool, err error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", false, err
	}
	token = base64.RawURLEncoding.EncodeToString(secret)
	err = a.st.InTx(ctx, func(tx *store.Tx) error {
		users, err := tx.Users(ctx)
		if err != nil {
			return err
		}
		if needed = len(users) == 0; !needed {
			return nil
		}
		sum := sha256.Sum256([]byte(token))
		return tx.SetMeta(ctx, setupKey, hex.EncodeToString(sum[:]))
	})
	if err != nil || !needed {
		return "", false, err
	}
	return token, true, nil
}

// SetupValid reports whether a set-up link still works.
func (a *Access) SetupValid(ctx context.Context, token string) error {
	kept, err := a.st.Meta(ctx, setupKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return linkFits(kept, token)
}

func linkFits(kept, token string) error {
	sum := sha256.Sum256([]byte(token))
	if kept == "" || subtle.ConstantTimeCompare([]byte(kept), []byte(hex.EncodeToString(sum[:]))) != 1 {
		return ErrLink
	}
	return nil
}

// FinishSetup creates the first account, an administrator, and invalidates the link.
func (a *Access) FinishSetup(ctx context.Context, token, name, password, from string) (store.User, error) {
	if err := a.SetupValid(ctx, token); err != nil {
		return store.User{}, err // before a stranger makes the server hash
	}
	return a.add(ctx, Who{From: from}, store.User{Name: name, Role: store.RoleAdmin}, password,
		func(tx *store.Tx) error {
			kept, err := tx.Meta(ctx, setupKey)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err := linkFits(kept, token); err != nil {
				return err
			}
			users, err := tx.Users(ctx)
			if err != nil {
				return err
			}
			if len(users) > 0 {
				return ErrLink
			}
			return tx.SetMeta(ctx, setupKey, "")
		})
}
