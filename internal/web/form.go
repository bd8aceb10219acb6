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
)

// form is what somebody typed in, with what is wrong with it. A page shows both again until it is right.
type form struct {
	url.Values
	Wrong   map[string]string // by field
	Problem string            // of the whole
}

func newForm(v url.Values) *form {
	if v == nil {
		v = url.Values{}
	}
	return &form{Values: v, Wrong: map[string]string{}}
}

// ok tells whether nothing is wrong.
func (f *form) ok() bool { return len(f.Wrong) == 0 && f.Problem == "" }

func (f *form) wrong(name, why string) {
	if f.Wrong[name] == "" {
		f.Wrong[name] = why
	}
}

// refused takes over what an act says against the form, and tells whether that is what the error was. Fields that are
// called otherwise on the page stand in names, as pairs.
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

// statusOf is how a refusal is answered.
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
	return http.StatusUnprocessableEntity
}

// maxNote bounds a field of a form that is read apart, in bytes.
const maxNote = 64 << 10

// yes reads a box.
func (f *form) yes(name string) bool { return f.Get(name) != "" }

// on is yes for what may be left out elsewhere.
func (f *form) on(name string) *bool {
	on := f.yes(name)
	return &on
}

// id reads a number that names something; 0 where there is none, -1 where it is no number.
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

// number reads a number; empty is 0, and what is none is a number that nothing takes.
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

// whole is number for whole ones.
func (f *form) whole(name string) int {
	n := f.number(name)
	if n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 {
		return -1
	}
	return int(n)
}

// date reads a day, whose end in UTC is meant; what is no day is no time.
func (f *form) date(name string) time.Time {
	t, err := time.Parse(time.DateOnly, strings.TrimSpace(f.Get(name)))
	if err != nil {
		return time.Time{}
	}
	return t.Add(24*time.Hour - time.Second)
}

// tags reads a list of tags, apart by commas or blanks.
func (f *form) tags(name string) []string {
	return strings.FieldsFunc(f.Get(name), func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// ids reads every ticked box of a name.
func (f *form) ids(name string) []int64 {
	var out []int64
	for _, s := range f.Values[name] {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
			out = append(out, n)
		}
	}
	return out
}

// first is one of the things that are wrong.
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

// Field makes an input for templates.
func (f *form) Field(name, label, hint string) field {
	return field{Name: name, Label: label, Hint: hint, Value: f.Get(name), Wrong: f.Wrong[name], Checked: f.yes(name)}
}

// Choose makes a list for templates.
func (f *form) Choose(name, label, hint string, options []option) field {
	out := f.Field(name, label, hint)
	for _, o := range options {
		o.Chosen = o.Value == out.Value
		out.Options = append(out.Options, o)
	}
	return out
}
