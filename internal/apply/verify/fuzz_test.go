package verify

import "testing"

// FuzzParseCheck reads checks as people and plans write them.
func FuzzParseCheck(f *testing.F) {
	f.Add("pipe:sql\\query")
	f.Add("tcp:srv1:1433")
	f.Fuzz(func(t *testing.T, check string) {
		if kind, _, err := ParseCheck(check); err == nil && kind == "" {
			t.Fatalf("check %q is of no kind", check)
		}
	})
}
