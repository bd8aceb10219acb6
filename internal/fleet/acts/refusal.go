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
	Invalid   Kind = iota // what was sent cannot be taken
	Conflict              // something else has the name, or refers to it
	Forbidden             // the role allows the act, but not this of it
)

// Field is what is wrong with one field.
type Field struct{ Name, Text string }

// Refusal is an act that was not done because of what was asked. Its words are for whoever asked: fragments that begin
// with a small letter and end without a full stop, and hold no secret.
type Refusal struct {
	Kind   Kind
	Text   string  // of the whole; empty where the fields say it
	Fields []Field // in the order in which they were looked at, each once
}

// Error says the first thing that is wrong.
func (r *Refusal) Error() string {
	if r.Text == "" && len(r.Fields) > 0 {
		return "acts: " + r.Fields[0].Name + ": " + r.Fields[0].Text
	}
	return "acts: " + r.Text
}

// Words are an error's, on one line of bounded length, without the room that it comes from and without characters that
// hide or turn text.
func Words(err error) string {
	s := err.Error()
	if room, rest, ok := strings.Cut(s, ": "); ok && slices.Contains(rooms, room) {
		s = rest
	}
	return plain(s)
}

var rooms = []string{"acts", "access", "csv", "fleet", "notify", "plan", "secret", "store", "when"}

// maxWords bounds what is said of one thing, in characters.
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

// checks gathers what is wrong with the fields of an act.
type checks struct{ fields []Field }

// wrong says what is wrong with a field; the first thing counts.
func (k *checks) wrong(field, format string, args ...any) {
	if k.right(field) {
		k.fields = append(k.fields, Field{field, plain(fmt.Sprintf(format, args...))})
	}
}

// right tells whether nothing is wrong with a field yet.
func (k *checks) right(field string) bool {
	return !slices.ContainsFunc(k.fields, func(f Field) bool { return f.Name == field })
}

// err is nil where nothing is wrong.
func (k *checks) err() error {
	if len(k.fields) == 0 {
		return nil
	}
	return &Refusal{Fields: k.fields}
}

// Longest texts that are taken, in characters: a name is a line, a note is a page.
const (
	maxLine = 500
	maxNote = 10_000
)

// line checks one line of text, need that there is one, note a text of several lines. Blanks around it go.
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

// Bounds of tags: as many and as long as a column of a table shows.
const (
	maxTag  = 60
	maxTags = 50
)

// tags puts a list of tags into the form in which it is kept: small letters, sorted, each once.
func (k *checks) tags(field string, tags []string) []string {
	out := []string{}
	for _, t := range tags {
		t = strings.ToLower(strings.TrimSpace(t))
		if t == "" || utf8.RuneCountInString(t) > maxTag || strings.ContainsFunc(t, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || !unicode.IsPrint(r) }) {
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

// count says how many there are of something.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
