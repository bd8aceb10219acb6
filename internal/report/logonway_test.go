package report

import (
	"strings"
	"testing"

	"ipcguard/internal/model"
)

// TestLogonWay: a name with no answer behind it was read, and is of no known kind; a logon without a package was not
// seen.
func TestLogonWay(t *testing.T) {
	for pkg, want := range map[string]string{
		model.PackageUnknown: "a logon of a kind that nothing told", "": "a logon that was not seen", model.PackageLM: "LM",
	} {
		if got := LogonWay(&model.Logon{Package: pkg}); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", pkg, got, want)
		}
	}
}
