package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/store"
)

// login is the only page that strangers see.
type login struct {
	Form     *form
	Setup    bool   // there is no account yet
	Provider string // a provider for logins; empty is none
	Passkeys bool
	Ended    string // where the provider's own session is ended after a logout
}

func loginPage(v *visit) error {
	if v.user.ID != 0 {
		http.Redirect(v.w, v.r, local(v.r.URL.Query().Get("to")), http.StatusSeeOther)
		return nil
	}
	return v.showLogin(newForm(url.Values{"to": {v.r.URL.Query().Get("to")}}), http.StatusOK)
}

func (v *visit) showLogin(f *form, status int) error {
	users, err := v.store.Users(v.ctx())
	if err != nil {
		return err
	}
	d := login{Form: f, Setup: len(users) == 0, Passkeys: v.access.Passkeys()}
	if p := v.options.Provider; p != nil {
		d.Provider = p.Name
		if v.r.URL.Query().Has("ended") {
			d.Ended = p.End(v.ctx())
		}
	}
	return v.renderStatus(status, "login", "Log in", d)
}

// notIn returns why a login was refused, with its status; other errors are returned as they are.
func (f *form) notIn(err error) (status int, other error) {
	var throttled *access.ThrottledError
	switch {
	case errors.As(err, &throttled):
		f.Problem = "Too many wrong tries: wait " + span(throttled.Wait) + "."
		return http.StatusTooManyRequests, nil
	case errors.Is(err, access.ErrBusy):
		f.Problem = sentence(acts.Words(err))
		return http.StatusServiceUnavailable, nil
	case errors.Is(err, access.ErrProvider):
		f.Problem = "The provider does not answer as it should. The server's log says more. Local accounts work " +
			"without it."
		return http.StatusBadGateway, nil
	}
	for _, known := range []error{access.ErrNoGroup, access.ErrFlow, access.ErrDenied, access.ErrNoPasskeys} {
		if errors.Is(err, known) {
			f.Problem = sentence(acts.Words(known))
			return http.StatusForbidden, nil
		}
	}
	if errors.Is(err, access.ErrCredentials) {
		f.Problem = "Name and password do not fit."
		return http.StatusUnauthorized, nil
	}
	return 0, err
}

func logIn(v *visit) error {
	f := newForm(v.r.PostForm)
	password := f.Get("password")
	f.Del("password")
	entry, err := v.access.Login(v.ctx(), access.Try{
		Name: f.Get("name"), Password: password, From: v.from(),
		Device: v.cookie(deviceCookie),
	})
	if err != nil {
		status, err := f.notIn(err)
		if err != nil {
			return err
		}
		return v.showLogin(f, status)
	}
	if entry.Second {
		return v.askSecond(&entry.User, f.Get("to"))
	}
	return v.let(entry, time.Time{}, f.Get("to"))
}

// deviceCookie identifies a device on which an account has logged in.
const deviceCookie = "ipcguard-device"

// let begins a session.
func (v *visit) let(entry access.Entry, fresh time.Time, to string) error {
	if err := v.enter(&entry.User, fresh); err != nil {
		return err
	}
	if entry.Device != "" {
		v.setCookie(deviceCookie, entry.Device, access.DeviceLife)
	}
	return v.done(to, "")
}

// secondWait is the time for the second factor after the password.
const secondWait = 10 * time.Minute

// askSecond remembers whose password was correct. That is not a session yet.
func (v *visit) askSecond(u *store.User, to string) error {
	ctx := v.ctx()
	if err := v.sessions.RenewToken(ctx); err != nil {
		return err
	}
	v.sessions.Put(ctx, keySecond, u.ID)
	v.sessions.Put(ctx, keyStamp, access.Stamp(u))
	v.sessions.Put(ctx, keyAsked, v.now().Unix())
	v.sessions.Put(ctx, keyTo, local(to))
	http.Redirect(v.w, v.r, "/login/second", http.StatusSeeOther)
	return nil
}

// asked returns the account that must show a second factor, 0 if there is none.
func (v *visit) asked() (int64, error) {
	ctx := v.ctx()
	id := v.sessions.GetInt64(ctx, keySecond)
	if id == 0 || v.now().Sub(time.Unix(v.sessions.GetInt64(ctx, keyAsked), 0)) > secondWait {
		return 0, nil
	}
	_, err := v.access.Resume(ctx, id, v.sessions.GetString(ctx, keyStamp), v.from()) // the password may have changed
	if errors.Is(err, access.ErrCredentials) {
		return 0, nil
	}
	return id, err
}

type second struct {
	Form     *form
	Passkeys bool
	To       string
}

func secondPage(v *visit) error {
	id, err := v.asked()
	if err != nil {
		return err
	}
	if id == 0 {
		http.Redirect(v.w, v.r, "/login", http.StatusSeeOther)
		return nil
	}
	return v.showSecond(newForm(nil), http.StatusOK)
}

func (v *visit) showSecond(f *form, status int) error {
	return v.renderStatus(status, "second", "The second factor",
		second{f, v.access.Passkeys(), v.sessions.GetString(v.ctx(), keyTo)})
}

func showSecondFactor(v *visit) error {
	id, err := v.asked()
	if err != nil {
		return err
	}
	f := newForm(nil)
	if id == 0 {
		f.Problem = "This took too long. Log in again."
		return v.showLogin(f, http.StatusUnauthorized)
	}
	entry, err := v.access.Second(v.ctx(), id, v.r.PostForm.Get("code"), v.from())
	if err != nil {
		status, err := f.notIn(err)
		if err != nil {
			return err
		}
		if status == http.StatusUnauthorized {
			f.Problem = "This is not a code that is good now."
		}
		return v.showSecond(f, status)
	}
	return v.let(entry, time.Time{}, v.sessions.GetString(v.ctx(), keyTo))
}

