package acts

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ipcguard/internal/fleet/when"
	"ipcguard/internal/model"
)

// Kind is why an act is refused.
type Kind int

// The kinds of refusal.
const (
	Invalid   Kind = iota // the input is not valid
	Conflict              // the name is in use, or the object is referenced
	Forbidden             // the role allows the act, but not with this content
)

// Field is an error of one field.
type Field struct{ Name, Text string }

// Refusal says that an act was not done because of the request. Its texts are for the requester: fragments that begin
// with a small letter, end without a full stop, and contain no secret.
type Refusal struct {
	Kind   Kind
	Text   string  // of the whole request; empty if the fields say it
	Fields []Field // in the order of the checks, each once
}

// Error implements error with the first error.
func (r *Refusal) Error() string {
	if r.Text == "" && len(r.Fields) > 0 {
		return "acts: " + r.Fields[0].Name + ": " + r.Fields[0].Text
	}
	return "acts: " + r.Text
}

// Words returns an error's text as one line of bounded length, without the package's prefix and without characters that
// hide or reorder text.
func Words(err error) string {
	s := err.Error()
	if room, rest, ok := strings.Cut(s, ": "); ok && slices.Contains(rooms, room) {
		s = rest
	}
	return plain(s)
}

var rooms = []string{"acts", "access", "csv", "fleet", "notify", "plan", "secret", "store", "when"}

// maxWords bounds such a text, in characters.
const maxWords = 400

func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if model.Hidden(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > maxWords {
		s = string(r[:maxWords-1]) + "…"
	}
	return s
}

// checks collects the errors of an act's fields.
type checks struct{ fields []Field }

// wrong adds an error of a field; the first one counts.
func (k *checks) wrong(field, format string, args ...any) {
	if k.right(field) {
		k.fields = append(k.fields, Field{field, plain(fmt.Sprintf(format, args...))})
	}
}

// right reports whether a field has no error yet.
func (k *checks) right(field string) bool {
	return !slices.ContainsFunc(k.fields, func(f Field) bool { return f.Name == field })
}

// err returns nil if there is no error.
func (k *checks) err() error {
	if len(k.fields) == 0 {
		return nil
	}
	return &Refusal{Fields: k.fields}
}

// Maximum lengths of texts, in characters: a name is a line, a note is a page.
const (
	maxLine = 500
	maxNote = 10_000
)

// line checks one line of text, need also requires one, note checks a text of several lines. Surrounding blanks are
// removed.
func (k *checks) line(field string, s *string) { k.text(field, s, maxLine, false) }

func (k *checks) need(field string, s *string) {
	if k.line(field, s); *s == "" {
		k.wrong(field, "this is needed")
	}
}

func (k *checks) note(field string, s *string) { k.text(field, s, maxNote, true) }

func (k *checks) text(field string, s *string, most int, lines bool) {
	*s = strings.TrimSpace(strings.ReplaceAll(*s, "\r\n", "\n"))
	switch {
	case !utf8.ValidString(*s):
		k.wrong(field, "this is not text")
	case utf8.RuneCountInString(*s) > most:
		k.wrong(field, "this is longer than %d characters", most)
	case strings.ContainsFunc(*s, func(r rune) bool {
		return !(lines && (r == '\n' || r == '\t')) && model.Hidden(r)
	}):
		k.wrong(field, "this holds control characters or marks that hide text")
	}
}

// oneOf checks a word of a closed list.
func oneOf[T ~string](k *checks, field string, s T, all ...T) {
	if !slices.Contains(all, s) {
		k.wrong(field, "want one of %s", joined(all))
	}
}

func joined[T ~string](all []T) string {
	var words []string
	for _, s := range all {
		if s != "" {
			words = append(words, string(s))
		}
	}
	return strings.Join(words, ", ")
}

// Bounds of tags: what a column of a table can show.
const (
	maxTag  = 60
	maxTags = 50
)

// tags normalizes a list of tags: lower case, sorted, distinct.
func (k *checks) tags(field string, tags []string) []string {
	out := []string{}
	for _, t := range tags {
		t = strings.ToLower(strings.TrimSpace(t))
		if t == "" || utf8.RuneCountInString(t) > maxTag ||
			strings.ContainsFunc(t, func(r rune) bool {
				return unicode.IsSpace(r) || r == ',' || !unicode.IsPrint(r)
			}) {
			k.wrong(field, "a tag has 1 to %d printable characters, no blanks and no commas", maxTag)
			return nil
		}
		out = append(out, t)
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > maxTags {
		k.wrong(field, "want at most %d tags", maxTags)
	}
	return out
}

// clock checks a time zone and a window in it.
func (k *checks) clock(zone, window *string) {
	k.line("zone", zone)
	k.line("window", window)
	if _, err := when.Zone(*zone); err != nil {
		k.wrong("zone", "%s", Words(err))
	} else if _, err := when.ParseWindow(*window, *zone); err != nil {
		k.wrong("window", "%s", Words(err))
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
