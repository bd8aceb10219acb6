package web

import (
	"net/url"
	"time"

	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// compare compares two dates.
type compare struct {
	From, To string
	Wrong    string
	Query    url.Values
	Filter   choices
	Rows     []differenceRow
	Pager    pager
	Heads    []head
	Trend    [2]*store.TrendPoint
}

type differenceRow struct {
	store.Difference
	Changed []string
}

func comparePage(v *visit) error {
	ctx, q := v.ctx(), v.r.URL.Query()
	d := compare{From: q.Get("from"), To: q.Get("to"), Query: filterQuery(q)}
	if d.From == "" {
		d.From = day(v.now().AddDate(0, 0, -7))
	}
	if d.To == "" {
		d.To = day(v.now())
	}
	from, to := view.Time(d.From, true), view.Time(d.To, true)
	var err error
	if d.Filter, err = v.choices(q); err != nil {
		return err
	}
	switch {
	case from.IsZero() || to.IsZero():
		d.Wrong = "Want two dates such as 2026-11-01."
	case !from.Before(to):
		d.Wrong = "The first date has to be before the second."
	}
	if d.Wrong != "" {
		return v.renderStatus(422, "compare", "Compare", d)
	}
	columns := []column{
		{"name", "host", "", false},
		{"site", "site", "", false},
		{"before", "before", "", false},
		{"after", "after", "", false},
		{"", "what changed", "", false},
	}
	page := v.pageOf("", columns)
	d.Heads = v.heads(byParam, page.Sort, columns)
	list, total, err := v.store.Compare(ctx, from, to, view.Hosts(q, v.now()), page)
	if err != nil {
		return err
	}
	for _, x := range list {
		row := differenceRow{x, differences(&x.Before, &x.After)}
		d.Rows = append(d.Rows, row)
	}
	d.Pager = v.pager(page, len(list), total)
	for i, at := range []time.Time{from, to} {
		points, err := v.store.Trend(ctx, at.AddDate(0, 0, -35), at, q.Get("site"))
		if err != nil {
			return err
		}
		if n := len(points); n > 0 {
			d.Trend[i] = &points[n-1]
		}
	}
	return v.render("compare", "Compare", d)
}
