package applytest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	winreg "golang.org/x/sys/windows/registry"

	"ipcguard/internal/apply"
)

// RegistryKey creates a key for the test in a real registry.
func RegistryKey(t *testing.T) string {
	t.Helper()
	key := fmt.Sprintf(`HKLM\SYSTEM\CurrentControlSet\Services\ipcguard-test-%d`, os.Getpid())
	k, _, err := winreg.CreateKey(winreg.LOCAL_MACHINE, strings.TrimPrefix(key, `HKLM\`),
		winreg.ALL_ACCESS|winreg.WOW64_64KEY)
	if err != nil {
		t.Skipf("needs the right to write HKLM: %v", err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := winreg.DeleteKey(winreg.LOCAL_MACHINE, strings.TrimPrefix(key, `HKLM\`)); err != nil &&
			!errors.Is(err, winreg.ErrNotExist) {
			t.Errorf("cleaning up: %v", err)
		}
	})
	return key
}

// DumpKey returns a key with its values and subkeys.
func DumpKey(t *testing.T, target apply.Target, key string) string {
	t.Helper()
	k, err := winreg.OpenKey(winreg.LOCAL_MACHINE, strings.TrimPrefix(key, `HKLM\`), winreg.READ|winreg.WOW64_64KEY)
	if err != nil {
		return err.Error()
	}
	defer k.Close()
	var b strings.Builder
	fmt.Fprintln(&b, key)
	names, err := k.ReadValueNames(-1)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		s, err := target.Read(t.Context(), apply.Place{Kind: apply.RegistryValue, Path: key, Name: n})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "  %s %s %x\n", n, s.Type, s.Data)
	}
	kids, err := k.ReadSubKeyNames(-1)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range kids {
		b.WriteString(DumpKey(t, target, key+`\`+n))
	}
	return b.String()
}

// AnyPlace accepts every place: a test's key is not a setting of the catalog.
func AnyPlace(apply.Place) error { return nil }
