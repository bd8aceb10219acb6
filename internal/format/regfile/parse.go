package regfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"ipcguard/internal/format/registry"
)

// Limits. An export of a whole registry has a few hundred MiB; an error that repeats on every line need not be reported
// more than 20 times. A key has at most 512 levels of 255 characters and a value name 16,383 characters; no value of a
// real registry comes near 32 MiB.
const (
	maxFile   = 256 << 20
	maxErrors = 20
	maxName   = 512 << 10
	maxData   = 32 << 20
)

// Parse reads a .reg file in UTF-16 with a byte order mark, in UTF-8, or in a single-byte code page (read as
// Latin-1). The file is returned even when there are errors, with all that could be read; errors are joined *Error.
func Parse(b []byte) (*File, error) {
	f := &File{}
	version, err := Read(bytes.NewReader(b), func(op Op) error {
		f.Ops = append(f.Ops, op)
		return nil
	})
	f.Version = version
	return f, err
}

// Read is Parse for a file of any size: it passes one operation after another to do and keeps none. An error of do ends
// the reading and is returned.
func Read(r io.Reader, do func(Op) error) (version int, err error) {
	text, err := registry.ReadText(r, maxFile)
	switch {
	case errors.Is(err, registry.ErrCut), errors.Is(err, registry.ErrTooLarge):
		return 0, &Error{1, 1, err.Error()}
	case err != nil:
		return 0, fmt.Errorf("reg file: %w", err)
	}
	p := &parser{text: text, line: 1, do: do}
	p.header()
	for p.at < len(p.text) && len(p.errs) < maxErrors && p.end == nil {
		p.statement()
	}
	if p.end != nil {
		return p.version, p.end
	}
	return p.version, errors.Join(p.errs...)
}

type parser struct {
	text  string
	at    int
	start int // of the line
	line  int
	key   string
	gone  bool // the key is being deleted: no values may follow
	errs  []error

	version int
	do      func(Op) error
	end     error // of do
}

// op passes an operation on.
func (p *parser) op(op Op) { p.end = p.do(op) }

// fail records an error at a position in the current line.
func (p *parser) fail(at int, why string) {
	col := utf8.RuneCountInString(p.text[min(p.start, at):at]) + 1
	p.errs = append(p.errs, &Error{p.line, col, why})
}

func (p *parser) eol() bool {
	return p.at >= len(p.text) || p.text[p.at] == '\n' || p.text[p.at] == '\r'
}

func (p *parser) skipLine() {
	for !p.eol() {
		p.at++
	}
	p.newline()
}

func (p *parser) newline() {
	if p.at < len(p.text) && p.text[p.at] == '\r' {
		p.at++
	}
	if p.at < len(p.text) && p.text[p.at] == '\n' {
		p.at++
	}
	p.line++
	p.start = p.at
}

func (p *parser) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

func (p *parser) rest() string {
	end := p.at
	for end < len(p.text) && p.text[end] != '\n' && p.text[end] != '\r' {
		end++
	}
	return p.text[p.at:end]
}

func (p *parser) header() {
	p.space()
	switch strings.TrimSpace(p.rest()) {
	case "Windows Registry Editor Version 5.00":
		p.version = 5
	case "REGEDIT4", "REGEDIT":
		p.version = 4
	default:
		p.fail(p.at, "no header: the first line must be \"Windows Registry Editor Version 5.00\" or \"REGEDIT4\"")
		p.version = 5
		return // the first line may be the first statement
	}
	p.skipLine()
}

func (p *parser) statement() {
	p.space()
	if p.eol() {
		p.newline()
		return
	}
	switch p.text[p.at] {
	case ';':
		p.skipLine()
	case '[':
		p.keyLine()
	case '"', '@':
		p.valueLine()
	default:
		if len(p.errs) == 0 || p.line > 1 {
			p.fail(p.at, "neither a [key], a value nor a comment")
		}
		p.skipLine()
	}
}

func (p *parser) keyLine() {
	line := p.rest()
	end := strings.LastIndexByte(line, ']')
	at := p.at
	p.key, p.gone = "", false
	if end < 0 {
		p.fail(at+len(line), "a key without its ]")
		p.skipLine()
		return
	}
	name := line[1:end]
	kind := AddKey
	if strings.HasPrefix(name, "-") {
		name, kind = name[1:], DeleteKey
	}
	if len(name) > maxName {
		p.fail(at+1, fmt.Sprintf("a key longer than %d KiB", maxName>>10))
		p.skipLine()
		return
	}
	name = registry.Canonical(name)
	if _, ok := registry.LongRoot(name); !ok {
		p.fail(at+1, "unknown root key")
		p.skipLine()
		return
	}
	p.key, p.gone = name, kind == DeleteKey
	p.op(Op{kind, registry.Value{Key: p.key}, p.line})
	p.skipLine()
}

