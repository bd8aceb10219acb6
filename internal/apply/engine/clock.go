package engine

import "time"

// Instant is a moment on three clocks. Wall clocks jump; the time since boot does not, but a reboot resets it.
type Instant struct {
	Wall   time.Time     `json:"wall"`
	Boot   string        `json:"boot,omitempty"` // identifies the boot; empty if the system has no identifier for it
	Uptime time.Duration `json:"uptime"`         // since boot, including sleep; 0 if the system does not provide it
}

// Clock returns the current time; tests use their own.
type Clock func() Instant

// Deadline is the time limit of a confirmation.
type Deadline struct {
	Set    Instant  `json:"set"`
	Within Duration `json:"within"`
}

// At returns the deadline by the wall clock of the moment when it was set.
func (d Deadline) At() time.Time { return d.Set.Wall.Add(time.Duration(d.Within)) }

// Left returns the remaining time; zero or less means that the deadline has passed. Within one boot, the time since
// boot decides, and a wall clock that jumps changes nothing. After a reboot there is only the wall clock; if it is
// before the moment at which the deadline was set, it cannot be trusted and the deadline has passed.
func (d Deadline) Left(now Instant) time.Duration {
	within := time.Duration(d.Within)
	if d.sameBoot(now) {
		return within - (now.Uptime - d.Set.Uptime)
	}
	since := now.Wall.Sub(d.Set.Wall)
	if since < 0 {
		return 0
	}
	return within - since
}

// sameBoot reports whether the machine has not rebooted since the deadline was set. Without a boot identifier, a
// smaller time since boot proves a reboot; otherwise the clock with the shorter wait decides, and Left uses the one
// that cannot be set.
func (d Deadline) sameBoot(now Instant) bool {
	if d.Set.Uptime == 0 || now.Uptime == 0 {
		return false
	}
	return d.Set.Boot == now.Boot && now.Uptime >= d.Set.Uptime
}

// Passed reports whether the deadline has passed.
func (d Deadline) Passed(now Instant) bool { return d.Left(now) <= 0 }
