package model

// Plan is an ordered set of changes with reasons, predicted breakage and what remains open.
type Plan struct {
	Schema   string     `json:"schema"`
	Target   string     `json:"target"`
	Platform Platform   `json:"platform"`
	Strategy string     `json:"strategy"` // restrict or block
	Changes  []Change   `json:"changes"`
	Breaks   []Break    `json:"breaks"`
	Keeps    []Keep     `json:"keeps"`
	Rejected []Rejected `json:"rejected"`
	Residual []string   `json:"residual"`
	Warnings []string   `json:"warnings"`
	Checks   []string   `json:"checks,omitempty"`   // must-work checks for verify
	Question string     `json:"question,omitempty"` // what would settle contradicting evidence; then there are no changes
	Hash     string     `json:"hash,omitempty"`
}

// Value is a setting's exact content, absence included.
type Value struct {
	Present bool   `json:"present"`
	Type    string `json:"type,omitempty"`
	Data    any    `json:"data,omitempty"`
}

// Change is one exact edit with its exact undo.
type Change struct {
	ID          string   `json:"id"`
	Setting     string   `json:"setting"`
	Where       string   `json:"where"`
	From        Value    `json:"from"`
	To          Value    `json:"to"`
	Closes      []string `json:"closes"`
	TakesEffect string   `json:"takes_effect"`
	Why         string   `json:"why"`
	Sources     []string `json:"sources,omitempty"`
}

// Break is one thing that a plan would stop.
type Break struct {
	Who       string `json:"who"`
	What      string `json:"what"`
	Certainty string `json:"certainty"` // observed, documented or possible
	Because   string `json:"because"`
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
