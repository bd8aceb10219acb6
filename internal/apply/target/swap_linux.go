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

// writerWait bounds the wait for another process that has the file open for writing. Editors hold it for milliseconds.
const writerWait = 5 * time.Second

// swap exchanges a draft with a file whose content is known. The exchange is atomic, so the replaced file can still be
// checked: if it is not the compared one, or a process that had it open has written to it since, the names are
// exchanged back. If the new file was written to as well by then, it keeps the name, and the old one stays under the
// draft's name, which the error contains.
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
		return replace(draft, path, old, from, fault) // the file system cannot exchange names
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
		return nil // the file under the draft's name is removed
	}
	fault("file:back")
	if now, rerr := readFile(path); rerr == nil && !now.Same(to) {
		return err // dropDraft says where the old file is
	}
	return errors.Join(err, exchange(), durable.SyncDir(filepath.Dir(path)))
}

// compared checks that a file is as expected while no other process can write to it, until release. Waiting writers go
// first: after the exchange they would write to the old file.
func compared(old *os.File, path string, from apply.State) (release func(), err error) {
	for range 100 { // a writer that never stops would have failed the comparison long before
		var held bool
		if release, held, err = keepOut(old); err != nil {
			return nil, err
		}
		if err = unchanged(old, path, from); err != nil {
			release()
			return nil, err
		}
		if kind, err := unix.FcntlInt(old.Fd(), unix.F_GETLEASE, 0); !held || err != nil || kind == unix.F_RDLCK {
			return release, nil // no other process requests the file
		}
		release()
	}
	return nil, stale(path, from, from)
}

// keepOut takes a lease on a file: processes that open it for writing wait until release. It first waits for those that
// already have it open for writing. If the system grants no lease, the replaced file is still checked.
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
			return nil, false, &apply.StaleError{
				Where: old.Name(), Want: "nobody's",
				Have: "open for writing by somebody else",
			}
		}
		pause = min(2*pause, 10*time.Millisecond)
	}
}

// settled waits until no process can write to the replaced file any more, and checks that it is unchanged.
func settled(old *os.File, draft string, from apply.State) error {
	release, _, err := keepOut(old)
	if err != nil {
		return err
	}
	defer release()
	return unchanged(old, draft, from)
}
