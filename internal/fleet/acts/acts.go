// Package acts is everything that people and programs do to the fleet: saving, deleting, importing, starting, excepting,
// planning. Accounts and tokens have a room of their own, access.
//
//	page ─┐                role? ─► fields ─► ┌ one transaction ────────────────┐
//	      ├─► decoded ─►                      │ look, write, line in the log    │ ─► what was made
//	API ──┘                                   └─────────────────────────────────┘
//
// The rules of the room:
//
//   - An act is one method. It takes who acts, checks the role everywhere or at the sites that it touches, and says what is wrong field by field, in words that page
//     and API both show. A field is named as in the act's JSON.
//   - What is written and the line of the audit log are one transaction: an act that cannot be logged is not done. A file
//     with many rows or results is many transactions, each with its line.
//   - Page and API hold a [store.Reader] and an [Acts]. Nothing else of theirs can change the fleet.
//   - No line, error or log holds a secret.
package acts

import (
	"context"
	"errors"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/fleet/secret"
	"ipcguard/internal/store"
)

// Options of the acts.
type Options struct {
	Key     secret.Key                                       // seals credentials and the secrets of channels
	Test    func(ctx context.Context, c store.Channel) error // sends a test message; nil is none
	Catalog *catalog.Catalog                                 // nil is the embedded one
	Clock   func() time.Time                                 // nil is time.Now
}

// Acts does what people and programs ask for. It is safe for use by many goroutines.
type Acts struct {
	o      Options
	st     *store.Store
	fleet  *fleet.Fleet
	access *access.Access
}

// New makes the acts on a fleet.
func New(f *fleet.Fleet, st *store.Store, a *access.Access, o Options) (*Acts, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Catalog == nil {
		c, err := catalog.Load()
		if err != nil {
			return nil, err
		}
		o.Catalog = c
	}
	return &Acts{o, st, f, a}, nil
}

func (a *Acts) now() time.Time { return a.o.Clock().UTC() }

// line is what the audit log says of an act.
type line struct {
	action, subject, detail string
	sites                   []int64 // where it is done; none is everywhere
}

func told(action, subject, detail string) line {
	return line{action: action, subject: subject, detail: detail}
}

// at says at which sites an act is done.
func (l line) at(sites ...int64) line {
	l.sites = sites
	return l
}

// may is nil where a role everywhere holds what an act needs.
func may(who access.Who, needs store.Role) error {
	if !who.Can(needs) {
		return access.ErrForbidden
	}
	return nil
}

// at is nil where somebody's role at a site holds what an act needs. Of a site that they cannot see they learn nothing.
func at(who access.Who, needs store.Role, site int64) error {
	switch {
	case who.At(site, needs):
		return nil
	case who.At(site, store.RoleViewer):
		return access.ErrForbidden
	}
	return store.ErrNotFound
}

// do is one act that needs a role everywhere: the role first, then what do writes and the line that it returns, in one
// transaction. do may run several times: it begins anew each time.
func (a *Acts) do(ctx context.Context, who access.Who, needs store.Role, do func(tx *store.Tx) (line, error)) error {
	if err := may(who, needs); err != nil {
		return err
	}
	return a.doAt(ctx, who, needs, do)
}

// doAt is do for acts that need a role at the sites that their line names. Whoever has it at no site is refused before
// anything is read, and an act whose line names a site too many, or none, is not done.
func (a *Acts) doAt(ctx context.Context, who access.Who, needs store.Role, do func(tx *store.Tx) (line, error)) error {
	if !who.Somewhere(needs) {
		return access.ErrForbidden
	}
	return a.st.InTx(ctx, func(tx *store.Tx) error {
		l, err := do(tx)
		if err != nil {
			return err
		}
		if !who.Can(needs) && len(l.sites) == 0 {
			return access.ErrForbidden
		}
		for _, site := range l.sites {
			if err := at(who, needs, site); err != nil {
				return err
			}
		}
		return a.access.ActIn(ctx, tx, who, l.action, l.subject, l.detail)
	})
}

// action is the word for adding or changing something.
func action(of string, id int64) string {
	if id == 0 {
		return of + ".add"
	}
	return of + ".change"
}

// taken is what a name that belongs to another one is refused with; other errors stay as they are.
func taken(err error, field, text string) error {
	if errors.Is(err, store.ErrConflict) {
		return &Refusal{Kind: Conflict, Fields: []Field{{field, text}}}
	}
	return err
}

// inUse is what something that others refer to is refused with; other errors stay as they are.
func inUse(err error, text string) error {
	if errors.Is(err, store.ErrConflict) {
		return &Refusal{Kind: Conflict, Text: text}
	}
	return err
}
