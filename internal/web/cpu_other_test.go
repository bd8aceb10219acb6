//go:build !unix

package web

import "time"

// cpuTime is not told here.
func cpuTime() time.Duration { return 0 }
