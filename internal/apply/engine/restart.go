package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ipcguard/internal/apply"
)

// Waits checks every write of an apply that needs a restart. If the host cannot be asked, the answers are NotKnown.
func (e *Engine) Waits(ctx context.Context, id string) ([]apply.Wait, error) {
	j, err := e.open(id)
	if err != nil {
		return nil, err
	}
	if p := j.Phase(); p != PhaseKept && p != PhaseWaiting {
		return nil, nil // no longer in force, or not yet
	}
	settled := j.last(Settled)
	var out []apply.Wait
	var now Instant // of the host; empty if it is not this machine
	var started func(string) (apply.Started, error)
	for _, w := range j.Writes {
		if w.Restart == "" || settled == nil {
			continue
		}
		if started == nil {
			t, err := e.Open(ctx, j.Target)
			if err != nil {
				return nil, err
			}
			defer t.Close()
			if host, err := t.Host(ctx); err != nil {
				return nil, err
			} else if !host.Same(j.Host) {
				return nil, fmt.Errorf("apply: %s was made on %s, and this is %s", j.ID, j.Host, host)
			}
			if s, ok := t.(apply.Services); ok {
				now, started = e.now(), func(name string) (apply.Started, error) { return s.Started(ctx, name) }
			} else {
				started = func(string) (apply.Started, error) {
					return apply.Started{}, errors.New("it can only be told on the host itself")
				}
			}
		}
		written := Instant{Wall: settled.Time}
		if settled.At != nil {
			written = *settled.At
		}
		x := apply.Wait{Where: w.Place.String(), Changes: w.Changes, For: w.Restart, Written: written.Wall}
		x.State, x.Why = waits(w.Restart, written, now, started)
		out = append(out, x)
	}
	return out, nil
}

// waits reports whether a service, or the machine, was started since something was written.
func waits(what string, written, now Instant, started func(string) (apply.Started, error)) (apply.Waiting, string) {
	booted, known := bootedSince(written, now)
	if booted {
		return apply.Restarted, "the machine was started after it was written"
	}
	if what == apply.TheMachine {
		if !known {
			return apply.NotKnown, "it can only be told on the host itself"
		}
		return apply.StillWaiting, fmt.Sprintf("the machine runs since %s, before it was written",
			shown(now.Wall.Add(-now.Uptime)))
	}
	s, err := started(what)
	switch {
	case err != nil:
		return apply.NotKnown, err.Error()
	case !s.Running:
		return apply.Restarted, "the service does not run, and reads it when it starts"
	case s.At.After(written.Wall):
		return apply.Restarted, "the service was started at " + shown(s.At) + ", after it was written"
	case s.Shared:
		return apply.NotKnown, "the service shares a process, which runs since " + shown(s.At) + ", with others"
	}
	return apply.StillWaiting, "the service runs since " + shown(s.At) + ", before it was written"
}

func shown(t time.Time) string { return t.Local().Format(time.DateTime) }

// bootedSince reports whether the machine was started between two moments, and whether that can be determined.
func bootedSince(then, now Instant) (booted, known bool) {
	if then.Boot != "" && now.Boot != "" {
		return then.Boot != now.Boot, true
	}
	if now.Uptime == 0 || then.Uptime == 0 {
		return false, false
	}
	if now.Uptime < then.Uptime {
		return true, true
	}
	// Without a boot identifier, compare wall clocks: the boot is after the other moment. While the machine runs, both
	// clocks show the same elapsed time, unless one was set.
	return now.Wall.Add(-now.Uptime).After(then.Wall), true
}
