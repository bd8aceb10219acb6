package web

import (
	"net/url"
	"slices"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// findings lists the open findings by kind, and those of one kind.
type findings struct {
	Query   url.Values
	Words   []string
	Kinds   []findingKind
	Rows    []store.HostFinding
	Heads   []head
	ByKind  []head // of the kinds
	Pager   pager
	Exports []export
	One     *findingKind // if one kind was requested
	Counts  store.Counts // of the hosts that were looked through, if nothing is open
	Filter  choices
}

type findingKind struct {
	ID, Title, Meaning, Fix string
	Severity                model.Severity
	Hosts, Excepted         int
	Settings                []string
	Meter                   meter
	URL                     string
}

func findingsPage(v *visit) error {
	q := v.r.URL.Query()
	filter := view.Hosts(q, v.now())
	d := findings{Query: filterQuery(q), Words: filterWords(q)}
	counts, err := v.store.FindingCounts(v.ctx(), filter)
	if err != nil {
		return err
	}
	all, err := v.store.Counts(v.ctx(), store.HostFilter{Site: filter.Site, Tag: filter.Tag, Owner: filter.Owner})
	if err != nil {
		return err
	}
	if filter.Finding != "" {
		counts = slices.DeleteFunc(counts, func(c store.FindingCount) bool { return c.Finding != filter.Finding })
	}
	if d.Kinds = v.findingKinds(counts, all.Hosts); len(d.Kinds) == 0 {
		looked := filter
		looked.Finding, looked.Setting = "", ""
		if d.Counts, err = v.store.Counts(v.ctx(), looked); err != nil {
			return err
		}
	}
	if filter.Finding != "" && len(d.Kinds) > 0 {
		d.One = &d.Kinds[0]
	}
	columns := []column{
		{"severity", "Severity", "", true},
		{"name", "Host", "", false},
		{"finding", "Finding", "", false},
		{"identity", "For", "", false},
		{"evidence", "Evidence", "", false},
		{"first_seen", "Open since", "", true},
	}
	page := v.pageOf("-severity", columns)
	list, total, err := v.store.Findings(v.ctx(), filter, page)
	if err != nil {
		return err
	}
	d.Rows, d.Pager = list, v.pager(page, len(list), total)
	d.Heads = v.heads(byParam, page.Sort, columns)
	kinds := []column{
		{"severity", "severity", "", true},
		{"title", "finding", "", false},
		{"hosts", "hosts", "num", true},
		{"excepted", "excepted", "num", true},
		{"", "share of all hosts", "", false},
	}
	order := v.sorted("kinds", "", kinds)
	d.ByKind = v.heads("kinds", order, kinds)
	arrange(d.Kinds, order, map[string]func(a, b findingKind) int{
		"severity": by(func(k findingKind) int { return k.Severity.Rank() }),
		"title":    by(func(k findingKind) string { return k.Title }),
		"hosts":    by(func(k findingKind) int { return k.Hosts }),
		"excepted": by(func(k findingKind) int { return k.Excepted }),
	})
	if d.Filter, err = v.choices(q); err != nil {
		return err
	}
	d.Exports = exportsOf("findings", d.Query)
	return v.render("findings", "Findings", d)
}

// findingKinds sorts the worst first.
func (v *visit) findingKinds(counts []store.FindingCount, hosts int) []findingKind {
	var out []findingKind
	for _, c := range counts {
		out = append(out, v.findingKind(c, hosts))
	}
	slices.SortStableFunc(out, func(a, b findingKind) int {
		if x := b.Severity.Rank() - a.Severity.Rank(); x != 0 {
			return x
		}
		if x := b.Hosts - a.Hosts; x != 0 {
			return x
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// findingKind shows one kind of finding with the catalog's text.
func (v *visit) findingKind(c store.FindingCount, hosts int) findingKind {
	k := findingKind{
		ID: c.Finding, Title: v.findingTitle(c.Finding), Severity: c.Severity, Hosts: c.Hosts,
		Excepted: c.Excepted, Meter: meter{c.Hosts, hosts},
	}
	k.URL = v.with("finding", c.Finding, "offset", "", "page", "")
	if f := v.catalog.Finding(c.Finding); f != nil {
		k.Meaning, k.Fix, k.Settings = f.Meaning, f.Fix.Text(), f.Settings
		if k.Severity == "" && len(f.Severity) > 0 {
			k.Severity = f.Severity[0].Level
		}
	}
	return k
}
