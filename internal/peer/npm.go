package peer

import (
	"os"
	"path/filepath"
	"testing"
)

// Npm returns the directory of an npm package that scripts/fetch.sh has put into the user's cache, such as
// "web-tree-sitter-0.27.1". If it is missing, the test fails when CI=true and is skipped elsewhere, as with [Need].
func Npm(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err == nil {
		dir = filepath.Join(dir, "ipcguard", "npm", name)
		_, err = os.Stat(filepath.Join(dir, "package.json"))
	}
	if err == nil {
		return dir
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is needed in CI: %v", name, err)
	}
	t.Skipf("needs %s, which scripts/fetch.sh gets: %v", name, err)
	return ""
}
