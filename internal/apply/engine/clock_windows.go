package engine

import (
	"time"

	"golang.org/x/sys/windows"
)

// SystemClock reads the machine's clocks. Windows has no boot identifier: see Deadline.
func SystemClock() Instant {
	return Instant{Wall: time.Now().UTC().Round(0), Uptime: windows.DurationSinceBoot()}
}
