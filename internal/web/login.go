package web

import (
	"errors"
	"net/http"
	"net/url"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/store"
)

// login is the only page that a stranger sees.
type login struct {
	Form  *form
	Setup bool // there is no account at all
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
	return v.renderStatus(status, "login", "Log in", login{f, len(users) == 0})
}

func logIn(v *visit) error {
	f := newForm(v.r.PostForm)
	password := f.Get("password")
	f.Del("password")
	u, err := v.access.Login(v.ctx(), f.Get("name"), password, v.from())
	if err != nil {
		var throttled *access.ThrottledError
		switch {
		case errors.As(err, &throttled):
			f.Problem = "Too many wrong passwords: wait " + span(throttled.Wait) + "."
			return v.showLogin(f, http.StatusTooManyRequests)
		case errors.Is(err, access.ErrBusy):
			f.Problem = sentence(acts.Words(err))
			return v.showLogin(f, http.StatusServiceUnavailable)
		case errors.Is(err, access.ErrCredentials):
			f.Problem = "Name and password do not fit."
			return v.showLogin(f, http.StatusUnauthorized)
		}
		return err
	}
	if err := v.enter(&u); err != nil {
		return err
	}
	return v.done(f.Get("to"), "")
}

func logOut(v *visit) error {
	if v.user.ID != 0 {
		if err := v.access.Act(v.ctx(), v.who(), "logout", v.user.Name, ""); err != nil { // nobody is kept in for that
			v.log.Error("the audit log cannot be written", "action", "logout", "error", err)
		}
	}
	if err := v.sessions.Destroy(v.ctx()); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, "/login", http.StatusSeeOther)
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
		return problem{http.StatusForbidden, "This link was used, or another one was made after it. The server prints a new one when it starts, as long as there is no account."}
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
	if err := v.enter(&u); err != nil {
		return err
	}
	return v.done("/", "The account is made. Name your first targets.")
}
