package fleet

import (
	"context"
	"errors"
	"strings"

	"ipcguard/internal/fleet/authority"
	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/store"
)

// Unopened names the sealed data of a database that a key does not open: credentials, channels and the workers'
// authority. The zero key opens nothing, so that Unopened names everything.
func Unopened(ctx context.Context, st *store.Store, key secret.Key) ([]string, error) {
	var out []string
	credentials, err := st.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range credentials {
		if !opens(key, c.Sealed) {
			out = append(out, "credential "+shown(c.Name))
		}
	}
	channels, err := st.Channels(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range channels {
		if len(c.Sealed) > 0 && !opens(key, c.Sealed) {
			out = append(out, "channel "+shown(c.Name))
		}
	}
	text, err := st.Meta(ctx, authorityKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if strings.TrimSpace(text) != "" {
		if _, _, err := authority.Reseal(text, key); err != nil {
			out = append(out, "the authority of workers")
		}
	}
	return out, nil
}

func opens(key secret.Key, sealed []byte) bool {
	plain, err := key.Open(sealed)
	clear(plain)
	return err == nil
}

// ForgetAuthority makes the next start create another authority, after which workers have to join again: the key of the
// current one is lost.
func ForgetAuthority(ctx context.Context, st *store.Store) error {
	return st.SetMeta(ctx, authorityKey, "")
}