// ceremony answers a script of the page: what to ask the browser for.
func (v *visit) ceremony(c access.Ceremony, err error) error {
	if err != nil {
		f := newForm(nil)
		if _, other := f.notIn(err); other != nil && !f.refuse(other, "password") {
			return other
		}
		return problem{http.StatusUnprocessableEntity, f.first()}
	}
	b, err := json.Marshal(map[string]any{"options": c.Options, "state": c.State})
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	_, _ = v.w.Write(b)
	return nil
}

func passkeyOptions(v *visit) error { return v.ceremony(v.access.BeginPasskeyLogin(v.ctx())) }

func passkeyLogin(v *visit) error {
	f := newForm(v.r.PostForm)
	entry, err := v.access.PasskeyLogin(v.ctx(), f.Get("state"), f.Get("answer"), v.from())
	if err != nil {
		status, err := f.notIn(err)
		if err != nil {
			return err
		}
		if status == http.StatusUnauthorized {
			f.Problem = "This passkey was not taken."
		}
		return v.showLogin(newFormWith(f), status)
	}
	return v.let(entry, time.Time{}, f.Get("to"))
}

// newFormWith keeps a form's destination and errors.
func newFormWith(f *form) *form {
	kept := newForm(url.Values{"to": {f.Get("to")}})
	kept.Problem = f.Problem
	return kept
}

// flowCookie holds a login at the provider until its answer arrives.
const (
	flowCookie = "ipcguard-login"
	flowWait   = 10 * time.Minute
)

// toProvider redirects to the provider. It is a link and not a form: the page's policy forbids forms to other origins.
func toProvider(v *visit) error {
	p := v.options.Provider
	if p == nil {
		return errNotFound
	}
	q := v.r.URL.Query()
	address, flow, err := p.Begin(v.ctx(), local(q.Get("to")), q.Get("again") == "yes")
	if err != nil {
		v.log.Warn("the provider of identities", "error", err)
		return v.notLet(err)
	}
	b, err := json.Marshal(flow)
	if err != nil {
		return err
	}
	kept, err := v.access.Sign(v.ctx(), "flow", string(b), v.now().Add(flowWait))
	if err != nil {
		return err
	}
	v.setCookie(flowCookie, kept, flowWait)
	http.Redirect(v.w, v.r, address, http.StatusSeeOther)
	return nil
}

// fromProvider handles the provider's answer.
func fromProvider(v *visit) error {
	p := v.options.Provider
	if p == nil {
		return errNotFound
	}
	text, ok, err := v.access.Signed(v.ctx(), "flow", v.cookie(flowCookie))
	if err != nil {
		return err
	}
	var flow access.Flow
	if !ok || json.Unmarshal([]byte(text), &flow) != nil {
		flow = access.Flow{}
	}
	v.setCookie(flowCookie, "", 0) // each is good once
	entry, err := v.access.SignIn(v.ctx(), p, flow, v.r.URL.Query(), v.from())
	if err != nil {
		v.log.Warn("a login by the provider of identities failed", "from", v.from(), "error", err)
		return v.notLet(err)
	}
	fresh := time.Time{}
	if flow.Again {
		fresh = v.now()
	}
	return v.let(entry, fresh, flow.To)
}

// notLet shows the login page with the reason of a refusal.
func (v *visit) notLet(err error) error {
	f := newForm(nil)
	status, err := f.notIn(err)
	if err != nil && !f.refuse(err, "name") {
		return err
	}
	if f.Problem == "" {
		f.Problem = f.first()
	}
	if status == 0 {
		status = http.StatusForbidden
	}
	if status == http.StatusUnauthorized {
		f.Problem = "This account is locked here."
	}
	return v.showLogin(f, status)
}

func logOut(v *visit) error {
	to := "/login"
	if v.user.ID != 0 {
		// a logout must not fail because of it
		if err := v.access.Act(v.ctx(), v.who(), "logout", v.user.Name, ""); err != nil {
			v.log.Error("the audit log cannot be written", "action", "logout", "error", err)
		}
		if v.user.Subject != "" {
			to += "?ended"
		}
	}
	if err := v.sessions.Destroy(v.ctx()); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

type setup struct{ Form *form }

func setupPage(v *visit) error {
	token := v.r.URL.Query().Get("token")
	if err := v.access.SetupValid(v.ctx(), token); err != nil {
		return setupProblem(err)
	}
	return v.render("setup", "Set up", setup{newForm(url.Values{"token": {token}})})
}

func setupProblem(err error) error {
	if errors.Is(err, access.ErrLink) {
		return problem{http.StatusForbidden, "This link was used, or another one was made after it. The server " +
			"prints a new one when it starts, as long as there is no account."}
	}
	return err
}

func finishSetup(v *visit) error {
	f := newForm(v.r.PostForm)
	password, again := f.Get("new"), f.Get("again")
	f.Del("new")
	f.Del("again")
	if password != again {
		f.wrong("again", "The two are not the same.")
	}
	var u store.User
	if f.ok() {
		var err error
		u, err = v.access.FinishSetup(v.ctx(), f.Get("token"), f.Get("name"), password, v.from())
		switch {
		case err == nil:
		case errors.Is(err, access.ErrLink):
			return setupProblem(err)
		case !f.refuse(err, "new"):
			return err
		}
	}
	if !f.ok() {
		return v.renderStatus(http.StatusUnprocessableEntity, "setup", "Set up", setup{f})
	}
	if err := v.enter(&u, time.Time{}); err != nil {
		return err
	}
	return v.done("/", "The account is made. Name your first targets.")
}
