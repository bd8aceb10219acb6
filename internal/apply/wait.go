package apply

import (
	"context"
	"fmt"
	"time"
)

// What takes effect with the next start of a service, or of the machine, is never started by this program: that would end
// everybody's connections. It is said, kept with the write, and looked at again whenever somebody asks.

// TheMachine stands in Write.Restart for the machine itself.
const TheMachine = "the machine"

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
