package smbconf

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Edit is a change of one file that keeps every other byte: comments, order, white space, line ends. Before undoes it.
type Edit struct {
	File          string
	Before, After []byte
}

// Set gives a parameter a value in a section of a configuration, by changing only the main file. The change is the
// smallest that works: the effective assignment is rewritten in place, or a line is added to the section, or the
// section is added. The result is verified by reading it as Samba would: a later include that overrides it is an error,
// and so is a change that would give any other parameter another value.
func Set(path string, o Options, section, name, value string) (*Edit, error) {
	if why := unwritable(section, name, value); why != "" {
		return nil, fmt.Errorf("smb.conf: [%s] %s: %s", section, name, why)
	}
	return edit(path, o, section, name, &value)
}

// Remove removes every assignment to a parameter from a section of the main file. If an include still sets it, that is
// an error.
func Remove(path string, o Options, section, name string) (*Edit, error) {
	return edit(path, o, section, name, nil)
}

func unwritable(section, name, value string) string {
	switch {
	case strings.ContainsAny(section+name, "\n\r\x00[]") || strings.Contains(name, "=") || section == "" || name == "":
		return "a name that cannot be written"
	case strings.ContainsAny(value, "\n\r\x00"):
		return "a value with a line end cannot be written"
	case strings.HasSuffix(value, `\`):
		return `a value that ends in \ would join the next line to it`
	case strings.Join(strings.Fields(value), " ") != value:
		return "Samba would join the white space in this value"
	}
	return ""
}

// sectionLines describes the lines of the main file in one section, for an edit.
type sectionLines struct {
	section string
	name    string
	first   bool      // of several lines for the parameter the first counts, not the last
	any     bool      // the file has a line that is not a comment
	end     *logical  // the section's last line
	params  []logical // those that assign to the parameter; their text is omitted
}

func (p *sectionLines) saw(l logical, s *Section) {
	p.any = true
	if foldName(s.Name) != p.section {
		return
	}
	name, _, ok := strings.Cut(l.text, "=")
	if ok && l.text[0] != '[' && key(trimOne(name)) == p.name {
		param := l
		param.text = ""
		p.params = append(p.params, param)
	}
	p.end = &l
}

func edit(path string, o Options, section, name string, value *string) (*Edit, error) {
	if o.ReadFile == nil {
		o.ReadFile = ReadFile
	}
	before, err := o.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("smb.conf: %w", err)
	}
	r := newReader(path, o)
	at := sectionLines{section: foldName(section), name: key(name), first: o.Ksmbd}
	if isGlobal(section) {
		at.section = foldName(r.c.Global.Name)
	}
	r.seen = at.saw
	r.read(path, before, 0)
	switch {
	case r.limit != nil:
		return nil, r.limit
	case r.c.Broken != nil:
		return nil, fmt.Errorf("smb.conf: %s: mend that first", r.c.Broken)
	}
	now, err := load(path, o)
	if err != nil {
		return nil, err
	}
	var tries [][]byte
	if value == nil {
		tries = append(tries, at.without(before))
	} else {
		tries = at.attempts(before, r.c.Section(section) != nil, section, name, *value)
	}
	for _, after := range tries {
		if works(path, o, after, now, section, name, value) {
			return &Edit{path, before, after}, nil
		}
	}
	return nil,
		fmt.Errorf("smb.conf: [%s] %s: no change of %s has this effect and no other: another file that it includes "+
			"decides, or its last line goes on", section, name, path)
}

// works reads the changed configuration, and checks the effective value and everything else.
func works(path string, o Options, after []byte, now *Config, section, name string, value *string) bool {
	c, err := load(path, o.instead(path, func() []byte { return after }))
	if err != nil || c.Broken != nil || !keepsTheRest(now, c, section, name) {
		return false
	}
	s := c.Section(section)
	if s == nil {
		return value == nil
	}
	p, ok := s.Own(name)
	if value == nil {
		return !ok
	}
	k, _ := Lookup(name)
	return ok && p.Value == *value && p.Inverse == k.Inverse
}

// keepsTheRest reports whether two configurations have the same sections, and in them the same values of all parameters
// but one. That one may differ in other sections too: shares inherit it from [global] and from one another.
func keepsTheRest(was, is *Config, section, name string) bool {
	return keepsAllBut(was, is, section, map[string]bool{key(name): true})
}

// keepsAllBut is keepsTheRest for several parameters, by their keys.
func keepsAllBut(was, is *Config, section string, names map[string]bool) bool {
	all := func(c *Config) []*Section {
		return slices.DeleteFunc(append([]*Section{c.Global}, c.Shares...), func(s *Section) bool {
			// A section that the change adds.
			return was.Section(section) == nil && foldName(s.Name) == foldName(section)
		})
	}
	rest := func(s *Section) []Param {
		return slices.DeleteFunc(s.All(), func(p Param) bool { return names[key(p.Name)] })
	}
	return was.Registry == is.Registry && slices.Equal(was.Files, is.Files) &&
		slices.EqualFunc(all(was), all(is), func(a, b *Section) bool {
			return foldName(a.Name) == foldName(b.Name) && slices.EqualFunc(rest(a), rest(b), func(x, y Param) bool {
				return x.Name == y.Name && x.Value == y.Value && x.Inverse == y.Inverse
			})
		})
}

// patch replaces some bytes of a file.
type patch struct {
	from, to int
	text     string
}

// attempts returns changed files, the smallest change first.
func (p *sectionLines) attempts(b []byte, there bool, section, name, value string) [][]byte {
	var out [][]byte
	for _, x := range p.patches(b, there, section, name, value) {
		out = append(out, splice(b, x.from, x.to, x.text))
	}
	return out
}

// patches returns possible changes of a file, the smallest first. there reports whether the configuration has the
// section.
func (p *sectionLines) patches(b []byte, there bool, section, name, value string) (out []patch) {
	eol := "\n"
	if bytes.Contains(b, []byte("\r\n")) {
		eol = "\r\n"
	}
	end := p.end
	if n := len(p.params); n > 0 {
		counts := p.params[n-1]
		if p.first {
			counts = p.params[0]
		}
		stop := counts.end
		if stop > 0 && b[stop-1] == '\r' {
			stop--
		}
		out = append(out, patch{counts.start, stop, name + " = " + value})
	}
	if there && (end != nil || !p.any) {
		at, indent := 0, ""
		if end != nil {
			at = end.end
			if end.text[0] == '[' {
				indent = "\t"
			} else {
				indent = string(b[end.lineStart:end.start])
			}
		}
		add := indent + name + " = " + value
		if end != nil && at == len(b) {
			out = append(out, patch{at, at, eol + add})
		} else {
			if at < len(b) && end != nil {
				at++ // after the newline
			}
			out = append(out, patch{at, at, add + eol})
		}
	}
	head := ""
	if len(b) > 0 && b[len(b)-1] != '\n' {
		head = eol
	}
	if len(b) > 0 {
		head += eol
	}
	return append(out, patch{len(b), len(b), head + "[" + section + "]" + eol + "\t" + name + " = " + value + eol})
}

func splice(b []byte, from, to int, text string) []byte {
	out := make([]byte, 0, len(b)+len(text))
	return append(append(append(out, b[:from]...), text...), b[to:]...)
}

// without removes the lines that assign to the parameter, each with its newline.
func (p *sectionLines) without(b []byte) []byte {
	var out []byte
	from := 0
	for _, l := range p.params {
		out = append(out, b[from:l.lineStart]...)
		from = min(l.end+1, len(b))
	}
	return append(out, b[from:]...)
}
