package target

import (
	"os"

	"ipcguard/internal/apply"
)

// replace is for the practice server's file alone: nobody else edits that.
func replace(draft, path string, old *os.File, _ apply.State, fault func(string)) error {
	if err := old.Close(); err != nil { // Windows does not replace what is open
		return err
	}
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	fault("file:renamed")
	return nil
}
