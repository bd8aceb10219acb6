//go:build !unix

package peer

import (
	"testing"
	"time"
)

// SelfCPU is not supported here: it skips the test.
func SelfCPU(t testing.TB) time.Duration {
	t.Helper()
	t.Skip("the processor time of this process is not told on this system")
	return 0
}
