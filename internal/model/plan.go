package model

import "time"

// Plan is an ordered set of changes with reasons, predicted breakage and what remains open.
type Plan struct {
	Schema     string     `json:"schema"`
	Tool       string     `json:"tool,omitempty"` // version of the program
	By         string     `json:"by,omitempty"`   // author as claimed; only a signature proves it
	Made       time.Time  `json:"made,omitzero"`
	Target     string     `json:"target"`
	Platform   Platform   `json:"platform"`
	Strategy   string     `json:"strategy"`        // restrict or block
	Means      string     `json:"means,omitempty"` // for block: the way
	Changes    []Change   `json:"changes"`
	Breaks     []Break    `json:"breaks"`
	Keeps      []Keep     `json:"keeps"`
	Rejected   []Rejected `json:"rejected"`
	Left       []Left     `json:"left,omitempty"` // findings that no change closes
	Residual   []string   `json:"residual"`
	Open       []OpenDoor `json:"open,omitempty"` // the part of Residual that is open to strangers, for verify to check
	Warnings   []string   `json:"warnings"`
	Checks     []string   `json:"checks,omitempty"`      // must-work checks for verify
	SharesLeft int        `json:"shares_left,omitempty"` // further shares open to strangers that did not fit in Shares
	// Disk shares that verify requests by name; Guest was open to strangers.
	Shares []Share `json:"shares,omitempty"`
	// What would resolve contradicting evidence; then there are no changes.
	Question string `json:"question,omitempty"`
	Refused  string `json:"refused,omitempty"` // why there are no changes although they would work

	BasedOn     []Fact `json:"based_on"`    // the settings that the plan depends on, as they were
	Fingerprint string `json:"fingerprint"` // hash of the platform and BasedOn
	Hash        string `json:"hash,omitempty"`

	Signature *Signature `json:"signature,omitempty"` // of Hash
}

// Signature is an Ed25519 signature and its public key, both in base64.
type Signature struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Fact is one setting at the time a plan was made.
type Fact struct {
	Setting string `json:"setting"`
	Where   string `json:"where"`
	Value   Value  `json:"value"`
}

// Change is one exact edit with its exact undo.
type Change struct {
	ID          string   `json:"id"`
	Setting     string   `json:"setting"`
	Where       string   `json:"where"`
	From        Value    `json:"from"`
	Effective   any      `json:"effective,omitempty"` // the previous effective value, if known
	To          Value    `json:"to"`
	Closes      []string `json:"closes"`
	When        string   `json:"when,omitempty"` // now, new-connections, service-restart, reboot or unknown
	TakesEffect string   `json:"takes_effect"`
	Reach       string   `json:"reach,omitempty"` // anonymous, or everyone if authenticated users are affected
	Why         string   `json:"why"`
	ExportOnly  bool     `json:"export_only,omitempty"` // never applied by ipcguard
	Untested    string   `json:"untested,omitempty"`    // what is unknown about its effect
	Policy      string   `json:"policy,omitempty"`      // the policy that sets the setting and would revert the change
	Sources     []string `json:"sources,omitempty"`
}

// Break is one thing that a plan would break.
type Break struct {
	Who       string   `json:"who"`
	What      string   `json:"what"`
	Certainty string   `json:"certainty"` // observed, documented or possible
	Because   string   `json:"because"`
	Service   string   `json:"service,omitempty"` // a catalog service
	Sources   []string `json:"sources,omitempty"`
}

// Keep is one service or pipe that keeps working under a plan.
type Keep struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Rejected is a setting that was considered and not used.
type Rejected struct {
	Setting string `json:"setting"`
	Why     string `json:"why"`
}

// OpenDoor is one thing that stays, or may stay, open to strangers after a plan's changes.
type OpenDoor struct {
	What string `json:"what"` // a finding, or the name of a pipe or share, as in a change's closes
	// Known says that it stays open. Otherwise only a scan can tell.
	Known bool `json:"known"`
	// Shares are the disk shares that have to stay open. Other open shares are not listed.
	Shares []string `json:"shares,omitempty"`
	Why    string   `json:"why,omitempty"`
}

// Left is a finding that no change of a plan closes.
type Left struct {
	Finding  string   `json:"finding"`
	Severity Severity `json:"severity"`
	Identity Identity `json:"identity,omitempty"`
	Setting  string   `json:"setting,omitempty"` // the setting that it concerns
	Why      string   `json:"why"`
}
