// Package regfile reads and writes .reg files, the text form of registry changes that regedit and reg.exe exchange.
//
//	Windows Registry Editor Version 5.00          or REGEDIT4, which keeps hex(2) and hex(7) in bytes, not UTF-16
//
//	[HKEY_LOCAL_MACHINE\Key]                      makes the key · [-HKEY_…] removes it with all below
//	@="default"                                   strings escape \\ and \" and may run over several lines
//	"Number"=dword:00000001
//	"List"=hex(7):73,00,61,00,\                   hex(type): bytes; a backslash continues on the next line
//	  00,00,00,00
//	"Gone"=-                                      removes the value
//	; comment
//
// A file is an ordered list of operations, because that is what importing it does: a value set and then deleted is
// deleted. What cannot be read is an error with its line and column, and everything around it is still returned.
package regfile

import (
	"fmt"

	"ipcguard/internal/format/registry"
)

// Kind is what an operation does.
type Kind int

// The operations.
const (
	AddKey Kind = iota
	DeleteKey
	SetValue
	DeleteValue
)

// Op is one operation. Value.Key is always set; Value.Name for operations on values; type and data for SetValue.
type Op struct {
	Kind  Kind
	Value registry.Value
	Line  int // of its first character, from 1; 0 when made by a program
}

// File is a .reg file.
type File struct {
	Version int // 4 or 5
	Ops     []Op
}

// Error says where a file is not as the format wants it.
type Error struct {
	Line, Column int // from 1; columns count characters
	Why          string
}

// Error names the place.
func (e *Error) Error() string {
	return fmt.Sprintf("reg file: line %d, column %d: %s", e.Line, e.Column, e.Why)
}

// Apply carries the operations out on a registry in memory.
func (f *File) Apply(t *registry.Tree) {
	for _, op := range f.Ops {
		switch op.Kind {
		case AddKey:
			t.AddKey(op.Value.Key)
		case DeleteKey:
			t.DeleteKey(op.Value.Key)
		case SetValue:
			t.Set(op.Value)
		case DeleteValue:
			t.DeleteValue(op.Value.Key, op.Value.Name)
		}
	}
}
