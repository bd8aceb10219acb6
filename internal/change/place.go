// Package change describes what one change of a plan does to the host: where its setting lives, and the exact state of
// that place before and after. Code that makes a change or exports it uses this package and reads no other value of a
// plan.
//
//	model.Change ─► Of: is this the place of its setting, and a value that it takes? ─► Change{Place, Before, After}
//	                                                                                     │
//	                  apply reads, compares, writes and restores ◄───────────────────────┴──► export writes files
//
// The rules of the package:
//
//   - A plan is untrusted data. A change is refused unless the catalog has its setting for the plan's system, at that
//     place and with a value that the setting takes, whatever the plan's hash says.
//   - A registry value is its type and its bytes. If a plan has the bytes, they are compared and restored. If it has
//     only a meaning, as in what it asks for and in plans of earlier versions, the bytes are derived from it.
//   - The package does no input or output.
package change

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"ipcguard/internal/format/registry"
	"ipcguard/internal/model"
)

// Kind is the kind of a place.
type Kind int

// The kinds of places.
const (
	Registry       Kind = iota + 1 // a value under HKEY_LOCAL_MACHINE
	Parameter                      // a parameter of smb.conf, in a file or in Samba's registry
	KsmbdParameter                 // a parameter of ksmbd.conf
	Policy                         // a line of [System Access] of the security policy that has no registry value
	Group                          // the members of a group
	Firewall                       // a host firewall rule
)

// Place is where a setting lives.
type Place struct {
	Kind Kind
	Key  string // the registry key, the section, or the group's SID
	Name string // the value, the parameter or the line
}

// Notations of the places that are neither registry values nor parameters.
const (
	systemAccess = "[System Access] "
	membersOf    = "the members of "
	inbound      = "inbound TCP "
	ksmbdFile    = "ksmbd.conf "
)

// Locate parses a place as the catalog and plans write it for a system: windows, samba or ksmbd.
func Locate(system, where string) (Place, error) {
	bad := func(why string) (Place, error) { return Place{}, fmt.Errorf("%.200q is %s", where, why) }
	if ports, ok := strings.CutPrefix(where, inbound); ok {
		return Place{Firewall, "", ports}, nil
	}
	switch system {
	case "windows":
		if name, ok := strings.CutPrefix(where, systemAccess); ok && name != "" {
			return Place{Policy, "System Access", name}, nil
		}
		if group, ok := strings.CutPrefix(where, membersOf); ok && group != "" {
			return Place{Group, group, ""}, nil
		}
		key, name := registry.SplitValue(where)
		key = registry.Canonical(key)
		if !strings.HasPrefix(key, `HKLM\`) || name == "" || strings.ContainsFunc(name, unprintable) {
			return bad("no registry value of the machine")
		}
		return Place{Registry, key, name}, nil
	case "samba", "ksmbd":
		kind := Parameter
		rest, ok := strings.CutPrefix(where, ksmbdFile)
		if ok != (system == "ksmbd") {
			return bad("no parameter of this server")
		}
		if ok {
			kind = KsmbdParameter
		}
		section, name, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]")
		name = strings.TrimSpace(name)
		if !strings.HasPrefix(rest, "[") || !ok || section == "" || name == "" ||
			strings.ContainsFunc(rest, unprintable) || strings.ContainsAny(name, "[]=") {
			return bad("no parameter of a section")
		}
		return Place{kind, section, name}, nil
	}
	return bad("no place of a system that is known")
}

// Equal reports whether two places are the same. Names of keys, sections and parameters are compared without regard to
// case.
func (p Place) Equal(o Place) bool {
	return p.Kind == o.Kind && strings.EqualFold(p.Key, o.Key) && strings.EqualFold(p.Name, o.Name)
}

// String returns the place in its usual notation.
func (p Place) String() string {
	switch p.Kind {
	case Registry:
		return p.Key + `\` + p.Name
	case Parameter:
		return "[" + p.Key + "] " + p.Name
	case KsmbdParameter:
		return ksmbdFile + "[" + p.Key + "] " + p.Name
	case Policy:
		return systemAccess + p.Name
	case Group:
		return membersOf + p.Key
	}
	return inbound + p.Name
}

// unprintable reports characters that no name or value of a configuration contains: they would end a line, be
// invisible, or reverse the order of the text, so that people read a different name than the host does. It allows two
// invisible characters that the spelling of Persian and of Indian languages needs.
func unprintable(r rune) bool {
	const nonJoiner, joiner = 0x200c, 0x200d
	return model.Hidden(r) && r != nonJoiner && r != joiner || r == utf8.RuneError
}
