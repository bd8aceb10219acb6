package verify

import (
	"fmt"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// Result is how one check ended. What gave no answer is no pass.
type Result string

// The results.
const (
	Passed       Result = "passed"
	Failed       Result = "failed"
	Inconclusive Result = "inconclusive"
	Unchecked    Result = "unchecked" // cannot be seen from outside; it does not count
)

// Check is one thing that was looked at.
type Check struct {
	Check  string `json:"check"` // closed:FINDING, control:…, or a must-work check as it was given
	Result Result `json:"result"`
	Detail string `json:"detail,omitempty"`
}

// Proof is what verification found, with the scans that it stands on.
type Proof struct {
	Schema  string        `json:"schema"`
	Target  string        `json:"target"`
	Started time.Time     `json:"started"`
	Passed  bool          `json:"passed"`
	Checks  []Check       `json:"checks"`
	Scans   []*model.Scan `json:"scans,omitempty"`
}

// SchemaProof names the form of a proof.
const SchemaProof = "ipcguard.proof/1"

// Judge fills in whether the proof passes: something was checked, and all that was checked passed.
func (p *Proof) Judge() {
	p.Passed = false
	for _, c := range p.Checks {
		switch c.Result {
		case Passed:
			p.Passed = true
		case Failed, Inconclusive:
			p.Passed = false
			return
		}
	}
}

// Proves is part of apply.Evidence.
func (p *Proof) Proves() bool { return p.Passed }

// Failures lists the checks that did not pass, on one line.
func (p *Proof) Failures() string {
	var out []string
	for _, c := range p.Checks {
		if c.Result == Failed || c.Result == Inconclusive {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("%s %s: %s", c.Check, c.Result, c.Detail), ": "))
		}
	}
	if len(out) == 0 && !p.Passed {
		return "nothing could be checked"
	}
	return strings.Join(out, "; ")
}
