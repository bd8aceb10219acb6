package fleet

import (
	"context"
	"crypto/sha256"
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
	return unopened(ctx, st, key, func(sealed []byte) bool { return opens(key, sealed) })
}

// unopened is [Unopened] with a function that opens credentials and channels.
func unopened(
	ctx context.Context, st *store.Store, key secret.Key, opens func(sealed []byte) bool,
) ([]string, error) {
	var out []string
	credentials, err := st.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range credentials {
		if !opens(c.Sealed) {
			out = append(out, "credential "+shown(c.Name))
		}
	}
	channels, err := st.Channels(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range channels {
		if len(c.Sealed) > 0 && !opens(c.Sealed) {
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

// trials tries each sealed value until it has opened once: opening one takes some tenths of a millisecond, and a fleet
// may have thousands.
type trials struct {
	try    func(sealed []byte) bool
	opened map[[sha256.Size]byte]bool // in the round before
	now    map[[sha256.Size]byte]bool // in this round
}

// round begins a round. What is no longer sealed in the database is forgotten with the next.
func (t *trials) round() { t.opened, t.now = t.now, map[[sha256.Size]byte]bool{} }

func (t *trials) opens(sealed []byte) bool {
	sum := sha256.Sum256(sealed)
	ok := t.opened[sum] || t.try(sealed)
	if ok {
		t.now[sum] = true
	}
	return ok
}

// tryKeys returns a function for regular calls, see tryKey.
func (f *Fleet) tryKeys() func(context.Context) error {
	t := &trials{try: func(sealed []byte) bool { return opens(f.o.Key, sealed) }}
	return func(ctx context.Context) error { return f.tryKey(ctx, t) }
}

// tryKey looks for what the key does not open, and logs it when that changes. Every server does: each has its own copy
// of the key file, and what another one seals with another key is known only afterwards.
func (f *Fleet) tryKey(ctx context.Context, t *trials) error {
	t.round()
	lost, err := unopened(ctx, f.st, f.o.Key, t.opens)
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
