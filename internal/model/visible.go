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

// Hidden tells whether a character does something to the text around it instead of being read: a control character,
// a format character (the marks of direction, what has no width), a separator of lines or paragraphs. It is the one
// judgement of text from outside: whatever plans, results, logs and servers say passes it before it reaches a terminal,
// a log or a page. What stands in place of such a character is the writer's choice.
func Hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

// Visible makes a text one line that can be read: a question mark stands for each hidden character.
func Visible(s string) string { return strings.Map(mask, s) }

func mask(r rune) rune {
	if Hidden(r) {
		return '?'
	}
	return r
}

// VisibleWriter writes text of several lines with a question mark for each hidden character; line ends and tabs stay.
// A Write holds whole characters.
type VisibleWriter struct{ io.Writer }

// Write is part of io.Writer.
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

// JSONWriter writes JSON with every hidden character of its strings escaped, which readers undo: encoding/json leaves
// DEL, the controls from U+0080 on and the marks of direction as they are, and some terminals obey them. A Write holds
// whole characters.
type JSONWriter struct{ io.Writer }

// Write is part of io.Writer.
func (w JSONWriter) Write(b []byte) (int, error) {
	if _, err := w.Writer.Write(escapeHidden(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// escapeHidden gives back b itself where nothing is hidden. White space between the tokens of JSON stays.
func escapeHidden(b []byte) []byte {
	hidden := func(r rune) bool { return r != '\n' && r != '\t' && r != '\r' && Hidden(r) }
	at := bytes.IndexFunc(b, hidden)
	if at < 0 {
		return b
	}
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
