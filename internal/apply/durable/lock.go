package durable

import (
	"errors"
	"os"
)

// ErrLocked means that another process holds a lock.
var ErrLocked = errors.New("it is locked by another process")

// Lock locks an open file, or returns ErrLocked. Closing the file releases the lock; the system does so when the
// process ends in any way.
func Lock(f *os.File) error {
	busy, err := tryLock(f)
	if busy {
		return ErrLocked
	}
	return err
}
