package target

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/durable"
)

// writerWait bounds the wait for somebody who has the file open for writing. Editors have it for milliseconds.
const writerWait = 5 * time.Second

// swap puts a draft in the place of a file whose content is known. The two exchange their names in one step, so the one that
// was replaced is still there to be looked at: if it is not the one that was compared, or has been written to since by
// somebody who had opened it before, the names are exchanged back.
func swap(draft, path string, old *os.File, from apply.State, fault func(string)) error {
	release, err := keepOut(old)
	if err != nil {
		return err
	}
	defer release()
	if err := unchanged(old, path, from); err != nil {
		return err
	}
	fault("file:compared")
	exchange := func() error { return unix.Renameat2(unix.AT_FDCWD, draft, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE) }
	err = exchange()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP) {
		return replace(draft, path, old, from, fault) // a file system that cannot
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: draft, New: path, Err: err}
	}
	fault("file:renamed")
	release()
	err = durable.SyncDir(filepath.Dir(path))
	if serr := settled(old, draft, from); err == nil && serr != nil {
		err = serr
	}
	if err == nil {
		return nil // what is under the draft's name goes
	}
	fault("file:back")
	return errors.Join(err, exchange(), durable.SyncDir(filepath.Dir(path)))
}

// keepOut takes a lease on a file: who opens it for writing waits until release. Somebody who has it open for writing already
// is waited for. Where the system gives none, what is replaced is still looked at.
func keepOut(old *os.File) (release func(), err error) {
	for end := time.Now().Add(writerWait); ; time.Sleep(10 * time.Millisecond) {
		_, err = unix.FcntlInt(old.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
		if err == nil {
			return func() { _, _ = unix.FcntlInt(old.Fd(), unix.F_SETLEASE, unix.F_UNLCK) }, nil
		}
		if !errors.Is(err, unix.EAGAIN) {
			return func() {}, nil // not the owner, or no leases here
		}
		if time.Now().After(end) {
			return nil, &apply.StaleError{Where: old.Name(), Want: "nobody's", Have: "open for writing by somebody else"}
		}
	}
}

// settled waits until nobody can write to what was replaced any more, and tells whether it is still what it was.
func settled(old *os.File, draft string, from apply.State) error {
	release, err := keepOut(old)
	if err != nil {
		return err
	}
	defer release()
	return unchanged(old, draft, from)
}
