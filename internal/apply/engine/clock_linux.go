package engine

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// SystemClock reads the machine's clocks.
func SystemClock() Instant {
	now := Instant{Wall: time.Now().UTC().Round(0)}
	var ts unix.Timespec
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err == nil && unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) == nil {
		now.Boot, now.Uptime = strings.TrimSpace(string(id)), time.Duration(ts.Nano())
	}
	return now
}
