package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// Result is the result of one check. A check without an answer, or that was not run, is no pass.
type Result string

// The results.
const (
	Passed       Result = model.Passed // tested again in this run, and refused; or it works
	Failed       Result = model.Failed
	Inconclusive Result = Result(model.Inconclusive) // requested, and not answered
	Unchecked    Result = model.Unchecked            // could not be tested; the detail says why
	Waiting      Result = model.Waiting              // in force only after a restart that is still due
	Open         Result = model.Open                 // left by the plan or a policy, and open
)

// Check is one check and its result.
type Check struct {
	// closed:FINDING, left:FINDING, unseen:FINDING, policy:…, control:…, or a must-work check as it was given.
	Check  string `json:"check"`
	Result Result `json:"result"`
	Detail string `json:"detail,omitempty"`
	// Not requested, or reported by the plan: unchecked or open, it does not count.
	Note  bool         `json:"note,omitempty"`
	Looks []model.Look `json:"looks,omitempty"` // the evidence of the result
	// Unauthenticated marks a pass that depends on answers without a key: refusals to strangers, who have no key, or an
	// unsigned user session. An attacker on the path may have sent them instead of the server.
	Unauthenticated bool `json:"unauthenticated,omitempty"`
}

// Proof is the result of a verification, with the scans that it is based on.
type Proof struct {
	Schema  string        `json:"schema"`
	Target  string        `json:"target"`
	Started time.Time     `json:"started"`
	Passed  bool          `json:"passed"`
	Result  Result        `json:"result"` // of all checks together
	Checks  []Check       `json:"checks"`
	Beside  []string      `json:"beside,omitempty"` // findings: what strangers are given that was not to be closed
	Left    []model.Left  `json:"left,omitempty"`   // findings that the plan leaves, with its reasons
	Scans   []*model.Scan `json:"scans,omitempty"`
}

// SchemaProof is the schema of a Proof.
const SchemaProof = "ipcguard.proof/1"

// Judge sums up the checks: the worst of failed, inconclusive and unchecked that counts, else passed if any passed. A
// pending restart is reported separately and does not reduce a pass; but an answering or restarted server proves
// nothing that was to be closed. What the plan says stays open does not count; what it did not know counts as unchecked
// until it was requested and refused, and so does what an earlier scan did not see.
func (p *Proof) Judge() {
	p.Result = Unchecked
	worst, proved := map[Result]bool{}, false
	for i, c := range p.Checks {
		p.Checks[i].Unauthenticated = c.unauthenticated()
		switch {
		case c.Note && (c.Result == Unchecked || c.Result == Open):
		case c.Result == Open: // the plan does not cover it
			worst[Unchecked] = true
		default:
			worst[c.Result] = true
		}
		beside := slices.ContainsFunc([]string{"control:", "restart:", "left:", "unseen:"},
			func(p string) bool { return strings.HasPrefix(c.Check, p) })
		proved = proved || c.Result == Passed && !beside
	}
	if !proved { // only that the server answers: a claim without evidence
		worst[Passed] = false
	}
	for _, r := range []Result{Failed, Inconclusive, Unchecked, Passed, Waiting} {
		if worst[r] {
			p.Result = r
			break
		}
	}
	p.Passed = p.Result == Passed
}

// unauthenticated reports whether a pass depends on an answer without a key. A closed: check always does, unless all
// its looks say otherwise; a control has its own wording, and a program's exit status does not come from the network.
func (c *Check) unauthenticated() bool {
	if c.Result != Passed || strings.HasPrefix(c.Check, "command:") {
		return false
	}
	bare := slices.ContainsFunc(c.Looks, func(l model.Look) bool { return !l.Authenticated })
	return bare || len(c.Looks) == 0 && strings.HasPrefix(c.Check, "closed:")
}

// Proves implements apply.Evidence: no answer contradicts the changes. A check that could not be run is no reason to
// undo them.
func (p *Proof) Proves() bool {
	switch p.Result {
	case Passed, Unchecked, Waiting:
		return len(p.Checks) > 0
	}
	return false
}

// Failures returns the checks that did not pass, on one line.
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

// Count returns how many checks had a result, without those that do not count.
func (p *Proof) Count(r Result) int {
	n := 0
	for _, c := range p.Checks {
		if c.Result == r && !c.Note {
			n++
		}
	}
	return n
}
