package verify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// Result is how one check ended. What gave no answer is no pass, nor is what was not asked.
type Result string

// The results.
const (
	Passed       Result = model.Passed // asked again in this run, and refused; or it works
	Failed       Result = model.Failed
	Inconclusive Result = Result(model.Inconclusive) // asked, and not answered
	Unchecked    Result = model.Unchecked            // could not be asked; the detail says why
	Waiting      Result = model.Waiting              // in force only after a restart that has not come
	Open         Result = model.Open                 // left by the plan or a policy, and open
)

// Check is one thing that was looked at.
type Check struct {
	Check  string       `json:"check"` // closed:FINDING, left:FINDING, policy:…, control:…, or a must-work check as it was given
	Result Result       `json:"result"`
	Detail string       `json:"detail,omitempty"`
	Note   bool         `json:"note,omitempty"`  // nobody asked for it, or the plan tells it: unchecked or open, it does not count
	Looks  []model.Look `json:"looks,omitempty"` // what earned the result
	// Unauthenticated marks a pass that stands on answers which no key proves: refusals to strangers, who have no key of
	// their own, or a user's session that is not signed. It need not be the server who gave them; it may be somebody on
	// the way.
	Unauthenticated bool `json:"unauthenticated,omitempty"`
}

// Proof is what verification found, with the scans that it stands on.
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

// SchemaProof names the form of a proof.
const SchemaProof = "ipcguard.proof/1"

// Judge sums the checks up: the worst of failed, inconclusive and unchecked that counts, else passed where something
// passed. What waits for a restart is told by itself and takes nothing from what passed; but that the server answers, or
// was restarted, is no proof of anything that was to be closed. What the plan leaves open with its word for it takes nothing
// from what passed; what it did not know counts as unchecked until it was asked and refused.
func (p *Proof) Judge() {
	p.Result = Unchecked
	worst, proved := map[Result]bool{}, false
	for i, c := range p.Checks {
		p.Checks[i].Unauthenticated = c.unauthenticated()
		switch {
		case c.Note && (c.Result == Unchecked || c.Result == Open):
		case c.Result == Open: // no word of the plan's covers it
			worst[Unchecked] = true
		default:
			worst[c.Result] = true
		}
		beside := slices.ContainsFunc([]string{"control:", "restart:", "left:"}, func(p string) bool { return strings.HasPrefix(c.Check, p) })
		proved = proved || c.Result == Passed && !beside
	}
	if !proved { // nothing but that the server answers: a claim without a look
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

// unauthenticated tells whether a pass stands on an answer that no key proves. What is closed always does, unless every
// look at it says otherwise; a control has words of its own, and a program's exit status comes from no network.
func (c *Check) unauthenticated() bool {
	if c.Result != Passed || strings.HasPrefix(c.Check, "command:") {
		return false
	}
	bare := slices.ContainsFunc(c.Looks, func(l model.Look) bool { return !l.Authenticated })
	return bare || len(c.Looks) == 0 && strings.HasPrefix(c.Check, "closed:")
}

// Proves is part of apply.Evidence: nothing that was asked says that the changes do not hold. What could not be asked is no
// reason to take them back.
func (p *Proof) Proves() bool {
	switch p.Result {
	case Passed, Unchecked, Waiting:
		return len(p.Checks) > 0
	}
	return false
}

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

// Count tells how many checks ended in a way, those that do not count left out.
func (p *Proof) Count(r Result) int {
	n := 0
	for _, c := range p.Checks {
		if c.Result == r && !c.Note {
			n++
		}
	}
	return n
}
