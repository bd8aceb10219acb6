package sddl

import (
	"slices"
	"strings"
)

// Generic maps the generic rights to the specific rights of one kind of object.
type Generic struct{ Read, Write, Execute, All uint32 }

// What generic rights mean: [MS-DTYP] 2.4.3 for files and pipes, [MS-RRP] 2.2.3 for registry keys. The SAM and srvsvc
// objects have no generic rights that Windows documents here; use the zero Generic.
var (
	FileRights = Generic{0x00120089, 0x00120116, 0x001200a0, 0x001f01ff}
	KeyRights  = Generic{0x00020019, 0x00020006, 0x00020019, 0x000f003f}
)

func (g Generic) spell(mask uint32) uint32 {
	for _, m := range []struct{ bit, set uint32 }{
		{GenericRead, g.Read},
		{GenericWrite, g.Write},
		{GenericExecute, g.Execute},
		{GenericAll, g.All},
	} {
		if mask&m.bit != 0 && m.set != 0 {
			mask = mask&^m.bit | m.set
		}
	}
	return mask
}

func denies(t byte) bool { return t == Denied || t == DeniedObject || t == DeniedCallback || t == 0xc }

// Denies reports whether the entry denies rights instead of granting them.
func (e ACE) Denies() bool { return denies(e.Type) }

func allows(t byte) bool { return t == Allowed || t == AllowedObject }

// Answer is the result of an access check.
type Answer int

// The answers.
const (
	Refused Answer = iota
	Granted
	Depends // on a condition, which SIDs by themselves cannot decide
)

// Token is the set of a caller's SIDs.
type Token []SID

// AnonymousToken returns the token of a null session: Everyone is included only with EveryoneIncludesAnonymous.
func AnonymousToken(everyone bool) Token {
	t := Token{Anonymous, Network}
	if everyone {
		t = append(t, Everyone)
	}
	return t
}

// GuestToken returns the token of a guest logon over the network.
func GuestToken() Token {
	return Token{LocalGuest, DomainGuests, BuiltinGuests, Everyone, Network}
}

// UserToken returns the token of a user without any privilege.
func UserToken() Token {
	return Token{Everyone, AuthenticatedUsers, BuiltinUsers, Network}
}

func (t Token) has(s SID) bool { return slices.ContainsFunc(t, s.Equal) }

// Check reports whether a descriptor grants a token every bit of a mask: of the entries in order, the first with a bit
// decides it. Without a DACL everything is granted. Entries about single types of object are ignored, because the
// request is for the object itself.
//
// See [MS-DTYP] 2.5.3.2.
func (d *Descriptor) Check(t Token, mask uint32, g Generic) Answer {
	if d.DACL == nil {
		return Granted
	}
	left := g.spell(mask)
	if left == 0 {
		return Refused
	}
	if d.Owner != "" && t.has(d.Owner) && !slices.ContainsFunc(d.DACL.ACEs, func(e ACE) bool {
		return e.Trustee == OwnerRights && e.Flags&inheritOnly == 0
	}) {
		left &^= ReadControl | WriteDAC
	}
	var mayAllow, mayDeny uint32 // bits that a condition decides
	for _, e := range d.DACL.ACEs {
		if left == 0 {
			break
		}
		about := g.spell(e.Mask) & left
		isOwner := e.Trustee == OwnerRights && d.Owner != "" && t.has(d.Owner)
		if e.Flags&inheritOnly != 0 || about == 0 || e.Object != "" || !(isOwner || t.has(e.Trustee)) {
			continue
		}
		switch {
		case e.Type == AllowedCallback, e.Type == 0xb:
			mayAllow |= about
		case e.Type == DeniedCallback, e.Type == 0xc:
			mayDeny |= about &^ mayAllow
		case denies(e.Type) && about&^mayAllow == 0:
			return Depends
		case denies(e.Type):
			return Refused
		case allows(e.Type):
			left &^= about
		}
	}
	switch {
	case left&^mayAllow != 0:
		return Refused
	case left != 0 || mayDeny != 0:
		return Depends
	}
	return Granted
}

// Judge reports whether a token is granted every bit of a mask, and whether that is certain. It is not if a condition
// decides, or if a deny entry or an account could apply to the caller although the token does not contain it.
func (d *Descriptor) Judge(t Token, mask uint32) (granted, certain bool) {
	answer := d.Check(t, mask, Generic{})
	certain = answer != Depends
	if d.DACL != nil {
		for _, e := range d.DACL.ACEs {
			if e.Flags&inheritOnly == 0 && !t.has(e.Trustee) &&
				(denies(e.Type) || strings.HasPrefix(string(e.Trustee), "S-1-5-21-")) {
				certain = false
			}
		}
	}
	return answer == Granted, certain
}

// OnlyAdministrators reports whether only administrators and the system are granted any access.
func (d *Descriptor) OnlyAdministrators() bool {
	if d.DACL == nil {
		return false
	}
	for _, e := range d.DACL.ACEs {
		if !denies(e.Type) && !e.Trustee.Equal(Administrators) && !e.Trustee.Equal(System) {
			return false
		}
	}
	return true
}

// words names common SIDs in access lists.
var words = map[SID]string{
	System: "the system", Administrators: "administrators", Everyone: "everyone",
	Network:   "whoever comes over the network",
	Anonymous: "anonymous callers", AuthenticatedUsers: "every signed-in user", BuiltinUsers: "users",
	BuiltinGuests:  "guests",
	PreWindows2000: "Pre-Windows 2000 Compatible Access", LocalGuest: "the guest account",
	DomainGuests: "domain guests",
	OwnerRights:  "the owner", "S-1-5-4": "interactive users", "S-1-5-6": "services", "S-1-5-3": "batch jobs",
	"S-1-5-19": "local service",
	"S-1-5-20": "network service", "S-1-5-32-547": "power users", "S-1-5-32-549": "server operators",
	"DOMAIN-512": "domain admins",
	"DOMAIN-513": "domain users", "DOMAIN-515": "domain computers",
}

// Words returns the display name of a SID, or the SID itself.
func (s SID) Words() string {
	if w, ok := words[s]; ok {
		return w
	}
	for known, w := range words {
		if s.Equal(known) {
			return w
		}
	}
	return string(s)
}

// Who names the trustees that the access list grants any right, and those that it denies, in its order.
func (d *Descriptor) Who() string {
	if d.DACL == nil {
		return "everyone: there is no access list"
	}
	var in, out []string
	for _, e := range d.DACL.ACEs {
		list := &in
		if denies(e.Type) {
			list = &out
		}
		if w := e.Trustee.Words(); !slices.Contains(*list, w) {
			*list = append(*list, w)
		}
	}
	text := "nobody"
	if in != nil {
		text = strings.Join(in, ", ")
	}
	if out != nil {
		text += ", but not " + strings.Join(out, ", ")
	}
	return text
}
