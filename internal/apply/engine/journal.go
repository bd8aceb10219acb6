package engine

import (
	"slices"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/model"
)

// Event is what one step of the journal says has happened, or is about to.
type Event string

// The events, in the order in which an apply meets them.
const (
	Begun     Event = "begun"     // everything is known; nothing is written
	Armed     Event = "armed"     // the guard runs
	Writing   Event = "writing"   // one write is about to be made
	Wrote     Event = "wrote"     // it was made and read back
	Left      Event = "left"      // it was not made: somebody else had written there
	Settled   Event = "settled"   // the host uses it
	Verified  Event = "verified"  // it was proved from outside: it stays, or waits for the confirmation
	Confirmed Event = "confirmed" // it stays
	Undoing   Event = "undoing"   // from here on everything goes back
	Restoring Event = "restoring" // one place is about to be put back
	Restored  Event = "restored"  // it was put back and read back
	Undone    Event = "undone"    // the host is as before
	Conflict  Event = "conflict"  // going back has stopped at what somebody else changed
	Kept      Event = "kept"      // a file beside the steps is on disk; it counts from here on
)

// Step is one line of the journal.
type Step struct {
	N        int       `json:"n"`
	Time     time.Time `json:"time"`
	Event    Event     `json:"event"`
	Write    *int      `json:"write,omitempty"` // index into Before.Writes
	Why      string    `json:"why,omitempty"`
	Notes    []string  `json:"notes,omitempty"`
	Deadline *Deadline `json:"deadline,omitempty"`
	At       *Instant  `json:"at,omitempty"` // by all clocks, of what a restart is compared with
	Diffs    []string  `json:"diffs,omitempty"`
	PID      int       `json:"pid,omitempty"`
	File     string    `json:"file,omitempty"` // what was kept
	Sum      string    `json:"sum,omitempty"`  // its SHA-256
}

// Before is what the journal holds before the first write.
type Before struct {
	Schema   string        `json:"schema"`
	ID       string        `json:"id"`
	Target   string        `json:"target"`
	Host     apply.Host    `json:"host"`
	PlanHash string        `json:"plan_hash"`
	Started  time.Time     `json:"started"`
	Who      string        `json:"who"`
	Within   Duration      `json:"confirm_within,omitempty"`
	Writes   []apply.Write `json:"writes"`
}

const schemaJournal = "ipcguard.journal/2"

// Duration is a time.Duration that reads well in JSON.
type Duration time.Duration

// MarshalText is part of encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText is part of encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Journal is the record of one apply.
type Journal struct {
	Dir string
	Before
	Plan   model.Plan
	Steps  []Step
	Torn   bool // the last line was cut short; what it would have said did not happen
	Sealed bool // its codes fit; journals of before the seal have none

	whole int64 // bytes of the whole lines
	seal  *seal
	head  mac    // the code of the last step
	state string // the state directory, for the ledger
	fault func(string)
}

// Limits. A plan has tens of changes; smb.conf is at most 16 MiB, in base64, before and after.
const (
	maxJournalFile = 96 << 20
	maxSteps       = 10_000
)

const (
	planFile   = "plan.json"
	beforeFile = "before.json"
	stepsFile  = "steps"
	// reserveFile keeps room on the disk for the way back: it goes when a step finds the disk full.
	reserveFile = "reserve"
	reserveSize = 64 << 10 // the steps of some hundred writes, a record, and the ledger
)

// Phase is where an apply stands.
type Phase string

// The phases.
const (
	PhaseWriting  Phase = "writing"  // under way, or cut short
	PhaseWaiting  Phase = "waiting"  // verified; waits for the confirmation
	PhaseKept     Phase = "kept"     // verified, and confirmed where that was asked for
	PhaseUndoing  Phase = "undoing"  // going back, or cut short while going back
	PhaseUndone   Phase = "undone"   // as before
	PhaseConflict Phase = "conflict" // going back stopped at what somebody else changed
)

// Phase is where the apply stands by its last steps.
func (j *Journal) Phase() Phase {
	p := PhaseWriting
	for _, s := range j.Steps {
		switch s.Event {
		case Verified:
			if p = PhaseKept; j.Within > 0 {
				p = PhaseWaiting
			}
		case Confirmed:
			p = PhaseKept
		case Undoing:
			p = PhaseUndoing
		case Undone:
			p = PhaseUndone
		case Conflict:
			p = PhaseConflict
		}
	}
	return p
}

// last finds the newest step of a kind, or nil.
func (j *Journal) last(e Event) *Step {
	for i := len(j.Steps) - 1; i >= 0; i-- {
		if j.Steps[i].Event == e {
			return &j.Steps[i]
		}
	}
	return nil
}

// attempted is how many writes were begun, and may have been made.
func (j *Journal) attempted() int {
	n := 0
	for _, s := range j.Steps {
		switch s.Event {
		case Writing:
			n = *s.Write + 1
		case Left: // one after the other, so it was the last
			n = *s.Write
		}
	}
	return n
}

// AppliedAs finds the newest apply of a plan on a target that is in force, nil where there is none.
func (e *Engine) AppliedAs(plan model.Plan, target string) *Journal {
	all, _ := e.History() // what is wrong with others is told where it matters
	for _, j := range slices.Backward(all) {
		if p := j.Phase(); plan.Hash != "" && j.PlanHash == plan.Hash && j.Target == target && (p == PhaseKept || p == PhaseWaiting) {
			return j
		}
	}
	return nil
}

// Deadline is when the confirmation must have come, or nil where none was asked for.
func (j *Journal) Deadline() *Deadline {
	if s := j.last(Armed); s != nil {
		return s.Deadline
	}
	return nil
}

// Ended is when the last step happened.
func (j *Journal) Ended() time.Time { return j.Steps[len(j.Steps)-1].Time }

// Why is the reason of the last step that has one.
func (j *Journal) Why() string {
	for i := len(j.Steps) - 1; i >= 0; i-- {
		if j.Steps[i].Why != "" {
			return j.Steps[i].Why
		}
	}
	return ""
}
