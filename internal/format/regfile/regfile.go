// Package regfile reads and writes .reg files, the text form of registry changes that regedit and reg.exe exchange.
//
//	Windows Registry Editor Version 5.00          or REGEDIT4, which keeps hex(2) and hex(7) in bytes, not UTF-16
//
//	[HKEY_LOCAL_MACHINE\Key]                      creates the key · [-HKEY_…] removes it with all below
//	@="default"                                   strings escape \\ and \" and may run over several lines
//	"Number"=dword:00000001
//	"List"=hex(7):73,00,61,00,\                   hex(type): bytes; a backslash continues on the next line
//	  00,00,00,00
//	"Gone"=-                                      removes the value
//	; comment
//
// A file is an ordered list of operations, as importing it performs them: a value that is set and then deleted is
// deleted. An invalid part is an error with its line and column; the rest is still returned.
package regfile

import (
	"fmt"

	"ipcguard/internal/format/registry"
)

// Kind is the kind of an operation.
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
	Line  int // of its first character, from 1; 0 if it was added by a program
}

// File is a .reg file.
type File struct {
	Version int // 4 or 5
	Ops     []Op
}

// Error reports a format violation and its position.
type Error struct {
	Line, Column int // from 1; columns count characters
	Why          string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("reg file: line %d, column %d: %s", e.Line, e.Column, e.Why)
}

// Apply applies the operations to a registry in memory.
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
