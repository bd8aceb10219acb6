// Package access is who may come in and what they may do: accounts, roles, tokens for programs, the throttle of logins,
// and the audit log of every act.
//
//	name, password ─► throttle (account, address) ─► gate (few at a time) ─► argon2id ─► account
//	ipcg_… token   ─► SHA-256 ─► token ─► account            role = the lesser of scope and account's role
//
// The rules of the room:
//
//   - Whoever is not let in learns one thing: that name and password do not fit. Unknown, disabled and mistyped cost the
//     same work and give the same answer.
//   - What is kept cannot be turned back: passwords as argon2id, tokens and the set-up link as SHA-256 of 256 random bits.
//   - Counts of failures live in the store, so that two servers on one database count together.
//   - Who changes something writes the act in the same transaction, and no act holds a secret: a name that belongs to no
//     account is not written down either, since people type passwords into the field for names.
//   - At least one administrator who is not disabled stays.
package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

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

// Who is behind a request.
type Who struct {
	User  store.User
	Role  store.Role // what the request may do: the account's role, or less by a token's scope
	Via   string     // session, or token:NAME
	From  string     // the address that the request comes from
	Until time.Time  // when a token ends; zero for a session
}

// System is who acts when nobody asked: schedules, clean-up.
func System() Who {
	return Who{User: store.User{Name: "system"}, Role: store.RoleAdmin, Via: "system"}
}

// Can tells whether the role holds another one.
func (w Who) Can(role store.Role) bool { return rank(w.Role) >= rank(role) && rank(role) > 0 }

// Name is how the audit log names who it was: the account, and the token that acted for it.
func (w Who) Name() string {
	if strings.HasPrefix(w.Via, "token:") {
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

// Access keeps accounts, tokens and the audit log in a store. It is safe for concurrent use.
type Access struct {
	st    *store.Store
	clock func() time.Time
	log   *slog.Logger
	gate  gate
}

// New makes an Access. clock may be nil for time.Now, log for none.
func New(st *store.Store, clock func() time.Time, log *slog.Logger) *Access {
	if clock == nil {
		clock = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Access{st: st, clock: clock, log: log, gate: newGate()}
}

func (a *Access) now() time.Time { return a.clock().UTC() }

// Act writes one line into the audit log.
func (a *Access) Act(ctx context.Context, who Who, action, subject, detail string) error {
	return a.st.AddAct(ctx, a.act(who, action, subject, detail))
}

// ActIn writes one line in the transaction that does what it tells of.
func (a *Access) ActIn(ctx context.Context, tx *store.Tx, who Who, action, subject, detail string) error {
	return tx.AddAct(ctx, a.act(who, action, subject, detail))
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

// Stamp is a word that a session carries and that another password changes: sessions with an old one have ended.
func Stamp(u *store.User) string {
	sum := sha256.Sum256([]byte("session of " + u.Password))
	return base64.RawStdEncoding.EncodeToString(sum[:12])
}

// Resume is who a session belongs to, as the account is now. ErrCredentials where the account was disabled or has another
// password since.
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
	return Who{User: u, Role: u.Role, Via: "session", From: from}, nil
}
