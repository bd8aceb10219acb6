// Package registry holds what all registry file formats have in common: a value as raw bytes with its type, strict
// decoding of those bytes, key paths that compare as in Windows, and a small registry in memory. It reads no files;
// hive, regfile, regpol and inf do, and use these types.
//
// Rules of the package: bytes are kept as they were read, decoding never guesses, and Oddities reports everything
// unusual about a value (a wrong type, a missing terminator), because each has misled users: NullSessionShares written
// as REG_SZ, lists joined by spaces, an empty list without its terminator.
package registry

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrNotExist means that a key or value does not exist. It is an answer, not a failure.
var ErrNotExist = errors.New("no such registry key or value")

// Type is the type of a value's data.
//
// See [MS-RRP] 3.1.1.5.
type Type uint32

// The value types.
const (
	None                     Type = 0
	SZ                       Type = 1
	ExpandSZ                 Type = 2
	Binary                   Type = 3
	DWord                    Type = 4
	DWordBigEndian           Type = 5
	Link                     Type = 6
	MultiSZ                  Type = 7
	ResourceList             Type = 8
	FullResourceDescriptor   Type = 9
	ResourceRequirementsList Type = 10
	QWord                    Type = 11
)

var typeNames = [...]string{
	"REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_DWORD_BIG_ENDIAN", "REG_LINK",
	"REG_MULTI_SZ", "REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTOR", "REG_RESOURCE_REQUIREMENTS_LIST", "REG_QWORD",
}

// String returns the type's documented name, such as REG_DWORD, or its number in hexadecimal.
func (t Type) String() string {
	if int64(t) < int64(len(typeNames)) {
		return typeNames[t]
	}
	return fmt.Sprintf("0x%x", uint32(t))
}

// ParseType is the reverse of Type.String.
func ParseType(s string) (Type, error) {
	for i, n := range typeNames {
		if strings.EqualFold(n, s) {
			return Type(i), nil
		}
	}
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("registry: unknown value type %q", s)
	}
	return Type(n), nil
}

// Value is one value of a key. An empty Name is the key's default value.
type Value struct {
	Key  string // the path of its key
	Name string
	Type Type
	Data []byte // as stored, little-endian, strings in UTF-16
}

// Reader is a readable registry: a hive, a .reg file, a policy, a live machine. Paths start with a root as in
// HKLM\SYSTEM; the error for a missing name wraps ErrNotExist.
type Reader interface {
	Value(key, name string) (Value, error)
	Values(key string) ([]Value, error)
	Subkeys(key string) ([]string, error)
}

// The long and short names of the root keys, in the order of their predefined handles.
var roots = [...][2]string{
	{"HKEY_CLASSES_ROOT", "HKCR"},
	{"HKEY_CURRENT_USER", "HKCU"},
	{"HKEY_LOCAL_MACHINE", "HKLM"},
	{"HKEY_USERS", "HKU"},
	{"HKEY_CURRENT_CONFIG", "HKCC"},
}

// SplitPath splits a key path into its names. Empty names (doubled or trailing backslashes) are dropped.
func SplitPath(key string) []string {
	parts := strings.Split(key, `\`)
	out := parts[:0]
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

// Canonical returns a key path with the short root name (HKLM) and without empty names. HKLM:\, MACHINE\ and
// HKEY_LOCAL_MACHINE\ all become HKLM\. The names keep their case.
func Canonical(key string) string {
	parts := SplitPath(key)
	if len(parts) == 0 {
		return ""
	}
	root := strings.TrimSuffix(parts[0], ":")
	for _, r := range roots {
		if strings.EqualFold(root, r[0]) || strings.EqualFold(root, r[1]) {
			parts[0] = r[1]
		}
	}
	if strings.EqualFold(root, "MACHINE") {
		parts[0] = "HKLM"
	}
	return strings.Join(parts, `\`)
}

// SplitValue splits the path of a value into its key and its name. The name of a hardened path is itself a path:
// \\*\NETLOGON.
func SplitValue(path string) (key, name string) {
	if key, name, ok := strings.Cut(path, `\\\*\`); ok {
		return key, `\\*\` + name
	}
	at := strings.LastIndexByte(path, '\\')
	if at < 0 {
		return "", path
	}
	return path[:at], path[at+1:]
}

// LongRoot is Canonical with the long root name, as in .reg files; it also reports whether the root is known.
func LongRoot(key string) (string, bool) {
	root, rest, _ := strings.Cut(Canonical(key), `\`)
	for _, r := range roots {
		if root == r[1] {
			if rest == "" {
				return r[0], true
			}
			return r[0] + `\` + rest, true
		}
	}
	return key, false
}

// Fold gives names that are equal in Windows the same form. Windows compares by simple upper-casing of each character.
func Fold(s string) string { return strings.ToUpper(s) }
