package store

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// where collects conditions that must all hold. Text from elsewhere is only ever an argument.
type where struct {
	pg    bool
	parts []string
	args  []any
}

// and adds a condition; each ? in it stands for the next argument.
func (w *where) and(condition string, args ...any) {
	var b strings.Builder
	for _, r := range condition {
		if r == '?' {
			b.WriteString(w.arg(args[0]))
			args = args[1:]
			continue
		}
		b.WriteRune(r)
	}
	w.parts = append(w.parts, b.String())
}

// arg adds an argument and returns its placeholder.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return "$" + strconv.Itoa(len(w.args))
}

// in adds the condition that a column is one of many numbers.
func (w *where) in(column string, numbers []int64) {
	w.parts = append(w.parts, column+" "+inIDs(w.pg, w.arg(ids{w.pg, numbers})))
}

// within adds the condition that a column is one of some sites, unless all are selected.
func (w *where) within(column string, sites Sites) {
	if sites != nil {
		w.in(column, sites)
	}
}

// like adds the condition that a lower-case column contains the text.
func (w *where) like(column, text string) {
	w.and(column+` LIKE ? ESCAPE '\'`, "%"+escapeLike(strings.ToLower(text))+"%")
}

// called adds the condition that a host h has a name, with or without its domain: a line of its text to search for.
func (w *where) called(name string) {
	name = "%\n" + escapeLike(strings.ToLower(name))
	const lines = `CAST(? AS TEXT) || h.search || CAST(? AS TEXT) LIKE ? ESCAPE '\'`
	w.and(`(`+lines+` OR `+lines+` OR `+lines+`)`,
		"\n", "\n", name+"\n%", "\n", "\n", name+".%", "\n", "\n", name+":%")
}

// String returns the WHERE clause, or an empty string.
func (w *where) String() string {
	if len(w.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.parts, " AND ")
}

// group returns the column to group hosts by. Its index suffices if the whole fleet counts. With conditions, SQLite
// must not follow that index from row to row, which takes twice as long as reading the table in its own order.
func (w *where) group(column string) string {
	if len(w.parts) <= 1 || w.pg {
		return column
	}
	return "+" + column
}

var escaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func escapeLike(text string) string { return escaper.Replace(text) }

// ids is one argument that contains many numbers.
type ids struct {
	pg      bool
	numbers []int64
}

func (i ids) encoded() (any, error) {
	if i.numbers == nil {
		i.numbers = []int64{}
	}
	if i.pg {
		return i.numbers, nil
	}
	b, err := json.Marshal(i.numbers)
	return string(b), err
}

// inIDs returns the right side of "column IN …" for an argument made with [ids].
func inIDs(pg bool, placeholder string) string {
	if pg {
		return "= ANY (" + placeholder + "::bigint[])"
	}
	return "IN (SELECT value FROM json_each(" + placeholder + "))"
}

func (q *Queries) in(placeholder string) string { return inIDs(q.pg, placeholder) }

func (q *Queries) ids(numbers []int64) ids { return ids{q.pg, numbers} }

// order returns the end of a paged query: it sorts only by columns of the list, and then by id to make the order total.
// A list entry may contain several columns separated by "; ", each of which "-" reverses.
func (p Page) order(columns map[string]string, standard, id string) (string, error) {
	sort := p.Sort
	if sort == "" {
		sort = standard
	}
	name, down := strings.CutPrefix(sort, "-")
	column, ok := columns[name]
	if !ok {
		return "", fmt.Errorf("%w: there is no order by %q", ErrAsked, name)
	}
	way := " ASC"
	if down {
		way = " DESC"
	}
	if column == id {
		return " ORDER BY " + id + way, nil
	}
	return " ORDER BY " + strings.Join(append(strings.Split(column, "; "), id), way+", ") + way, nil
}

// limits returns the page's LIMIT and OFFSET. A size of 0 or beyond the bound is [MaxPage].
func (p Page) limits(w *where) string {
	size := p.Size
	if size <= 0 || size > MaxPage {
		size = MaxPage
	}
	return " LIMIT " + w.arg(size) + " OFFSET " + w.arg(max(p.Offset, 0))
}
