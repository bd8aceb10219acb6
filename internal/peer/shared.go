package peer

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared returns the path of real captures, hives, logs and policies: a file or folder of the folder shared beside the
// module, or that folder itself for an empty name. They come from others and are no part of the module: if they are
// missing, the test is skipped.
func Shared(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(ModuleRoot(t)), "shared", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not present: it is third-party data and not part of the module", path)
	}
	return path
}

// ModuleRoot returns the module's folder, wherever below it the test runs.
func ModuleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}
