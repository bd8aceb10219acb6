package web

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/store"
)

// accounts lists who may log in.
type accounts struct {
	Rows   []accountRow
	Heads  []head
	Form   *form
	Fields map[string]field
}

type accountRow struct {
	store.User
	Tokens int
	Keys   int // passkeys
	Self   bool
	Said   string // the roles in words
}

var roleOptions = []option{
	{Value: string(store.RoleViewer), Label: "viewer: looks"},
	{Value: string(store.RoleOperator), Label: "operator: starts runs, edits targets, plans"},
	{Value: string(store.RoleAdmin), Label: "admin: accounts, credentials, channels, sites too"},
}

// rolesOf returns an account's roles in words.
func rolesOf(u *store.User) string {
	var all []string
	if u.Role != "" {
		all = append(all, string(u.Role))
	}
	for _, s := range u.Sites {
		all = append(all, string(s.Role)+" of "+brief(s.Site))
	}
	if len(all) == 0 {
		return "no role"
	}
	return strings.Join(all, ", ")
}

func accountsPage(v *visit) error { return v.showAccounts(newForm(nil), http.StatusOK) }

func (v *visit) showAccounts(f *form, status int) error {
	users, err := v.store.Users(v.ctx())
	if err != nil {
		return err
	}
	sites, err := v.store.Sites(v.ctx())
	if err != nil {
		return err
	}
	where := []option{{Value: "", Label: "everywhere"}}
	for _, s := range sites {
		where = append(where, option{Value: strconv.FormatInt(s.ID, 10), Label: s.Name})
	}
	d := accounts{Form: f, Fields: map[string]field{
		"name": f.Field("name", "Name", ""),
		"role": f.Choose("role", "Role", "", roleOptions),
		"site": f.Choose("site", "Where",
			"At a site the account sees nothing of others. More roles are given on the account's page.", where),
		"new": f.Field("new", "Password", "At least 12 characters; tell it to its owner, who can change it."),
	}}
	for _, u := range users {
		tokens, err := v.store.Tokens(v.ctx(), u.ID)
		if err != nil {
			return err
		}
		keys, err := v.store.Passkeys(v.ctx(), u.ID)
		if err != nil {
			return err
		}
		d.Rows = append(d.Rows, accountRow{
			User: u, Tokens: len(tokens), Keys: len(keys), Self: u.ID == v.user.ID,
			Said: rolesOf(&u),
		})
	}
	columns := []column{
		{"name", "name", "", false},
		{"role", "role", "", false},
		{"state", "state", "", false},
		{"login", "last login", "", true},
		{"second", "second factor", "", false},
		{"tokens", "tokens", "num", true},
		{"", "act", "", false},
	}
	order := v.sorted(byParam, "", columns)
	d.Heads = v.heads(byParam, order, columns)
	arrange(d.Rows, order, map[string]func(a, b accountRow) int{
		"name":   by(func(a accountRow) string { return a.Name }),
		"role":   by(func(a accountRow) string { return a.Said }),
		"login":  byTime(func(a accountRow) time.Time { return a.LastLogin }),
		"state":  by(func(a accountRow) string { return map[bool]string{true: "locked", false: "open"}[a.Disabled] }),
		"tokens": by(func(a accountRow) int { return a.Tokens }),
		"second": by(func(a accountRow) int { return min(len(a.TOTP), 1)*1000 + a.Keys }),
	})
	return v.renderStatus(status, "accounts", "Accounts", d)
}

// roleNames are the roles of a list to choose from; the first is none.
var roleNames = []store.Role{"", store.RoleViewer, store.RoleOperator, store.RoleAdmin}

func chosenOf(roles []store.Role, chosen store.Role) []option {
	var out []option
	for _, r := range roles {
		label := string(r)
		if r == "" {
			label = "none"
		}
		out = append(out, option{string(r), label, r == chosen})
	}
	return out
}

// oneAccount is one account: its roles everywhere and at each site, and its tokens.
type oneAccount struct {
	store.User
	Form   *form
	Said   string
	Roles  []option
	Sites  []siteOfAccount
	Tokens []tokenRow
}

type siteOfAccount struct {
	ID    int64
	Name  string
	Roles []option
}

func rolesPage(v *visit) error { return v.showRoles(newForm(nil), http.StatusOK) }

