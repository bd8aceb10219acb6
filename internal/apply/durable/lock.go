package durable

import (
	"errors"
	"os"
)

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("it is locked by another process")

// Lock takes the lock of an open file, or says ErrLocked. Closing the file lets go of it, as the system does when the process
// ends in any way.
func Lock(f *os.File) error {
	busy, err := tryLock(f)
	if busy {
		return ErrLocked
	}
	return err
}
