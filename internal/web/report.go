package web

import (
	"cmp"
	"net/url"
	"slices"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// reportView is the printed report: the state, the trend, the worst, and what is accepted.
type reportView struct {
	Query      url.Values
	Words      []string
	Counts     store.Counts
	Trend      *trend
	Settings   settingTable
	Kinds      []findingKind
	Hosts      []hostRow
	More       int
	Columns    []model.Disclosure
	Exceptions []exceptionRow
	Filter     choices
}

// mostReported is the number of hosts in a report, the worst first. Longer lists belong in a file.
const mostReported = 500

// worstFirst orders hosts with equal findings: unknown may be as bad as known.
var worstFirst = []model.Verdict{
	model.Exposed, model.Limited, model.VerdictInconclusive, "", model.Unreachable,
	model.Closed,
}

func reportPage(v *visit) error {
	ctx, q := v.ctx(), v.r.URL.Query()
	filter := view.Hosts(q, v.now())
	d := reportView{Query: filterQuery(q), Words: filterWords(q), Columns: model.Disclosures()}
	var err error
	if d.Counts, err = v.store.Counts(ctx, filter); err != nil {
		return err
	}
	points, err := v.store.Trend(ctx, trendFrom(v.now()), v.now(), filter.Site)
	if err != nil {
		return err
	}
	d.Trend = newTrend(weekly(points, weeksBack))
	settings, err := v.store.SettingCounts(ctx, filter)
	if err != nil {
		return err
	}
	d.Settings.Rows = v.settingRows(settings, d.Counts.Hosts, d.Query)
	for _, c := range settingColumns { // a printed list cannot be sorted
		d.Settings.Heads = append(d.Settings.Heads, head{Label: c.label, Class: c.class})
	}
	kinds, err := v.store.FindingCounts(ctx, filter)
	if err != nil {
		return err
	}
	d.Kinds = v.findingKinds(kinds, d.Counts.Hosts)
	list, total, err := v.store.Hosts(ctx, filter, store.Page{Size: mostReported, Sort: "-severity"})
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b store.Host) int {
		return cmp.Or(b.Severity.Rank()-a.Severity.Rank(), slices.Index(worstFirst, a.Verdict)-slices.Index(worstFirst,
			b.Verdict))
	})
	d.Hosts = hostRows(list, false)
	d.More = total - len(list)
	exceptions, err := v.store.Exceptions(ctx, false)
	if err != nil {
		return err
	}
	for _, e := range exceptions {
		d.Exceptions = append(d.Exceptions, exceptionRow{Exception: e, Title: v.findingTitle(e.Finding)})
	}
	if d.Filter, err = v.choices(q); err != nil {
		return err
	}
	return v.render("report", "Report", d)
}
