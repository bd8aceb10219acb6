package apply

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"strings"
	"unicode/utf8"

	"ipcguard/internal/format/diff"
	"ipcguard/internal/format/registry"
)

// Kind is the kind of a place.
type Kind string

// The kinds of places.
const (
	RegistryValue Kind = "registry-value"
	File          Kind = "file"
	Parameter     Kind = "parameter" // of Samba's registry, through net conf
)

// Place is one object on a host that is changed and restored as a whole.
type Place struct {
	Kind Kind   `json:"kind"`
	Path string `json:"path"`           // the key, the file with symbolic links resolved, or the section
	Name string `json:"name,omitempty"` // the value or the parameter; files have none
}

// String returns the place in its usual notation.
func (p Place) String() string {
	switch p.Kind {
	case RegistryValue:
		return p.Path + `\` + p.Name
	case Parameter:
		return "[" + p.Path + "] " + p.Name
	}
	return p.Path
}

// State is the exact content of a place: for a file, bytes, mode, owner and extended attributes; for a value, its type
// and raw bytes, and which of the keys above it are missing.
type State struct {
	Present bool          `json:"present"`
	Type    registry.Type `json:"type,omitempty"`
	Data    []byte        `json:"data,omitempty"` // raw; base64 in JSON

	// Missing is the topmost missing key (or the section); empty if all exist. A write creates it, and the undo removes
	// it unless something else was put into it.
	Missing string `json:"missing,omitempty"`
	// Security is the key's security descriptor, self-relative. It is recorded and compared, never written.
	Security []byte `json:"security,omitempty"`

	Mode  os.FileMode       `json:"mode,omitempty"`
	UID   int               `json:"uid,omitempty"`
	GID   int               `json:"gid,omitempty"`
	Attrs map[string][]byte `json:"attrs,omitempty"` // extended attributes: access lists, security labels
}

// Equal reports whether two states are the same in everything that a write would restore.
func (s State) Equal(o State) bool { return s.Same(o) && s.Missing == o.Missing }

// Same is Equal without the missing keys above a value: another apply or an administrator may have created them.
func (s State) Same(o State) bool {
	return s.Present == o.Present && s.Type == o.Type && bytes.Equal(s.Data, o.Data) &&
		s.Mode == o.Mode && s.UID == o.UID && s.GID == o.GID &&
		maps.EqualFunc(s.Attrs, o.Attrs, bytes.Equal)
}

// String formats a state as one line; files are shown only by size.
func (s State) String() string {
	if !s.Present {
		return "absent"
	}
	v := registry.Value{Type: s.Type, Data: s.Data}
	switch s.Type {
	case registry.DWord:
		if n, err := v.DWord(); err == nil {
			return fmt.Sprintf("REG_DWORD %d", n)
		}
	case registry.QWord:
		if n, err := v.QWord(); err == nil {
			return fmt.Sprintf("REG_QWORD %d", n)
		}
	case registry.SZ, registry.ExpandSZ:
		if t, err := v.Text(); err == nil {
			return fmt.Sprintf("%s %q", s.Type, t)
		}
	case registry.MultiSZ:
		if list, err := v.Strings(); err == nil {
			return fmt.Sprintf("%s %q", s.Type, list)
		}
	case registry.None:
		if s.Mode != 0 {
			return fmt.Sprintf("%d bytes, mode %04o", len(s.Data), s.Mode.Perm())
		}
		if s.Data != nil && !strings.ContainsFunc(string(s.Data),
			func(r rune) bool { return r < ' ' || r == utf8.RuneError }) {
			return string(s.Data) // a parameter, which has no type
		}
	}
	return fmt.Sprintf("%s % X", s.Type, s.Data)
}

// Write is one step of an apply: a place, its content before and its content after.
type Write struct {
	Place   Place    `json:"place"`
	Before  State    `json:"before"`
	After   State    `json:"after"`
	Changes []string `json:"changes"` // ids of the plan's changes that it carries out
	Needs   []string `json:"needs,omitempty"`
	Restart string   `json:"restart,omitempty"` // TheMachine, or the service whose next start makes it effective
}

// Diff shows the difference between two states of a place, as lines that start with - and +.
func Diff(p Place, from, to State) string {
	var b strings.Builder
	if p.Kind != File || !from.Present || !to.Present {
		fmt.Fprintf(&b, "  %s\n  - %s\n  + %s\n", p, from, to)
		return b.String()
	}
	fmt.Fprintf(&b, "  %s\n", p)
	if from.Mode != to.Mode || from.UID != to.UID || from.GID != to.GID {
		fmt.Fprintf(&b, "  - mode %04o, owner %d:%d\n  + mode %04o, owner %d:%d\n", from.Mode.Perm(), from.UID,
			from.GID, to.Mode.Perm(), to.UID, to.GID)
	}
	last := 0 // end of the last shown part, to place the next
	for _, l := range diff.Lines(from.Data, to.Data) {
		if l.Sign == ' ' {
			continue
		}
		if line := l.Old + 1; last == 0 || line > last+1 {
			fmt.Fprintf(&b, "  @ line %d\n", line)
		}
		last = l.Old + 1
		if l.Sign == '+' {
			last = l.Old
		}
		fmt.Fprintf(&b, "  %c %s\n", l.Sign, strings.TrimRight(l.Text, "\r\n"))
	}
	return b.String()
}
