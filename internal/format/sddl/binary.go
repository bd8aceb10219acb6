package sddl

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	daclPresent     = 0x0004
	saclPresent     = 0x0010
	daclInheritReq  = 0x0100
	saclInheritReq  = 0x0200
	daclInherited   = 0x0400
	saclInherited   = 0x0800
	daclProtected   = 0x1000
	saclProtected   = 0x2000
	selfRelative    = 0x8000
	maxBinary       = 256 << 10 // two lists of 64 KiB and two SIDs fit with room to spare
	aclHead         = 8
	smallestACE     = 8
	objectPresent   = 1
	inheritedObject = 2
)

func bad(format string, args ...any) error {
	return fmt.Errorf("sddl: binary descriptor: "+format, args...)
}

// ParseBinary parses a self-relative descriptor, as registry values and key records hold it. Bytes after its parts are
// ignored, as in Windows.
func ParseBinary(b []byte) (*Descriptor, error) {
	if len(b) < 20 || len(b) > maxBinary {
		return nil, bad("%d bytes", len(b))
	}
	le := binary.LittleEndian
	control := le.Uint16(b[2:])
	if b[0] != 1 {
		return nil, bad("revision %d", b[0])
	}
	if control&selfRelative == 0 {
		return nil, bad("not self-relative")
	}
	d := &Descriptor{}
	for i, sid := range []*SID{&d.Owner, &d.Group} {
		off := le.Uint32(b[4+4*i:])
		if off == 0 {
			continue
		}
		if int64(off) > int64(len(b)) {
			return nil, bad("an identifier at %d, outside", off)
		}
		s, _, err := readSID(b[off:])
		if err != nil {
			return nil, bad("%w", err)
		}
		*sid = s
	}
	var err error
	if off := le.Uint32(b[12:]); control&saclPresent != 0 && off != 0 {
		if d.SACL, err = readACL(b, off); err != nil {
			return nil, err
		}
		d.SACL.Protected, d.SACL.AutoInherited, d.SACL.AutoInheritReq = control&saclProtected != 0,
			control&saclInherited != 0, control&saclInheritReq != 0
	}
	if off := le.Uint32(b[16:]); control&daclPresent != 0 && off != 0 {
		if d.DACL, err = readACL(b, off); err != nil {
			return nil, err
		}
		d.DACL.Protected, d.DACL.AutoInherited, d.DACL.AutoInheritReq = control&daclProtected != 0,
			control&daclInherited != 0, control&daclInheritReq != 0
	}
	return d, nil
}

func readACL(b []byte, off uint32) (*ACL, error) {
	if int64(off)+aclHead > int64(len(b)) {
		return nil, bad("a list at %d, outside", off)
	}
	b = b[off:]
	size, n := int(binary.LittleEndian.Uint16(b[2:])), int(binary.LittleEndian.Uint16(b[4:]))
	if size < aclHead || size > len(b) || n > (size-aclHead)/smallestACE {
		return nil, bad("a list of %d bytes with %d entries in %d bytes", size, n, len(b))
	}
	b = b[aclHead:size]
	a := &ACL{}
	for range n {
		if len(b) < smallestACE {
			return nil, bad("a list with fewer entries than it counts")
		}
		size := int(binary.LittleEndian.Uint16(b[2:]))
		if size < smallestACE || size > len(b) {
			return nil, bad("an entry of %d bytes in %d", size, len(b))
		}
		e, err := readACE(b[:size])
		if err != nil {
			return nil, err
		}
		a.ACEs = append(a.ACEs, e)
		b = b[size:]
	}
	return a, nil
}

func readACE(b []byte) (ACE, error) {
	e := ACE{Type: b[0], Flags: b[1], Mask: binary.LittleEndian.Uint32(b[4:])}
	rest := b[8:]
	if isObject(e.Type) {
		if len(rest) < 4 {
			return e, bad("an entry for objects is too short")
		}
		flags := binary.LittleEndian.Uint32(rest)
		rest = rest[4:]
		for i, g := range []*string{&e.Object, &e.Inherited} {
			if flags&(objectPresent<<i) == 0 {
				continue
			}
			if len(rest) < 16 {
				return e, bad("an entry for objects is too short")
			}
			*g = guidText(rest[:16])
			rest = rest[16:]
		}
	}
	sid, n, err := readSID(rest)
	if err != nil {
		return e, bad("entry: %w", err)
	}
	e.Trustee = sid
	if rest = rest[n:]; takesExtra(e.Type) && len(rest) > 0 {
		e.Extra = "#" + hex.EncodeToString(rest)
	}
	return e, nil
}

