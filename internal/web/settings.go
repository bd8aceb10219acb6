package web

import (
	"net/url"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// settingRow is one setting and how many hosts it would fix: one policy fixes 214 hosts.
type settingRow struct {
	store.SettingCount
	Title, URL string
	Meter      meter
}

type settings struct {
	Query  url.Values
	Words  []string
	Filter choices
	Rows   []settingRow
	One    *settingOne
	Total  int
}

// settingOne is one setting with the hosts behind it.
type settingOne struct {
	*catalog.Setting
	Count settingRow
	Hosts []store.Host
	Pager pager
}

// settingRows puts the settings that fix most first: those of the worst findings before others.
func (v *visit) settingRows(counts []store.SettingCount, hosts int, q url.Values) []settingRow {
	out := make([]settingRow, 0, len(counts))
	for _, c := range counts {
		q := url.Values(mapsClone(q))
		q.Set("setting", c.Setting)
		out = append(out, settingRow{c, v.settingTitle(c.Setting), "/settings?" + q.Encode(), meter{c.Hosts, hosts}})
	}
	slices.SortStableFunc(out, func(a, b settingRow) int {
		if x := b.Hosts - a.Hosts; x != 0 {
			return x
		}
		if x := b.Severity.Rank() - a.Severity.Rank(); x != 0 {
			return x
		}
		return strings.Compare(a.Setting, b.Setting)
	})
	return out
}

func settingsPage(v *visit) error {
	ctx, q := v.ctx(), v.r.URL.Query()
	filter := view.Hosts(q)
	d := settings{Query: filterQuery(q), Words: filterWords(q)}
	all, err := v.store.Counts(ctx, store.HostFilter{Site: filter.Site, Tag: filter.Tag, Owner: filter.Owner})
	if err != nil {
		return err
	}
	d.Total = all.Hosts
	counts, err := v.store.SettingCounts(ctx, filter)
	if err != nil {
		return err
	}
	base := filterQuery(q)
	base.Del("setting")
	d.Rows = v.settingRows(counts, all.Hosts, base)
	if d.Filter, err = v.choices(q); err != nil {
		return err
	}
	if filter.Setting == "" {
		return v.render("settings", "What fixes most", d)
	}
	one := settingOne{Setting: v.catalog.Setting(filter.Setting), Count: settingRow{SettingCount: store.SettingCount{Setting: filter.Setting}}}
	for _, r := range d.Rows {
		if r.Setting == filter.Setting {
			one.Count = r
		}
	}
	page := sortable(v.pageOf("-severity", rows), "-severity", "severity", "name")
	list, total, err := v.store.Hosts(ctx, filter, page)
	if err != nil {
		return err
	}
	one.Hosts, one.Pager = list, v.pager(page, len(list), total)
	d.One = &one
	return v.render("settings", brief(filter.Setting), d)
}

func mapsClone(q url.Values) url.Values {
	out := url.Values{}
	for k, l := range q {
		out[k] = slices.Clone(l)
	}
	return out
}
