package web

import (
	"net/url"

	"ipcguard/internal/model"
	"ipcguard/internal/report"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// clients shows how clients log on, over all hosts that the reader may see.
type clients struct {
	Query   url.Values
	Filter  clientsFilter
	Heads   []head
	Rows    []clientRow
	Pager   pager
	Exports []export
}

type clientsFilter struct {
	choices
	Logons []option
}

// clientRow is one way to log on of one client, with a link to its hosts.
type clientRow struct {
	store.ClientLogon
	Kind, How, URL string
}

func clientsPage(v *visit) error {
	q := v.r.URL.Query()
	columns := []column{
		{"client", "client", "", false},
		{"strength", "strength", "", true},
		{"package", "how", "", false},
		{"hosts", "hosts", "num", true},
		{"first_seen", "first", "", true},
		{"last_seen", "last", "", true},
	}
	page := v.pageOf("-strength", columns)
	list, total, err := v.store.ClientLogons(v.ctx(), view.Hosts(q, v.now()), page)
	if err != nil {
		return err
	}
	d := clients{Query: filterQuery(q), Pager: v.pager(page, len(list), total)}
	for _, c := range list {
		d.Rows = append(d.Rows, clientRow{
			c, v.catalog.ClientKind(c.Agent), report.LogonWay(&model.Logon{Package: c.Package, Dialect: c.Dialect}),
			"/hosts?" + url.Values{"client": {c.Client}, "logon": {string(c.Strength)}}.Encode(),
		})
	}
	d.Heads = v.heads(byParam, page.Sort, columns)
	if d.Filter.choices, err = v.choices(q); err != nil {
		return err
	}
	d.Filter.Logons = options(q.Get("logon"), "any", view.Logons)
	d.Exports = exportsOf("clients", d.Query)
	return v.render("clients", "Clients", d)
}
