package private

import "testing"

// TestWindowsServiceSID: the identifier of TrustedInstaller's service is known to everybody.
func TestWindowsServiceSID(t *testing.T) {
	if got := serviceSID("TrustedInstaller"); got != trustedInstaller {
		t.Errorf("%s, want %s", got, trustedInstaller)
	}
}
