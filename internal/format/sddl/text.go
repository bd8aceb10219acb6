package sddl

import (
	"fmt"
	"strconv"
	"strings"
)

// Limits: an ACL is at most 64 KiB, and its smallest entry has 16 bytes.
const (
	maxText = 1 << 20
	maxACEs = 65536 / 16
)

// Error reports an SDDL syntax error and its position.
type Error struct {
	At  int // bytes from the start
	Why string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("sddl: at character %d: %s", e.At+1, e.Why) }

type parser struct {
	s  string
	at int
}

func (p *parser) fail(why string) error { return &Error{p.at, why} }

// Parse reads SDDL. Spaces between the parts are allowed.
func Parse(s string) (*Descriptor, error) {
	if len(s) > maxText {
		return nil, &Error{0, "the text is too long"}
	}
	d := &Descriptor{}
	seen := ""
	for p := (&parser{s: s}); ; {
		p.space()
		if p.at == len(s) {
			return d, nil
		}
		if p.at+1 >= len(s) || s[p.at+1] != ':' || !strings.ContainsRune("OGDS", rune(s[p.at])) {
			return nil, p.fail("O:, G:, D: or S: expected")
		}
		part := s[p.at]
		if strings.IndexByte(seen, part) >= 0 {
			return nil, p.fail(fmt.Sprintf("%c: comes twice", part))
		}
		seen += string(part)
		p.at += 2
		var err error
		switch part {
		case 'O':
			d.Owner, err = p.sid()
		case 'G':
			d.Group, err = p.sid()
		case 'D':
			d.DACL, err = p.acl()
		case 'S':
			d.SACL, err = p.acl()
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) space() {
	for p.at < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.at]) >= 0 {
		p.at++
	}
}

// sid reads an owner or group: up to the next part.
func (p *parser) sid() (SID, error) {
	p.space()
	end := p.at
	for end < len(p.s) && !(end+1 < len(p.s) && p.s[end+1] == ':') && strings.IndexByte(" \t\r\n", p.s[end]) < 0 {
		end++
	}
	sid, err := parseSID(p.s[p.at:end])
	if err != nil {
		return "", p.fail(err.Error())
	}
	p.at = end
	return sid, nil
}

func (p *parser) acl() (*ACL, error) {
	a := &ACL{}
	rest := p.s[p.at:]
	if strings.HasPrefix(rest, "NO_ACCESS_CONTROL") {
		p.at += len("NO_ACCESS_CONTROL")
		return nil, nil
	}
flags:
	for {
		p.space()
		rest = p.s[p.at:]
		switch {
		case strings.HasPrefix(rest, "AR"):
			a.AutoInheritReq = true
			p.at += 2
		case strings.HasPrefix(rest, "AI"):
			a.AutoInherited = true
			p.at += 2
		case strings.HasPrefix(rest, "P"):
			a.Protected = true
			p.at++
		default:
			break flags
		}
	}
	for p.space(); p.at < len(p.s) && p.s[p.at] == '('; p.space() {
		if len(a.ACEs) >= maxACEs {
			return nil, p.fail("more entries than a list can hold")
		}
		ace, err := p.ace()
		if err != nil {
			return nil, err
		}
		a.ACEs = append(a.ACEs, ace)
	}
	return a, nil
}

// ace parses one entry. Its last field may contain parentheses and quotes.
func (p *parser) ace() (ACE, error) {
	start := p.at
	depth, quoted, end := 0, false, -1
	for i := p.at; i < len(p.s) && end < 0; i++ {
		switch c := p.s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				end = i
			}
		}
	}
	if end < 0 {
		return ACE{}, p.fail("an entry without its )")
	}
	f := strings.SplitN(p.s[start+1:end], ";", 7)
	if len(f) < 6 {
		return ACE{}, p.fail(fmt.Sprintf("an entry with %d fields where 6 belong", len(f)))
	}
	for i := range f[:6] {
		f[i] = strings.TrimSpace(f[i])
	}
	var a ACE
	var err error
	if a.Type, err = lookup(aceTypes, f[0], true); err != nil {
		return a, p.fail("unknown type of entry " + strconv.Quote(f[0]))
	}
	if a.Flags, err = lookup(aceFlags, f[1], false); err != nil {
		return a, p.fail("unknown flags " + strconv.Quote(f[1]))
	}
	if a.Mask, err = parseRights(f[2]); err != nil {
		return a, p.fail(err.Error())
	}
	if a.Object, err = parseGUID(f[3]); err == nil {
		a.Inherited, err = parseGUID(f[4])
	}
	if err != nil {
		return a, p.fail(err.Error())
	}
	if (a.Object != "" || a.Inherited != "") && !isObject(a.Type) {
		return a, p.fail("an object type in an entry that has none")
	}
	if a.Trustee, err = parseSID(f[5]); err != nil {
		return a, p.fail(err.Error())
	}
	if len(f) == 7 {
		if !takesExtra(a.Type) {
			return a, p.fail("a condition in an entry that has none")
		}
		a.Extra = strings.TrimSpace(f[6])
	}
	p.at = end + 1
	return a, nil
}

