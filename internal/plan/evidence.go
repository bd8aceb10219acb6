// Package plan makes a plan of evidence: what to change on one host so that strangers are given nothing, what that would
// stop, what it leaves alone and what stays open. It is a pure function: no input, no output, no clock, no chance.
//
//	audit ─┐
//	scan  ─┼─► contradictions? ─► doors ─► edits ─► search ─► plan ─► canonical JSON ─► hash
//	uses  ─┤                       ▲        ▲
//	needs ─┴───────────────────────┴────────┘  what must stay open
//
// The rules of the room:
//
//   - Only a setting that was read may be changed: without the exact value before there is no way back.
//   - What a value does is the catalog's model to say; a change that closes nothing in the model is not made.
//   - Nothing is guessed. What the model leaves unknown stays unknown unless a scan answered it, and is told.
//   - Restrict touches strangers alone. What also reaches signed-in users is for block, for a goal or a wish that names
//     it, or is rejected with the reason.
//   - Every finding is closed by a change, or left with the reason.
//   - The same evidence gives the same bytes.
package plan

import (
	"errors"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// The strategies.
const (
	Restrict = "restrict" // strangers lose what they should not have; everybody else keeps what he has
	Block    = "block"    // IPC$ goes, for everybody
)

// Evidence is what a plan is made of. Audit alone is needed.
type Evidence struct {
	Catalog  *catalog.Catalog // nil is the embedded one
	Tool     string           // the version of the program, for the record
	By       string           // who plans, and when: for the record as well
	Made     time.Time
	Target   string // what to call the host; empty takes it from the scan or the audit
	Audit    *model.Audit
	Scans    []*model.Scan
	Observed *Observed // nil: nobody looked
	Policy   Policy
}

// Policy is what the administrator declares.
type Policy struct {
	Needs          []string   `json:"needs"`           // services by name, or pipe:NAME and share:NAME that strangers must keep
	Role           model.Role `json:"role"`            // instead of what the audit found, where that is unknown
	Avoid          []string   `json:"avoid"`           // settings not to touch
	Only           []string   `json:"-"`               // of Restrict: settings to touch, and no others; empty is all
	Allow          []string   `json:"allow"`           // values that are set only on request, as NAME=VALUE
	Strategy       string     `json:"strategy"`        // Restrict when empty
	Goal           string     `json:"goal"`            // of Restrict: Strangers when empty
	Want           []string   `json:"want"`            // of Restrict: single settings to set as well, as NAME=VALUE
	Listen         bool       `json:"listen"`          // of Restrict: where it is not known whom a setting refuses, log that first and close later
	Means          string     `json:"means"`           // of Block; see Means
	AcceptBreakage bool       `json:"accept_breakage"` // Block even though something in use stops
	Checks         []string   `json:"checks"`          // further must-work checks
	MinDays        float64    `json:"min_days"`        // of observation before silence counts; 0 is DefaultMinDays
}

// Observed is who was seen to use IPC$, and how much that says.
type Observed struct {
	Uses       []model.Use
	From, To   time.Time // of the records that were read; zero takes the uses' own
	Read       int64     // records that were read and understood
	Unreadable int64     // records that could not be read, encrypted ones included
	Notes      []string  // what could not be seen
	Servers    []string  // the host's own addresses and names; empty: the uses are all of this host

	Heard   []model.Heard // the kinds of log records that were read, by host
	Traffic bool          // packets were read

	Notices []model.Notice // single things that logs tell
}

// ErrNoAudit says that there is nothing to plan from.
var ErrNoAudit = errors.New("plan: no audit: a plan starts from what the configuration says")

// InputError is evidence or a declaration that cannot be used.
type InputError struct{ Why, Hint string }

// Error says what is wrong.
func (e *InputError) Error() string { return "plan: " + e.Why }

// exposures are the kinds of data that a stranger should not be given.
var exposures = func() []model.Disclosure {
	var out []model.Disclosure
	for _, d := range model.Disclosures() {
		if d.IsExposure() {
			out = append(out, d)
		}
	}
	return out
}()

// FromObservation weighs what was observed: bytes of traffic where traffic was read, records of logs else.
func FromObservation(o *model.Observation) *Observed {
	c := &o.Coverage
	out := &Observed{Uses: o.Uses, From: c.From, To: c.To, Notes: c.Notes, Heard: c.Heard, Traffic: c.Bytes != nil, Notices: c.Notices}
	for _, n := range c.Read {
		out.Read += n
	}
	for _, n := range c.Unreadable {
		out.Unreadable += n
	}
	if c.Bytes != nil {
		out.Read, out.Unreadable = c.Bytes.Readable, c.Bytes.Total()-c.Bytes.Readable
	}
	return out
}
