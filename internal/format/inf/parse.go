package inf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"ipcguard/internal/format/registry"
)

const (
	maxFile   = 64 << 20 // templates are some tens of KiB
	maxErrors = 20       // enough to show that this is no template
)

// Parse reads a template in UTF-16 with a byte order mark, UTF-8, or a single-byte text (read as Latin-1). What could
// be read is returned even when there are errors, which are joined *Error.
func Parse(b []byte) (*File, error) {
	f := &File{}
	if len(b) > maxFile {
		return f, &Error{1, "the file is too large"}
	}
	if bytes.IndexByte(b, 0) >= 0 && !bytes.HasPrefix(b, []byte{0xff, 0xfe}) && !bytes.HasPrefix(b, []byte{0xfe, 0xff}) {
		return f, &Error{1, "not a text: it holds NUL bytes and has no byte order mark"}
	}
	var errs []error
	for i, line := range strings.Split(strings.ReplaceAll(decode(b), "\r\n", "\n"), "\n") {
		if err := f.line(i+1, strings.TrimSpace(line)); err != nil {
			if errs = append(errs, err); len(errs) >= maxErrors {
				break
			}
		}
	}
	return f, errors.Join(errs...)
}

func decode(b []byte) string {
	var o binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		o = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		o = binary.BigEndian
	default:
		b = bytes.TrimPrefix(b, []byte{0xef, 0xbb, 0xbf})
		if utf8.Valid(b) {
			return string(b)
		}
		r := make([]rune, len(b))
		for i, c := range b {
			r[i] = rune(c)
		}
		return string(r)
	}
	u := make([]uint16, len(b)/2-1)
	for i := range u {
		u[i] = o.Uint16(b[2*i+2:])
	}
	return string(utf16.Decode(u))
}

func (f *File) line(n int, s string) error {
	switch {
	case s == "" || s[0] == ';':
		return nil
	case s[0] == '[':
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return &Error{n, "a section without its ]"}
		}
		f.Sections = append(f.Sections, Section{Name: strings.TrimSpace(s[1:end])})
		return nil
	case len(f.Sections) == 0:
		return &Error{n, "a setting before the first [section]"}
	}
	l := Line{Number: n, Value: s}
	// A key in quotes may hold an equals sign.
	from := 0
	if s[0] == '"' {
		if from = strings.IndexByte(s[1:], '"') + 1; from == 0 {
			return &Error{n, "a quote without its end"}
		}
	}
	if eq := strings.IndexByte(s[from:], '='); eq >= 0 {
		l.Key, l.Value = strings.TrimSpace(s[:from+eq]), strings.TrimSpace(s[from+eq+1:])
	}
	sec := &f.Sections[len(f.Sections)-1]
	sec.Lines = append(sec.Lines, l)
	return nil
}

// Bytes writes the template as UTF-16 with a byte order mark and CRLF, as the group policy editor does. The settings
// with spaces around the equals sign are those that the editor writes so.
func (f *File) Bytes() []byte {
	var b strings.Builder
	for _, s := range f.Sections {
		b.WriteString("[" + s.Name + "]\r\n")
		eq := " = "
		if strings.EqualFold(s.Name, "Registry Values") || strings.EqualFold(s.Name, "Unicode") || strings.EqualFold(s.Name, "Version") {
			eq = "="
		}
		for _, l := range s.Lines {
			line := l.Value
			if l.Key != "" {
				line = strings.TrimRight(l.Key+eq+l.Value, " ")
			}
			b.WriteString(line + "\r\n")
		}
	}
	return append([]byte{0xff, 0xfe}, registry.EncodeUTF16(b.String())...)
}
