package durable

import (
	"errors"
	"os"
)

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("it is locked by another process")

// Lock takes a lock file, or says ErrLocked. The system lets go of it when the process ends in any way.
func Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	busy, err := tryLock(f)
	if err != nil || busy {
		_ = f.Close() // nothing was written
		if busy {
			return nil, ErrLocked
		}
		return nil, err
	}
	return func() { _ = f.Close() }, nil // closing lets go
}
