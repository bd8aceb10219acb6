//go:build unix

package scan

import "syscall"

// OpenFiles returns the number of files that this process may open. The Go runtime has raised the soft limit to the
// hard one.
func OpenFiles() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil || l.Cur > defaultFiles {
		return defaultFiles
	}
	return int(l.Cur)
}
