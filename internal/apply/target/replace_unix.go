//go:build unix

package target

import (
	"errors"
	"os"
	"path/filepath"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/durable"
)

// replace is swap for file systems that cannot exchange names: the replaced file gets a second name first, so that it
// can be checked, and restored if it was written to meanwhile.
func replace(draft, path string, old *os.File, from apply.State, fault func(string)) error {
	second := draft + ".old"
	if err := os.Link(path, second); err != nil {
		return err
	}
	defer func() { _ = os.Remove(second) }() // unless it was restored
	if err := unchanged(old, second, from); err != nil {
		return err
	}
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	fault("file:renamed")
	err := durable.SyncDir(filepath.Dir(path))
	if uerr := unchanged(old, second, from); err == nil && uerr != nil {
		err = uerr
	}
	if err == nil {
		return nil
	}
	return errors.Join(err, os.Rename(second, path), durable.SyncDir(filepath.Dir(path)))
}
