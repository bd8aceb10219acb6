//go:build !unix

package fleet

import (
	"testing"
	"time"
)

// cpu is not told here.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	b.Skip("the processor time of this process is not told on this system")
	return 0
}
