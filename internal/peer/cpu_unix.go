//go:build unix

package peer

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// SelfCPU returns the processor time, user and system, of all threads of this process so far, without child processes.
func SelfCPU(t testing.TB) time.Duration {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		t.Fatalf("peer: %v", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
