// Package access decides who may log in and what they may do: accounts, roles for the whole fleet and for single sites,
// second factors, an identity provider, tokens for programs, the throttling of logins, and the audit log.
//
//	name, password ─► throttle (device, else account) ─► gate (few at a time) ─► argon2id ─► second factor ─► account
//	provider       ─► code, PKCE ─► ID token (signature, nonce) ─► groups ─► roles ─► account
//	passkey        ─► signature of the challenge, the person was verified ─► account
//	ipcg_… token   ─► SHA-256 ─► token ─► account            rights = the lesser of scope and account's roles
//
// The rules of the room:
//
//   - A failed login says only that name and password do not match. An unknown, a disabled and a mistyped name cost the
//     same work and give the same answer.
//   - Stored secrets cannot be reversed: passwords are kept as argon2id, and tokens, recovery codes and the set-up link
//     as SHA-256 of random bits. Only the secret of one-time codes must be readable; it is sealed.
//   - Failure counts live in the store, so that all servers of one database share them. Guesses by others lock no user
//     out: a device that logged in before has a count of its own, and so has each account at each address.
//   - A change and its entry in the audit log are one transaction, and no entry contains a secret. A name without an
//     account is not recorded either, since people type passwords into the name field. The log gets every act after the
//     transaction commits.
//   - At least one enabled administrator with a password remains: a provider that is down locks nobody out.
package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// The errors that callers distinguish. See also [ThrottledError] and [RuleError].
var (
	ErrCredentials = errors.New("access: name and password do not fit")
	ErrToken       = errors.New("access: no such token, or it has ended")
	ErrLink        = errors.New("access: this link was used, or another one was made after it")
	ErrForbidden   = errors.New("access: the role does not allow it")
	ErrLastAdmin   = errors.New("access: one administrator has to stay")
	ErrBusy        = errors.New("access: too many logins at once; try again in a moment")
)

// ThrottledError says how long logins to an account or from an address are refused after wrong passwords.
type ThrottledError struct{ Wait time.Duration }

// Error implements error.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("access: too many wrong passwords; try again in %v", e.Wait.Round(time.Second))
}

// RuleError says why a name, a password or a token is not acceptable. It does not quote them.
type RuleError struct{ Field, Text string }

// Error implements error.
func (e *RuleError) Error() string { return "access: " + e.Text }

// viaToken is the prefix of [Who.Via] for a token; the token's name follows.
const viaToken = "token:"

// Who is the account behind a request, with what the request may do.
type Who struct {
	User  store.User
	Role  store.Role           // role for the whole fleet: the account's, limited by the token's scope
	Sites map[int64]store.Role // roles at single sites, if higher
	Scope store.Scope          // of a token; empty is a session
	Via   string               // "session" or "token:NAME"
	From  string               // the address of the client
	Until time.Time            // when the token expires; zero for a session
	Fresh time.Time            // when a session began at an identity provider; zero for others

	token []byte // the hash of the token
}

// as returns the account's rights, limited by a scope.
func as(u store.User, scope store.Scope) Who {
	most := map[store.Scope]store.Role{
		"":                    store.RoleAdmin,
		store.ScopeRead:       store.RoleViewer,
		store.ScopeOperate:    store.RoleOperator,
		store.ScopeAdminister: store.RoleAdmin,
	}[scope]
	who := Who{User: u, Role: lesser(u.Role, most), Scope: scope}
	for _, s := range u.Sites {
		if role := lesser(s.Role, most); rank(role) > rank(who.Role) {
			if who.Sites == nil {
				who.Sites = map[int64]store.Role{}
			}
			who.Sites[s.SiteID] = role
		}
	}
	return who
}

func lesser(a, b store.Role) store.Role {
	if rank(a) < rank(b) {
		return a
	}
	return b
}

// System is the actor of what no user requested: schedules and clean-up.
func System() Who {
	return Who{User: store.User{Name: "system"}, Role: store.RoleAdmin, Via: "system"}
}

// Can reports whether the role for the whole fleet includes another role.
func (w Who) Can(role store.Role) bool { return rank(w.Role) >= rank(role) && rank(role) > 0 }

// At reports whether the role at a site includes another role.
func (w Who) At(site int64, role store.Role) bool {
	return w.Can(role) || rank(w.Sites[site]) >= rank(role) && rank(role) > 0
}

// Somewhere reports whether the role at any site includes another role. The code behind it must check [Who.At] too.
func (w Who) Somewhere(role store.Role) bool {
	for site := range w.Sites {
		if w.At(site, role) {
			return true
		}
	}
	return w.Can(role)
}

// Uploads reports whether the request may upload results for a site: as an operator there, or with an upload token.
func (w Who) Uploads(site int64) bool {
	if w.Scope == store.ScopeUpload {
		return as(w.User, "").At(site, store.RoleOperator)
	}
	return w.At(site, store.RoleOperator)
}

