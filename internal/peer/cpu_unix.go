//go:build unix

package peer

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// SelfCPU is the processor time, user and system, that this process has spent so far, all threads together: the
// difference of two readings is what lay between them. Commands that were run are not in it.
func SelfCPU(t testing.TB) time.Duration {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		t.Fatalf("peer: %v", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
