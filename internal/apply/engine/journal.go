package engine

import (
	"slices"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/model"
)

// Event is what a step of the journal records: something that happened, or is about to.
type Event string

// The events, in the order in which an apply records them.
const (
	Begun     Event = "begun"     // everything is known; nothing is written
	Armed     Event = "armed"     // the guard runs
	Writing   Event = "writing"   // one write is about to start
	Wrote     Event = "wrote"     // the write was made and read back
	Left      Event = "left"      // the write was not made: the place held something else
	Settled   Event = "settled"   // the host uses it
	Verified  Event = "verified"  // it was proved from outside: it stays, or awaits the confirmation
	Confirmed Event = "confirmed" // it stays
	Undoing   Event = "undoing"   // from here on everything is undone
	Restoring Event = "restoring" // one place is about to be restored
	Restored  Event = "restored"  // the place was restored and read back
	Undone    Event = "undone"    // the host is as before
	Conflict  Event = "conflict"  // the undo stopped at a place that something else changed
	Kept      Event = "kept"      // a file next to the steps is on disk, and valid from here on
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
	At       *Instant  `json:"at,omitempty"` // on all clocks, to detect a later restart
	Diffs    []string  `json:"diffs,omitempty"`
	PID      int       `json:"pid,omitempty"`
	File     string    `json:"file,omitempty"` // the stored file
	Sum      string    `json:"sum,omitempty"`  // its SHA-256
}

// Before is the content of the journal before the first write.
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

// Duration is a time.Duration that is readable in JSON.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
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
	Torn   bool // the last line was cut short; its event did not happen
	Sealed bool // its codes match; journals from before the seal have none

	whole int64 // bytes of the complete lines
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
	// reserveFile reserves disk space for the undo; it is removed when a step finds the disk full.
	reserveFile = "reserve"
	reserveSize = 64 << 10 // the steps of a few hundred writes, a record, and the ledger
)

// Phase is the state of an apply.
type Phase string

// The phases.
const (
	PhaseWriting  Phase = "writing"  // running, or interrupted
	PhaseWaiting  Phase = "waiting"  // verified; awaits the confirmation
	PhaseKept     Phase = "kept"     // verified, and confirmed if that was requested
	PhaseUndoing  Phase = "undoing"  // undoing, or interrupted while undoing
	PhaseUndone   Phase = "undone"   // as before
	PhaseConflict Phase = "conflict" // the undo stopped at a place that something else changed
)

// Phase returns the state of the apply according to its last steps.
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

// last returns the newest step of a kind, or nil.
func (j *Journal) last(e Event) *Step {
	for i := len(j.Steps) - 1; i >= 0; i-- {
		if j.Steps[i].Event == e {
			return &j.Steps[i]
		}
	}
	return nil
}

// attempted returns how many writes were started, and may have been made.
func (j *Journal) attempted() int {
	n := 0
	for _, s := range j.Steps {
		switch s.Event {
		case Writing:
			n = *s.Write + 1
		case Left: // writes are sequential, so it was the last
			n = *s.Write
		}
	}
	return n
}

// AppliedAs returns the newest apply of a plan to a target that is in force, or nil.
func (e *Engine) AppliedAs(plan model.Plan, target string) *Journal {
	all, _ := e.History() // errors of other journals are reported where they matter
	for _, j := range slices.Backward(all) {
		if p := j.Phase(); plan.Hash != "" && j.PlanHash == plan.Hash && j.Target == target &&
			(p == PhaseKept || p == PhaseWaiting) {
			return j
		}
	}
	return nil
}

// Deadline returns the deadline of the confirmation, or nil if none was requested.
func (j *Journal) Deadline() *Deadline {
	if s := j.last(Armed); s != nil {
		return s.Deadline
	}
	return nil
}

// Ended returns the time of the last step.
func (j *Journal) Ended() time.Time { return j.Steps[len(j.Steps)-1].Time }

// Why returns the reason of the last step that has one.
func (j *Journal) Why() string {
	for i := len(j.Steps) - 1; i >= 0; i-- {
		if j.Steps[i].Why != "" {
			return j.Steps[i].Why
		}
	}
	return ""
}
