// Package regpol reads and writes registry.pol, the registry part of a group policy object.
//
//	"PReg" · 01 00 00 00 · instructions:
//	[ key NUL ; value NUL ; type (4 bytes) ; size (4 bytes) ; data ]
//
// Brackets, semicolons, names and NULs are UTF-16, little-endian, without padding. The key has no root: the folder of
// the file (Machine or User) implies HKLM or HKCU. Some value names are commands to the client; they are decoded into
// Kind. The order of the instructions matters.
//
// See [MS-GPREG] 2.2.1 and 3.2.5.1.
package regpol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"ipcguard/internal/format/registry"
)

// Kind is the kind of an instruction.
type Kind int

// The kinds of instruction.
const (
	SetValue     Kind = iota // set it
	SetIfAbsent              // **soft.NAME: set it unless it exists
	DeleteValue              // **del.NAME
	DeleteValues             // **DeleteValues: the names in Names
	DeleteAll                // **delvals.: every value of the key
	DeleteKeys               // **DeleteKeys: the subkeys in Names
	SecureKey                // **SecureKey: the access of the key, not its contents
	AddKey                   // an empty value name with no data: only the key
	Comment                  // **Comment:… : nothing
)

// Instruction is one decoded instruction. Value.Name is the name of the value concerned, not the command.
type Instruction struct {
	Kind  Kind
	Value registry.Value // Key without a root
	Names []string
	raw   string // the value name as written, so that writing gives the same bytes
	At    int64  // offset in the file; 0 if it was added by a program
}

// Error reports a format violation and its offset.
type Error struct {
	Offset int64
	Why    string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("registry.pol: at offset %#x: %s", e.Offset, e.Why)
}

// Limits: a policy has a few hundred instructions; the client itself reads no file over 100 MB.
const (
	maxFile         = 100 << 20
	maxInstructions = 100_000
)

// Parse parses a file. It also returns what was read before an error.
func Parse(b []byte) ([]Instruction, error) {
	if len(b) < 8 || string(b[:4]) != "PReg" {
		return nil, &Error{0, "not a registry policy (no PReg signature)"}
	}
	if v := binary.LittleEndian.Uint32(b[4:]); v != 1 {
		return nil, &Error{4, fmt.Sprintf("unknown version %d", v)}
	}
	if len(b) > maxFile {
		return nil, &Error{0, "the file is too large"}
	}
	var out []Instruction
	for r := (reader{b, 8}); r.at < len(b); {
		if len(out) == maxInstructions {
			return out, r.fail(fmt.Sprintf("more than %d instructions; the rest is not read", maxInstructions))
		}
		in, err := r.instruction()
		if err != nil {
			return out, err
		}
		out = append(out, in)
	}
	return out, nil
}

type reader struct {
	b  []byte
	at int
}

func (r *reader) fail(why string) error { return &Error{int64(r.at), why} }

func (r *reader) expect(c byte) error {
	if r.at+2 > len(r.b) {
		return r.fail("the file ends inside an instruction")
	}
	if r.b[r.at] != c || r.b[r.at+1] != 0 {
		return r.fail(fmt.Sprintf("%q expected", string(rune(c))))
	}
	r.at += 2
	return nil
}

// text reads a name up to its terminator.
func (r *reader) text(what string) (string, error) {
	for i := r.at; i+1 < len(r.b); i += 2 {
		if r.b[i] == 0 && r.b[i+1] == 0 {
			s := registry.DecodeUTF16(r.b[r.at:i])
			r.at = i + 2
			return s, nil
		}
		// A key has at most 255 levels of 255 characters, a value name 16,383 characters.
		if i-r.at > 2*65535 {
			break
		}
	}
	return "", r.fail(what + " has no terminator")
}

func (r *reader) number() (uint32, error) {
	if r.at+4 > len(r.b) {
		return 0, r.fail("the file ends inside an instruction")
	}
	n := binary.LittleEndian.Uint32(r.b[r.at:])
	r.at += 4
	return n, nil
}

func (r *reader) instruction() (Instruction, error) {
	in := Instruction{At: int64(r.at)}
	var kind, size uint32
	var err error
	steps := []func() error{
		func() error { return r.expect('[') },
		func() error { in.Value.Key, err = r.text("a key"); return err },
		func() error { return r.expect(';') },
		func() error { in.raw, err = r.text("a value name"); return err },
		func() error { return r.expect(';') },
		func() error { kind, err = r.number(); return err },
		func() error { return r.expect(';') },
		func() error { size, err = r.number(); return err },
		func() error { return r.expect(';') },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return in, err
		}
	}
	if int64(size) > int64(len(r.b)-r.at) {
		return in, r.fail(fmt.Sprintf("%d bytes of data are announced and %d are left", size, len(r.b)-r.at))
	}
	in.Value.Type = registry.Type(kind)
	in.Value.Data = bytes.Clone(r.b[r.at : r.at+int(size)])
	if in.Value.Data == nil {
		in.Value.Data = []byte{}
	}
	r.at += int(size)
	if err := r.expect(']'); err != nil {
		return in, err
	}
	in.interpret()
	return in, nil
}

