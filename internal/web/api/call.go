package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ipcguard/internal/fleet/access"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// call is one request of somebody who may make it.
type call struct {
	*API
	w         http.ResponseWriter
	r         *http.Request
	route     *route
	who       access.Who
	query     url.Values // as the table allows: known names, once each, of their kind
	streaming bool       // the answer has begun
}

func (c *call) ctx() context.Context { return c.r.Context() }

func (c *call) now() time.Time { return c.Clock().UTC() }

// act writes into the audit log what was done.
func (c *call) act(action, subject, detail string) error {
	return c.access.Act(c.ctx(), c.who, action, subject, detail)
}

// The kinds of parameter.
const (
	aText    = "string"
	aNumber  = "integer"
	aBoolean = "boolean"
	aTime    = "date-time"
)

// param is one parameter of a query.
type param struct {
	name, kind string
	enum       []string
	about      string
	needed     bool
}

// maxParam bounds a parameter in bytes: longer than any name.
const maxParam = 500

// check says what is wrong with a value, or nothing.
func (p param) check(s string) string {
	switch {
	case len(s) > maxParam || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "longer than 500 bytes, or with control characters"
	case len(p.enum) > 0 && !slices.Contains(p.enum, s):
		return "want one of " + strings.Join(p.enum, ", ")
	}
	switch p.kind {
	case aNumber:
		if n, err := strconv.ParseInt(s, 10, 64); err != nil || n < 0 || n > 1<<53 {
			return "want a number from 0"
		}
	case aBoolean:
		if s != "true" && s != "false" {
			return "want true or false"
		}
	case aTime:
		if _, err := parseTime(s); err != nil {
			return "want a date such as 2026-11-22, or a time such as 2026-11-22T14:00:00Z"
		}
	}
	return ""
}

func parseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1970 && t.Year() < 9999 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("not a time")
}

// readQuery holds the query against the table.
func (c *call) readQuery() error {
	q, err := readQuery(c.r.URL.RawQuery, c.route.query)
	c.query = q
	return err
}

func readQuery(raw string, params []param) (url.Values, error) {
	if len(raw) > 16<<10 {
		return nil, &problem{Status: http.StatusRequestURITooLong}
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &problem{Status: http.StatusBadRequest, Detail: "The query cannot be read."}
	}
	bad := &problem{Status: http.StatusBadRequest, Detail: "The query cannot be taken."}
	for name, values := range q {
		i := slices.IndexFunc(params, func(p param) bool { return p.name == name })
		switch {
		case i < 0:
			bad.Fields = append(bad.Fields, fieldProblem{plain(name), "there is no such parameter here"})
		case len(values) > 1:
			bad.Fields = append(bad.Fields, fieldProblem{name, "given more than once"})
		case values[0] == "" && !params[i].needed:
			delete(q, name)
		default:
			if why := params[i].check(values[0]); why != "" {
				bad.Fields = append(bad.Fields, fieldProblem{name, why})
			}
		}
	}
	for _, p := range params {
		if p.needed && q.Get(p.name) == "" {
			bad.Fields = append(bad.Fields, fieldProblem{p.name, "this is needed"})
		}
	}
	if len(bad.Fields) > 0 {
		slices.SortFunc(bad.Fields, func(a, b fieldProblem) int { return strings.Compare(a.Field, b.Field) })
		return nil, bad
	}
	return q, nil
}

func (c *call) number(name string) int64 {
	n, _ := strconv.ParseInt(c.query.Get(name), 10, 64) // checked by readQuery; none is 0
	return n
}

func (c *call) yes(name string) bool { return c.query.Get(name) == "true" }

func (c *call) time(name string) time.Time {
	t, _ := parseTime(c.query.Get(name)) // checked by readQuery; none is zero
	return t
}

// id is the number in the path.
func (c *call) id() (int64, error) {
	n, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil || n <= 0 {
		return 0, store.ErrNotFound
	}
	return n, nil
}

// pageSize is what a list gives where nothing else is asked for.
const pageSize = 100

func (c *call) page() store.Page {
	p := store.Page{Offset: int(min(c.number("offset"), 1<<31-1)), Size: pageSize, Sort: c.query.Get("sort")}
	if c.query.Has("limit") {
		p.Size = int(min(max(c.number("limit"), 1), store.MaxPage))
	}
	return p
}

// hosts is the filter of hosts, with the names that the page's addresses have.
func (c *call) hosts() store.HostFilter {
	q := c.query
	return store.HostFilter{
		Site: q.Get("site"), Tag: strings.ToLower(q.Get("tag")), Owner: q.Get("owner"), Criticality: store.Criticality(q.Get("criticality")),
		Verdict: model.Verdict(q.Get("verdict")), Discloses: model.Disclosure(q.Get("discloses")), Finding: q.Get("finding"), Setting: q.Get("setting"),
		Text: q.Get("q"), SMB1: c.yes("smb1"), Excepted: c.yes("excepted"),
	}
}

// body reads a JSON body strictly.
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
	if errors.As(err, &large) {
		return err
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return wrong(kind.Field, "want another type of value")
	}
	return &problem{Status: http.StatusBadRequest, Detail: plain("This is not the JSON that is wanted: " + strings.TrimPrefix(err.Error(), "json: "))}
}

// Longest texts that are taken, as the page takes them.
const (
	maxLine = 500
	maxNote = 10_000
)

// checks gathers what is wrong with the fields of a body.
type checks struct{ problem }

func (k *checks) wrong(field, format string, args ...any) {
	k.Fields = append(k.Fields, fieldProblem{field, plain(fmt.Sprintf(format, args...))})
}

// err is nil where nothing is wrong.
func (k *checks) err() error {
	if len(k.Fields) == 0 {
		return nil
	}
	k.Status, k.Detail = http.StatusUnprocessableEntity, "What was sent cannot be taken."
	return &k.problem
}

// line checks one line of text; need that there is one.
func (k *checks) line(field string, s *string) { k.text(field, s, maxLine, false) }

func (k *checks) need(field string, s *string) {
	if k.line(field, s); *s == "" {
		k.wrong(field, "this is needed")
	}
}

func (k *checks) text(field string, s *string, most int, lines bool) {
	*s = strings.TrimSpace(*s)
	switch {
	case !utf8.ValidString(*s) || utf8.RuneCountInString(*s) > most:
		k.wrong(field, "want at most %d characters of text", most)
	case strings.ContainsFunc(*s, func(r rune) bool {
		return !(lines && (r == '\n' || r == '\t')) && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
	}):
		k.wrong(field, "want no control characters and no marks that hide text")
	}
}

func oneOf[T ~string](k *checks, field string, s T, all ...T) {
	if !slices.Contains(all, s) {
		k.wrong(field, "want one of %v", all)
	}
}

// tags puts a list of tags into the form in which it is kept.
func (k *checks) tags(field string, tags []string) []string {
	out := []string{}
	for _, t := range tags {
		t = strings.ToLower(strings.TrimSpace(t))
		if t == "" || utf8.RuneCountInString(t) > 60 || strings.ContainsFunc(t, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || !unicode.IsPrint(r) }) {
			k.wrong(field, "a tag has 1 to 60 printable characters, no blanks and no commas")
			return nil
		}
		out = append(out, t)
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > 50 {
		k.wrong(field, "want at most 50 tags")
	}
	return out
}
