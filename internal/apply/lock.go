package apply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrBusy says that another process is writing with this state directory.
var ErrBusy = errors.New("apply: another apply, rollback or recovery is at work with this state directory")

// lock takes the state directory for this process. The system lets go of it when the process ends in any way.
func (e *Engine) lock() (unlock func(), err error) {
	if err := makeDirs(e.State); err != nil {
		return nil, fmt.Errorf("apply: state directory: %w", err)
	}
	return lockPath(filepath.Join(e.State, "lock"))
}

// lockPath takes a lock file, or says ErrBusy.
func lockPath(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("apply: lock: %w", err)
	}
	busy, err := tryLock(f)
	if err != nil || busy {
		_ = f.Close() // nothing was written
		if busy {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("apply: lock: %w", err)
	}
	return func() { _ = f.Close() }, nil // closing lets go
}
