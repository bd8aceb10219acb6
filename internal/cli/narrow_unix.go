//go:build unix

package cli

import (
	"fmt"
	"os"
)

// narrow leaves a file to its owner alone, and takes nothing away that its owner had not: results go into a file that was there
// as they go into a new one. What is no regular file, such as a terminal, is left as it is.
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
		return fmt.Errorf("%s: others may read it (mode %04o), and that cannot be changed: %w", f.Name(), mode.Perm(), err)
	}
	return nil
}

// makeHome makes a directory that is its owner's alone.
func makeHome(dir, _ string) error { return os.MkdirAll(dir, 0o700) }
