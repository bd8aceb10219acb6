package inf

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"ipcguard/internal/format/registry"
)

// Limits: templates have a few tens of KiB; those of a domain with very many rights have a few thousand lines.
const (
	maxFile   = 64 << 20
	maxLines  = 200_000
	maxErrors = 20 // enough to show that this is not a template
)

// Parse reads a template in UTF-16, UTF-8, or a single-byte text (read as Latin-1). What could
// be read is returned even when there are errors, which are joined *Error.
func Parse(b []byte) (*File, error) {
	f := &File{}
	text, err := registry.ReadText(bytes.NewReader(b), maxFile)
	if errors.Is(err, registry.ErrTooLarge) {
		return f, &Error{1, err.Error()}
	}
	if strings.IndexByte(text, 0) >= 0 {
		return f, &Error{1, "not a text: it holds NUL characters"}
	}
	var errs []error
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > maxLines {
			errs = append(errs, &Error{n, fmt.Sprintf("more than %d lines; the rest is not read", maxLines)})
			break
		}
		if err := f.line(n, strings.TrimSpace(line)); err != nil {
			if errs = append(errs, err); len(errs) >= maxErrors {
				break
			}
		}
	}
	return f, errors.Join(errs...)
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

// Bytes writes the template as UTF-16 with a byte order mark and CRLF, as the group policy editor does. It writes
// spaces around the equals sign for the same settings as the editor.
func (f *File) Bytes() []byte {
	var b strings.Builder
	for _, s := range f.Sections {
		b.WriteString("[" + s.Name + "]\r\n")
		eq := " = "
		if strings.EqualFold(s.Name, "Registry Values") || strings.EqualFold(s.Name, "Unicode") ||
			strings.EqualFold(s.Name, "Version") {
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
