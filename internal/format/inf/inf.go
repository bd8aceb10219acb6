// Package inf reads and writes security templates (GptTmpl.inf), the part of a group policy object that holds account
// policies, rights and registry values.
//
//	[Unicode]
//	Unicode=yes
//	[System Access]
//	LSAAnonymousNameLookup = 0
//	[Registry Values]
//	MACHINE\System\CurrentControlSet\Control\Lsa\RestrictAnonymous=4,1
//	MACHINE\…\NullSessionPipes=7,samr,lsarpc            type, then data; a list has commas between
//	MACHINE\…\RestrictRemoteSAM=1,"O:BAG:BAD:(A;;RC;;;BA)"
//	[Version]
//	signature="$CHICAGO$"
//
// The file is UTF-16 with a byte order mark, or a single-byte text. Section and setting names compare without case.
// A comma that belongs to a string of a list is written as "," (in quotes).
//
// See [MS-GPSB] 2.2.
package inf

import (
	"fmt"
	"strings"

	"ipcguard/internal/format/registry"
)

// File is a security template.
type File struct {
	Sections []Section
}

// Section is one section with its lines in order. A repeated section is kept as two.
type Section struct {
	Name  string
	Lines []Line
}

// Line is one line of a section: KEY = VALUE, or only a value with an empty key.
type Line struct {
	Key, Value string // without surrounding spaces; quotes are kept
	Number     int    // in the file, from 1; 0 if it was added by a program
}

// Error reports a format violation and its line.
type Error struct {
	Line int
	Why  string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("security template: line %d: %s", e.Line, e.Why) }

// Lines returns the lines of all sections with a name.
func (f *File) Lines(section string) []Line {
	var out []Line
	for _, s := range f.Sections {
		if strings.EqualFold(s.Name, section) {
			out = append(out, s.Lines...)
		}
	}
	return out
}

// Get returns a setting, such as EnableGuestAccount in System Access; the last one wins. Surrounding quotes are
// removed.
func (f *File) Get(section, key string) (string, bool) {
	v, ok := "", false
	for _, l := range f.Lines(section) {
		if strings.EqualFold(l.Key, key) {
			v, ok = unquote(l.Value), true
		}
	}
	return v, ok
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// Set changes a setting or adds it, with its section if necessary.
func (f *File) Set(section, key, value string) {
	at := -1
	for i := range f.Sections {
		s := &f.Sections[i]
		if !strings.EqualFold(s.Name, section) {
			continue
		}
		at = i
		for j := range s.Lines {
			if strings.EqualFold(s.Lines[j].Key, key) {
				s.Lines[j].Value = value
				return
			}
		}
	}
	if at < 0 {
		f.Sections = append(f.Sections, Section{Name: section})
		at = len(f.Sections) - 1
	}
	f.Sections[at].Lines = append(f.Sections[at].Lines, Line{Key: key, Value: value})
}

// RegistryValues reads the section [Registry Values]. Invalid lines are omitted and reported, at least the first of
// them.
func (f *File) RegistryValues() ([]registry.Value, []error) {
	var out []registry.Value
	var bad []error
	for _, l := range f.Lines("Registry Values") {
		v, err := parseValue(l)
		switch {
		case err == nil:
			out = append(out, v)
		case len(bad) < maxErrors:
			bad = append(bad, err)
		}
	}
	return out, bad
}

// SetRegistryValue writes a value into [Registry Values]. Its types are those a template can hold: REG_SZ,
// REG_EXPAND_SZ, REG_BINARY, REG_DWORD and REG_MULTI_SZ.
func (f *File) SetRegistryValue(v registry.Value) error {
	path, ok := strings.CutPrefix(registry.Canonical(v.Key), `HKLM\`)
	if !ok {
		return fmt.Errorf("security template: %s is not under HKLM", v.Key)
	}
	data, err := formatData(v)
	if err != nil {
		return err
	}
	f.Set("Registry Values", `MACHINE\`+path+`\`+v.Name, data)
	return nil
}

// New returns an empty template, with the two sections that every template has.
func New() *File {
	return &File{Sections: []Section{
		{Name: "Unicode", Lines: []Line{{Key: "Unicode", Value: "yes"}}},
		{Name: "Version", Lines: []Line{{Key: "signature", Value: `"$CHICAGO$"`}, {Key: "Revision", Value: "1"}}},
	}}
}
