package observe

import (
	"os"

	"golang.org/x/sys/windows"
)

func lockNow(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, new(windows.Overlapped))
}

// syncDir does nothing: Windows cannot sync a directory, and the rename is journaled.
func syncDir(string) error { return nil }
