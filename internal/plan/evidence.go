// Package plan makes a plan from evidence: what to change on one host so that strangers are given nothing, what the
// changes would stop, what stays as it is and what stays open. It is a pure function: no input, no output, no clock, no
// randomness.
//
//	audit ─┐
//	scan  ─┼─► contradictions? ─► doors ─► edits ─► search ─► plan ─► canonical JSON ─► hash
//	uses  ─┤                       ▲        ▲
//	needs ─┴───────────────────────┴────────┘  what must stay open
//
// The rules of the room:
//
//   - Only a setting that was read may be changed: without the exact value before, there is no way back.
//   - The catalog's model decides what a value does. A change that closes nothing in the model is not made.
//   - Nothing is guessed. What the model does not know stays unknown unless a scan answered it, and the plan says so.
//   - Restrict affects only strangers. A change that also affects signed-in users is for block, or for a goal or a
//     wish that names it; otherwise it is rejected with the reason.
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
	Restrict = "restrict" // strangers lose what they should not have; everybody else keeps what they have
	Block    = "block"    // IPC$ is closed for everybody
)

// Evidence is what a plan is made from. Only Audit is required.
type Evidence struct {
	Catalog  *catalog.Catalog // nil is the embedded one
	Tool     string           // the version of the program, for the record
	By       string           // who plans, and when, for the record
	Made     time.Time
	Target   string // the name of the host; empty takes it from the scan or the audit
	Audit    *model.Audit
	Scans    []*model.Scan
	Observed *Observed // nil: nobody observed the host
	Policy   Policy
}

// Policy is what the administrator declares.
type Policy struct {
	// services by name, or pipe:NAME and share:NAME that strangers must keep
	Needs    []string   `json:"needs"`
	Role     model.Role `json:"role"`     // replaces the role of the audit if that is unknown
	Avoid    []string   `json:"avoid"`    // settings not to change
	Only     []string   `json:"-"`        // for Restrict: the only settings to change; empty is all
	Allow    []string   `json:"allow"`    // values that are set only on request, as NAME=VALUE
	Strategy string     `json:"strategy"` // empty is Restrict
	Goal     string     `json:"goal"`     // for Restrict; empty is Strangers
	Want     []string   `json:"want"`     // for Restrict: single settings to set as well, as NAME=VALUE
	// for Restrict: if it is unknown whom a setting refuses, log that first and close later
	Listen         bool     `json:"listen"`
	Means          string   `json:"means"`           // for Block; see Means
	AcceptBreakage bool     `json:"accept_breakage"` // Block even though something in use stops
	Checks         []string `json:"checks"`          // further checks of what must work
	MinDays        float64  `json:"min_days"`        // of observation before silence counts; 0 is DefaultMinDays
}

// Observed is who was seen to use IPC$, and how much that proves.
type Observed struct {
	Uses       []model.Use
	From, To   time.Time // of the records that were read; zero takes the times of the uses
	Read       int64     // records that were read and understood
	Unreadable int64     // records that could not be read, encrypted ones included
	Notes      []string  // what could not be seen
	Servers    []string  // the host's own addresses and names; empty: all uses are of this host

	Heard   []model.Heard // the kinds of log records that were read, by host
	Traffic bool          // packets were read

	Notices []model.Notice // single events that logs report
}

// ErrNoAudit means that there is nothing to plan from.
var ErrNoAudit = errors.New("plan: no audit: a plan starts from what the configuration says")

// InputError is evidence or a declaration that cannot be used.
type InputError struct{ Why, Hint string }

// Error implements error.
func (e *InputError) Error() string { return "plan: " + e.Why }

// exposures are the kinds of data that strangers should not be given.
var exposures = func() []model.Disclosure {
	var out []model.Disclosure
	for _, d := range model.Disclosures() {
		if d.IsExposure() {
			out = append(out, d)
		}
	}
	return out
}()

// FromObservation weighs what was observed: by bytes of traffic if traffic was read, else by records of logs.
func FromObservation(o *model.Observation) *Observed {
	c := &o.Coverage
	out := &Observed{
		Uses: o.Uses, From: c.From, To: c.To, Notes: c.Notes, Heard: c.Heard, Traffic: c.Bytes != nil,
		Notices: c.Notices,
	}
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
