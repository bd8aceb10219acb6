package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/store"
	"ipcguard/internal/web/limit"
	"ipcguard/internal/web/view"
)

// call is one request of an authorized caller.
type call struct {
	*API
	w         http.ResponseWriter
	r         *http.Request
	route     *route
	who       access.Who
	store     store.Reader // what the caller may see; it hides the API's own, which sees everything
	query     url.Values   // checked against the table: known names, once each, with valid values
	streaming bool         // the answer has begun
}

func (c *call) ctx() context.Context { return c.r.Context() }

func (c *call) now() time.Time { return c.Clock().UTC() }

// readQuery checks the query against the table.
func (c *call) readQuery() error {
	q, err := readQuery(c.r.URL.RawQuery, c.route.query)
	c.query = q
	return err
}

func readQuery(raw string, params []view.Param) (url.Values, error) {
	if len(raw) > 16<<10 {
		return nil, &problem{Status: http.StatusRequestURITooLong}
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &problem{Status: http.StatusBadRequest, Detail: "The query cannot be read."}
	}
	bad := &problem{Status: http.StatusBadRequest, Detail: "The query cannot be taken."}
	for name, values := range q {
		i := slices.IndexFunc(params, func(p view.Param) bool { return p.Name == name })
		switch {
		case i < 0:
			bad.Fields = append(bad.Fields, fieldProblem{plain(name), "there is no such parameter here"})
		case len(values) > 1:
			bad.Fields = append(bad.Fields, fieldProblem{name, "given more than once"})
		case values[0] == "" && !params[i].Needed:
			delete(q, name)
		default:
			if why := params[i].Check(values[0]); why != "" {
				bad.Fields = append(bad.Fields, fieldProblem{name, why})
			}
		}
	}
	for _, p := range params {
		if p.Needed && q.Get(p.Name) == "" {
			bad.Fields = append(bad.Fields, fieldProblem{p.Name, "this is needed"})
		}
	}
	if len(bad.Fields) > 0 {
		slices.SortFunc(bad.Fields, func(a, b fieldProblem) int { return strings.Compare(a.Field, b.Field) })
		return nil, bad
	}
	return q, nil
}

func (c *call) number(name string) int64 {
	n, _ := strconv.ParseInt(c.query.Get(name), 10, 64) // checked by readQuery; absent is 0
	return n
}

func (c *call) yes(name string) bool { return c.query.Get(name) == "true" }

// id returns the number in the path.
func (c *call) id() (int64, error) {
	n, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil || n <= 0 {
		return 0, store.ErrNotFound
	}
	return n, nil
}

// pageSize is the default size of a list.
const pageSize = 100

func (c *call) page() store.Page {
	p := store.Page{Offset: int(min(c.number("offset"), 1<<31-1)), Size: pageSize, Sort: c.query.Get("sort")}
	if c.query.Has("limit") {
		p.Size = int(min(max(c.number("limit"), 1), store.MaxPage))
	}
	return p
}

// body parses a JSON body strictly.
func body[T any](c *call) (T, error) {
	var v T
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return v, &problem{Status: http.StatusUnsupportedMediaType, Detail: "Want application/json."}
	}
	d := json.NewDecoder(c.r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, notTaken(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return v, &problem{Status: http.StatusBadRequest, Detail: "There is more after the JSON value."}
	}
	return v, nil
}

func notTaken(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, limit.ErrSlow) {
		return err
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return wrong(kind.Field, "want another type of value")
	}
	return &problem{Status: http.StatusBadRequest, Detail: plain("This is not the JSON that is wanted: " +
		strings.TrimPrefix(err.Error(), "json: "))}
}
