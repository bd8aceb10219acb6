package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// fileLock marks that this process serves an SQLite file. The system releases it when the process ends, however it
// does.
type fileLock struct{ f *os.File }

var errLocked = errors.New("locked")

// lockFile takes the lock, or returns who has it. The lock file is never deleted: otherwise two processes could lock
// two files of the same name.
func lockFile(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := tryLock(f); err != nil {
		defer f.Close()
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("store: locking %s: %w", path, err)
		}
		holder, _ := io.ReadAll(io.LimitReader(f, 256))
		if holder = bytes.TrimSpace(holder); len(holder) == 0 {
			holder = []byte("another process")
		}
		return nil, fmt.Errorf("%w: %s", ErrBusy, holder)
	}
	name, _ := os.Hostname()
	text := fmt.Sprintf("process %d on %s since %s\n", os.Getpid(), name, time.Now().UTC().Format(time.RFC3339))
	if err := errors.Join(f.Truncate(0), writeAt(f, text)); err != nil {
		f.Close()
		return nil, fmt.Errorf("store: %w", classify(err))
	}
	return &fileLock{f}, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

func (l *fileLock) release() error { return l.f.Close() }
