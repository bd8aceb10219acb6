// Package sddl reads and writes security descriptors, as text (SDDL) and as bytes (self-relative), compares them by
// meaning and checks access.
//
//	O:owner G:group D:flags(type;flags;rights;object;inherited object;trustee)… S:flags(…)…
//
//	+0 revision 1 · +2 control · +4 owner · +8 group · +12 SACL · +16 DACL (offsets, 0: none)
//	ACL: +0 revision · +2 size · +4 number of entries · +8 entries
//	ACE: +0 type · +1 flags · +2 size · +4 mask · [+8 object flags, object types] · trustee · [condition]
//
// A descriptor without a DACL grants everyone access; one with an empty DACL grants no one.
//
// See [MS-DTYP] 2.4 and 2.5.1.
package sddl

// Descriptor is a security descriptor.
type Descriptor struct {
	Owner, Group SID // empty: none
	DACL, SACL   *ACL
}

// ACL is an access control list.
type ACL struct {
	Protected, AutoInherited, AutoInheritReq bool
	ACEs                                     []ACE
}

// ACE is one entry.
type ACE struct {
	Type      byte
	Flags     byte
	Mask      uint32
	Object    string // object type to which it applies, a GUID in upper case; empty: all
	Inherited string // type of object that inherits it
	Trustee   SID
	// Extra is what follows: a condition or a claim, as text in parentheses if it was parsed from SDDL, as bytes if it
	// was parsed from the binary form. It is compared, not interpreted.
	Extra string
}

// The types of entry that matter most.
const (
	Allowed         = 0x00
	Denied          = 0x01
	Audit           = 0x02
	AllowedObject   = 0x05
	DeniedObject    = 0x06
	AllowedCallback = 0x09
	DeniedCallback  = 0x0a
)

// Flags of an entry.
const (
	objectInherit    = 0x01
	containerInherit = 0x02
	noPropagate      = 0x04
	inheritOnly      = 0x08
	inherited        = 0x10
	auditSuccess     = 0x40
	auditFailure     = 0x80
)

// Rights that every kind of object has.
const (
	GenericAll     = 0x10000000
	GenericExecute = 0x20000000
	GenericWrite   = 0x40000000
	GenericRead    = 0x80000000
	MaximumAllowed = 0x02000000
	ReadControl    = 0x00020000
	WriteDAC       = 0x00040000
)

type namedByte struct {
	name  string
	value byte
}

var aceTypes = []namedByte{
	{"A", 0},
	{"D", 1},
	{"AU", 2},
	{"AL", 3},
	{"OA", 5},
	{"OD", 6},
	{"OU", 7},
	{"OL", 8},
	{"XA", 9},
	{"XD", 0xa},
	{"ZA", 0xb},
	{"XU", 0xd},
	{"ML", 0x11},
	{"RA", 0x12},
	{"SP", 0x13},
	{"TL", 0x14},
	{"FL", 0x15},
}

func isObject(t byte) bool { return t >= 5 && t <= 8 || t == 0xb || t == 0xc || t == 0xf || t == 0x10 }

func takesExtra(t byte) bool { return t >= 9 && t <= 0x10 || t == 0x12 }

var aceFlags = []namedByte{
	{"OI", objectInherit},
	{"CI", containerInherit},
	{"NP", noPropagate},
	{"IO", inheritOnly},
	{"ID", inherited},
	{"SA", auditSuccess},
	{"FA", auditFailure},
}

type namedMask struct {
	name string
	mask uint32
}

// Whole sets first, so that they are used if they fit; then single bits.
var rights = []namedMask{
	{"FA", 0x001f01ff},
	{"FX", 0x001200a0},
	{"FW", 0x00120116},
	{"FR", 0x00120089},
	{"KA", 0x000f003f},
	{"KR", 0x00020019},
	{"KW", 0x00020006},
	{"GA", GenericAll},
	{"GR", GenericRead},
	{"GW", GenericWrite},
	{"GX", GenericExecute},
	{"RC", ReadControl},
	{"SD", 0x00010000},
	{"WD", WriteDAC},
	{"WO", 0x00080000},
	{"CC", 1},
	{"DC", 2},
	{"LC", 4},
	{"SW", 8},
	{"RP", 0x10},
	{"WP", 0x20},
	{"DT", 0x40},
	{"LO", 0x80},
	{"CR", 0x100},
}

// KX is another name of KR; mandatory labels have letters of their own.
var readOnlyRights = []namedMask{{"KX", 0x00020019}, {"NW", 1}, {"NR", 2}, {"NX", 4}}
