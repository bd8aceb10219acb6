package status

import "testing"

// FuzzParseNTStatus: a status that is parsed is parsed again from its own name.
func FuzzParseNTStatus(f *testing.F) {
	for _, name := range []string{
		"STATUS_ACCESS_DENIED", "NT_STATUS_ACCESS_DENIED", "0xC0000022", "0X00000000", "0x", "NT_", "0xfffffffff",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s, ok := ParseNTStatus(name)
		if !ok {
			return
		}
		if back, ok := ParseNTStatus(s.String()); !ok || back != s {
			t.Errorf("%q is %s, which is %s", name, s, back)
		}
	})
}
