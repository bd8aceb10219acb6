package private

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

// TestWindowsStrangers: one error names every account to be removed, once each, and its command removes all of them.
func TestWindowsStrangers(t *testing.T) {
	const everyone, users, guests = "S-1-1-0", "S-1-5-32-545", "S-1-5-32-546"
	for _, c := range []struct {
		name, sddl string
		rights     uint32
		want       []string
	}{
		{"nobody", "(A;;FA;;;SY)(A;;FA;;;BA)", ^uint32(0), nil},
		{
			"three, one of them twice", "(A;;FR;;;WD)(A;;FA;;;BA)(A;;FR;;;BU)(A;;FW;;;WD)(A;;FR;;;BG)", ^uint32(0),
			[]string{everyone, users, guests},
		},
		{
			"who is refused, and what is for children alone", "(D;;FA;;;BG)(A;OICIIO;FA;;;WD)(A;;FR;;;BU)", ^uint32(0),
			[]string{users},
		},
		{"some rights", "(A;;FR;;;WD)(A;;FA;;;BU)", windows.DELETE, []string{users}},
	} {
		list := allowed(t, c.sddl, c.rights)
		var got []string
		for _, sid := range list {
			got = append(got, sid.String())
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if len(list) == 0 {
			continue
		}
		command := (&trust{admin: true}).narrowed(`C:\state`, list, true)
		if want := " /remove:g *" + strings.Join(c.want, " *") + " /grant:r "; !strings.Contains(command, want) {
			t.Errorf("%s: no %q in %s", c.name, want, command)
		}
		for _, sid := range c.want {
			if text := named(list...); strings.Count(text, "("+sid+")") != 1 {
				t.Errorf("%s: %s names %s not once", c.name, text, sid)
			}
		}
	}
	var many strings.Builder
	for i := range mostNamed + 5 {
		fmt.Fprintf(&many, "(A;;FA;;;S-1-5-21-1-2-3-%d)", 1000+i)
	}
	list := allowed(t, many.String(), ^uint32(0))
	if text := named(list...); !strings.HasSuffix(text, " and 5 more") ||
		strings.Count(icaclsNames(list), "*") != mostNamed {
		t.Errorf("%d entries: %s", len(list), text)
	}
}

func allowed(t *testing.T, sddl string, rights uint32) []*windows.SID {
	t.Helper()
	sd, err := windows.SecurityDescriptorFromString("O:BAD:P" + sddl)
	if err != nil {
		t.Fatal(err)
	}
	owner, aces, err := entries("a file", sd)
	if err != nil {
		t.Fatal(err)
	}
	return strangers(aces, rights, func(sid *windows.SID) bool {
		return sid.Equals(owner) || sid.IsWellKnown(windows.WinLocalSystemSid)
	})
}
