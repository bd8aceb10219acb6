package model

import "time"

// Plan is an ordered set of changes with reasons, predicted breakage and what remains open.
type Plan struct {
	Schema     string     `json:"schema"`
	Tool       string     `json:"tool,omitempty"` // the version that made it
	By         string     `json:"by,omitempty"`   // who made it, by their own word: a signature proves it
	Made       time.Time  `json:"made,omitzero"`
	Target     string     `json:"target"`
	Platform   Platform   `json:"platform"`
	Strategy   string     `json:"strategy"`        // restrict or block
	Means      string     `json:"means,omitempty"` // of block: how
	Changes    []Change   `json:"changes"`
	Breaks     []Break    `json:"breaks"`
	Keeps      []Keep     `json:"keeps"`
	Rejected   []Rejected `json:"rejected"`
	Left       []Left     `json:"left,omitempty"` // findings that it leaves as they are
	Residual   []string   `json:"residual"`
	Open       []OpenDoor `json:"open,omitempty"` // what of Residual is a door to strangers, for verify to look at
	Warnings   []string   `json:"warnings"`
	Checks     []string   `json:"checks,omitempty"`      // must-work checks for verify
	SharesLeft int        `json:"shares_left,omitempty"` // further ones that were open to strangers, for which there is no room in Shares
	Shares     []Share    `json:"shares,omitempty"`      // disk shares that verify asks for by name; Guest was open to strangers
	Question   string     `json:"question,omitempty"`    // what would settle contradicting evidence; then there are no changes
	Refused    string     `json:"refused,omitempty"`     // why there are no changes although they would work

	BasedOn     []Fact `json:"based_on"`    // the settings that the plan rests on, as they were
	Fingerprint string `json:"fingerprint"` // of the platform and BasedOn
	Hash        string `json:"hash,omitempty"`

	Signature *Signature `json:"signature,omitempty"` // over Hash
}

// Signature is an Ed25519 signature, with the key that it fits; both in base64.
type Signature struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Fact is one setting as it was when a plan was made.
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
	Effective   any      `json:"effective,omitempty"` // the value in effect before, where it is known
	To          Value    `json:"to"`
	Closes      []string `json:"closes"`
	When        string   `json:"when,omitempty"` // now, new-connections, service-restart, reboot or unknown
	TakesEffect string   `json:"takes_effect"`
	Reach       string   `json:"reach,omitempty"` // anonymous, or everyone where signed-in users are affected
	Why         string   `json:"why"`
	ExportOnly  bool     `json:"export_only,omitempty"` // never applied by this program
	Untested    string   `json:"untested,omitempty"`    // what is not known about its effect
	Policy      string   `json:"policy,omitempty"`      // the policy that writes the setting, and so takes the change back
	Sources     []string `json:"sources,omitempty"`
}

// Break is one thing that a plan would stop.
type Break struct {
	Who       string   `json:"who"`
	What      string   `json:"what"`
	Certainty string   `json:"certainty"` // observed, documented or possible
	Because   string   `json:"because"`
	Service   string   `json:"service,omitempty"` // a catalog service
	Sources   []string `json:"sources,omitempty"`
}

// Keep is one service or pipe that a plan leaves working.
type Keep struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Rejected is a setting that was considered and not used.
type Rejected struct {
	Setting string `json:"setting"`
	Why     string `json:"why"`
}

// OpenDoor is one thing that strangers get, or may get, after a plan's changes.
type OpenDoor struct {
	What string `json:"what"` // a finding, or a pipe or share by name, as in a change's closes
	// Known says that it stays open, which the plan tells; else nobody knows until somebody looks.
	Known bool `json:"known"`
	// Shares are the disk shares that stay open because they have to. Another one that is open is not told of.
	Shares []string `json:"shares,omitempty"`
	Why    string   `json:"why,omitempty"`
}

// Left is a finding that no change of a plan closes.
type Left struct {
	Finding  string   `json:"finding"`
	Severity Severity `json:"severity"`
	Identity Identity `json:"identity,omitempty"`
	Setting  string   `json:"setting,omitempty"` // the one that it is about
	Why      string   `json:"why"`
}
