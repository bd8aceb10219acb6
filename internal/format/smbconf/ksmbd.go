package smbconf

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// ofKsmbd are the parameters that the Linux kernel's server has and Samba has not. See ksmbd.conf(5).
var ofKsmbd = func() map[string]Parameter {
	out := map[string]Parameter{}
	for _, p := range []Parameter{
		{Name: "ipc timeout", Type: "integer"},
		{Name: "kerberos keytab file", Type: "string"},
		{Name: "kerberos service name", Type: "string"},
		{Name: "max active sessions", Type: "integer"},
		{Name: "smb3 encryption", Type: "string"}, // no, yes, or mandatory
		{Name: "smbd max io size", Type: "bytes"},
		{Name: "tcp port", Type: "integer"},
	} {
		out[fold(p.Name)] = p
	}
	return out
}()

// The kernel's server reads a file otherwise than Samba: a line ends where it ends, whatever is before that, and keeps
// its white space; of several lines for one parameter the first counts, a # or ; ends a value, no value is refused, and
// there is neither copy nor include. See tools/config_parser.c of ksmbd-tools.

// ksmbdBlanks are what ksmbd takes for white space.
const ksmbdBlanks = " \t"

// ksmbdLines splits a file into the lines that ksmbd reads, without comments and blank lines. A line that is longer
// than maxLine is truncated, and is the last.
func ksmbdLines(b []byte) iter.Seq[logical] {
	return func(yield func(logical) bool) {
		for number, at := 1, 0; at < len(b); number++ {
			line, _, _ := bytes.Cut(b[at:], []byte{'\n'})
			end := at + len(line)
			text, _, _ := bytes.Cut(line, []byte{0})
			text = bytes.TrimSuffix(text, []byte{'\r'})
			trimmed := bytes.TrimLeft(text, ksmbdBlanks)
			l := logical{number: number, start: at + len(text) - len(trimmed), end: end, lineStart: at}
			at = end + 1
			if len(trimmed) == 0 || trimmed[0] == '#' || trimmed[0] == ';' {
				continue
			}
			if len(trimmed) > maxLine {
				yield(logical{text: string(trimmed[:maxLine+1]), number: number})
				return
			}
			l.text = strings.TrimRight(string(trimmed), ksmbdBlanks)
			if name, value, ok := strings.Cut(l.text, "="); ok && l.text[0] != '[' {
				l.text = strings.TrimRight(name, ksmbdBlanks) + "=" + strings.TrimLeft(value, ksmbdBlanks)
			}
			if !yield(l) {
				return
			}
		}
	}
}

// ksmbdValue returns a value without the comment behind it.
func ksmbdValue(s string) string {
	if i := strings.IndexAny(s, "#;"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimRight(s, " \t")
}

// server names the program that reads the configuration.
func (o *Options) server() string {
	if o.Ksmbd {
		return "ksmbd"
	}
	return "Samba"
}

// ksmbdBool parses a boolean as ksmbd does: what begins with one of these words is true, and all else false, "on" too.
func ksmbdBool(s string) bool {
	s = strings.ToLower(s)
	return slices.ContainsFunc([]string{"yes", "1", "true", "enable"}, func(word string) bool {
		return strings.HasPrefix(s, word)
	})
}

// ksmbdReading tells what ksmbd makes of a boolean that Samba would take otherwise or not at all; empty if nothing.
func ksmbdReading(typ Type, p Param) string {
	if typ != "bool" && typ != "boolrev" {
		return ""
	}
	on := ksmbdBool(p.Value)
	if samba, ok := parseBool(p.Value); ok && samba == on {
		return ""
	}
	word := "no"
	if on {
		word = "yes"
	}
	return fmt.Sprintf("ksmbd takes %.80q for %s: its words are yes and no", p.Value, word)
}

// ksmbdNames are names that ksmbd has for a parameter beside Samba's preferred one.
var ksmbdNames = []string{"write ok", "writeable"}

// longestName bounds what may be a parameter's name: the longest of Samba has 35 bytes.
const longestName = 64

// beginning returns the parameter that a name begins with, the longest: ksmbd-tools before 3.5.3 compared no more of a
// name than that. See process_global_conf_kv in tools/config_parser.c.
func (o *Options) beginning(name string) string {
	if !o.Ksmbd {
		return ""
	}
	for n := min(len(name)-1, longestName); n > 0; n-- {
		if p, ok := o.lookup(name[:n]); ok {
			return p.Name
		}
	}
	return ""
}

// begins records a line whose name only begins with that of a parameter; one for each is enough.
func (r *reader) begins(p Param) {
	if !slices.ContainsFunc(r.c.Beginnings, func(o Param) bool { return o.Name == p.Name }) {
		r.c.Beginnings = append(r.c.Beginnings, p)
	}
}

// lookup is Lookup for the server that the configuration is of. ksmbd wants the spaces of a name as they are, and knows
// no other of Samba's synonyms.
func (o *Options) lookup(name string) (Parameter, bool) {
	p, ok := Lookup(name)
	if !o.Ksmbd {
		return p, ok
	}
	if !ok {
		p, ok = ofKsmbd[fold(name)]
	}
	same := func(n string) bool { return strings.EqualFold(n, name) }
	if !ok || !same(p.Name) && !slices.ContainsFunc(ksmbdNames, same) {
		return Parameter{}, false
	}
	return p, true
}
