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
	"slices"

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

// Undo makes the file that brings back what r holds now wherever f would change it: values with their old type and
// data, values and keys that were not there removed. Deleting a key cannot be undone from here without reading the
// whole key, so that is an error.
func (f *File) Undo(r registry.Reader) (*File, error) {
	undo := &File{Version: 5}
	made := map[string]bool{}
	done := map[string]bool{}
	for _, op := range f.Ops {
		v := op.Value
		if op.Kind == DeleteKey {
			return nil, fmt.Errorf("reg file: no undo for deleting the key %s", v.Key)
		}
		if op.Kind == AddKey || op.Kind == SetValue {
			for _, key := range missing(r, v.Key) {
				if id := registry.Fold(key); !made[id] {
					made[id] = true
					undo.Ops = append(undo.Ops, Op{Kind: DeleteKey, Value: registry.Value{Key: key}})
				}
			}
		}
		id := registry.Fold(v.Key + "\x00" + v.Name)
		if op.Kind == AddKey || done[id] {
			continue
		}
		done[id] = true
		old, err := r.Value(v.Key, v.Name)
		switch {
		case err == nil:
			old.Key, old.Name = v.Key, v.Name
			undo.Ops = append(undo.Ops, Op{Kind: SetValue, Value: old})
		case isAbsent(err):
			undo.Ops = append(undo.Ops, Op{Kind: DeleteValue, Value: registry.Value{Key: v.Key, Name: v.Name}})
		default:
			return nil, fmt.Errorf("reg file: no undo for %s\\%s: %w", v.Key, v.Name, err)
		}
	}
	slices.Reverse(undo.Ops)
	return undo, nil
}