func (v *visit) showRoles(f *form, status int) error {
	id, err := v.number()
	if err != nil {
		return err
	}
	u, err := v.store.User(v.ctx(), id)
	if err != nil {
		return err
	}
	sites, err := v.store.Sites(v.ctx())
	if err != nil {
		return err
	}
	tokens, err := v.store.Tokens(v.ctx(), id)
	if err != nil {
		return err
	}
	everywhere := u.Role
	if f.Has("role") { // the refused choice
		everywhere = store.Role(f.Get("role"))
	}
	d := oneAccount{User: u, Form: f, Said: rolesOf(&u), Roles: chosenOf(roleNames, everywhere)}
	for _, s := range sites {
		row := siteOfAccount{ID: s.ID, Name: s.Name}
		chosen := store.Role("")
		for _, r := range u.Sites {
			if r.SiteID == s.ID {
				chosen = r.Role
			}
		}
		if name := "site-" + strconv.FormatInt(s.ID, 10); f.Has(name) {
			chosen = store.Role(f.Get(name))
		}
		row.Roles = chosenOf(roleNames, chosen)
		d.Sites = append(d.Sites, row)
	}
	for _, t := range tokens {
		d.Tokens = append(d.Tokens, tokenRow{t, t.Until.Before(v.now())})
	}
	return v.renderStatus(status, "roles", "Account "+brief(u.Name), d)
}

// siteRoles parses the roles at single sites of a form.
func (f *form) siteRoles() []store.SiteRole {
	var out []store.SiteRole
	for _, name := range slices.Sorted(maps.Keys(f.Values)) {
		text, ok := strings.CutPrefix(name, "site-")
		id, err := strconv.ParseInt(text, 10, 64)
		if role := f.Get(name); ok && err == nil && role != "" {
			out = append(out, store.SiteRole{SiteID: id, Role: store.Role(role)})
		}
	}
	return out
}

func deleteTokenOf(v *visit) error {
	id, err := v.number()
	if err != nil {
		return err
	}
	token, err := strconv.ParseInt(v.r.PathValue("token"), 10, 64)
	if err != nil {
		return errNotFound
	}
	if err := v.access.DeleteToken(v.ctx(), v.who(), id, token); err != nil {
		return err
	}
	return v.done("/accounts/"+strconv.FormatInt(id, 10), "The token is worth nothing any more.")
}

