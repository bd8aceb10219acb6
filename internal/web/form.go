package web

import (
	"errors"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/store"
)

// form is a submitted form with its errors. A page shows both again until it is correct.
type form struct {
	url.Values
	Wrong   map[string]string // by field
	Problem string            // about the form as a whole
}

func newForm(v url.Values) *form {
	if v == nil {
		v = url.Values{}
	}
	return &form{Values: v, Wrong: map[string]string{}}
}

// ok reports whether there are no errors.
func (f *form) ok() bool { return len(f.Wrong) == 0 && f.Problem == "" }

func (f *form) wrong(name, why string) {
	if f.Wrong[name] == "" {
		f.Wrong[name] = why
	}
}

// refused adds a refusal of an act to the form's errors, and reports whether the error was one. names has pairs of the
// act's and the page's names of fields.
func (f *form) refused(err error, names ...string) bool {
	var r *acts.Refusal
	if !errors.As(err, &r) {
		return false
	}
	for _, x := range r.Fields {
		name := strings.TrimPrefix(x.Name, "selector.")
		for i := 0; i+1 < len(names); i += 2 {
			if names[i] == name {
				name = names[i+1]
			}
		}
		f.wrong(name, sentence(x.Text))
	}
	f.Problem = sentence(r.Text)
	return true
}

// statusOf returns the HTTP status of a refusal.
func statusOf(err error) int {
	var r *acts.Refusal
	if errors.As(err, &r) {
		switch r.Kind {
		case acts.Conflict:
			return http.StatusConflict
		case acts.Forbidden:
			return http.StatusForbidden
		}
	}
	if errors.Is(err, store.ErrConflict) {
		return http.StatusConflict
	}
	return http.StatusUnprocessableEntity
}

// maxNote bounds a form field that is read separately, in bytes.
const maxNote = 64 << 10

// yes parses a check box.
func (f *form) yes(name string) bool { return f.Get(name) != "" }

// on is yes for a field that may be omitted.
func (f *form) on(name string) *bool {
	on := f.yes(name)
	return &on
}

// id parses the number of an object; 0 if empty, -1 if it is not a number.
func (f *form) id(name string) int64 {
	s := f.Get(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// number parses a number; empty is 0, and anything else an invalid number.
func (f *form) number(name string) float64 {
	s := strings.TrimSpace(f.Get(name))
	if s == "" {
		return 0
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return n
}

// whole is number for integers.
func (f *form) whole(name string) int {
	n := f.number(name)
	if n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 {
		return -1
	}
	return int(n)
}

// date parses a day and returns its end in UTC; anything else is the zero time.
func (f *form) date(name string) time.Time {
	t, err := time.Parse(time.DateOnly, strings.TrimSpace(f.Get(name)))
	if err != nil {
		return time.Time{}
	}
	return t.Add(24*time.Hour - time.Second)
}

// tags parses a list of tags, separated by commas or blanks.
func (f *form) tags(name string) []string {
	return strings.FieldsFunc(f.Get(name), func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// ids parses every checked box with a name. What is no number of a thing is 0, which is refused: left out, it would
// leave a choice of some as one of all.
func (f *form) ids(name string) []int64 {
	var out []int64
	for _, s := range f.Values[name] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			n = 0
		}
		out = append(out, n)
	}
	return out
}

// first returns one of the errors.
func (f *form) first() string {
	if f.Problem != "" {
		return f.Problem
	}
	for _, name := range slices.Sorted(maps.Keys(f.Wrong)) {
		return f.Wrong[name]
	}
	return ""
}

// field is what a template shows of one input.
type field struct {
	Name, Label, Hint, Value, Wrong string
	Options                         []option
	Checked                         bool
}

type option struct {
	Value, Label string
	Chosen       bool
}

// Field returns an input for templates.
func (f *form) Field(name, label, hint string) field {
	return field{Name: name, Label: label, Hint: hint, Value: f.Get(name), Wrong: f.Wrong[name], Checked: f.yes(name)}
}

// Choose returns a list for templates.
func (f *form) Choose(name, label, hint string, options []option) field {
	out := f.Field(name, label, hint)
	for _, o := range options {
		o.Chosen = o.Value == out.Value
		out.Options = append(out.Options, o)
	}
	return out
}
