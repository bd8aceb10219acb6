package acts

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// ViewChange is a list view with its name.
type ViewChange struct {
	Name  string `json:"name"`
	Path  string `json:"path"`            // of the page, such as /hosts
	Query string `json:"query,omitempty"` // as in its URL after the ?
}

// Lists returns the paths of the pages whose views can be saved.
func Lists() []string {
	return []string{
		"/hosts", "/findings", "/settings", "/events", "/targets", "/compare", "/runs", "/exceptions", "/clients",
		"/rollouts",
	}
}

// maxQuery bounds the query of a view in bytes: all filters with the longest accepted values.
const maxQuery = 8 << 10

// SaveView saves a view for the account only. It replaces the account's view of the same name.
func (a *Acts) SaveView(ctx context.Context, who access.Who, in ViewChange) (v store.SavedView, err error) {
	var k checks
	k.need("name", &in.Name)
	if !slices.Contains(Lists(), in.Path) {
		k.wrong("path", "want one of %s", strings.Join(Lists(), ", "))
	}
	q, err := url.ParseQuery(strings.TrimPrefix(in.Query, "?"))
	if err != nil || len(in.Query) > maxQuery {
		k.wrong("query", "this is no query of a URL")
	}
	q.Del("offset") // a view starts at the first row
	v = store.SavedView{UserID: who.User.ID, Name: in.Name, Path: in.Path, Query: q.Encode()}
	return v, a.own(ctx, who, func(tx *store.Tx) (line, error) {
		if err := k.err(); err != nil {
			return line{}, err
		}
		all, err := tx.Views(ctx, who.User.ID)
		if err != nil {
			return line{}, err
		}
		if len(all) >= store.MaxViews && !slices.ContainsFunc(all, func(o store.SavedView) bool {
			return o.Name == in.Name
		}) {
			return line{}, &Refusal{
				Kind: Conflict,
				Text: "you have " + model.Count(len(all), "view", "views") + " already: remove one first",
			}
		}
		return entry("view.save", in.Name, in.Path), tx.SaveView(ctx, &v)
	})
}

// DeleteView deletes a view of the account.
func (a *Acts) DeleteView(ctx context.Context, who access.Who, id int64) error {
	return a.own(ctx, who, func(tx *store.Tx) (line, error) {
		v, err := tx.View(ctx, who.User.ID, id)
		if err != nil {
			return line{}, err
		}
		return entry("view.delete", v.Name, v.Path), tx.DeleteView(ctx, who.User.ID, id)
	})
}

// own is do for what belongs only to the account, whatever its role.
func (a *Acts) own(ctx context.Context, who access.Who, do func(tx *store.Tx) (line, error)) error {
	if !who.Somewhere(store.RoleViewer) || who.User.ID == 0 {
		return access.ErrForbidden
	}
	return a.st.InTx(ctx, func(tx *store.Tx) error {
		l, err := do(tx)
		if err != nil {
			return err
		}
		return a.access.ActIn(ctx, tx, who, l.action, l.subject, l.detail)
	})
}
