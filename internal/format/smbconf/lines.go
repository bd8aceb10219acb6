package smbconf

import (
	"bytes"
	"iter"
)

// logical is one line as Samba sees it, and its position in the file.
type logical struct {
	text       string // continued, white space joined
	number     int    // of its first physical line, from 1
	start, end int    // bytes: from the first significant one to before the newline that ends it
	lineStart  int    // the first byte of its first physical line
}

// lines splits a file as the server does that it is of.
func (o *Options) lines(b []byte) iter.Seq[logical] {
	if o.Ksmbd {
		return ksmbdLines(b)
	}
	return split(b)
}

// split splits a file into logical lines without comments and blank lines. A line that is longer than maxLine is
// truncated, and is the last.
func split(b []byte) iter.Seq[logical] {
	return func(yield func(logical) bool) { splitTo(b, yield) }
}

func splitTo(b []byte, yield func(logical) bool) {
	var buf []byte
	number, i, lineStart := 1, 0, 0
	for i < len(b) {
		switch c := b[i]; {
		case c == '\n':
			i++
			number++
			lineStart = i
		case isSpace(c):
			i++
		case c == '#' || c == ';':
			for i < len(b) && b[i] != '\n' {
				i++
			}
		default:
			l := logical{number: number, start: i, lineStart: lineStart}
			buf = buf[:0]
			for ; i < len(b); i++ {
				c := b[i]
				n := len(buf)
				if c == '\n' {
					if n > 0 && buf[n-1] == '\\' {
						buf = buf[:n-1]
						number++
						continue
					}
					if n > 1 && buf[n-2] == '\\' && isSpace(buf[n-1]) {
						buf = buf[:n-2]
						number++
						continue
					}
					break
				}
				if n > 0 && isSpace(buf[n-1]) && isSpace(c) {
					continue
				}
				if buf = append(buf, c); len(buf) > maxLine {
					yield(logical{text: string(buf), number: l.number})
					return
				}
			}
			l.end = i
			text, _, _ := bytes.Cut(buf, []byte{0}) // Samba's strings end here
			if l.text = string(text); l.text != "" && !yield(l) {
				return
			}
		}
	}
}

// trimOne removes one space on either side; there cannot be more.
func trimOne(s string) string {
	if s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	if s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}
