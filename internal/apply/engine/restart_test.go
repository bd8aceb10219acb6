package engine

import (
	"errors"
	"testing"
	"time"

	"ipcguard/internal/apply"
)

func TestWaits(t *testing.T) {
	wall := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	written := Instant{Wall: wall, Uptime: time.Hour}
	later := func(d time.Duration) Instant { return Instant{Wall: wall.Add(d), Uptime: time.Hour + d} }
	service := func(s apply.Started) func(string) (apply.Started, error) {
		return func(string) (apply.Started, error) { return s, nil }
	}
	refused := func(string) (apply.Started, error) { return apply.Started{}, errors.New("access is denied") }
	running := func(at time.Time, shared bool) func(string) (apply.Started, error) {
		return service(apply.Started{At: at, Running: true, Shared: shared})
	}
	for name, c := range map[string]struct {
		what         string
		written, now Instant
		started      func(string) (apply.Started, error)
		want         apply.Waiting
	}{
		"the machine runs on": {
			apply.TheMachine, written, later(time.Minute), nil,
			apply.StillWaiting,
		},
		"the machine was started, uptime": {
			apply.TheMachine, written,
			Instant{Wall: wall.Add(time.Minute), Uptime: time.Second},
			nil, apply.Restarted,
		},
		"started long ago, by the wall clock": {
			apply.TheMachine, written,
			Instant{Wall: wall.Add(9 * time.Hour), Uptime: 2 * time.Hour},
			nil, apply.Restarted,
		},
		"the wall clock went back": {
			apply.TheMachine, written,
			Instant{Wall: wall.Add(-time.Hour), Uptime: 2 * time.Hour},
			nil, apply.StillWaiting,
		},
		"another boot, by its name": {
			apply.TheMachine,
			Instant{wall, "a", time.Hour},
			Instant{wall.Add(time.Hour), "b", 3 * time.Hour},
			nil, apply.Restarted,
		},
		"the same boot, whatever the clocks say": {
			apply.TheMachine,
			Instant{wall, "a", time.Hour},
			Instant{wall.Add(9000 * time.Hour), "a", 2 * time.Hour},
			nil, apply.StillWaiting,
		},
		"no clock": {
			apply.TheMachine,
			Instant{Wall: wall},
			Instant{Wall: wall.Add(time.Hour)},
			nil, apply.NotKnown,
		},
		"a host from afar": {apply.TheMachine, written, Instant{}, nil, apply.NotKnown},
		"the service runs on": {
			"LanmanServer", written, later(time.Minute),
			running(wall.Add(-time.Second), false), apply.StillWaiting,
		},
		"the service was started": {
			"LanmanServer", written, later(time.Minute),
			running(wall.Add(time.Second), false), apply.Restarted,
		},
		"in a process with others": {
			"LanmanServer", written, later(time.Minute),
			running(wall.Add(-time.Second), true), apply.NotKnown,
		},
		"with others, in a new process": {
			"LanmanServer", written, later(time.Minute),
			running(wall.Add(time.Second), true), apply.Restarted,
		},
		"the service does not run": {
			"LanmanServer", written, later(time.Minute),
			service(apply.Started{}), apply.Restarted,
		},
		"it cannot be asked": {
			"LanmanServer", written, later(time.Minute), refused,
			apply.NotKnown,
		},
		"it cannot be asked, after a boot": {
			"LanmanServer", written,
			Instant{Wall: wall.Add(time.Minute), Uptime: 1},
			refused, apply.Restarted,
		},
	} {
		if got, why := waits(c.what, c.written, c.now, c.started); got != c.want || why == "" {
			t.Errorf("%s: %s (%s), want %s", name, got, why, c.want)
		}
	}
}
