package private

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"time"

	"ipcguard/internal/apply/durable"
)

// Lock locks a lock file, creating it if necessary, or returns durable.ErrLocked.
func Lock(path string) (unlock func(), err error) {
	f, err := Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := durable.Lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // nothing was written
}

// LockWithin is Lock, retried for some time while another process holds the lock.
func LockWithin(path string, wait time.Duration) (unlock func(), err error) {
	for end := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		unlock, err = Lock(path)
		if !errors.Is(err, durable.ErrLocked) || time.Now().After(end) {
			return unlock, err
		}
	}
}

// LockNamed locks a name. All processes of this account on this machine that use the name share the lock.
func LockNamed(name string) (unlock func(), err error) {
	dir := locks()
	if err := Make(dir); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(name))
	return Lock(filepath.Join(dir, hex.EncodeToString(sum[:])+".lock"))
}