func guidText(b []byte) string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08X-%04X-%04X-%X-%X", le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}

func appendGUID(b []byte, s string) ([]byte, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != 16 {
		return nil, bad("%q is no GUID", s)
	}
	le, be := binary.LittleEndian, binary.BigEndian
	b = le.AppendUint32(b, be.Uint32(raw))
	b = le.AppendUint16(b, be.Uint16(raw[4:]))
	b = le.AppendUint16(b, be.Uint16(raw[6:]))
	return append(b, raw[8:]...), nil
}

// Binary returns the self-relative form. SIDs of an unknown domain and conditions that were parsed from text have no
// binary form, which is an error.
func (d *Descriptor) Binary() ([]byte, error) {
	le := binary.LittleEndian
	b := make([]byte, 20)
	b[0] = 1
	control := uint16(selfRelative)
	var err error
	for i, s := range []SID{d.Owner, d.Group} {
		if s == "" {
			continue
		}
		le.PutUint32(b[4+4*i:], uint32(len(b)))
		if b, err = appendSID(b, s); err != nil {
			return nil, bad("%w", err)
		}
	}
	for _, l := range []struct {
		acl                                *ACL
		at                                 int
		present, protected, inherited, req uint16
	}{
		{d.SACL, 12, saclPresent, saclProtected, saclInherited, saclInheritReq},
		{d.DACL, 16, daclPresent, daclProtected, daclInherited, daclInheritReq},
	} {
		if l.acl == nil {
			continue
		}
		control |= l.present
		for _, f := range []struct {
			set bool
			bit uint16
		}{{l.acl.Protected, l.protected}, {l.acl.AutoInherited, l.inherited}, {l.acl.AutoInheritReq, l.req}} {
			if f.set {
				control |= f.bit
			}
		}
		le.PutUint32(b[l.at:], uint32(len(b)))
		if b, err = l.acl.append(b); err != nil {
			return nil, err
		}
	}
	le.PutUint16(b[2:], control)
	return b, nil
}

func (a *ACL) append(b []byte) ([]byte, error) {
	start := len(b)
	revision := byte(2)
	b = append(b, make([]byte, aclHead)...)
	for _, e := range a.ACEs {
		if isObject(e.Type) {
			revision = 4
		}
		var err error
		if b, err = e.append(b); err != nil {
			return nil, err
		}
	}
	size := len(b) - start
	if size > 0xffff {
		return nil, bad("a list of %d bytes", size)
	}
	b[start] = revision
	binary.LittleEndian.PutUint16(b[start+2:], uint16(size))
	binary.LittleEndian.PutUint16(b[start+4:], uint16(len(a.ACEs)))
	return b, nil
}

func (a ACE) append(b []byte) ([]byte, error) {
	start := len(b)
	b = append(b, a.Type, a.Flags, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, a.Mask)
	var err error
	if isObject(a.Type) {
		at := len(b)
		b = append(b, 0, 0, 0, 0)
		for i, g := range []string{a.Object, a.Inherited} {
			if g == "" {
				continue
			}
			b[at] |= objectPresent << i
			if b, err = appendGUID(b, g); err != nil {
				return nil, err
			}
		}
	}
	if b, err = appendSID(b, a.Trustee); err != nil {
		return nil, bad("%w", err)
	}
	if a.Extra != "" {
		raw, err := hex.DecodeString(strings.TrimPrefix(a.Extra, "#"))
		if err != nil || a.Extra[0] != '#' {
			return nil, bad("a condition in text has no bytes here")
		}
		b = append(b, raw...)
	}
	if len(b)-start > 0xffff {
		return nil, bad("an entry of %d bytes", len(b)-start)
	}
	binary.LittleEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b, nil
}
