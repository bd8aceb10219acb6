package access

import (
	"context"
	"errors"
	"time"

	"ipcguard/internal/store"
)

// Try is a name and a password, and who brings them.
type Try struct {
	Name, Password string
	From           string // the address
	Device         string // the cookie that an earlier login gave, or nothing
}

// Entry is what a password, a provider or a passkey opened.
type Entry struct {
	User   store.User
	Device string // the cookie by which this device is known from now on; empty is none
	Second bool   // a second factor is to be shown first: see [Access.Second]
}

// counts are what a try with a password is counted under.
func (t *Try) counts(device string) []count {
	if device != "" {
		return []count{{deviceKey(device), ofDevice}}
	}
	return []count{{pairKey(t.Name, t.From), ofPair}, {accountKey(t.Name), ofAccount}}
}

// Login lets an account in by its name and password. It fails with ErrCredentials, a [ThrottledError], ErrBusy, or what the
// store says; nothing tells a name that there is from one that there is not.
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
	u, err := a.prove(ctx, t.Name, t.Password, t.From, counts)
	if err != nil {
		return Entry{}, a.refused(ctx, Who{From: t.From}, u, "", err)
	}
	if stale(u.Password) {
		a.renew(ctx, &u, t.Password)
	}
	second, err := a.hasSecond(ctx, &u)
	if err != nil {
		return Entry{}, err
	}
	if second { // the password fits, and that alone is no login yet
		return Entry{User: u, Second: true}, forgiven(ctx, a.st, counts)
	}
	return a.enter(ctx, u, t.From, device, "", counts)
}

// enter completes a login: how says by what, where it was more than a password.
func (a *Access) enter(ctx context.Context, u store.User, from, device, how string, counts []count) (Entry, error) {
	err := a.st.InTx(ctx, func(tx *store.Tx) error {
		fresh, err := tx.User(ctx, u.ID)
		if err != nil {
			return err
		}
		if fresh.Disabled || Stamp(&fresh) != Stamp(&u) {
			return ErrCredentials // changed while we were at work
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

// prove holds a password against an account, in a slot of the gate.
func (a *Access) prove(ctx context.Context, name, password, from string, counts []count) (store.User, error) {
	leave, err := a.gate.enter(ctx, addressKey(from))
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

// refused writes a failed login down, where it is one, and gives the error back.
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

// renew hashes a password anew at today's cost. That it may fail is no reason to keep its owner out.
func (a *Access) renew(ctx context.Context, u *store.User, password string) {
	kept, err := a.gate.hash(ctx, password)
	if err == nil {
		err = a.st.InTx(ctx, func(tx *store.Tx) error {
			fresh, err := tx.User(ctx, u.ID)
			if err != nil || fresh.Password != u.Password {
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

// FreshFor is how long after a login at the provider somebody needs no new one for what otherwise asks for the password.
const FreshFor = 10 * time.Minute

// ErrFresh says that somebody has to log in at the provider again for what otherwise asks for the password.
var ErrFresh = errors.New("access: log in at your provider again first")

// Confirm is nil where somebody has shown again that it is really them: by the password, or, whom a provider knows, by having
// logged in there minutes ago. Wrong passwords are counted as those of logins are, for this account at this address.
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
	// By the account's number: what strangers type at the login does not keep its owner from this.
	counts := []count{{pairKey("confirm "+u.Name, who.From), ofPair}}
	if err := a.slow(ctx, a.st, counts); err != nil {
		return err
	}
	if _, err := a.prove(ctx, u.Name, password, who.From, counts); err != nil {
		return a.refused(ctx, who, u, "asked for again", err)
	}
	return forgiven(ctx, a.st, counts)
}

// Visited keeps when an account was here, which is what "since your last visit" counts from.
func (a *Access) Visited(ctx context.Context, id int64, at time.Time) error {
	return a.st.SetLastVisit(ctx, id, at)
}
