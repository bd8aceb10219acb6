package peer

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared finds real captures, hives, logs and policies: a file or folder of the folder shared beside the module, or that
// folder itself for an empty name. They are other people's and no part of the module: where they are not, the test is
// skipped.
func Shared(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(filepath.Dir(dir), "shared", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not present: it is third-party data and not part of the module", path)
	}
	return path
}
