//go:build !linux

package target

import (
	"os"

	"ipcguard/internal/apply"
)

// swap replaces a file whose content is known with a draft.
func swap(draft, path string, old *os.File, _, from apply.State, fault func(string)) error {
	if err := unchanged(old, path, from); err != nil {
		return err
	}
	fault("file:compared")
	return replace(draft, path, old, from, fault)
}
