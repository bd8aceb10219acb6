package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/store"
)

// accounts are who may come in.
type accounts struct {
	Rows   []accountRow
	Form   *form
	Fields map[string]field
}

type accountRow struct {
	store.User
	Tokens int
	Self   bool
	Roles  []option
}

var roleOptions = []option{
	{Value: string(store.RoleViewer), Label: "viewer: looks"},
	{Value: string(store.RoleOperator), Label: "operator: starts runs, edits targets, plans"},
	{Value: string(store.RoleAdmin), Label: "admin: accounts, credentials, channels, sites too"},
}

func accountsPage(v *visit) error { return v.showAccounts(newForm(nil), http.StatusOK) }

func (v *visit) showAccounts(f *form, status int) error {
	users, err := v.store.Users(v.ctx())
	if err != nil {
		return err
	}
	d := accounts{Form: f, Fields: map[string]field{
		"name": f.Field("name", "Name", ""),
		"role": f.Choose("role", "Role", "", roleOptions),
		"new":  f.Field("new", "Password", "At least 12 characters; tell it to its owner, who can change it."),
	}}
	for _, u := range users {
		tokens, err := v.store.Tokens(v.ctx(), u.ID)
		if err != nil {
			return err
		}
		row := accountRow{User: u, Tokens: len(tokens), Self: u.ID == v.user.ID}
		for _, r := range []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin} {
			row.Roles = append(row.Roles, option{string(r), string(r), r == u.Role})
		}
		d.Rows = append(d.Rows, row)
	}
	return v.renderStatus(status, "accounts", "Accounts", d)
}

// refuse shows what access says against an act.
func (f *form) refuse(err error, passwordField string) bool {
	var rule *access.RuleError
	switch {
	case errors.As(err, &rule):
		name := rule.Field
		if name == "password" {
			name = passwordField
		}
		f.wrong(name, sentence(rule.Text))
	case errors.Is(err, access.ErrLastAdmin), errors.Is(err, access.ErrForbidden), errors.Is(err, access.ErrCredentials), errors.Is(err, access.ErrBusy):
		f.Problem = sentence(acts.Words(err))
	default:
		var throttled *access.ThrottledError
		if !errors.As(err, &throttled) {
			return false
		}
		f.Problem = sentence(acts.Words(err))
	}
	return true
}

func addAccount(v *visit) error {
	f := newForm(v.r.PostForm)
	role := store.Role(f.Get("role"))
	password := f.Get("new")
	f.Del("new")
	if f.ok() {
		_, err := v.access.AddUser(v.ctx(), v.who(), f.Get("name"), role, password)
		switch {
		case err == nil:
			return v.done("/accounts", "The account was made.")
		case errors.Is(err, store.ErrConflict):
			f.wrong("name", "There is an account of this name.")
		case !f.refuse(err, "new"):
			return err
		}
	}
	return v.showAccounts(f, http.StatusUnprocessableEntity)
}

// changeAccount sets a role, locks or unlocks an account, or gives it another password.
func changeAccount(v *visit) error {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return errNotFound
	}
	f := newForm(v.r.PostForm)
	said := ""
	switch f.Get("do") {
	case "role":
		err, said = v.access.SetRole(v.ctx(), v.who(), id, store.Role(f.Get("role"))), "The role was changed."
	case "lock":
		err, said = v.access.Disable(v.ctx(), v.who(), id), "The account is locked, and its sessions have ended."
	case "unlock":
		err, said = v.access.Enable(v.ctx(), v.who(), id), "The account is open again."
	case "password":
		if id == v.user.ID {
			return v.done("/account", "Change your own password here.")
		}
		err, said = v.access.SetPassword(v.ctx(), v.who(), id, "", f.Get("new")), "The password was changed, and the account's sessions have ended."
	default:
		return problem{http.StatusUnprocessableEntity, "There is no such act."}
	}
	if err != nil {
		if !f.refuse(err, "new") {
			return err
		}
		return v.done("/accounts", "Nothing was changed: "+f.first())
	}
	return v.done("/accounts", said)
}

