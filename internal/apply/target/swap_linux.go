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
// somebody who had opened it before, the names are exchanged back. If the new one was written to as well by then, it keeps the
// name, and the old one stays under the draft's, which the error names.
func swap(draft, path string, old *os.File, to, from apply.State, fault func(string)) error {
	release, err := compared(old, path, from)
	if err != nil {
		return err
	}
	defer release()
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
	if now, rerr := readFile(path); rerr == nil && !now.Same(to) {
		return err // dropDraft names where the old one is
	}
	return errors.Join(err, exchange(), durable.SyncDir(filepath.Dir(path)))
}

// compared looks whether a file is what it should be while nobody else can write to it, until release. Who waits to write goes
// first: after the exchange they would write to the old one.
func compared(old *os.File, path string, from apply.State) (release func(), err error) {
	for range 100 { // of a writer that never stops the comparison has long told
		var held bool
		if release, held, err = keepOut(old); err != nil {
			return nil, err
		}
		if err = unchanged(old, path, from); err != nil {
			release()
			return nil, err
		}
		if kind, err := unix.FcntlInt(old.Fd(), unix.F_GETLEASE, 0); !held || err != nil || kind == unix.F_RDLCK {
			return release, nil // nobody asks for it back
		}
		release()
	}
	return nil, stale(path, from, from)
}

// keepOut takes a lease on a file: who opens it for writing waits until release. Somebody who has it open for writing already
// is waited for. Where the system gives none, what is replaced is still looked at.
func keepOut(old *os.File) (release func(), held bool, err error) {
	pause := 20 * time.Microsecond
	for end := time.Now().Add(writerWait); ; time.Sleep(pause) {
		_, err = unix.FcntlInt(old.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
		if err == nil {
			return func() { _, _ = unix.FcntlInt(old.Fd(), unix.F_SETLEASE, unix.F_UNLCK) }, true, nil
		}
		if !errors.Is(err, unix.EAGAIN) {
			return func() {}, false, nil // not the owner, or no leases here
		}
		if time.Now().After(end) {
			return nil, false, &apply.StaleError{Where: old.Name(), Want: "nobody's", Have: "open for writing by somebody else"}
		}
		pause = min(2*pause, 10*time.Millisecond)
	}
}

// settled waits until nobody can write to what was replaced any more, and tells whether it is still what it was.
func settled(old *os.File, draft string, from apply.State) error {
	release, _, err := keepOut(old)
	if err != nil {
		return err
	}
	defer release()
	return unchanged(old, draft, from)
}
