package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// What takes effect with the next start of a service, or of the machine, is never started by this program: that would end
// everybody's connections. It is said, kept with the write, and looked at again whenever somebody asks.

// TheMachine stands in Write.Restart for the machine itself.
const TheMachine = "the machine"

// restartOf is what a change of a registry value waits for: TheMachine, the name of a service, or nothing.
func restartOf(c model.Change, p Place) string {
	switch c.When {
	case "reboot":
		return TheMachine
	case "service-restart":
		path := strings.ToLower(p.Path)
		if rest, ok := strings.CutPrefix(path, `hklm\system\currentcontrolset\services\`); ok {
			name, _, _ := strings.Cut(p.Path[len(path)-len(rest):], `\`)
			return name
		}
		if strings.HasSuffix(path, `\windows nt\printers\rpc`) {
			return "Spooler"
		}
		return TheMachine // which starts every service
	}
	return ""
}

// Started says since when a service runs.
type Started struct {
	At      time.Time // when its process was made
	Running bool      // a service that does not run reads everything when it starts
	// Shared is set where the process serves others too: it may be older than the service's last start.
	Shared bool
}

// Services is a target that can tell since when its services run. It is asked on the host itself.
type Services interface {
	Started(ctx context.Context, service string) (Started, error)
}

// Waiting is whether a restart that a write needs has come.
type Waiting string

// The answers.
const (
	StillWaiting Waiting = "waiting"
	Restarted    Waiting = "restarted"
	NotKnown     Waiting = "not-known"
)

// Wait is a write that takes effect with the next start of something.
type Wait struct {
	Where   string    `json:"where"`
	Changes []string  `json:"changes"`
	For     string    `json:"for"` // TheMachine, or a service
	Written time.Time `json:"written"`
	State   Waiting   `json:"state"`
	Why     string    `json:"why"`
}

func (w Wait) String() string {
	what := w.For
	if what != TheMachine {
		what = "the service " + what
	}
	switch w.State {
	case StillWaiting:
		return fmt.Sprintf("%s still waits for a restart of %s: %s", w.Where, what, w.Why)
	case Restarted:
		return fmt.Sprintf("%s is in effect: %s", w.Where, w.Why)
	}
	return fmt.Sprintf("%s needs a restart of %s, and whether it has come is not known: %s", w.Where, what, w.Why)
}

// Waits looks at every write of an apply that needs a restart. A host that cannot be asked gives answers of NotKnown.
func (e *Engine) Waits(ctx context.Context, id string) ([]Wait, error) {
	j, err := e.open(id)
	if err != nil {
		return nil, err
	}
	if p := j.Phase(); p != PhaseKept && p != PhaseWaiting {
		return nil, nil // nothing of it is there any more, or not yet
	}
	settled := j.last(Settled)
	var out []Wait
	var now Instant // of the host; empty where it is another one than this
	var started func(string) (Started, error)
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
			if s, ok := t.(Services); ok {
				now, started = e.now(), func(name string) (Started, error) { return s.Started(ctx, name) }
			} else {
				started = func(string) (Started, error) {
					return Started{}, errors.New("it can only be told on the host itself")
				}
			}
		}
		written := Instant{Wall: settled.Time}
		if settled.At != nil {
			written = *settled.At
		}
		x := Wait{Where: w.Place.String(), Changes: w.Changes, For: w.Restart, Written: written.Wall}
		x.State, x.Why = waits(w.Restart, written, now, started)
		out = append(out, x)
	}
	return out, nil
}

// waits tells whether a service, or the machine, was started since something was written.
func waits(what string, written, now Instant, started func(string) (Started, error)) (Waiting, string) {
	booted, known := bootedSince(written, now)
	if booted {
		return Restarted, "the machine was started after it was written"
	}
	if what == TheMachine {
		if !known {
			return NotKnown, "it can only be told on the host itself"
		}
		return StillWaiting, fmt.Sprintf("the machine runs since %s, before it was written", shown(now.Wall.Add(-now.Uptime)))
	}
	s, err := started(what)
	switch {
	case err != nil:
		return NotKnown, err.Error()
	case !s.Running:
		return Restarted, "the service does not run, and reads it when it starts"
	case s.At.After(written.Wall):
		return Restarted, "the service was started at " + shown(s.At) + ", after it was written"
	case s.Shared:
		return NotKnown, "the service shares a process, which runs since " + shown(s.At) + ", with others"
	}
	return StillWaiting, "the service runs since " + shown(s.At) + ", before it was written"
}

func shown(t time.Time) string { return t.Local().Format(time.DateTime) }

// bootedSince tells whether the machine was started between two moments, and whether that can be told at all.
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
	// Without a name for the boot: by the wall clock it began after the other moment. As long as the machine runs, the time
	// that passed since is the same by both clocks, give or take a clock that was set.
	return now.Wall.Add(-now.Uptime).After(then.Wall), true
}
