package api

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/report"
	"ipcguard/internal/store"
	"ipcguard/internal/web/takeaway"
)

// view is a list that can be had whole.
type view struct {
	query []param
	row   any // a value of its lines' type
	each  func(c *call, put func(any) error) error
	scans bool // it is of hosts, and can be told as SARIF and OCSF
}

// views lists them. Their filters are those of the lists.
func views() map[string]view {
	return map[string]view{
		"hosts": {hostFilter, store.Host{}, func(c *call, put func(any) error) error {
			return c.store.EachHost(c.ctx(), c.hosts(), func(h store.Host) error { return put(h) })
		}, true},
		"findings": {hostFilter, store.HostFinding{}, func(c *call, put func(any) error) error {
			return pages("host", put, func(p store.Page) ([]store.HostFinding, error) {
				l, _, err := c.store.Findings(c.ctx(), c.hosts(), p)
				return l, err
			})
		}, true},
		"finding-counts": {hostFilter, store.FindingCount{}, whole(func(c *call) ([]store.FindingCount, error) { return c.store.FindingCounts(c.ctx(), c.hosts()) }), false},
		"settings":       {hostFilter, store.SettingCount{}, whole(func(c *call) ([]store.SettingCount, error) { return c.store.SettingCounts(c.ctx(), c.hosts()) }), false},
		"events": {eventFilter, store.Event{}, func(c *call, put func(any) error) error {
			return pages("id", put, func(p store.Page) ([]store.Event, error) {
				l, _, err := c.store.Events(c.ctx(), c.events(), p)
				return l, err
			})
		}, false},
		"runs": {nil, store.Run{}, func(c *call, put func(any) error) error {
			return pages("id", put, func(p store.Page) ([]store.Run, error) {
				l, _, err := c.store.Runs(c.ctx(), p)
				return l, err
			})
		}, false},
		"compare": {with(hostFilter, between), store.Difference{}, func(c *call, put func(any) error) error {
			return pages("name", put, func(p store.Page) ([]store.Difference, error) {
				l, _, err := c.store.Compare(c.ctx(), c.time("from"), c.time("to"), c.hosts(), p)
				return l, err
			})
		}, false},
		"trend": {with([]param{{name: "site", kind: aText}}, between), store.TrendPoint{}, whole(func(c *call) ([]store.TrendPoint, error) {
			from, to := c.span()
			return c.store.Trend(c.ctx(), from, to, c.query.Get("site"))
		}), false},
		"exceptions": {[]param{{name: "all", kind: aBoolean}}, store.Exception{}, whole(func(c *call) ([]store.Exception, error) { return c.store.Exceptions(c.ctx(), c.yes("all")) }), false},
		"schedules":  {nil, store.Schedule{}, whole(func(c *call) ([]store.Schedule, error) { return c.store.Schedules(c.ctx()) }), false},
		"sites":      {nil, store.Site{}, whole(func(c *call) ([]store.Site, error) { return c.store.Sites(c.ctx()) }), false},
		"workers":    {nil, store.Worker{}, whole(func(c *call) ([]store.Worker, error) { return c.store.Workers(c.ctx()) }), false},
	}
}

var between = []param{{name: "from", kind: aTime}, {name: "to", kind: aTime}}

// exportFilter is every parameter that some view takes.
func exportFilter() []param {
	var out []param
	for _, name := range []string{"hosts", "events", "compare", "exceptions"} {
		for _, p := range views()[name].query {
			if !slices.ContainsFunc(out, func(q param) bool { return q.name == p.name }) {
				out = append(out, p)
			}
		}
	}
	return out
}

// whole hands on a list that is short.
func whole[T any](get func(*call) ([]T, error)) func(*call, func(any) error) error {
	return func(c *call, put func(any) error) error {
		l, err := get(c)
		for _, x := range l {
			if err := put(x); err != nil {
				return err
			}
		}
		return err
	}
}

// pages hands on a list page by page.
func pages[T any](sort string, put func(any) error, get func(store.Page) ([]T, error)) error {
	return takeaway.Pages(sort, get, func(x T) error { return put(x) })
}

