package web

import (
	"strings"

	"ipcguard/internal/web/view"
)

// search shows the matches of a text, by kind.
type search struct {
	Text   string
	Groups []view.FoundGroup
}

func searchPage(v *visit) error {
	d := search{Text: strings.TrimSpace(v.r.URL.Query().Get("q"))}
	var err error
	d.Groups, err = view.Search(view.Source{Ctx: v.ctx(), Store: v.store, Catalog: v.catalog, Now: v.now()}, d.Text)
	if err != nil {
		return err
	}
	return v.render("search", "Search", d)
}

// searched returns the text of the search box.
func (v *visit) searched() string {
	if v.r.URL.Path != "/search" {
		return ""
	}
	return brief(v.r.URL.Query().Get("q"))
}