// refuse shows why an act was refused.
func (f *form) refuse(err error, passwordField string) bool {
	var rule *access.RuleError
	switch {
	case errors.As(err, &rule):
		name := rule.Field
		if name == "password" {
			name = passwordField
		}
		f.wrong(name, sentence(rule.Text))
	case errors.Is(err, access.ErrLastAdmin), errors.Is(err, access.ErrForbidden),
		errors.Is(err, access.ErrCredentials), errors.Is(err, access.ErrBusy), errors.Is(err, access.ErrFresh),
		errors.Is(err, access.ErrNoPasskeys):
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
		var sites []store.SiteRole
		if at := f.Get("site"); at != "" {
			id, _ := strconv.ParseInt(at, 10, 64) // not a number, so not a site
			sites, role = []store.SiteRole{{SiteID: id, Role: role}}, ""
		}
		_, err := v.access.AddUser(v.ctx(), v.who(), f.Get("name"), role, password, sites...)
		switch {
		case err == nil:
			return v.done("/accounts", "The account was made.")
		case !f.refuse(err, "new"):
			return err
		}
		return v.showAccounts(f, statusOf(err))
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
	case "roles":
		if err := v.access.SetRoles(v.ctx(), v.who(), id, store.Role(f.Get("role")), f.siteRoles()); err != nil {
			if !f.refuse(err, "new") {
				return err
			}
			f.Problem = f.first()
			return v.showRoles(f, http.StatusUnprocessableEntity)
		}
		return v.done("/accounts/"+strconv.FormatInt(id, 10), "The roles were changed.")
	case "lock":
		err, said = v.access.Disable(v.ctx(), v.who(), id), "The account is locked. Its sessions and tokens have ended."
	case "unlock":
		err, said = v.access.Enable(v.ctx(), v.who(), id), "The account is open again."
	case "password":
		if id == v.user.ID {
			return v.done("/account", "Change your own password here.")
		}
		err, said = v.access.SetPassword(v.ctx(), v.who(), id, "", f.Get("new")),
			"The password was changed. The account's sessions, tokens and second factors have ended."
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

// account is the reader's own: tokens, password, second factors.
type account struct {
	Form, TokenForm, SecondForm *form
	Fields                      map[string]field
	Tokens                      []tokenRow
	Secret                      string   // of a new token
	Recovery                    []string // new codes
	Provided                    string   // the provider at which the account logs in; empty is none
	Fresh                       bool     // it logged in minutes ago
	Codes                       bool     // logins ask for one-time codes
	Passkeys                    []store.Passkey
	CanPasskeys                 bool
	Left                        int // recovery codes
	Since                       time.Time
}

type tokenRow struct {
	store.Token
	Ended bool
}

func accountPage(v *visit) error { return v.showAccount(shownAccount{}, http.StatusOK) }

// shownAccount is what the page of one's own account shows beside the stored account.
type shownAccount struct {
	password, token, second *form
	secret                  string
	recovery                []string
}

var scopeOptions = map[store.Scope]string{
	store.ScopeRead: "read: what you see", store.ScopeUpload: "upload: hand in results, and nothing else",
	store.ScopeOperate:    "operate: what you may do as an operator",
	store.ScopeAdminister: "administer: all that you may do",
}

func (v *visit) showAccount(x shownAccount, status int) error {
	for _, f := range []**form{&x.password, &x.token, &x.second} {
		if *f == nil {
			*f = newForm(nil)
		}
	}
	f, t := x.password, x.token
	tokens, err := v.store.Tokens(v.ctx(), v.user.ID)
	if err != nil {
		return err
	}
	if t.Get("until") == "" {
		t.Set("until", day(v.now().AddDate(0, 3, 0)))
	}
	var scopes []option
	for _, s := range access.Scopes(v.whom) {
		scopes = append(scopes, option{Value: string(s), Label: scopeOptions[s]})
	}
	d := account{
		Form: f, TokenForm: t, SecondForm: x.second, Secret: x.secret, Recovery: x.recovery, Since: v.since(),
		CanPasskeys: v.access.Passkeys(), Fields: map[string]field{
			"password": f.Field("password", "Present password", ""),
			"new":      f.Field("new", "New password", "At least 12 characters. Your other sessions end."),
			"again":    f.Field("again", "New password again", ""),
			"name":     t.Field("name", "Name", "What it is for"),
			"scope":    t.Choose("scope", "For", "Never more than your own role", scopes),
			"until":    t.Field("until", "Until", ""),
			"proof":    t.Field("proof", "Your password", ""),
			"key":      x.second.Field("key", "Name of the passkey", "Such as the device that it is on"),
		},
	}
	for _, y := range tokens {
		d.Tokens = append(d.Tokens, tokenRow{y, y.Until.Before(v.now())})
	}
	if v.user.Subject != "" {
		d.Provided, d.Fresh = "your provider", v.now().Sub(v.whom.Fresh) < access.FreshFor
		if p := v.options.Provider; p != nil {
			d.Provided = p.Name
		}
		return v.renderStatus(status, "account", "Your account", d)
	}
	u, err := v.store.User(v.ctx(), v.user.ID)
	if err != nil {
		return err
	}
	d.Codes = len(u.TOTP) > 0
	if d.Passkeys, err = v.store.Passkeys(v.ctx(), v.user.ID); err != nil {
		return err
	}
	if d.Left, err = v.store.RecoveryCodes(v.ctx(), v.user.ID); err != nil {
		return err
	}
	return v.renderStatus(status, "account", "Your account", d)
}

// notPresent says that somebody who has to enter the password again mistyped it.
const notPresent = "This is not the present password."

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
			if err := v.enter(&u, time.Time{}); err != nil {
				return err
			}
			return v.done("/account", "The password was changed. Your other sessions have ended.")
		}
		if errors.Is(err, access.ErrCredentials) {
			f.wrong("password", notPresent)
		} else if !f.refuse(err, "new") {
			return err
		}
	}
	return v.showAccount(shownAccount{password: f}, http.StatusUnprocessableEntity)
}

func addToken(v *visit) error {
	t := newForm(v.r.PostForm)
	proof := t.Get("proof")
	t.Del("proof")
	scope := store.Scope(t.Get("scope"))
	until := t.date("until")
	if t.ok() {
		secret, _, err := v.access.NewToken(v.ctx(), v.who(), proof, t.Get("name"), scope, until)
		switch {
		case err == nil:
			// No redirect here: the secret would have to be stored in between. Reloading reports that the name exists.
			return v.showAccount(shownAccount{secret: secret}, http.StatusCreated)
		case errors.Is(err, access.ErrCredentials):
			t.wrong("proof", notPresent)
		case !t.refuse(err, "proof"):
			return err
		}
		return v.showAccount(shownAccount{token: t}, statusOf(err))
	}
	return v.showAccount(shownAccount{token: t}, http.StatusUnprocessableEntity)
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

// actsPage shows the audit log.
func actsPage(v *visit) error {
	columns := []column{
		{"id", "when", "", true},
		{"who", "who", "", false},
		{"from", "from", "", false},
		{"action", "what", "", false},
		{"subject", "about", "", false},
		{"detail", "more", "", false},
	}
	page := v.pageOf("-id", columns)
	text := v.r.URL.Query().Get("q")
	list, total, err := v.store.Acts(v.ctx(), text, page)
	if err != nil {
		return err
	}
	return v.render("acts", "Audit log", auditLog{
		text, list, v.pager(page, len(list), total),
		v.heads(byParam, page.Sort, columns),
	})
}

type auditLog struct {
	Text  string
	Rows  []store.Act
	Pager pager
	Heads []head
}
