package web

import (
	"net/url"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// settingRow is one setting and the number of hosts that it would fix.
type settingRow struct {
	store.SettingCount
	Title, URL string
	Meter      meter
}

type settings struct {
	Query  url.Values
	Words  []string
	Filter choices
	Table  settingTable
	One    *settingOne
	Counts store.Counts
	Total  int
	Old    oldAudits
}

// settingTable is a list of settings with its heads.
type settingTable struct {
	Heads []head
	Rows  []settingRow
}

var settingColumns = []column{
	{"setting", "one setting", "", false},
	{"severity", "worst", "", true},
	{"hosts", "hosts", "num", true},
	{"", "share of all", "", false},
}

// settingOne is one setting with its hosts.
type settingOne struct {
	*catalog.Setting
	Count settingRow
	Heads []head
	Hosts []store.Host
	Pager pager
}

// settingRows sorts the settings that fix most first, by the worst findings before others.
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
	filter := view.Hosts(q, v.now())
	d := settings{Query: filterQuery(q), Words: filterWords(q)}
	all, err := v.store.Counts(ctx, store.HostFilter{Site: filter.Site, Tag: filter.Tag, Owner: filter.Owner})
	if err != nil {
		return err
	}
	d.Counts, d.Total = all, all.Hosts
	counts, err := v.store.SettingCounts(ctx, filter)
	if err != nil {
		return err
	}
	base := filterQuery(q)
	base.Del("setting")
	rows := v.settingRows(counts, all.Hosts, base)
	order := v.sorted(byParam, "", settingColumns)
	arrange(rows, order, map[string]func(a, b settingRow) int{
		"setting":  by(func(r settingRow) string { return strings.ToLower(r.Setting) }),
		"severity": by(func(r settingRow) int { return r.Severity.Rank() }),
		"hosts":    by(func(r settingRow) int { return r.Hosts }),
	})
	d.Table = settingTable{v.heads(byParam, order, settingColumns), rows}
	if d.Filter, err = v.choices(q); err != nil {
		return err
	}
	if filter.Setting == "" {
		if d.Old, err = v.oldAudits(filter, q); err != nil {
			return err
		}
		return v.render("settings", "What fixes most", d)
	}
	one := settingOne{
		Setting: v.catalog.Setting(filter.Setting),
		Count:   settingRow{SettingCount: store.SettingCount{Setting: filter.Setting}},
	}
	for _, r := range rows {
		if r.Setting == filter.Setting {
			one.Count = r
		}
	}
	columns := []column{
		{"name", "host", "", false},
		{"", "plan", "", false},
		{"verdict", "verdict", "", true},
		{"severity", "worst", "", true},
		{"site", "site", "", false},
		{"owner", "owner", "", false},
		{"last_seen", "last seen", "", true},
	}
	page := v.pageOf("-severity", columns)
	one.Heads = v.heads(byParam, page.Sort, columns)
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
