package web

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// A list is defined by its URL: offset or page, size, sort and its filters. So it can be saved, sent and printed.

// rows is the default number of rows of a page, and sizes the others.
const rows = 100

var sizes = []int{25, 50, rows, 250, 500}

// column is one column of a list. One with a key can sort the list; down means that it sorts the highest first.
type column struct {
	key, label, class string
	down              bool
}

// byParam is the parameter with the order of a page's first list.
const byParam = "sort"

// sorted returns the requested order of a list: by one of its columns, or the default.
func (v *visit) sorted(param, standard string, columns []column) string {
	s := v.r.URL.Query().Get(param)
	if slices.ContainsFunc(columns, func(c column) bool { return c.key != "" && c.key == strings.TrimPrefix(s, "-") }) {
		return s
	}
	return standard
}

// pageOf parses which part of a list is requested, and in which order.
func (v *visit) pageOf(standard string, columns []column) store.Page {
	q := v.r.URL.Query()
	p := store.Page{Size: rows, Sort: v.sorted(byParam, standard, columns)}
	if n, err := strconv.Atoi(q.Get("size")); err == nil && slices.Contains(sizes, n) {
		p.Size = n
	}
	if n, err := strconv.Atoi(q.Get("offset")); err == nil && n > 0 && n < 1<<31 {
		p.Offset = n
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 && n < 1<<31/p.Size {
		p.Offset = (n - 1) * p.Size
	}
	return p
}

// arrange sorts a complete list. by has a comparison for each key of a column; equal rows keep their order.
func arrange[T any](list []T, sort string, by map[string]func(a, b T) int) {
	key, down := strings.CutPrefix(sort, "-")
	compare := by[key]
	if compare == nil {
		return
	}
	slices.SortStableFunc(list, func(a, b T) int {
		if down {
			return compare(b, a)
		}
		return compare(a, b)
	})
}

// by compares rows by a column's value.
func by[T any, V cmp.Ordered](of func(T) V) func(a, b T) int {
	return func(a, b T) int { return cmp.Compare(of(a), of(b)) }
}

// byTime is by for times.
func byTime[T any](of func(T) time.Time) func(a, b T) int {
	return func(a, b T) int { return of(a).Compare(of(b)) }
}

// with returns this page's URL with some parameters changed; empty values are removed.
func (v *visit) with(pairs ...string) string {
	q := v.r.URL.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	for k, l := range q {
		if len(l) == 0 || l[0] == "" {
			q.Del(k)
		}
	}
	if len(q) == 0 {
		return v.r.URL.Path
	}
	return v.r.URL.Path + "?" + q.Encode()
}

// pager links to the other pages of a list.
type pager struct {
	From, To, Total         int
	First, Prev, Next, Last string
	Page, Pages             int
	Sizes                   []option
	Path                    string
	Keep                    []option // the URL's parameters for a jump
}

func (v *visit) pager(p store.Page, shown, total int) pager {
	at := func(offset int) string {
		if offset <= 0 {
			return v.with("offset", "", "page", "")
		}
		return v.with("offset", strconv.Itoa(offset), "page", "")
	}
	out := pager{
		From: p.Offset + 1, To: p.Offset + shown, Total: total, Page: p.Offset/p.Size + 1,
		Pages: (total + p.Size - 1) / p.Size, Path: v.r.URL.Path,
	}
	for _, n := range sizes {
		out.Sizes = append(out.Sizes, option{
			Value: strconv.Itoa(n), Label: strconv.Itoa(n) + " a page",
			Chosen: n == p.Size,
		})
	}
	q := v.r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if name != "offset" && name != "page" && name != "size" && q.Get(name) != "" {
			out.Keep = append(out.Keep, option{Value: q.Get(name), Label: name})
		}
	}
	if p.Offset > 0 {
		out.First, out.Prev = at(0), at(p.Offset-p.Size)
	}
	if p.Offset+shown < total && shown > 0 {
		out.Next, out.Last = at(p.Offset+p.Size), at((total-1)/p.Size*p.Size)
	}
	return out
}

// head is the head of a column; with a URL it sorts.
type head struct{ Label, URL, Sorted, Class string }

// heads returns the columns of a list, each with the link that sorts by it, in reverse if the list is sorted by it
// already.
func (v *visit) heads(param, sort string, columns []column) []head {
	out := make([]head, len(columns))
	for i, c := range columns {
		out[i] = v.head(param, sort, c)
	}
	return out
}