func (p *parser) valueLine() {
	at, line := p.at, p.line
	v := registry.Value{Key: p.key}
	if p.text[p.at] == '@' {
		p.at++
	} else {
		name, ok := p.quoted(maxName)
		if !ok {
			p.skipLine()
			return
		}
		v.Name = name
	}
	p.space()
	if p.eol() || p.text[p.at] != '=' {
		p.fail(p.at, "a value name without =")
		p.skipLine()
		return
	}
	p.at++
	p.space()
	op := Op{SetValue, v, line}
	if strings.HasPrefix(p.rest(), "-") {
		op.Kind = DeleteValue
		p.at++
	} else if !p.data(&op.Value) {
		p.skipLine()
		return
	}
	p.space()
	if !p.eol() && p.text[p.at] != ';' {
		p.fail(p.at, "something after the end of the value")
	}
	switch {
	case p.key == "" && len(p.errs) == 0:
		p.fail(max(at, p.start), "a value outside of any key")
	case p.gone:
		p.fail(max(at, p.start), "a value in a key that is deleted")
	case p.key != "":
		p.op(op)
	}
	p.skipLine()
}

// quoted reads a string of at most so many bytes. It may span lines, as regedit writes it.
func (p *parser) quoted(most int) (string, bool) {
	first := p.at
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		if b.Len() > most {
			p.fail(p.at, fmt.Sprintf("a string longer than %d KiB", most>>10))
			return "", false
		}
		switch c := p.text[p.at]; c {
		case '"':
			p.at++
			return b.String(), true
		case '\\':
			if p.at++; p.at >= len(p.text) {
				continue
			}
			switch e := p.text[p.at]; e {
			case '\\', '"':
				b.WriteByte(e)
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			default:
				p.fail(p.at, "unknown escape in a string: only \\\\ and \\\" are")
				return "", false
			}
		case '\n':
			b.WriteByte(c)
			p.line++
			p.start = p.at + 1
		default:
			b.WriteByte(c)
		}
	}
	p.fail(max(first, p.start), "a string without its closing quote")
	return "", false
}

func (p *parser) data(v *registry.Value) bool {
	rest := p.rest()
	lower := strings.ToLower(rest[:min(len(rest), len("hex(0xffffffff):"))])
	switch {
	case strings.HasPrefix(rest, `"`):
		s, ok := p.quoted(maxData / 2) // two bytes a character
		if ok {
			*v = registry.NewText(v.Key, v.Name, s)
		}
		return ok
	case strings.HasPrefix(lower, "dword:"):
		p.at += len("dword:")
		p.space()
		digits := p.rest()
		n := 0
		for n < len(digits) && isHex(digits[n]) {
			n++
		}
		d, err := strconv.ParseUint(digits[:n], 16, 32)
		if err != nil {
			p.fail(p.at, "dword: wants 1 to 8 hexadecimal digits")
			return false
		}
		p.at += n
		*v = registry.NewDWord(v.Key, v.Name, uint32(d))
		return true
	case strings.HasPrefix(lower, "hex:"):
		p.at += len("hex:")
		v.Type = registry.Binary
		return p.hex(v)
	case strings.HasPrefix(lower, "hex("):
		end := strings.IndexByte(lower, ')')
		if end < 0 || !strings.HasPrefix(lower[end:], "):") {
			p.fail(p.at, "hex( without its ):")
			return false
		}
		n, err := strconv.ParseUint(strings.TrimPrefix(lower[4:end], "0x"), 16, 32)
		if err != nil {
			p.fail(p.at+4, "a value type must be hexadecimal")
			return false
		}
		p.at += end + 2
		v.Type = registry.Type(n)
		if !p.hex(v) {
			return false
		}
		if p.version == 4 && (v.Type == registry.ExpandSZ || v.Type == registry.MultiSZ) {
			v.Data = widen(v.Data)
		}
		return true
	}
	p.fail(p.at, "unknown kind of data: want a string, dword:, hex: or hex(type):")
	return false
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// hex reads bytes separated by commas; a backslash at the end of a line continues on the next one, past comments.
func (p *parser) hex(v *registry.Value) bool {
	v.Data = []byte{}
	for comma := false; ; {
		p.space()
		switch {
		case p.eol() || p.text[p.at] == ';':
			return true
		case p.text[p.at] == '\\':
			p.at++
			p.space()
			if !p.eol() && p.text[p.at] != ';' {
				p.fail(p.at, "something after the \\ that continues a line")
				return false
			}
			if p.at >= len(p.text) {
				return true
			}
			p.skipLine()
			for p.space(); p.at < len(p.text) && p.text[p.at] == ';'; p.space() {
				p.skipLine()
			}
		case p.text[p.at] == ',':
			if !comma {
				p.fail(p.at, "a comma where a byte belongs")
				return false
			}
			comma = false
			p.at++
		default:
			n := 0
			for n < 3 && p.at+n < len(p.text) && isHex(p.text[p.at+n]) {
				n++
			}
			b, err := strconv.ParseUint(p.text[p.at:p.at+n], 16, 8)
			if err != nil || comma {
				p.fail(p.at, "bytes must be two hexadecimal digits with commas between")
				return false
			}
			if v.Data = append(v.Data, byte(b)); len(v.Data) > maxData {
				p.fail(p.at, fmt.Sprintf("a value larger than %d MiB", maxData>>20))
				return false
			}
			p.at += n
			comma = true
		}
	}
}

// widen converts single-byte characters to UTF-16. The file's code page is unknown: beyond ASCII it assumes Latin-1.
func widen(b []byte) []byte {
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, c, 0)
	}
	return out
}
