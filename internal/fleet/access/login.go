package access

import (
	"context"
	"errors"
	"time"

	"ipcguard/internal/store"
)

// Try is an attempt to log in with a name and a password.
type Try struct {
	Name, Password string
	From           string // the client's address
	Device         string // the cookie of an earlier login, or empty
}

// Entry is the result of a login by password, provider or passkey.
type Entry struct {
	User   store.User
	Device string // the cookie that identifies this device from now on; empty is none
	Second bool   // a second factor is required first: see [Access.Second]
}

// counts returns the throttle's counters for an attempt with a password.
func (t *Try) counts(device string) []count {
	if device != "" {
		return []count{{deviceKey(device), ofDevice}}
	}
	return []count{{pairKey(t.Name, t.From), ofPair}, {accountKey(t.Name), ofAccount}}
}

// Login authenticates by name and password. It returns ErrCredentials, a [ThrottledError], ErrBusy or an error of the
// store. The answers for an existing and a missing name do not differ.
func (a *Access) Login(ctx context.Context, t Try) (Entry, error) {
	t.Name = canonical(t.Name)
	device, err := a.device(ctx, t.Name, t.Device)
	if err != nil {
		return Entry{}, err
	}
	counts := t.counts(device)
	if err := a.slow(ctx, a.st, counts); err != nil {
		return Entry{}, err
	}
	line := addressKey(t.From)
	if device != "" { // it has logged in as this account before: its neighbours behind a router do not keep it waiting
		line = "device " + accountKey(t.Name)
	}
	u, err := a.prove(ctx, t.Name, t.Password, line, counts)
	if err != nil {
		return Entry{}, a.refused(ctx, Who{From: t.From}, u, "", err)
	}
	if stale(u.Password) {
		a.renew(ctx, &u, t.Password)
	}
	second, err := hasSecond(ctx, a.st, &u)
	if err != nil {
		return Entry{}, err
	}
	if second { // the password is right, but a second factor is needed
		return Entry{User: u, Second: true}, forgiven(ctx, a.st, counts)
	}
	return a.enter(ctx, u, t.From, device, "", counts)
}

// enter completes a login. how names the method if it was more than a password.
func (a *Access) enter(ctx context.Context, u store.User, from, device, how string, counts []count) (Entry, error) {
	err := a.st.InTx(ctx, func(tx *store.Tx) error {
		fresh, err := a.unchanged(ctx, tx, &u)
		if err != nil {
			return err
		}
		if how == "" { // the password alone
			if second, err := hasSecond(ctx, tx, &fresh); err != nil {
				return err
			} else if second {
				return ErrCredentials // it is required since the password was checked
			}
		}
		fresh.LastLogin = a.now()
		if err := tx.SaveUser(ctx, &fresh); err != nil {
			return err
		}
		if err := forgiven(ctx, tx, counts); err != nil {
			return err
		}
		u = fresh
		return a.ActIn(ctx, tx, Who{User: u, From: from}, store.ActLogin, u.Name, how)
	})
	if err != nil {
		return Entry{}, err
	}
	cookie, err := a.newDevice(ctx, u.Name, device)
	return Entry{User: u, Device: cookie}, err
}

// unchanged returns an account in its current state, under the lock of accounts: what the transaction writes is not
// overwritten by another change, nor does it overwrite one. If the account has been disabled, or its password or its
// sessions were ended, since u was read, it returns ErrCredentials.
func (a *Access) unchanged(ctx context.Context, tx *store.Tx, u *store.User) (store.User, error) {
	if err := a.lock(ctx, tx); err != nil {
		return store.User{}, err
	}
	fresh, err := tx.User(ctx, u.ID)
	if err == nil && (fresh.Disabled || Stamp(&fresh) != Stamp(u)) {
		err = ErrCredentials
	}
	return fresh, err
}

// prove checks an account's password, in a slot of the gate. Those who wait in one line share its length.
func (a *Access) prove(ctx context.Context, name, password, line string, counts []count) (store.User, error) {
	leave, err := a.gate.enter(ctx, line)
	if err != nil {
		return store.User{}, err
	}
	defer leave()
	if err := a.slow(ctx, a.st, counts); err != nil {
		return store.User{}, err
	}
	u, err := a.st.UserByName(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.User{}, err
	}
	if err := a.failed(ctx, counts); err != nil {
		return store.User{}, err
	}
	kept := ""
	if u.ID != 0 && !u.Disabled {
		kept = u.Password
	}
	if a.gate.fits(kept, password) {
		return u, nil
	}
	return u, ErrCredentials
}

// refused records a failed login, if err is one, and returns err.
func (a *Access) refused(ctx context.Context, who Who, u store.User, detail string, err error) error {
	if !errors.Is(err, ErrCredentials) {
		return err
	}
	subject := "(no such account)"
	if u.ID != 0 {
		subject = u.Name
		if u.Disabled {
			detail = "the account is disabled"
		}
	}
	if e := a.Act(ctx, who, store.ActLoginFailed, subject, detail); e != nil {
		return e
	}
	return err
}

// renew rehashes a password at today's cost. A failure does not stop the login.
func (a *Access) renew(ctx context.Context, u *store.User, password string) {
	kept, err := a.gate.hash(ctx, password)
	if err == nil {
		err = a.st.InTx(ctx, func(tx *store.Tx) error {
			fresh, err := a.unchanged(ctx, tx, u)
			if err != nil {
				return err
			}
			fresh.Password = kept
			if err := tx.SaveUser(ctx, &fresh); err != nil {
				return err
			}
			*u = fresh
			return nil
		})
	}
	if err != nil {
		a.Log.Warn("a password keeps its old cost", "account", u.Name, "error", err)
	}
}

// FreshFor is how long a login at the provider counts instead of entering the password again.
const FreshFor = 10 * time.Minute

// ErrFresh says that a new login at the provider is required where others enter their password.
var ErrFresh = errors.New("access: log in at your provider again first")

// Confirm returns nil if the user has just proved their identity again: with the password, or, for a provider's
// account, by a login there minutes ago. Wrong passwords are counted as those of logins are, for this account at this
// address.
func (a *Access) Confirm(ctx context.Context, who Who, password string) error {
	u, err := a.st.User(ctx, who.User.ID)
	if err != nil {
		return err
	}
	if u.Subject != "" {
		if who.Fresh.IsZero() || a.now().Sub(who.Fresh) > FreshFor {
			return ErrFresh
		}
		return nil
	}
	// The count uses the account's id, so that wrong passwords of strangers at the login do not block its owner here.
	counts := []count{{pairKey("confirm "+u.Name, who.From), ofPair}}
	if err := a.slow(ctx, a.st, counts); err != nil {
		return err
	}
	if _, err := a.prove(ctx, u.Name, password, "confirm "+accountKey(u.Name), counts); err != nil {
		return a.refused(ctx, who, u, "asked for again", err)
	}
	return forgiven(ctx, a.st, counts)
}

// Visited records when an account last used the page, which "since your last visit" is based on.
func (a *Access) Visited(ctx context.Context, id int64, at time.Time) error {
	return a.st.SetLastVisit(ctx, id, at)
}
