package apply

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// saveProof keeps the evidence with the journal.
func (j *Journal) saveProof(p *Proof) error {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	return j.keep("proof", b, false)
}

// keep stores a numbered file beside the steps; one of the way back may use the room that is kept for it.
func (j *Journal) keep(kind string, b []byte, back bool) error {
	n := 1 + len(j.files(kind))
	name := filepath.Join(j.Dir, fmt.Sprintf("%s-%d.json", kind, n))
	err := createFile(name, append(b, '\n'), 0o600)
	if diskFull(err) && back && j.release() {
		err = createFile(name, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	if err := syncDir(j.Dir); err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	j.at(kind + ":kept")
	return nil
}

// files lists what keep has stored, in order.
func (j *Journal) files(kind string) []string {
	var out []string
	for n := 1; ; n++ {
		name := filepath.Join(j.Dir, fmt.Sprintf("%s-%d.json", kind, n))
		if _, err := os.Stat(name); err != nil {
			return out
		}
		out = append(out, name)
	}
}
