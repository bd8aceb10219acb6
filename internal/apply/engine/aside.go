package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ipcguard/internal/apply/durable"
	"ipcguard/internal/apply/private"
)

// SetAside moves away a journal that cannot be trusted, and removes it from the ledger, so that the state directory is
// usable again. Nothing of the journal is restored. It returns the new path, or an empty string if there was no
// journal.
func (e *Engine) SetAside(id string) (where string, err error) {
	unlock, err := e.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	var damage *DamageError
	if _, err := e.open(id); err == nil {
		return "", fmt.Errorf("apply: there is nothing wrong with %s", id)
	} else if !errors.As(err, &damage) {
		return "", err
	}
	seal, l, err := e.ledger()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(e.journals(), id)
	if _, err := os.Lstat(dir); err == nil {
		away := filepath.Join(e.State, "refused")
		if err := private.Make(away); err != nil {
			return "", fmt.Errorf("apply: state directory: %w", err)
		}
		where = filepath.Join(away, id+"-"+e.now().Wall.Format("20060102-150405.000000000"))
		if err := os.Rename(dir, where); err != nil {
			return "", fmt.Errorf("apply: journal: %w", err)
		}
		if err := errors.Join(durable.SyncDir(away), durable.SyncDir(e.journals())); err != nil {
			return where, fmt.Errorf("apply: journal: %w", err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("apply: journal: %w", err)
	}
	if _, listed := l.Journals[id]; !listed {
		return where, nil
	}
	delete(l.Journals, id)
	return where, writeLedger(e.State, seal, l, e.fault)
}
