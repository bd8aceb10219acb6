package fleet

import (
	"context"
	"errors"
	"slices"
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

// tryKey looks for what the key does not open, and logs it when that changes. Every server does: each has its own copy
// of the key file, and what another one seals with another key is known only afterwards.
func (f *Fleet) tryKey(ctx context.Context) error {
	lost, err := Unopened(ctx, f.st, f.o.Key)
	if err != nil {
		return err
	}
	var before []string
	if p := f.unopened.Swap(&lost); p != nil {
		before = *p
	}
	switch {
	case slices.Equal(lost, before):
	case len(lost) == 0:
		f.o.Log.Info("the key file opens what is sealed in the database again")
	default:
		f.o.Log.Error("the key file does not open what is sealed in the database: put back the one that sealed it",
			"sealed", lost[:min(len(lost), mostNamed)], "in_all", len(lost))
	}
	return nil
}

// mostNamed bounds what a line of the log names.
const mostNamed = 10

// WrongKey reports whether the key file did not open something when it was last tried, twice a minute.
func (f *Fleet) WrongKey() bool {
	p := f.unopened.Load()
	return p != nil && len(*p) > 0
}

// ForgetAuthority makes the next start create another authority, after which workers have to join again: the key of the
// current one is lost.
func ForgetAuthority(ctx context.Context, st *store.Store) error {
	return st.SetMeta(ctx, authorityKey, "")
}
