package private

import "testing"

// TestWindowsServiceSID: the SID of the TrustedInstaller service is documented.
func TestWindowsServiceSID(t *testing.T) {
	if got := serviceSID("TrustedInstaller"); got != trustedInstaller {
		t.Errorf("%s, want %s", got, trustedInstaller)
	}
}
