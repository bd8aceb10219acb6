package engine

import "time"

// Instant is a moment as three clocks tell it. Wall clocks jump; the time since boot does not, but ends with it.
type Instant struct {
	Wall   time.Time     `json:"wall"`
	Boot   string        `json:"boot,omitempty"` // names this run of the machine; empty where the system has no name for it
	Uptime time.Duration `json:"uptime"`         // since boot, with sleep; 0 where the system does not tell
}

// Clock tells the time; tests have their own.
type Clock func() Instant

// Deadline is a moment until when a confirmation counts.
type Deadline struct {
	Set    Instant  `json:"set"`
	Within Duration `json:"within"`
}

// At is when it is, by the wall clock of the moment when it was set.
func (d Deadline) At() time.Time { return d.Set.Wall.Add(time.Duration(d.Within)) }

// Left is how long there is still to wait; nothing or less means that it has passed. In the same run of the machine the
// time since boot decides and a wall clock that jumps changes nothing. After a reboot there is only the wall clock; if
// it stands before the moment at which the deadline was set, it cannot be believed and the deadline has passed.
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

// sameBoot tells whether the machine runs since before the deadline was set. Without a name for the run, time since boot
// that went back proves a reboot; else the shorter of the two clocks' waits must do, and Left takes the one that cannot
// be set.
func (d Deadline) sameBoot(now Instant) bool {
	if d.Set.Uptime == 0 || now.Uptime == 0 {
		return false
	}
	return d.Set.Boot == now.Boot && now.Uptime >= d.Set.Uptime
}

// Passed tells whether it is too late.
func (d Deadline) Passed(now Instant) bool { return d.Left(now) <= 0 }
