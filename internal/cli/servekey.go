package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"ipcguard/internal/fleet"
	sealing "ipcguard/internal/fleet/secret"
	"ipcguard/internal/store"
)

// serverKey reads the key file, or creates one. If the database has secrets that only a lost key opens, the user must
// agree.
func (a *app) serverKey(ctx context.Context, f *serveFlags, st *store.Store) (sealing.Key, error) {
	key, err := sealing.Load(f.key)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return key, err
	}
	lost, err := fleet.Unopened(ctx, st, key)
	if err != nil {
		return key, err
	}
	if !missing {
		if len(lost) > 0 {
			say(a.stderr, "%s does not open %s: put the right key file there, or enter them again", f.key, listed(lost))
		}
		return key, nil
	}
	if len(lost) > 0 {
		if err := a.wantKey(ctx, f, lost); err != nil {
			return key, err
		}
		if err := fleet.ForgetAuthority(ctx, st); err != nil {
			return key, err
		}
	}
	key, made, err := sealing.Create(f.key)
	if made {
		say(a.stderr, "key made: %s (keep a copy elsewhere: without it stored credentials are lost)", f.key)
	}
	return key, err
}

// wantKey asks whether to create a key that does not open the existing secrets.
func (a *app) wantKey(ctx context.Context, f *serveFlags, lost []string) error {
	text := fmt.Sprintf("%s is not there, and the database has what it sealed: %s", f.key, listed(lost))
	if f.newKey {
		say(a.stderr, "%s; with the new key nothing opens it: enter it again, and let workers join again", text)
		return nil
	}
	if !isTerminal(a.stdin) {
		return hinted{
			errors.New(text), "put the key file back; or --new-key makes another one: what is sealed is lost then, " +
				"and workers have to join again",
		}
	}
	say(a.stderr, "%s", text)
	yes, err := a.ask(ctx, "Make a new key, and lose all of that?")
	if err == nil && !yes {
		err = errors.New("no key was made: the answer was not yes")
	}
	return err
}

// listed names some entries of a list, and counts the others.
func listed(names []string) string {
	const most = 10
	if n := len(names) - most; n > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, ", ")
}
