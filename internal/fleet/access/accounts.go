package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/store"
)

// canonical returns the form in which an account's name is stored and looked up.
func canonical(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// maxName bounds an account's and a token's name in bytes: an e-mail address of usual length.
const maxName = 64

// CheckName returns what is wrong with an account's name, or nil. Names are lower case, so that no two look alike.
func CheckName(name string) error {
	wrong := func(text string) error { return &RuleError{"name", text} }
	switch {
	case name == "":
		return wrong("an account needs a name")
	case len(name) > maxName:
		return wrong(fmt.Sprintf("the name has more than %d characters", maxName))
	case name == "system":
		return wrong("the name system is what the program calls itself")
	}
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
		case i > 0 && strings.ContainsRune("._-@+", r):
		default:
			return wrong("a name has the letters a to z, digits and ._-@+, and begins with a letter or a digit")
		}
	}
	return nil
}

// CheckRole returns what is wrong with a role, or nil.
func CheckRole(r store.Role) error {
	if rank(r) == 0 {
		return &RuleError{"role", "the role is viewer, operator or admin"}
	}
	return nil
}

// AddUser creates an account with a role for the whole fleet, which may be none, and roles at single sites, of which it
// uses only the site numbers. It checks the fields before it hashes the password.
func (a *Access) AddUser(
	ctx context.Context, who Who, name string, role store.Role, password string, sites ...store.SiteRole,
) (store.User, error) {
	if !who.Can(store.RoleAdmin) {
		return store.User{}, ErrForbidden
	}
	return a.add(ctx, who, store.User{Name: name, Role: role, Sites: slices.Clone(sites)}, password, nil)
}

// add creates an account. If first is not nil, it must succeed in the same transaction.
func (a *Access) add(
	ctx context.Context, who Who, as store.User, password string, first func(*store.Tx) error,
) (store.User, error) {
	name := canonical(as.Name)
	if err := errors.Join(CheckName(name), checkRoles(as.Role, as.Sites), CheckPassword(name, password)); err != nil {
		return store.User{}, err
	}
	kept, err := a.gate.hash(ctx, password)
	if err != nil {
		return store.User{}, err
	}
	var u store.User
	err = a.st.InTx(ctx, func(tx *store.Tx) error {
		u = store.User{Name: name, Role: as.Role, Sites: as.Sites, Password: kept, Created: a.now()}
		if err := a.lock(ctx, tx); err != nil {
			return err
		}
		if first != nil {
			if err := first(tx); err != nil {
				return err
			}
		}
		if err := nameSites(ctx, tx, u.Sites); err != nil {
			return err
		}
		if err := tx.SaveUser(ctx, &u); err != nil {
			return taken(err, "there is an account of this name")
		}
		if err := tx.SetSiteRoles(ctx, u.ID, u.Sites); err != nil {
			return err
		}
		if who.User.Name == "" {
			who.User.Name = name
		}
		return a.ActIn(ctx, tx, who, "user.add", name, saidRoles(u.Role, u.Sites))
	})
	return u, err
}

// taken adds the rule for names to the error for a name that is in use; other errors are unchanged.
func taken(err error, text string) error {
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("%w: %w", &RuleError{"name", text}, err)
	}
	return err
}

// lock serializes changes of accounts on all servers of the database, by a row that each change writes first. Thus two
// administrators cannot remove each other at the same time, a set-up link creates one account only, and a login does
// not write back what an account was before a change. Whoever saves an account takes the lock before reading it.
func (a *Access) lock(ctx context.Context, tx *store.Tx) error {
	return tx.SetMeta(ctx, "accounts.changed", a.now().Format("2006-01-02T15:04:05.000000Z"))
}

// change edits an account and adds the audit entry in one transaction.
func (a *Access) change(
	ctx context.Context, who Who, id int64, action, detail string, edit func(*store.Tx, *store.User) error,
) error {
	return a.st.InTx(ctx, func(tx *store.Tx) error {
		return a.changeIn(ctx, tx, who, id, action, detail, func(u *store.User) error { return edit(tx, u) })
	})
}

func (a *Access) changeIn(
	ctx context.Context, tx *store.Tx, who Who, id int64, action, detail string, edit func(*store.User) error,
) error {
	if err := a.lock(ctx, tx); err != nil {
		return err
	}
	u, err := tx.User(ctx, id)
	if err != nil {
		return err
	}
	before := u
	if err := edit(&u); err != nil {
		return err
	}
	if err := tx.SaveUser(ctx, &u); err != nil {
		return err
	}
	if isAdmin(&before) && !isAdmin(&u) {
		if err := oneAdmin(ctx, tx); err != nil {
			return err
		}
	}
	return a.ActIn(ctx, tx, who, action, u.Name, detail)
}

// isAdmin reports whether u is an administrator who can log in while the provider is down.
func isAdmin(u *store.User) bool { return u.Role == store.RoleAdmin && !u.Disabled && u.Subject == "" }

func oneAdmin(ctx context.Context, tx *store.Tx) error {
	all, err := tx.Users(ctx)
	if err != nil {
		return err
	}
	for i := range all {
		if isAdmin(&all[i]) {
			return nil
		}
	}
	return ErrLastAdmin
}

