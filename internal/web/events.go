package web

import (
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// events shows what changed, the newest first.
type events struct {
	Rows            []store.Event
	Pager           pager
	Heads           []head
	Sites, Kinds    []option
	Least           []option
	Since, Until    string
	Host            *store.Host
	WithoutExcepted bool
	Exports         []export
}

func eventsPage(v *visit) error {
	q := v.r.URL.Query()
	filter := view.Events(q)
	d := events{WithoutExcepted: filter.NotExcepted, Since: q.Get("since"), Until: q.Get("until")}
	if filter.HostID != 0 {
		h, err := v.store.Host(v.ctx(), filter.HostID)
		if err != nil {
			return err
		}
		d.Host = &h
	}
	columns := []column{
		{"at", "when", "", true},
		{"host", "host", "", false},
		{"kind", "what", "", false},
		{"severity", "severity", "", true},
		{"text", "in words", "", false},
		{"before", "before", "", false},
		{"after", "after", "", false},
	}
	page := v.pageOf("-at", columns)
	d.Heads = v.heads(byParam, page.Sort, columns)
	list, total, err := v.store.Events(v.ctx(), filter, page)
	if err != nil {
		return err
	}
	d.Rows, d.Pager = list, v.pager(page, len(list), total)
	c, err := v.choices(q)
	if err != nil {
		return err
	}
	d.Sites = c.Sites
	d.Kinds = wordOptions(q.Get("kind"), "every kind", view.EventKinds)
	d.Least = options(q.Get("least"), "any severity", view.Severities)
	d.Exports = exportsOf("events", q)
	return v.render("events", "Changes", d)
}
