// Package smbconf reads smb.conf as Samba reads it, records the file and line of every value, and changes one parameter
// in place.
//
// How Samba reads (and so does this package):
//   - a line ends at a newline unless a backslash, or a backslash and a space, precedes it; runs of white space count
//     as one space; a line that starts with # or ; is a comment and is never continued
//   - [name] starts a section at the first ]; a repeated section continues the first one, but a share loses its
//     parametric options (names with a colon)
//   - a line without = is ignored; so is a name that Samba does not know
//   - parameter names compare without case and white space, section names without case; [global] and [globals] are the
//     same
//   - lines before the first section belong to [global]
//   - the last assignment wins; a share parameter in [global] is the default for shares that start AFTER it
//   - a global parameter in a share is ignored, with a warning
//   - "include = FILE" reads the file at that point, and the section at its end continues after it; a missing file is
//     silently skipped, which proves nothing if the configuration is a copy: Options.Copied
//   - "copy = SHARE" copies the values of a share above, except those already set here; the other share's parametric
//     options win
//   - smbd reads everything again after a logon, on top of the first time: a copy then takes the final values of the
//     other share, lines far below included (testparm reads once)
//   - a share without a path becomes unavailable at the end of its section, and so does a share that copies it;
//     [printers] is printable whatever it says
//   - [IPC$] need not exist: Samba creates it at the end, from the values of [global] at that point
//   - a line that starts with =, a section without ] or without a name, an invalid boolean, enumeration or size, a copy
//     of a missing share: Samba gives up, and refuses to start or keeps its old configuration. Broken reports this
package smbconf

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// Type is the type of a parameter as Samba names it in lower case: bool, string, cmdlist, integer, enum, …
type Type string

// Parameter describes one parameter.
type Parameter struct {
	Name    string // the preferred name
	Type    Type
	Share   bool // allowed in a share
	Inverse bool // this name is the inverse of the preferred one, such as writeable
}

//go:embed params.txt
var paramText string

var known = sync.OnceValue(func() map[string]Parameter {
	out := map[string]Parameter{}
	for line := range strings.Lines(paramText) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		if len(f) < 3 || f[0] == "#" {
			continue
		}
		names := strings.Split(f[2], "|")
		for _, n := range names {
			bare := strings.TrimPrefix(n, "!")
			out[fold(bare)] = Parameter{names[0], Type(f[1]), f[0] == "s", bare != n}
		}
	}
	return out
})

// Lookup finds a parameter by any of its names. Names with a colon are parametric options, which are not listed.
func Lookup(name string) (Parameter, bool) {
	p, ok := known()[fold(name)]
	return p, ok
}

// fold normalizes parameter names: no case, no white space.
func fold(s string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r < 0x80 && isSpace(byte(r)) {
			return -1
		}
		return r
	}, s))
}

// Param is one assignment.
type Param struct {
	Name    string // the preferred name; as written when unknown
	Written string // the name as written
	Value   string // as written, white space joined; see Bool and List
	Known   bool
	Inverse bool   // written under a name that is the inverse of Name
	File    string // its position
	Line    int
	Copied  string // the share that "copy" took it from
	Made    bool   // not written: Samba sets it at the end of the section

	at    int  // its index in reading order
	ksmbd bool // ksmbd reads it
}

// Problem is something that a reader of the configuration must know.
type Problem struct {
	File string
	Line int
	Why  string
}

// String returns the position and the problem.
func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Why) }

// Config is a configuration with all its includes.
type Config struct {
	Files    []string // that were read, in order
	Global   *Section
	Shares   []*Section
	Problems []Problem
	Registry bool // "include = registry" or a registry backend: settings are in Samba's registry, see Options.Registry
	// Something was not read: a macro that only a connection defines, the registry, a file without permission.
	Partial bool
	Broken  *Problem
	// Of ksmbd: lines whose names only begin with that of a parameter, under its name. Old tools take them.
	Beginnings []Param

	gaps   []gap
	global bool                // it contains a [global]
	knows  int                 // assignments to known parameters, minus those to unknown ones
	byName map[string]*Section // the shares, by their folded names
	untold int                 // problems beyond maxProblems
}

// Known reports whether this is a Samba configuration at all: it has a [global], or most of its parameters are Samba's.
// Samba itself accepts any text.
func (c *Config) Known() bool { return c.global || c.knows > 0 }

// gap is a place whose contents were not read: it may set anything, and overrides what precedes it.
type gap struct {
	Problem
	at       int  // in the order of the assignments
	registry bool // Samba's registry, which its own programs show
}

// Unread lists the places whose contents were not read. If there are any, they may contain settings and shares that the
// rest of the configuration does not.
func (c *Config) Unread() []Problem {
	var out []Problem
	for _, g := range c.gaps {
		out = append(out, g.Problem)
	}
	return out
}

// MayReplace returns the first unread place after an assignment that may override it.
func (c *Config) MayReplace(p Param) (Problem, bool) {
	for _, g := range c.gaps {
		if g.at >= p.at {
			return g.Problem, true
		}
	}
	return Problem{}, false
}

// RegistryKnown says that Samba's registry was read by other means: it no longer counts as unread.
func (c *Config) RegistryKnown() {
	c.gaps = slices.DeleteFunc(c.gaps, func(g gap) bool { return g.registry })
	c.Registry, c.Partial = false, len(c.gaps) > 0
}

