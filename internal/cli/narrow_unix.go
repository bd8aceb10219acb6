//go:build unix

package cli

import (
	"fmt"
	"os"
)

// narrow removes the rights of others from a file, and no right of the owner: results written to an existing file are
// as private as in a new one. It leaves everything but regular files, such as a terminal, as it is.
func narrow(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := info.Mode()
	if !mode.IsRegular() || mode.Perm()&0o177 == 0 {
		return nil
	}
	if err := f.Chmod(mode.Perm() & 0o600); err != nil {
		return fmt.Errorf("%s: others may read it (mode %04o), and that cannot be changed: %w", f.Name(), mode.Perm(),
			err)
	}
	return nil
}

// makeHome creates a directory for its owner only.
func makeHome(dir, _ string) error { return os.MkdirAll(dir, 0o700) }
