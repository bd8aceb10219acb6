package acts

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"ipcguard/internal/model"
)

// FuzzJournal takes anything as a journal that was sent: what is taken is JSON with an apply in it.
func FuzzJournal(f *testing.F) {
	for _, b := range []string{
		`[{"id":"20261130-104813-264703"}]`, `{"id":"1"}`, `[]`, `[{"id":""},{"id":"2"}]`, `null`, `{"id":5}`, `[[`,
	} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if isJournal(b) && (!json.Valid(b) || !strings.Contains(strings.ToLower(string(b)), `"id"`)) {
			t.Fatalf("%q was taken for a journal", b)
		}
	})
}

// FuzzText checks anything as the text of a field: what is taken is text without hidden characters, and what a refusal
// says of it can be shown.
func FuzzText(f *testing.F) {
	f.Add("old printers", false)
	f.Add("two\r\nlines\tand more", true)
	f.Add("hidden \u202e text", true)
	f.Add("\xff", false)
	f.Add(strings.Repeat("ä", maxLine+1), false)
	f.Fuzz(func(t *testing.T, s string, note bool) {
		k, out := &checks{}, s
		if note {
			k.note("reason", &out)
		} else {
			k.line("reason", &out)
		}
		hidden := strings.ContainsFunc(out, func(r rune) bool {
			return model.Hidden(r) && !(note && (r == '\n' || r == '\t'))
		})
		if k.err() == nil && (!utf8.ValidString(out) || hidden || utf8.RuneCountInString(out) > maxNote) {
			t.Fatalf("%q was taken as %q", s, out)
		}
		k.wrong("other", "%s", s)
		said := Words(k.err())
		if !utf8.ValidString(said) || strings.ContainsFunc(said, model.Hidden) {
			t.Fatalf("a refusal of %q says %q", s, said)
		}
	})
}