// lookup reads one name, or several that are joined.
func lookup(names []namedByte, s string, one bool) (byte, error) {
	var out byte
	s = strings.ToUpper(s)
	if one {
		for _, n := range names {
			if n.name == s {
				return n.value, nil
			}
		}
		return 0, fmt.Errorf("unknown")
	}
next:
	for s != "" {
		for _, n := range names {
			if rest, ok := strings.CutPrefix(s, n.name); ok {
				out |= n.value
				s = rest
				continue next
			}
		}
		return 0, fmt.Errorf("unknown")
	}
	return out, nil
}

func parseRights(s string) (uint32, error) {
	if s == "" {
		return 0, nil
	}
	if s[0] >= '0' && s[0] <= '9' {
		n, err := strconv.ParseUint(s, 0, 32)
		if err != nil {
			return 0, fmt.Errorf("%.40q is no mask", s)
		}
		return uint32(n), nil
	}
	var mask uint32
	up := strings.ToUpper(s)
next:
	for up != "" {
		for _, list := range [][]namedMask{rights, readOnlyRights} {
			for _, r := range list {
				if rest, ok := strings.CutPrefix(up, r.name); ok {
					mask |= r.mask
					up = rest
					continue next
				}
			}
		}
		return 0, fmt.Errorf("unknown right in %.40q", s)
	}
	return mask, nil
}

func parseGUID(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	ok := len(s) == 36
	for i := 0; ok && i < len(s); i++ {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			ok = s[i] == '-'
			continue
		}
		ok = strings.IndexByte("0123456789abcdefABCDEF", s[i]) >= 0
	}
	if !ok {
		return "", fmt.Errorf("%.40q is no GUID", s)
	}
	return strings.ToUpper(s), nil
}

// String writes SDDL.
func (d *Descriptor) String() string {
	var b strings.Builder
	if d.Owner != "" {
		b.WriteString("O:" + d.Owner.String())
	}
	if d.Group != "" {
		b.WriteString("G:" + d.Group.String())
	}
	d.DACL.write(&b, "D:")
	d.SACL.write(&b, "S:")
	return b.String()
}

func (a *ACL) write(b *strings.Builder, head string) {
	if a == nil {
		return
	}
	b.WriteString(head)
	for _, f := range []struct {
		set  bool
		name string
	}{{a.Protected, "P"}, {a.AutoInheritReq, "AR"}, {a.AutoInherited, "AI"}} {
		if f.set {
			b.WriteString(f.name)
		}
	}
	for _, e := range a.ACEs {
		b.WriteString(e.String())
	}
}

// String writes one entry.
func (a ACE) String() string {
	kind := fmt.Sprintf("0x%x", a.Type)
	for _, t := range aceTypes {
		if t.value == a.Type {
			kind = t.name
		}
	}
	flags := ""
	for _, f := range aceFlags {
		if a.Flags&f.value != 0 {
			flags += f.name
		}
	}
	s := "(" + kind + ";" + flags + ";" + rightsText(a.Mask) + ";" + a.Object + ";" + a.Inherited + ";" +
		a.Trustee.String()
	if a.Extra != "" {
		s += ";" + a.Extra
	}
	return s + ")"
}

// rightsText writes a mask in letters where letters say it exactly.
func rightsText(mask uint32) string {
	if mask == 0 {
		return ""
	}
	for _, r := range rights[:7] {
		if mask == r.mask {
			return r.name
		}
	}
	out, left := "", mask
	for _, r := range rights[7:] {
		if mask&r.mask != 0 {
			out += r.name
			left &^= r.mask
		}
	}
	if left != 0 {
		return fmt.Sprintf("0x%x", mask)
	}
	return out
}
