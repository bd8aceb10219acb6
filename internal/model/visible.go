package model

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Hidden reports whether a character affects the text around it instead of being read: a control character, a format
// character (direction marks, zero-width characters), a line or paragraph separator. All text from outside, from plans,
// results, logs and servers, is checked with it before it reaches a terminal, a log or a page. The writer chooses the
// replacement.
func Hidden(r rune) bool {
	if r < 0x7F { // as most are: the tables take ten times as long
		return r < ' '
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

// Visible makes a text one readable line: a question mark replaces each hidden character.
func Visible(s string) string { return strings.Map(mask, s) }

func mask(r rune) rune {
	if Hidden(r) {
		return '?'
	}
	return r
}

// VisibleWriter writes text of several lines with a question mark for each hidden character; line ends and tabs stay.
// Each Write must hold whole characters.
type VisibleWriter struct{ io.Writer }

// Write implements io.Writer.
func (w VisibleWriter) Write(b []byte) (int, error) {
	clean := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return mask(r)
	}, string(b))
	if _, err := io.WriteString(w.Writer, clean); err != nil {
		return 0, err
	}
	return len(b), nil
}

// JSONWriter writes JSON and escapes every hidden character of its strings; decoders undo this. encoding/json leaves
// DEL, the controls from U+0080 on and the direction marks as they are, and some terminals obey them. Each Write must
// hold whole characters.
type JSONWriter struct{ io.Writer }

// Write implements io.Writer.
func (w JSONWriter) Write(b []byte) (int, error) {
	if _, err := w.Writer.Write(escapeHidden(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// escapeHidden returns b itself if nothing is hidden. White space between JSON tokens stays.
func escapeHidden(b []byte) []byte {
	hidden := func(r rune) bool { return r != '\n' && r != '\t' && r != '\r' && Hidden(r) }
	at := 0
	for at < len(b) && (' ' <= b[at] && b[at] <= '~' || b[at] == '\n') { // nearly always all of it, and nothing is hidden
		at++
	}
	hit := bytes.IndexFunc(b[at:], hidden)
	if hit < 0 {
		return b
	}
	at += hit
	out := append(make([]byte, 0, len(b)+64), b[:at]...)
	for rest := b[at:]; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case !hidden(r):
			out = append(out, rest[:size]...)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		rest = rest[size:]
	}
	return out
}