// UploadsSomewhere reports whether the request may upload results for any site.
func (w Who) UploadsSomewhere() bool {
	if w.Scope == store.ScopeUpload {
		return as(w.User, "").Somewhere(store.RoleOperator)
	}
	return w.Somewhere(store.RoleOperator)
}

// Sight returns the part of a store that w may read: all of it, or some sites.
func Sight(r store.Reader, w Who) store.Reader {
	if w.Can(store.RoleViewer) {
		return r
	}
	sites := store.Sites{}
	for id := range w.Sites {
		if w.At(id, store.RoleViewer) {
			sites = append(sites, id)
		}
	}
	slices.Sort(sites)
	return store.Only(r, sites, w.User.ID)
}

// Name returns the name for the audit log: the account, and the token that acted for it.
func (w Who) Name() string {
	if strings.HasPrefix(w.Via, viaToken) {
		return w.User.Name + " " + w.Via
	}
	return w.User.Name
}

// rank orders roles; 0 is no role.
func rank(r store.Role) int {
	switch r {
	case store.RoleViewer:
		return 1
	case store.RoleOperator:
		return 2
	case store.RoleAdmin:
		return 3
	}
	return 0
}

// Options configure an Access. The zero value serves a store without sealed secrets.
type Options struct {
	Clock func() time.Time // nil is time.Now
	Log   *slog.Logger     // gets every login and act; nil is silent
	Key   secret.Key       // seals the secrets of one-time codes
	Base  string           // base URL of the page, which passkeys are bound to; empty is none
}

// Access keeps accounts, tokens and the audit log in a store. It is safe for concurrent use.
type Access struct {
	Options
	st   *store.Store
	gate gate
}

// New returns an Access.
func New(st *store.Store, o Options) *Access {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Access{Options: o, st: st, gate: newGate()}
}

func (a *Access) now() time.Time { return a.Clock().UTC() }

// Act adds an entry to the audit log.
func (a *Access) Act(ctx context.Context, who Who, action, subject, detail string) error {
	return a.st.InTx(ctx, func(tx *store.Tx) error { return a.ActIn(ctx, tx, who, action, subject, detail) })
}

// ActIn adds an entry to the audit log in the transaction of the act, and logs it after the commit. The address comes
// before texts that users chose, so that a name cannot mislead a program that parses the log.
func (a *Access) ActIn(ctx context.Context, tx *store.Tx, who Who, action, subject, detail string) error {
	act := a.act(who, action, subject, detail)
	if err := tx.AddAct(ctx, &act); err != nil {
		return err
	}
	level := slog.LevelInfo
	if action == store.ActLoginFailed {
		level = slog.LevelWarn
	}
	from := act.From
	if from == "" {
		from = "-"
	}
	tx.AfterCommit(func() {
		a.Log.Log(ctx, level, "act", "action", act.Action, "from", from, "who", act.Who, "subject", act.Subject,
			"detail", act.Detail, "chain", hex.EncodeToString(act.Hash[:16]))
	})
	return nil
}

// Bounds of an act's texts in bytes: a line that a person still reads.
const (
	maxSubject = 256
	maxDetail  = 512
)

func (a *Access) act(who Who, action, subject, detail string) store.Act {
	return store.Act{
		At: a.now(), Who: clean(who.Name(), maxSubject), From: clean(who.From, 64), Action: action,
		Subject: clean(subject, maxSubject), Detail: clean(detail, maxDetail),
	}
}

// clean returns s as one line of bounded length, without control characters and characters that hide or reorder text.
func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || model.Hidden(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

// Stamp returns a value that a session carries. It changes with the password and with the epoch; sessions with an old
// stamp have ended.
func Stamp(u *store.User) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "session of %s %d %s", u.Password, u.Epoch, u.Subject))
	return base64.RawStdEncoding.EncodeToString(sum[:12])
}

// Resume returns the account of a session in its current state. It returns ErrCredentials if the account was disabled
// or its sessions were ended.
func (a *Access) Resume(ctx context.Context, id int64, stamp, from string) (Who, error) {
	u, err := a.st.User(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Who{}, ErrCredentials
	case err != nil:
		return Who{}, err
	case u.Disabled || stamp != Stamp(&u):
		return Who{}, ErrCredentials
	}
	who := as(u, "")
	who.Via, who.From = "session", from
	return who, nil
}

// Still returns [ErrForbidden] if what a request may do has changed since it began: its token or session has ended, or
// the account's roles are others. The body of a request may take hours.
func (a *Access) Still(ctx context.Context, who Who) error {
	var now Who
	var err error
	switch {
	case who.User.ID == 0: // the system
		return nil
	case who.token != nil:
		now, err = a.tokenOf(ctx, who.token, who.From)
	default:
		now, err = a.Resume(ctx, who.User.ID, Stamp(&who.User), who.From)
	}
	if errors.Is(err, ErrToken) || errors.Is(err, ErrCredentials) ||
		err == nil && (now.User.Role != who.User.Role || !slices.Equal(now.User.Sites, who.User.Sites)) {
		return ErrForbidden
	}
	return err
}
