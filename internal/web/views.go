package web

import (
	"net/url"

	"ipcguard/internal/fleet/acts"
)

// views are the lists of one page that an account saves under a name; the page's own URL can be sent to others as it
// is.
type views struct {
	Saved       []savedView
	Path, Query string // the current page
}

type savedView struct {
	ID        int64
	Name, URL string
	Current   bool
}

func (v *visit) views() (views, error) {
	q := v.r.URL.Query()
	for _, name := range []string{"offset", "page"} {
		q.Del(name)
	}
	for name := range q {
		if q.Get(name) == "" {
			q.Del(name)
		}
	}
	d := views{Path: v.r.URL.Path, Query: q.Encode()}
	all, err := v.store.Views(v.ctx(), v.user.ID)
	for _, s := range all {
		if s.Path == d.Path {
			d.Saved = append(d.Saved, savedView{s.ID, s.Name, pathWith(s.Path, s.Query), s.Query == d.Query})
		}
	}
	return d, err
}

func pathWith(path, query string) string {
	if query == "" {
		return path
	}
	return path + "?" + query
}

func saveView(v *visit) error {
	f := newForm(v.r.PostForm)
	saved, err := v.acts.SaveView(v.ctx(), v.who(), acts.ViewChange{
		Name: f.Get("name"), Path: f.Get("path"),
		Query: f.Get("query"),
	})
	switch {
	case f.refused(err):
		return problem{statusOf(err), f.first()}
	case err != nil:
		return err
	}
	return v.done(pathWith(saved.Path, saved.Query), "The view is saved as “"+brief(saved.Name)+"”.")
}

// deleteView deletes a view, and redirects to its page.
func deleteView(v *visit) error {
	id, err := v.number()
	if err != nil {
		return err
	}
	saved, err := v.store.View(v.ctx(), v.user.ID, id)
	if err != nil {
		return err
	}
	if err := v.acts.DeleteView(v.ctx(), v.who(), id); err != nil {
		return err
	}
	return v.done(saved.Path, "The view is removed.")
}

// listURL returns a page's path with a filter.
func listURL(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return pathWith(path, q.Encode())
}
