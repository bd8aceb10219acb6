package apply

import (
	"context"
	"fmt"
	"time"
)

// ipcguard never restarts a service or the machine for a change that takes effect only then: that would close all
// connections. The pending restart is reported, stored with the write, and checked again on request.

// TheMachine in Write.Restart means the machine itself.
const TheMachine = "the machine"

// Started says since when a service runs.
type Started struct {
	At      time.Time // start time of its process
	Running bool      // a stopped service reads everything when it starts
	// Shared is set if the process serves others too: it may be older than the service's last start.
	Shared bool
}

// Services is a target that knows since when its services run. It must be used on the host itself.
type Services interface {
	Started(ctx context.Context, service string) (Started, error)
}

// Waiting says whether a restart that a write needs has happened.
type Waiting string

// The answers.
const (
	StillWaiting Waiting = "waiting"
	Restarted    Waiting = "restarted"
	NotKnown     Waiting = "not-known"
)

// Wait is a write that takes effect at the next start of something.
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