// errGroups refuses to change the roles of a provider's account.
var errGroups = &RuleError{"role", "the roles of this account come from its groups at the provider"}

// checkRoles returns what is wrong with an account's roles, or nil. An account needs a role for the whole fleet or at a
// site.
func checkRoles(role store.Role, sites []store.SiteRole) error {
	if role != "" || len(sites) == 0 {
		if err := CheckRole(role); err != nil {
			return err
		}
	}
	seen := map[int64]bool{}
	for _, s := range sites {
		if err := CheckRole(s.Role); err != nil {
			return err
		}
		if seen[s.SiteID] {
			return &RuleError{"role", "a site has two roles"}
		}
		seen[s.SiteID] = true
	}
	return nil
}

// nameSites fills in the names of the roles' sites. It fails if a site does not exist.
func nameSites(ctx context.Context, tx *store.Tx, sites []store.SiteRole) error {
	for i := range sites {
		s, err := tx.Site(ctx, sites[i].SiteID)
		if errors.Is(err, store.ErrNotFound) {
			return &RuleError{"role", "there is no such site"}
		} else if err != nil {
			return err
		}
		sites[i].Site = s.Name
	}
	return nil
}

// saidRoles describes an account's roles in words.
func saidRoles(role store.Role, sites []store.SiteRole) string {
	var all []string
	if role != "" {
		all = append(all, string(role))
	}
	for _, s := range sites {
		all = append(all, string(s.Role)+" of "+s.Site)
	}
	return strings.Join(all, ", ")
}

// SetRole changes an account's role for the whole fleet and keeps its roles at single sites.
func (a *Access) SetRole(ctx context.Context, who Who, id int64, role store.Role) error {
	u, err := a.st.User(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return a.SetRoles(ctx, who, id, role, u.Sites)
}

// SetRoles replaces an account's roles: for the whole fleet, which may be none, and at single sites, of which it uses
// only the site numbers. They take effect with the next request.
func (a *Access) SetRoles(ctx context.Context, who Who, id int64, role store.Role, sites []store.SiteRole) error {
	if !who.Can(store.RoleAdmin) {
		return ErrForbidden
	}
	if err := checkRoles(role, sites); err != nil {
		return err
	}
	sites = slices.Clone(sites)
	return a.st.InTx(ctx, func(tx *store.Tx) error {
		if err := nameSites(ctx, tx, sites); err != nil {
			return err
		}
		return a.changeIn(ctx, tx, who, id, "user.role", saidRoles(role, sites), func(u *store.User) error {
			if u.Subject != "" {
				return errGroups
			}
			u.Role = role
			return tx.SetSiteRoles(ctx, id, sites)
		})
	})
}

// Disable refuses an account from the next request on, and ends its sessions and tokens. Enable does not restore them.
func (a *Access) Disable(ctx context.Context, who Who, id int64) error {
	return a.setDisabled(ctx, who, id, "user.disable", true)
}

// Enable admits an account again.
func (a *Access) Enable(ctx context.Context, who Who, id int64) error {
	return a.setDisabled(ctx, who, id, "user.enable", false)
}

func (a *Access) setDisabled(ctx context.Context, who Who, id int64, action string, disabled bool) error {
	if !who.Can(store.RoleAdmin) {
		return ErrForbidden
	}
	return a.change(ctx, who, id, action, "", func(tx *store.Tx, u *store.User) error {
		if u.Disabled = disabled; !disabled {
			return nil
		}
		u.Epoch++
		_, err := tx.DeleteTokens(ctx, id)
		return err
	})
}

// SetPassword changes an account's password, which ends its sessions: see [Stamp]. Users need their old password, and
// wrong ones are throttled as logins are. An administrator sets the passwords of others who are locked out or whose
// account is compromised; that also removes the account's tokens and second factors.
func (a *Access) SetPassword(ctx context.Context, who Who, id int64, old, password string) error {
	own := who.User.ID == id
	if !own && !who.Can(store.RoleAdmin) {
		return ErrForbidden
	}
	u, err := a.st.User(ctx, id)
	if err != nil {
		return err
	}
	if u.Subject != "" {
		return &RuleError{"password", "this account logs in at its provider, and has no password here"}
	}
	if err := CheckPassword(u.Name, password); err != nil {
		return err
	}
	if own {
		if err := a.Confirm(ctx, who, old); err != nil {
			return err
		}
	}
	kept, err := a.gate.hash(ctx, password)
	if err != nil {
		return err
	}
	was := u.Password
	err = a.change(ctx, who, id, "user.password", "", func(tx *store.Tx, u *store.User) error {
		if own && u.Password != was {
			return ErrCredentials // changed by another request meanwhile
		}
		u.Password = kept
		u.Epoch++
		if own {
			return nil
		}
		u.TOTP, u.TOTPStep = nil, 0
		_, err := tx.DeleteTokens(ctx, id)
		return errors.Join(err, tx.SetRecoveryCodes(ctx, id, nil), tx.DeletePasskeys(ctx, id))
	})
	if err != nil {
		return err
	}
	return a.st.ClearFailures(ctx, accountKey(u.Name))
}
