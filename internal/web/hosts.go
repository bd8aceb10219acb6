package web

import (
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// hosts is the matrix: hosts × what strangers get.
type hosts struct {
	Query   url.Values
	Words   []string
	Filter  hostsFilter
	Columns []cellHead
	Heads   []head
	Rows    []hostRow
	Pager   pager
	Exports []export
	Form    *form
}

type hostsFilter struct {
	choices
	Verdicts, Criticalities, Discloses, Severities, Unchanged, Unseen, Logons, Audits []option
	Settings                                                                          []string // of the catalog
}

// ageOptions returns the ages in days by which lists can be filtered.
func ageOptions(chosen string) []option {
	out := options(chosen, "any time", []string{"1", "7", "30", "90", "365"})
	for i := range out[1:] {
		out[i+1].Label = out[i+1].Value + " days or more"
	}
	return out
}

// cellHead is the head of one kind of data: it sorts by who gets it, and its number links to the hosts that disclose
// it.
type cellHead struct {
	head
	Hosts int
	Only  string
}

// hostColumns returns the columns besides what strangers get, and moreHostColumns the other keys by which hosts can be
// sorted.
func hostColumns() []column {
	return []column{
		{"name", "Host", "host", false},
		{"verdict", "Verdict", "", true},
		{"severity", "Worst", "", true},
		{"logon", "Weakest logon", "logon", true},
		{"site", "Site", "", false},
		{"owner", "Owner, tags", "", false},
		{"last_seen", "Last seen", "", true},
	}
}

var moreHostColumns = func() []column {
	out := []column{{key: "findings"}, {key: "criticality"}, {key: "cells"}, {key: "last_changed"}}
	for _, d := range model.Disclosures() {
		out = append(out, column{key: store.GivesSort(d)})
	}
	return out
}()

type hostRow struct {
	store.Host
	Shown template.HTML // what strangers get: a cell for each kind of data
}

// hostRows returns hosts as rows of a matrix. With named, the cells contain their kind, for small screens. Equal hosts
// share their cells, which are rendered once: a template takes as long for them as for the rest of the page.
func hostRows(list []store.Host, named bool) []hostRow {
	out, known := make([]hostRow, len(list)), map[store.Cells]template.HTML{}
	for i, h := range list {
		shown, ok := known[h.Cells]
		if !ok {
			shown = cellsHTML(h.Cells, named)
			known[h.Cells] = shown
		}
		out[i] = hostRow{h, shown}
	}
	return out
}

// cellsHTML renders a host's cells. It contains nothing from outside: letters select words of ours.
func cellsHTML(c store.Cells, named bool) template.HTML {
	var b strings.Builder
	for i, x := range cellsOf(c) {
		b.WriteString(`<td class="cell ` + x.Class + `"`)
		if named && (x.Class == "allowed" || x.Class == "limited") {
			b.WriteString(` data-what="` + template.HTMLEscapeString(words(model.Disclosures()[i])) + `"`)
		}
		if x.Long != "" {
			b.WriteString(`><span aria-hidden="true">` + x.Mark + `</span><span class="hidden-label">` + x.Long +
				`</span></td>`)
		} else {
			b.WriteString(`>` + x.Mark + `</td>`)
		}
	}
	return template.HTML(b.String())
}

// cell is what strangers get of one kind, as a word, a class, and a text for screen readers.
type cell struct{ Mark, Class, Long string }

// cellsOf returns a host's cells.
func cellsOf(c store.Cells) []cell {
	kinds := model.Disclosures()
	out := make([]cell, len(kinds))
	for i, kind := range kinds {
		letter := byte('-')
		if i < len(c) {
			letter = c[i]
		}
		out[i] = cellFor(letter, kind)
	}
	return out
}

func cellFor(letter byte, kind model.Disclosure) cell {
	switch letter {
	case 'a':
		if kind.IsExposure() {
			return cell{"open", "allowed", ""}
		}
		return cell{"open", "limited", ""} // every client is told this
	case 'd':
		return cell{"shut", "denied", ""}
	case 'n':
		return cell{"none", "none", ""}
	case '?':
		return cell{"?", "unknown", "not settled"}
	}
	return cell{"–", "none", "not asked"}
}

func hostsPage(v *visit) error {
	ctx, q := v.ctx(), v.r.URL.Query()
	filter := view.Hosts(q, v.now())
	columns := hostColumns()
	page := v.pageOf("-severity", slices.Concat(columns, moreHostColumns))
	list, total, err := v.store.Hosts(ctx, filter, page)
	if err != nil {
		return err
	}
	d := hosts{Query: filterQuery(q), Words: filterWords(q), Form: newForm(nil)}
	cells, err := v.store.CellCounts(ctx, filter)
	if err != nil {
		return err
	}
	d.Heads = v.heads(byParam, page.Sort, columns)
	for _, kind := range model.Disclosures() {
		d.Columns = append(d.Columns, cellHead{
			head:  v.head(byParam, page.Sort, column{store.GivesSort(kind), words(kind), "cell", true}),
			Hosts: cells[kind], Only: v.with("discloses", string(kind), "offset", "", "page", ""),
		})
	}
	d.Rows = hostRows(list, true)
	if d.Filter.choices, err = v.choices(q); err != nil {
		return err
	}
	for _, s := range v.catalog.Settings {
		d.Filter.Settings = append(d.Filter.Settings, s.ID)
	}
	d.Filter.Severities = options(q.Get("least"), "any severity", view.Severities)
	d.Filter.Unchanged, d.Filter.Unseen = ageOptions(q.Get("unchanged")), ageOptions(q.Get("unseen"))
	d.Filter.Verdicts = options(q.Get("verdict"), "every verdict", view.Verdicts)
	d.Filter.Criticalities = options(q.Get("criticality"), "any", view.Criticalities)
	d.Filter.Discloses = wordOptions(q.Get("discloses"), "anything", texts(model.Disclosures()...))
	d.Filter.Logons = options(q.Get("logon"), "any", view.Logons)
	d.Filter.Audits = []option{
		{"", "any", false},
		{store.AuditOld, "older than the last change", q.Get("audit") == store.AuditOld},
		{store.AuditNone, "none", q.Get("audit") == store.AuditNone},
	}
	d.Pager = v.pager(page, len(list), total)
	d.Exports = exportsOf("hosts", d.Query)
	return v.render("hosts", "Hosts", d)
}

// actOnHosts does one thing to the checked hosts, or to all that match the filter.
func actOnHosts(v *visit) error {
	f := newForm(v.r.PostForm)
	back := "/hosts"
	query, err := url.ParseQuery(f.Get("filter"))
	if err != nil {
		return problem{422, "The filter of this list cannot be read."}
	}
	if e := filterQuery(query).Encode(); e != "" {
		back += "?" + e
	}
	if f.Get("which") == "all" && f.Get("do") == "plan" {
		return v.done(listURL("/rollouts/new", "query", filterQuery(query).Encode()), "")
	}
	var ids []int64
	if f.Get("which") == "all" {
		filter := view.Hosts(query, v.now())
		if err := v.store.EachHost(v.ctx(), filter, func(h store.Host) error {
			ids = append(ids, h.ID)
			return nil
		}); err != nil {
			return err
		}
	} else {
		ids = f.ids("host")
	}
	if len(ids) == 0 {
		return v.done(back, "No host was chosen: tick some, or choose all that are shown.")
	}
	switch do := f.Get("do"); do {
	case "scan", "audit":
		return v.start(acts.NewRun{Kind: store.RunKind(do), Selector: store.Selector{Hosts: ids}}, back)
	case "plan":
		to := url.Values{}
		for _, id := range ids {
			to.Add("host", strconv.FormatInt(id, 10))
		}
		return v.done("/rollouts/new?"+to.Encode(), "")
	case "exception":
		if len(ids) > acts.MaxExcepted {
			return v.done(back, "An exception is made for "+strconv.Itoa(acts.MaxExcepted)+
				" hosts at once at most. Give them a tag and except the tag.")
		}
		to := url.Values{}
		for _, id := range ids {
			to.Add("host", strconv.FormatInt(id, 10))
		}
		if finding := query.Get("finding"); finding != "" {
			to.Set("finding", finding)
		}
		return v.done("/exceptions/new?"+to.Encode(), "")
	case "":
		return v.done(back, "Choose what to do.")
	default:
		changed, err := v.acts.ChangeTargets(v.ctx(), v.who(),
			acts.TargetsChange{Hosts: ids, Do: do, Value: f.Get("value")})
		switch {
		case f.refused(err):
			return v.done(back, "Nothing was changed: "+f.first())
		case err != nil:
			return err
		}
		return v.done(back, plural(changed.Targets, "target was", "targets were")+" changed: "+changed.What+".")
	}
}
