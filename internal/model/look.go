package model

import "time"

// Look is the evidence of a claim: what was asked, whom, as which identity, how often, and the answer. A claim without
// a look is Unchecked, OutcomeUnknown or Inconclusive, never a good result.
type Look struct {
	Asked  string    `json:"asked"` // a call, an open, a setting's place, a kind of record
	Of     string    `json:"of"`    // the address that answered, or the source that was read
	As     Identity  `json:"as,omitempty"`
	Times  int64     `json:"times"`
	First  time.Time `json:"first,omitzero"`
	Last   time.Time `json:"last,omitzero"`
	Answer string    `json:"answer"` // a status, or what was found

	// Authenticated says that the answer was signed or encrypted with a key that only the server and the caller have.
	// An answer to a stranger never is.
	Authenticated bool `json:"authenticated"`
}

// LimitKind names a limit of a scan.
type LimitKind string

// The limits of a scan.
const (
	LimitShares LimitKind = "shares" // disk shares that were listed or named, and not tried
	LimitSIDs   LimitKind = "sids"   // SIDs that were not resolved to names
	LimitPages  LimitKind = "pages"  // the rest of a list
	LimitPipes  LimitKind = "pipes"  // pipes that were not opened
	LimitTime   LimitKind = "time"   // anything that the time limit cut off
)

// Limit is where a scan stopped before the end. It bounds every claim about what lies beyond.
type Limit struct {
	Limit    LimitKind `json:"limit"`
	Identity Identity  `json:"identity,omitempty"` // empty: every identity
	Of       string    `json:"of,omitempty"`       // the call or pipe
	Tried    int       `json:"tried"`
	Left     int       `json:"left,omitempty"` // 0 if the number is unknown
	Why      string    `json:"why"`            // in a sentence
}
