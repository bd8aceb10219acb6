// Package acts implements everything that people and programs do to the fleet: saving, deleting, importing, starting,
// excepting, planning. Accounts and tokens have a room of their own, access.
//
//	page ─┐                role? ─► fields ─► ┌ one transaction ────────────────┐
//	      ├─► decoded ─►                      │ look, write, line in the log    │ ─► what was made
//	API ──┘                                   └─────────────────────────────────┘
//
// The rules of the room:
//
//   - An act is one method. It takes who acts, checks the role for the whole fleet or at the affected sites, and
//     reports errors field by field, in words that page and API both show. Fields are named as in the act's JSON.
//   - The write and its entry in the audit log are one transaction: an act that cannot be logged is not done. A file
//     with many rows or results is many transactions, each with its entry.
//   - Page and API have a [store.Reader] and an [Acts]. Nothing else that they have can change the fleet.
//   - No entry, error or log contains a secret.
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

// Options configure the acts.
type Options struct {
	Key     secret.Key                                       // seals credentials and the secrets of channels
	Test    func(ctx context.Context, c store.Channel) error // sends a test message; nil is none
	Catalog *catalog.Catalog                                 // nil is the embedded one
	Clock   func() time.Time                                 // nil is time.Now
}

// Acts does what people and programs request. It is safe for concurrent use.
type Acts struct {
	o      Options
	st     *store.Store
	fleet  *fleet.Fleet
	access *access.Access

	uploads *uploads
}

// New returns the acts on a fleet.
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
	return &Acts{o, st, f, a, newUploads()}, nil
}

func (a *Acts) now() time.Time { return a.o.Clock().UTC() }

// line is an act's entry in the audit log.
type line struct {
	action, subject, detail string
	sites                   []int64 // the affected sites; none is the whole fleet
}

func entry(action, subject, detail string) line {
	return line{action: action, subject: subject, detail: detail}
}

// at sets the sites that an act affects.
func (l line) at(sites ...int64) line {
	l.sites = sites
	return l
}

// may returns nil if a role for the whole fleet includes the needed one.
func may(who access.Who, needs store.Role) error {
	if !who.Can(needs) {
		return access.ErrForbidden
	}
	return nil
}

// at returns nil if a role at a site includes the needed one. It reveals nothing about a site that the account cannot
// see.
func at(who access.Who, needs store.Role, site int64) error {
	switch {
	case who.At(site, needs):
		return nil
	case who.At(site, store.RoleViewer):
		return access.ErrForbidden
	}
	return store.ErrNotFound
}

// do runs one act that needs a role for the whole fleet: it checks the role, then runs the writes of do and adds the
// entry that it returns, in one transaction. do may run several times and must start over each time.
func (a *Acts) do(ctx context.Context, who access.Who, needs store.Role, do func(tx *store.Tx) (line, error)) error {
	if err := may(who, needs); err != nil {
		return err
	}
	return a.doAt(ctx, who, needs, do)
}

// doAt is do for acts that need a role at the sites of their entry. An account without the role at any site is refused
// before anything is read, and an act whose entry has no site, or one that is not allowed, is rolled back.
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

// action returns the audit log's word for adding or changing something.
func action(of string, id int64) string {
	if id == 0 {
		return of + ".add"
	}
	return of + ".change"
}

// taken replaces the error for a name that is in use by a refusal; other errors are unchanged.
func taken(err error, field, text string) error {
	if errors.Is(err, store.ErrConflict) {
		return &Refusal{Kind: Conflict, Fields: []Field{{field, text}}}
	}
	return err
}

// inUse replaces the error for something that is referenced by a refusal; other errors are unchanged.
func inUse(err error, text string) error {
	if errors.Is(err, store.ErrConflict) {
		return &Refusal{Kind: Conflict, Text: text}
	}
	return err
}
