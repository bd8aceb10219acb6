package sddl

import (
	"fmt"
	"slices"
	"strings"
)

// Only the tests need the following: equality of descriptors by meaning, and short forms.

// Same reports whether two descriptors mean the same: same owner and group, and lists that grant and deny alike. The
// order of entries counts only between a deny and an allow entry; rights of one trustee are joined; inheritance marks
// of history (ID, AI, AR) do not count. SACLs are compared in the same way.
func Same(a, b *Descriptor) bool { return a.Canonical() == b.Canonical() }

// Canonical returns a canonical text: equal texts mean equal descriptors.
func (d *Descriptor) Canonical() string {
	var s strings.Builder
	if d.Owner != "" {
		s.WriteString("O:" + d.Owner.meaning())
	}
	if d.Group != "" {
		s.WriteString("G:" + d.Group.meaning())
	}
	d.DACL.canonical(&s, "D:")
	d.SACL.canonical(&s, "S:")
	return s.String()
}

func (a *ACL) canonical(s *strings.Builder, head string) {
	if a == nil {
		return
	}
	s.WriteString(head)
	if a.Protected {
		s.WriteString("P")
	}
	// A run of entries of one type can be read in any order; between runs the order is kept.
	for rest := a.ACEs; len(rest) > 0; {
		n := 1
		for n < len(rest) && denies(rest[n].Type) == denies(rest[0].Type) {
			n++
		}
		sets := map[string]uint32{}
		for _, e := range rest[:n] {
			id := fmt.Sprintf("%x;%x;%s;%s;%s;%s", e.Type, e.Flags&^inherited, e.Object, e.Inherited,
				e.Trustee.meaning(), e.Extra)
			sets[id] |= e.Mask
		}
		var lines []string
		for id, mask := range sets {
			if mask != 0 {
				lines = append(lines, fmt.Sprintf("(%s;%x)", id, mask))
			}
		}
		slices.Sort(lines)
		s.WriteString(strings.Join(lines, ""))
		rest = rest[n:]
	}
}

// String returns the answer as a word.
func (a Answer) String() string { return [...]string{"refused", "granted", "depends"}[a] }

// Grants reports whether one SID by itself is granted every bit of a mask.
func (d *Descriptor) Grants(s SID, mask uint32) bool {
	return d.Check(Token{s}, mask, Generic{}) == Granted
}
