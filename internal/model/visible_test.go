package model

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"srv1":               "srv1",
		"Größe 日本":           "Größe 日本",
		"a\x1b[2Jb":          "a?[2Jb",
		"a\u009b1m\x7f\r\n":  "a?1m???",
		"\u202egnp\u200b":    "?gnp?",
		"\u2028\u2029\u00ad": "???",
		"\U000e0041":         "?",
	} {
		if got := Visible(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	var b bytes.Buffer
	if n, err := (VisibleWriter{&b}).Write([]byte("a\tb\n\x1bc\r\n")); n != 8 || err != nil ||
		b.String() != "a\tb\n?c?\n" {
		t.Errorf("%d, %v, %q", n, err, &b)
	}
}

// FuzzJSONWriter: JSON of any text has no hidden characters, and decodes to the same text.
func FuzzJSONWriter(f *testing.F) {
	f.Add("plain")
	f.Add("a\x1b\u009b\x7f\u202e\u2028\U000e0041\\u0041\n")
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "\uFFFD")
		var b bytes.Buffer
		if err := json.NewEncoder(JSONWriter{&b}).Encode(text); err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || back != text {
			t.Fatalf("%q is %q: %v", text, back, err)
		}
		if strings.ContainsFunc(strings.TrimSuffix(b.String(), "\n"), Hidden) {
			t.Fatalf("%q", b.String())
		}
	})
}

// TestHiddenASCII: the short way is the tables' answer.
func TestHiddenASCII(t *testing.T) {
	for r := range rune(0x100) {
		if want := unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp); Hidden(r) != want {
			t.Errorf("Hidden(%q) = %t", r, !want)
		}
	}
}
