//go:build unix

package web

import (
	"syscall"
	"time"
)

// cpuTime returns what this process has used of the processors: what a page costs however busy the machine is.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
