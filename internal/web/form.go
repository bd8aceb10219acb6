package web

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
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

// Longest texts that are taken: a name is a line, a note is a page.
const (
	maxLine = 500
	maxNote = 10_000
)

// line reads one line: no control characters, none that hide or turn text.
func (f *form) line(name string) string { return f.text(name, maxLine, false) }

// note reads a text of several lines.
func (f *form) note(name string) string { return f.text(name, maxNote, true) }

func (f *form) text(name string, longest int, lines bool) string {
	s := strings.TrimSpace(strings.ReplaceAll(f.Get(name), "\r\n", "\n"))
	switch {
	case !utf8.ValidString(s):
		f.wrong(name, "This is not text.")
	case utf8.RuneCountInString(s) > longest:
		f.wrong(name, "This is longer than "+strconv.Itoa(longest)+" characters.")
	case strings.ContainsFunc(s, func(r rune) bool {
		return !(lines && (r == '\n' || r == '\t')) && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r))
	}):
		f.wrong(name, "This holds control characters or marks that hide text.")
	}
	return s
}

// need is line for a field that may not be empty.
func (f *form) need(name string) string {
	s := f.line(name)
	if s == "" {
		f.wrong(name, "This is needed.")
	}
	return s
}

// choice reads one of a list.
func (f *form) choice(name string, all ...string) string {
	s := f.Get(name)
	for _, a := range all {
		if a == s {
			return s
		}
	}
	f.wrong(name, "Choose one of the list.")
	return ""
}

// yes reads a box.
func (f *form) yes(name string) bool { return f.Get(name) != "" }

// id reads a number that names something; 0 where there is none.
func (f *form) id(name string) int64 {
	s := f.Get(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		f.wrong(name, "Choose one of the list.")
		return 0
	}
	return n
}

// count reads a number from 0 to most; empty is 0.
func (f *form) count(name string, most float64) float64 {
	s := strings.TrimSpace(f.Get(name))
	if s == "" {
		return 0
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 0 || n > most || n != n {
		f.wrong(name, "Want a number from 0 to "+strconv.FormatFloat(most, 'f', -1, 64)+".")
		return 0
	}
	return n
}

// date reads a day, whose end in UTC is meant.
func (f *form) date(name string) time.Time {
	t, err := time.Parse("2006-01-02", strings.TrimSpace(f.Get(name)))
	if err != nil {
		f.wrong(name, "Want a date such as 2027-03-31.")
		return time.Time{}
	}
	return t.Add(24*time.Hour - time.Second)
}

// tags reads a list of tags, apart by commas or blanks.
func (f *form) tags(name string) []string {
	var out []string
	for _, t := range strings.FieldsFunc(f.line(name), func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		if utf8.RuneCountInString(t) > 60 {
			f.wrong(name, "A tag has at most 60 characters.")
		}
		out = append(out, strings.ToLower(t))
	}
	if len(out) > 50 {
		f.wrong(name, "At most 50 tags.")
	}
	return sorted(out)
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
