package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ipcguard/internal/store"
	"ipcguard/internal/web/view"
)

// A list is asked for by URL: offset, sort and its filters. So it can be kept, sent and printed.

// rows is how many lines one page of a list has.
const rows = 100

// pageOf reads which part of a list is asked for.
func (v *visit) pageOf(sort string, size int) store.Page {
	q := v.r.URL.Query()
	p := store.Page{Size: size, Sort: sort}
	if n, err := strconv.Atoi(q.Get("offset")); err == nil && n > 0 && n < 1<<31 {
		p.Offset = n
	}
	if s := q.Get("sort"); s != "" && len(s) < 40 {
		p.Sort = s
	}
	return p
}

// sortable keeps a page's order within the columns that a list has.
func sortable(p store.Page, standard string, columns ...string) store.Page {
	if !slices.Contains(columns, strings.TrimPrefix(p.Sort, "-")) {
		p.Sort = standard
	}
	return p
}

// with is this page's URL with some parameters changed; empty values are left out.
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

// pager leads through a list.
type pager struct {
	From, To, Total         int
	First, Prev, Next, Last string
}

func (v *visit) pager(p store.Page, shown, total int) pager {
	at := func(offset int) string {
		if offset <= 0 {
			return v.with("offset", "")
		}
		return v.with("offset", strconv.Itoa(offset))
	}
	out := pager{From: p.Offset + 1, To: p.Offset + shown, Total: total}
	if p.Offset > 0 {
		out.First, out.Prev = at(0), at(p.Offset-p.Size)
	}
	if p.Offset+shown < total && shown > 0 {
		out.Next, out.Last = at(p.Offset+p.Size), at((total-1)/p.Size*p.Size)
	}
	return out
}

// head is a column that sorts.
type head struct{ Label, URL, Sorted, Class string }

// head makes one. Its link turns the order round where the list is sorted by it already; first says how it begins.
func (v *visit) head(p store.Page, key, label, class string, descending bool) head {
	h := head{Label: label, Class: class}
	first, second := key, "-"+key
	if descending {
		first, second = second, first
	}
	next := first
	switch p.Sort {
	case key:
		h.Sorted = "ascending"
	case "-" + key:
		h.Sorted = "descending"
	}
	if p.Sort == first {
		next = second
	}
	h.URL = v.with("sort", next, "offset", "")
	return h
}

// export is a link to a view as a file.
type export struct{ Label, URL string }

// filterQuery keeps of a query what chooses hosts.
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

// filterWords says in words what a filter takes.
func filterWords(q url.Values) []string {
	var out []string
	for _, p := range view.HostFilter {
		n := p.Name
		s := q.Get(n)
		switch {
		case s == "":
		case n == "q":
			out = append(out, "with “"+brief(s)+"” in a name or address")
		case n == "smb1":
			out = append(out, "that speak SMB1")
		case n == "logon":
			out = append(out, "with "+logonWords(q))
		case n == "client" && q.Get("logon") == "":
			out = append(out, "that let "+brief(s)+" in")
		case n == "client": // the logon's words name it
		case n == "excepted":
			out = append(out, "with an exception")
		case n == "discloses":
			out = append(out, "that give strangers "+words(s))
		default:
			out = append(out, n+" "+brief(s))
		}
	}
	return out
}

// logonWords says which logons a filter takes.
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

// choices reads what hosts can be filtered by. Long lists are cut: who has more tags types one into the URL.
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

// mostOptions bounds a list to choose from: a browser shows no more with any use.
const mostOptions = 500

// wordOptions is options for values of ours, which are words with dashes.
func wordOptions(chosen, none string, values []string) []option {
	out := options(chosen, none, values)
	for i := range out {
		out[i].Label = words(out[i].Label)
	}
	return out
}

// options makes a list to choose from, with a first line for no choice. What is chosen is in it even where it is gone.
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

// texts turns a list of any kind of text into one of strings.
func texts[T ~string](list ...T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// sorted sorts texts and keeps each once.
func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
