package access

import (
	"context"
	"errors"
	"time"

	"ipcguard/internal/store"
)

// Login lets an account in by its name and password. It fails with ErrCredentials, a [ThrottledError], ErrBusy, or what the
// store says; nothing tells a name that there is from one that there is not.
func (a *Access) Login(ctx context.Context, name, password, from string) (store.User, error) {
	name = canonical(name)
	who := Who{From: from}
	account, address := accountKey(name), addressKey(from)
	if err := a.slow(ctx, a.st, account, address); err != nil {
		return store.User{}, err
	}
	u, err := a.prove(ctx, name, password, account, address)
	if err != nil {
		return store.User{}, a.refused(ctx, who, u, err)
	}
	err = a.st.InTx(ctx, func(tx *store.Tx) error {
		fresh, err := tx.User(ctx, u.ID)
		if err != nil {
			return err
		}
		if fresh.Disabled || fresh.Password != u.Password {
			return ErrCredentials // changed while we were hashing
		}
		fresh.LastLogin = a.now()
		if err := tx.SaveUser(ctx, &fresh); err != nil {
			return err
		}
		if err := tx.ClearFailures(ctx, account); err != nil {
			return err
		}
		u = fresh
		return a.ActIn(ctx, tx, Who{User: u, From: from}, "login", u.Name, "")
	})
	if err != nil {
		return store.User{}, err
	}
	if stale(u.Password) {
		a.renew(ctx, &u, password)
	}
	return u, nil
}

// prove holds a password against an account, in a slot of the gate. The failure is counted before the work is done, so
// that many at once cannot all be the first.
func (a *Access) prove(ctx context.Context, name, password, account, address string) (store.User, error) {
	leave, err := a.gate.enter(ctx)
	if err != nil {
		return store.User{}, err
	}
	defer leave()
	if err := a.slow(ctx, a.st, account, address); err != nil {
		return store.User{}, err
	}
	u, err := a.st.UserByName(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.User{}, err
	}
	if err := a.st.AddFailure(ctx, account, a.now()); err != nil {
		return store.User{}, err
	}
	kept := ""
	if u.ID != 0 && !u.Disabled {
		kept = u.Password
	}
	if a.gate.fits(kept, password) {
		return u, nil
	}
	if err := a.st.AddFailure(ctx, address, a.now()); err != nil {
		return store.User{}, err
	}
	return u, ErrCredentials
}

// refused writes a failed login down, where it is one, and gives the error back.
func (a *Access) refused(ctx context.Context, who Who, u store.User, err error) error {
	if !errors.Is(err, ErrCredentials) {
		return err
	}
	subject, detail := "(no such account)", ""
	if u.ID != 0 {
		subject = u.Name
		if u.Disabled {
			detail = "the account is disabled"
		}
	}
	if e := a.Act(ctx, who, "login.failed", subject, detail); e != nil {
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
		a.log.Warn("a password keeps its old cost", "account", u.Name, "error", err)
	}
}

// Visited keeps when an account was here, which is what "since your last visit" counts from.
func (a *Access) Visited(ctx context.Context, id int64, at time.Time) error {
	return a.st.SetLastVisit(ctx, id, at)
}