// Section is [global] or a share.
type Section struct {
	Name   string
	File   string // where it starts
	Line   int
	Params []Param // every assignment in order, also those that a later one replaces
	Unread string  // why its lines are not all known; empty if they are. See AddRegistry

	set map[string]Param // the assignment in force, by folded name
	// Its initial values: [global]'s defaults, or another share's values; shared between shares, so never changed.
	inherits map[string]Param
}

// Share returns a section by its name, or nil.
func (c *Config) Share(name string) *Section {
	return c.byName[foldName(name)]
}

// foldName gives section names that differ only in case the same form, as strings.EqualFold compares them.
func foldName(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}

// Fresh returns a new share as of the end of the configuration: it has [global]'s defaults, or the values of the
// template share. It is nil if that share does not exist.
func (c *Config) Fresh(template string) *Section {
	s := &Section{File: c.Global.File, Line: c.Global.Line, set: map[string]Param{}, inherits: map[string]Param{}}
	if template != "" {
		from := c.Share(template)
		if from == nil {
			return nil
		}
		maps.Copy(s.inherits, from.inherits)
		maps.Copy(s.inherits, from.set)
		return s
	}
	for k, p := range c.Global.set {
		if known()[k].Share {
			s.inherits[k] = p
		}
	}
	return s
}

// Section returns [global] or a share, or nil.
func (c *Config) Section(name string) *Section {
	if isGlobal(name) {
		return c.Global
	}
	return c.Share(name)
}

// Has reports whether a section is written. [global] need not be: what stands before the first section belongs to it.
func (c *Config) Has(name string) bool {
	if isGlobal(name) {
		return c.global
	}
	return c.Share(name) != nil
}

func isGlobal(name string) bool { n := fold(name); return n == "global" || n == "globals" }

// Get returns the effective assignment of a parameter under any of its names. False means that nothing is configured
// and Samba's default applies.
func (s *Section) Get(name string) (Param, bool) {
	k := key(name)
	if p, ok := s.set[k]; ok {
		return p, true
	}
	p, ok := s.inherits[k]
	return p, ok
}

// Own is Get without what the section inherits.
func (s *Section) Own(name string) (Param, bool) {
	p, ok := s.set[key(name)]
	return p, ok
}

// IPC is the share of the pipes, which Samba creates by itself.
const IPC = "IPC$"

// forced are the parameters of [IPC$] that Samba sets regardless of the configuration. See lp_add_ipc in
// source3/param/loadparm.c.
var forced = map[string]bool{"guestok": true, "guestonly": true, "available": true, "path": true, "printable": true}

// Forced reports whether Samba sets a parameter of [IPC$] by itself.
func Forced(name string) bool { return forced[key(name)] }

// Get returns the effective assignment of a parameter in a section, by any of its names: the section's own, inherited
// from [global], or copied. [IPC$] need not exist; for a parameter that Samba sets there, only its own line is
// returned, which has no effect. False means that nothing is configured.
func (c *Config) Get(section, name string) (Param, bool) {
	s := c.Section(section)
	ipc := strings.EqualFold(section, IPC)
	switch {
	case ipc && forced[key(name)] && s == nil:
		return Param{}, false
	case ipc && forced[key(name)]:
		return s.Own(name)
	case ipc && s == nil && known()[key(name)].Share:
		return c.Global.Own(name)
	case s == nil:
		return Param{}, false
	}
	return s.Get(name)
}

// All returns the effective assignments, including inherited ones, by name.
func (s *Section) All() []Param {
	m := maps.Clone(s.inherits)
	if m == nil {
		m = map[string]Param{}
	}
	maps.Copy(m, s.set)
	return slices.SortedFunc(maps.Values(m), func(a, b Param) int { return strings.Compare(a.Name, b.Name) })
}

// key returns what assignments to the same parameter have in common.
func key(name string) string {
	if p, ok := Lookup(name); ok {
		return fold(p.Name)
	}
	return fold(name)
}

// Bool returns the value of a boolean, negated if the name is an inverse one; ok is false if it is not a boolean.
func (p Param) Bool() (value, ok bool) {
	b, ok := parseBool(p.Value)
	if p.ksmbd {
		b, ok = ksmbdBool(p.Value), true
	}
	return b != p.Inverse, ok
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "yes", "true", "on", "1":
		return true, true
	case "no", "false", "off", "0":
		return false, true
	}
	return false, false
}

// Int parses a number as Samba does: base 16 after 0x, base 8 after 0, up to the first character that is not a digit.
// An empty text is -1 and an invalid one is 0, so there always is a number. For ksmbd only a decimal number is one.
func (p Param) Int() (int, bool) {
	s := strings.TrimSpace(p.Value)
	if p.ksmbd { // which knows base 10 alone; what it makes of other text is not said
		n, err := strconv.Atoi(s)
		return n, err == nil
	}
	if s == "" {
		return -1, true
	}
	return strtol(s), true
}

// List splits a value at spaces, commas and semicolons; quotes keep their content together.
func (p Param) List() []string {
	var out []string
	for s := p.Value; ; {
		s = strings.TrimLeft(s, " \t,;\r\n")
		if s == "" {
			return out
		}
		var b strings.Builder
		quoted := false
		i := 0
		for ; i < len(s) && (quoted || !strings.ContainsRune(" \t,;\r\n", rune(s[i]))); i++ {
			if s[i] == '"' {
				quoted = !quoted
				continue
			}
			b.WriteByte(s[i])
		}
		out = append(out, b.String())
		s = s[i:]
	}
}

func isSpace(c byte) bool { return bytes.IndexByte([]byte(" \t\n\v\f\r"), c) >= 0 }