// account is one's own: password and tokens.
type account struct {
	Form, TokenForm *form
	Fields          map[string]field
	Tokens          []tokenRow
	Secret          string // of a token that was just made
	Since           time.Time
}

type tokenRow struct {
	store.Token
	Ended bool
}

func accountPage(v *visit) error {
	return v.showAccount(newForm(nil), newForm(nil), "", http.StatusOK)
}

func (v *visit) showAccount(f, t *form, secret string, status int) error {
	tokens, err := v.store.Tokens(v.ctx(), v.user.ID)
	if err != nil {
		return err
	}
	if t.Get("until") == "" {
		t.Set("until", day(v.now().AddDate(0, 3, 0)))
	}
	var scopes []option
	for _, o := range roleOptions {
		if allows(v.user.Role, store.Role(o.Value)) {
			scopes = append(scopes, o)
		}
	}
	d := account{Form: f, TokenForm: t, Secret: secret, Since: v.since(), Fields: map[string]field{
		"password": f.Field("password", "The password as it is", ""),
		"new":      f.Field("new", "The new password", "At least 12 characters. Your other sessions end."),
		"again":    f.Field("again", "The new password again", ""),
		"name":     t.Field("name", "Name", "What it is for"),
		"scope":    t.Choose("scope", "May do", "Never more than your own role", scopes),
		"until":    t.Field("until", "Until", ""),
	}}
	for _, x := range tokens {
		d.Tokens = append(d.Tokens, tokenRow{x, x.Until.Before(v.now())})
	}
	return v.renderStatus(status, "account", "Your account", d)
}

func changePassword(v *visit) error {
	f := newForm(v.r.PostForm)
	old, fresh, again := f.Get("password"), f.Get("new"), f.Get("again")
	f.Values = newForm(nil).Values // no password is shown again
	if fresh != again {
		f.wrong("again", "The two are not the same.")
	}
	if f.ok() {
		err := v.access.SetPassword(v.ctx(), v.who(), v.user.ID, old, fresh)
		if err == nil {
			u, err := v.store.User(v.ctx(), v.user.ID)
			if err != nil {
				return err
			}
			if err := v.enter(&u); err != nil {
				return err
			}
			return v.done("/account", "The password was changed. Your other sessions have ended.")
		}
		if !f.refuse(err, "new") {
			return err
		}
	}
	return v.showAccount(f, newForm(nil), "", http.StatusUnprocessableEntity)
}

func addToken(v *visit) error {
	t := newForm(v.r.PostForm)
	scope := store.Role(t.Get("scope"))
	until := t.date("until")
	if t.ok() {
		secret, _, err := v.access.NewToken(v.ctx(), v.who(), t.Get("name"), scope, until)
		switch {
		case err == nil:
			// No redirect here: the secret would have to be kept somewhere meanwhile. Reloading finds the name taken.
			return v.showAccount(newForm(nil), newForm(nil), secret, http.StatusCreated)
		case errors.Is(err, store.ErrConflict):
			t.wrong("name", "You have a token of this name.")
		case !t.refuse(err, "name"):
			return err
		}
	}
	return v.showAccount(newForm(nil), t, "", http.StatusUnprocessableEntity)
}

func deleteToken(v *visit) error {
	id, err := strconv.ParseInt(v.r.PathValue("id"), 10, 64)
	if err != nil {
		return errNotFound
	}
	if err := v.access.DeleteToken(v.ctx(), v.who(), v.user.ID, id); err != nil {
		return err
	}
	return v.done("/account#tokens", "The token is worth nothing any more.")
}

// actsPage is the audit log.
func actsPage(v *visit) error {
	page := v.pageOf("-id", rows)
	page.Sort = ""
	text := v.r.URL.Query().Get("q")
	list, total, err := v.store.Acts(v.ctx(), text, page)
	if err != nil {
		return err
	}
	return v.render("acts", "Audit log", auditLog{text, list, v.pager(page, len(list), total)})
}

type auditLog struct {
	Text  string
	Rows  []store.Act
	Pager pager
}