func exportView(c *call) error {
	name, format := c.r.PathValue("view"), c.query.Get("format")
	v, ok := views()[name]
	if !ok {
		return store.ErrNotFound
	}
	for p := range c.query {
		if p != "format" && !slices.ContainsFunc(v.query, func(q param) bool { return q.name == p }) {
			return &problem{Status: http.StatusBadRequest, Detail: "The query cannot be taken.", Fields: []fieldProblem{{p, "this view has no such parameter"}}}
		}
	}
	if name == "compare" && (!c.query.Has("from") || !c.query.Has("to")) {
		return &problem{Status: http.StatusBadRequest, Detail: "The query cannot be taken.", Fields: []fieldProblem{{"from", "from and to are needed"}}}
	}
	switch format {
	case "csv":
		return c.attach(name+".csv", "text/csv; charset=utf-8", func(w io.Writer) error { return writeCSV(c, w, v) })
	case "json":
		return c.attach(name+".json", "application/json", func(w io.Writer) error { return writeJSON(c, w, v) })
	}
	if !v.scans {
		return &problem{Status: http.StatusBadRequest, Detail: "The query cannot be taken.", Fields: []fieldProblem{{"format", "this view is there as csv and json"}}}
	}
	counts, err := c.store.Counts(c.ctx(), c.hosts())
	if err != nil {
		return err
	}
	if counts.Hosts > takeaway.MaxHosts {
		return &problem{Status: http.StatusUnprocessableEntity, Detail: fmt.Sprintf("These are %d hosts, and one document holds %d: filter them by site, tag or owner.", counts.Hosts, takeaway.MaxHosts)}
	}
	kind := map[string]string{"sarif": "application/sarif+json", "ocsf": "application/jsonl"}[format]
	return c.attach(name+"."+format+".json", kind, func(w io.Writer) error { return c.document(w, format) })
}

// attach begins an answer that is a file.
func (c *call) attach(name, kind string, write func(io.Writer) error) error {
	h := c.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="ipcguard-`+name+`"`)
	c.streaming = true
	return write(patient{c.w, http.NewResponseController(c.w)})
}

// patient gives whoever takes a long file half a minute for each part of it, whatever the server's own limit is.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write writes a part.
func (p patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(30 * time.Second)) // not every server can
	return p.ResponseWriter.Write(b)
}

func writeJSON(c *call, w io.Writer, v view) error {
	return takeaway.JSON(w, func(put func(any) error) error {
		return v.each(c, func(x any) error {
			row := reflect.New(reflect.TypeOf(x)).Elem()
			row.Set(reflect.ValueOf(x))
			fill(row)
			return put(row.Interface())
		})
	})
}

func writeCSV(c *call, w io.Writer, v view) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns(reflect.TypeOf(v.row))); err != nil {
		return err
	}
	err := v.each(c, func(x any) error {
		cells := cellsOf(nil, reflect.ValueOf(x))
		for i := range cells {
			cells[i] = report.Cell(cells[i]) // no spreadsheet takes it for a formula
		}
		return out.Write(cells)
	})
	out.Flush()
	if err != nil {
		return err
	}
	return out.Error()
}

var cellsType = reflect.TypeFor[store.Cells]()

// columns are the names of a line's fields; what strangers get has one for each kind of data.
func columns(t reflect.Type) []string {
	var out []string
	for _, f := range fieldsOf(t) {
		if f.Type == cellsType {
			out = append(out, texts(model.Disclosures())...)
			continue
		}
		out = append(out, f.name)
	}
	return out
}

// cellsOf are a line's fields as texts.
func cellsOf(out []string, v reflect.Value) []string {
	for _, f := range fieldsOf(v.Type()) {
		x := v.FieldByIndex(f.Index)
		switch y := x.Interface().(type) {
		case store.Cells:
			for i := range model.Disclosures() {
				word := ""
				if i < len(y) {
					word = map[byte]string{'a': "allowed", 'd': "denied", 'n': "absent", '?': "inconclusive", '-': "not tested"}[y[i]]
				}
				out = append(out, word)
			}
		case time.Time:
			if y.IsZero() {
				out = append(out, "")
			} else {
				out = append(out, y.UTC().Format(time.RFC3339))
			}
		case []string:
			out = append(out, strings.Join(y, " "))
		default:
			out = append(out, textOf(x))
		}
	}
	return out
}

func textOf(x reflect.Value) string {
	switch x.Kind() {
	case reflect.String:
		return x.String()
	case reflect.Bool:
		return strconv.FormatBool(x.Bool())
	case reflect.Int, reflect.Int64:
		return strconv.FormatInt(x.Int(), 10)
	}
	b, err := json.Marshal(x.Interface())
	if err != nil {
		return ""
	}
	return string(b)
}

// document tells of each host what is open on it, in a format of report.
func (c *call) document(w io.Writer, format string) error {
	return takeaway.Document(w, format, c.now(), func(put func(*model.Scan) error) error {
		return takeaway.Scans(c.ctx(), c.store, c.catalog, c.hosts(), put)
	})
}

func exportTargets(c *call) error {
	return c.attach("targets.csv", "text/csv; charset=utf-8", func(w io.Writer) error { return c.fleet.ExportTargets(c.ctx(), w) })
}
