//go:build !linux && !windows

package engine

import "time"

// SystemClock reads the machine's clocks; here, only the wall clock.
func SystemClock() Instant { return Instant{Wall: time.Now().UTC().Round(0)} }
