package applytest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"ipcguard/internal/apply/private"
)

// MemoryDir returns a test directory, in memory if the system has such a file system: thousands of fsyncs would
// otherwise wait for a disk, and these tests are not about power cuts.
func MemoryDir(t testing.TB) string {
	t.Helper()
	parent := "/dev/shm"
	if runtime.GOOS == "windows" {
		parent = "" // under Wine it would be on one of its drives
	}
	dir, err := os.MkdirTemp(parent, "ipcguard-")
	if err != nil {
		// Not t.TempDir: its cleanup fails the test under Wine.
		if dir, err = os.MkdirTemp("", "ipcguard-"); err != nil {
			t.Fatal(err)
		}
	}
	if runtime.GOOS == "windows" { // a directory created by Go is open to others
		if err := errors.Join(os.Remove(dir), private.Mkdir(dir)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // one by one: os.RemoveAll does not work under Wine
		var all []string
		_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
			all = append(all, path)
			return nil
		})
		for i := len(all) - 1; i >= 0; i-- {
			_ = os.Remove(all[i])
		}
	})
	return dir
}

// Read returns a file's content.
func Read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
