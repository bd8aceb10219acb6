// Package access is who may come in and what they may do: accounts, roles everywhere and at single sites, second factors, a
// provider of identities, tokens for programs, the throttle of logins, and the audit log of every act.
//
//	name, password ─► throttle (device, else account) ─► gate (few at a time) ─► argon2id ─► second factor ─► account
//	provider       ─► code, PKCE ─► ID token (signature, nonce) ─► groups ─► roles ─► account
//	passkey        ─► signature of the challenge, the person was verified ─► account
//	ipcg_… token   ─► SHA-256 ─► token ─► account            rights = the lesser of scope and account's roles
//
// The rules of the room:
//
//   - Whoever is not let in learns one thing: that name and password do not fit. Unknown, disabled and mistyped cost the
//     same work and give the same answer.
//   - What is kept cannot be turned back: passwords as argon2id, tokens, recovery codes and the set-up link as SHA-256 of
//     random bits that cannot be guessed. The secret of one-time codes has to be kept, and is sealed.
//   - Counts of failures live in the store, so that two servers on one database count together. Nobody is kept out by what
//     others typed: a device that logged in before has a count of its own, and so has each account at each address.
//   - Who changes something writes the act in the same transaction, and no act holds a secret: a name that belongs to no
//     account is not written down either, since people type passwords into the field for names. The log is told of every
//     act once the transaction is kept.
//   - At least one administrator with a password, who is not disabled, stays: a provider that is away locks nobody out.
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

// The errors that callers tell apart. See also [ThrottledError] and [RuleError].
var (
	ErrCredentials = errors.New("access: name and password do not fit")
	ErrToken       = errors.New("access: no such token, or it has ended")
	ErrLink        = errors.New("access: this link was used, or another one was made after it")
	ErrForbidden   = errors.New("access: the role does not allow it")
	ErrLastAdmin   = errors.New("access: one administrator has to stay")
	ErrBusy        = errors.New("access: too many logins at once; try again in a moment")
)

// ThrottledError says how long nobody is let in under an account or from an address, after wrong passwords.
type ThrottledError struct{ Wait time.Duration }

// Error says it in plain words.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("access: too many wrong passwords; try again in %v", e.Wait.Round(time.Second))
}

// RuleError says what is wrong with a name, a password or a token that somebody wants to have. It quotes neither.
type RuleError struct{ Field, Text string }

// Error says it in plain words.
func (e *RuleError) Error() string { return "access: " + e.Text }

// viaToken begins Via where it is a token, and the token's name follows, of which an account has one.
const viaToken = "token:"

// Who is behind a request.
type Who struct {
	User  store.User
	Role  store.Role           // what the request may do everywhere: the account's role, or less by a token's scope
	Sites map[int64]store.Role // and at single sites, where that is more
	Scope store.Scope          // of a token; empty is a session
	Via   string               // session, or token:NAME
	From  string               // the address that the request comes from
	Until time.Time            // when a token ends; zero for a session
	Fresh time.Time            // when a session was begun by a provider of identities; zero for others
}

// as is an account with no more than a scope gives.
func as(u store.User, scope store.Scope) Who {
	most := map[store.Scope]store.Role{"": store.RoleAdmin, store.ScopeRead: store.RoleViewer, store.ScopeOperate: store.RoleOperator, store.ScopeAdminister: store.RoleAdmin}[scope]
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

// System is who acts when nobody asked: schedules, clean-up.
func System() Who {
	return Who{User: store.User{Name: "system"}, Role: store.RoleAdmin, Via: "system"}
}

// Can tells whether the role everywhere holds another one.
func (w Who) Can(role store.Role) bool { return rank(w.Role) >= rank(role) && rank(role) > 0 }

// At tells whether the role at a site holds another one.
func (w Who) At(site int64, role store.Role) bool {
	return w.Can(role) || rank(w.Sites[site]) >= rank(role) && rank(role) > 0
}

// Somewhere tells whether the role at any site holds another one. What it is asked for has to ask [Who.At] as well.
func (w Who) Somewhere(role store.Role) bool {
	for site := range w.Sites {
		if w.At(site, role) {
			return true
		}
	}
	return w.Can(role)
}

// Uploads tells whether results for a site may be handed in: as an operator there, or by a token that is for that alone.
func (w Who) Uploads(site int64) bool {
	if w.Scope == store.ScopeUpload {
		return as(w.User, "").At(site, store.RoleOperator)
	}
	return w.At(site, store.RoleOperator)
}

// UploadsSomewhere is [Who.Uploads] for any site.
func (w Who) UploadsSomewhere() bool {
	if w.Scope == store.ScopeUpload {
		return as(w.User, "").Somewhere(store.RoleOperator)
	}
	return w.Somewhere(store.RoleOperator)
}

// Sight is what somebody may see of a store: all of it, or some sites.
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

// Name is how the audit log names who it was: the account, and the token that acted for it.
func (w Who) Name() string {
	if strings.HasPrefix(w.Via, viaToken) {
		return w.User.Name + " " + w.Via
	}
	return w.User.Name
}

// rank orders roles; 0 is none.
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

// Options of an Access. The zero value serves a store without sealed secrets.
type Options struct {
	Clock func() time.Time // nil is time.Now
	Log   *slog.Logger     // told of every login and act; nil is silent
	Key   secret.Key       // seals the secrets of one-time codes
	Base  string           // the page's address, which passkeys are bound to; empty is none
}

// Access keeps accounts, tokens and the audit log in a store. It is safe for concurrent use.
type Access struct {
	Options
	st   *store.Store
	gate gate
}

// New makes an Access.
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

// Act writes one line into the audit log.
func (a *Access) Act(ctx context.Context, who Who, action, subject, detail string) error {
	return a.st.InTx(ctx, func(tx *store.Tx) error { return a.ActIn(ctx, tx, who, action, subject, detail) })
}

// ActIn writes one line in the transaction that does what it tells of, and has the log told of it once that is kept. The
// address stands before what people chose, so that a program that reads the log for it cannot be misled by a name.
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
		a.Log.Log(ctx, level, "act", "action", act.Action, "from", from, "who", act.Who, "subject", act.Subject, "detail", act.Detail, "chain", hex.EncodeToString(act.Hash[:16]))
	})
	return nil
}

// Bounds of an act's texts, in bytes: a line of the log that a person still reads.
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

// clean keeps a text to one line of bounded length without what hides or turns it.
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

// Stamp is a word that a session carries, and that another password and another epoch change: sessions with an old one have
// ended.
func Stamp(u *store.User) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "session of %s %d %s", u.Password, u.Epoch, u.Subject))
	return base64.RawStdEncoding.EncodeToString(sum[:12])
}

// Resume is who a session belongs to, as the account is now. ErrCredentials where the account was disabled or its sessions
// were ended.
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