func (v *visit) head(param, sort string, c column) head {
	h := head{Label: c.label, Class: c.class}
	if c.key == "" {
		return h
	}
	first, second := c.key, "-"+c.key
	if c.down {
		first, second = second, first
	}
	next := first
	switch sort {
	case c.key:
		h.Sorted = "ascending"
	case "-" + c.key:
		h.Sorted = "descending"
	}
	if sort == first {
		next = second
	}
	h.URL = v.with(param, next, "offset", "", "page", "")
	return h
}

// export is a link to a view as a file.
type export struct{ Label, URL string }

// filterQuery keeps the part of a query that selects hosts.
func filterQuery(q url.Values) url.Values {
	out := url.Values{}
	for _, p := range view.HostFilter {
		n := p.Name
		if s := q.Get(n); s != "" {
			out.Set(n, s)
		}
	}
	return out
}

// filterWords describes a filter.
func filterWords(q url.Values) []string {
	var out []string
	for _, p := range view.HostFilter {
		n := p.Name
		s := q.Get(n)
		switch {
		case s == "":
		case n == "q":
			out = append(out, "with “"+brief(s)+"” in a name or address")
		case n == "least":
			out = append(out, "with an open finding of severity "+brief(s)+" or worse")
		case n == "unchanged":
			out = append(out, "unchanged for "+brief(s)+" days or more")
		case n == "unseen":
			out = append(out, "without a result for "+brief(s)+" days or more")
		case n == "smb1":
			out = append(out, "that speak SMB1")
		case n == "logon":
			out = append(out, "with "+logonWords(q))
		case n == "client" && q.Get("logon") == "":
			out = append(out, "that let "+brief(s)+" in")
		case n == "client": // part of the logon's words
		case n == "excepted":
			out = append(out, "with an exception")
		case n == "audit" && s == store.AuditOld:
			out = append(out, "that changed since their last audit")
		case n == "audit":
			out = append(out, "that were never audited")
		case n == "discloses":
			out = append(out, "that give strangers "+words(s))
		default:
			out = append(out, n+" "+brief(s))
		}
	}
	return out
}

// logonWords describes a filter's logons.
func logonWords(q url.Values) string {
	s := brief(q.Get("logon"))
	if client := q.Get("client"); client != "" {
		return "logons of " + brief(client) + " that are " + s
	}
	return "a weakest logon that is " + s
}

// choices are the lists of a filter.
type choices struct {
	Sites, Tags, Owners []option
}

// choices reads the values by which hosts can be filtered. Long lists are cut: further tags can be typed into the URL.
func (v *visit) choices(q url.Values) (choices, error) {
	var c choices
	sites, err := v.store.Sites(v.ctx())
	if err != nil {
		return c, err
	}
	var names []string
	for _, s := range sites {
		names = append(names, s.Name)
	}
	c.Sites = options(q.Get("site"), "every site", names)
	tags, err := v.store.Tags(v.ctx(), nil)
	if err != nil {
		return c, err
	}
	c.Tags = options(q.Get("tag"), "every tag", tags)
	owners, err := v.store.Owners(v.ctx(), nil)
	if err != nil {
		return c, err
	}
	c.Owners = options(q.Get("owner"), "every owner", owners)
	return c, nil
}

// mostOptions bounds a list to choose from: longer ones are of no use in a browser.
const mostOptions = 500

// wordOptions is options for identifiers of ours, with dashes.
func wordOptions(chosen, none string, values []string) []option {
	out := options(chosen, none, values)
	for i := range out {
		out[i].Label = words(out[i].Label)
	}
	return out
}

// options returns a list to choose from, with a first line for no choice. It contains the current choice even if that
// no longer exists.
func options(chosen, none string, values []string) []option {
	out := []option{{Value: "", Label: none, Chosen: chosen == ""}}
	found := chosen == ""
	for _, s := range values {
		if len(out) > mostOptions && s != chosen {
			continue
		}
		out = append(out, option{Value: s, Label: s, Chosen: s == chosen})
		found = found || s == chosen
	}
	if !found {
		out = append(out, option{Value: chosen, Label: chosen, Chosen: true})
	}
	return out
}

// texts converts a list of any string type to one of strings.
func texts[T ~string](list ...T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// sorted sorts texts and removes duplicates.
func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