// interpret decodes the command in a value name.
//
// See [MS-GPREG] 3.2.5.1.
func (in *Instruction) interpret() {
	in.Value.Name = in.raw
	cut := func(prefix string) bool {
		if len(in.raw) < len(prefix) || !strings.EqualFold(in.raw[:len(prefix)], prefix) {
			return false
		}
		in.Value.Name = in.raw[len(prefix):]
		return true
	}
	switch {
	case cut("**soft."):
		in.Kind = SetIfAbsent
	case cut("**delvals"):
		in.Kind, in.Value.Name = DeleteAll, ""
	case cut("**deletevalues"):
		in.Kind, in.Value.Name, in.Names = DeleteValues, "", in.list()
	case cut("**deletekeys"):
		in.Kind, in.Value.Name, in.Names = DeleteKeys, "", in.list()
	case cut("**del."):
		in.Kind = DeleteValue
	case cut("**securekey"):
		in.Kind, in.Value.Name = SecureKey, ""
	case cut("**comment"):
		in.Kind, in.Value.Name = Comment, ""
	case in.raw == "" && len(in.Value.Data) == 0:
		in.Kind = AddKey
	}
}

func (in *Instruction) list() []string {
	s, err := in.Value.Text()
	if err != nil {
		return nil
	}
	var out []string
	for _, n := range strings.Split(s, ";") {
		if n = strings.TrimSpace(n); n != "" {
			out = append(out, n)
		}
	}
	return out
}

// Apply applies instructions to a registry in memory, under a root such as HKLM.
func Apply(t *registry.Tree, root string, ins []Instruction) {
	for _, in := range ins {
		v := in.Value
		v.Key = root + `\` + v.Key
		switch in.Kind {
		case SetValue:
			t.Set(v)
		case SetIfAbsent:
			if _, err := t.Value(v.Key, v.Name); errors.Is(err, registry.ErrNotExist) {
				t.Set(v)
			}
		case DeleteValue:
			t.DeleteValue(v.Key, v.Name)
		case DeleteValues:
			for _, n := range in.Names {
				t.DeleteValue(v.Key, n)
			}
		case DeleteAll:
			t.DeleteValues(v.Key)
		case DeleteKeys:
			for _, n := range in.Names {
				t.DeleteKey(v.Key + `\` + n)
			}
		case AddKey:
			t.AddKey(v.Key)
		case SecureKey, Comment:
		}
	}
}

// Set returns an instruction that sets a value; its key may have a root, which is dropped.
func Set(v registry.Value) Instruction {
	v.Key = bare(v.Key)
	return Instruction{Kind: SetValue, Value: v, raw: v.Name}
}

// Delete returns an instruction that removes a value.
func Delete(key, name string) Instruction {
	v := registry.NewText(bare(key), name, " ")
	return Instruction{Kind: DeleteValue, Value: v, raw: "**del." + name}
}

func bare(key string) string {
	key = registry.Canonical(key)
	if root, rest, ok := strings.Cut(key, `\`); ok && (root == "HKLM" || root == "HKCU") {
		return rest
	}
	return key
}

// Bytes writes a file. It is the inverse of Parse. Names with a NUL cannot be written.
func Bytes(ins []Instruction) ([]byte, error) {
	b := append([]byte("PReg"), 1, 0, 0, 0)
	for _, in := range ins {
		if strings.ContainsRune(in.Value.Key+in.raw, 0) {
			return nil, fmt.Errorf("registry.pol: a name with a NUL: %q", in.Value.Key+`\`+in.raw)
		}
		b = append(b, '[', 0)
		b = append(append(b, registry.EncodeUTF16(in.Value.Key)...), 0, 0, ';', 0)
		b = append(append(b, registry.EncodeUTF16(in.raw)...), 0, 0, ';', 0)
		b = append(binary.LittleEndian.AppendUint32(b, uint32(in.Value.Type)), ';', 0)
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(in.Value.Data))), ';', 0)
		b = append(append(b, in.Value.Data...), ']', 0)
	}
	return b, nil
}
