package model

import "time"

// Look is what earned a claim: a question, whom it was put to and as whom, how often, and what came back. A claim without
// a look is Unchecked, OutcomeUnknown or Inconclusive, never a good word.
type Look struct {
	Asked  string    `json:"asked"` // a call, an open, a setting's place, a kind of record
	Of     string    `json:"of"`    // the address that answered, or the source that was read
	As     Identity  `json:"as,omitempty"`
	Times  int64     `json:"times"`
	First  time.Time `json:"first,omitzero"`
	Last   time.Time `json:"last,omitzero"`
	Answer string    `json:"answer"` // a status, or what was found

	// Authenticated says that the answer was signed or encrypted with a key that only the server and the caller have. An
	// answer to a stranger never is.
	Authenticated bool `json:"authenticated"`
}

// LimitKind names what bounded a scan.
type LimitKind string

// The limits of a scan.
const (
	LimitShares LimitKind = "shares" // disk shares that were listed or named, and not tried
	LimitSIDs   LimitKind = "sids"   // numbers that were not turned into names
	LimitPages  LimitKind = "pages"  // the rest of a list
	LimitPipes  LimitKind = "pipes"  // pipes that were not opened
	LimitTime   LimitKind = "time"   // whatever the time did not allow
)

// Limit is where a scan stopped although there was more to ask. What lies beyond was not seen, and bounds every claim
// about it.
type Limit struct {
	Limit    LimitKind `json:"limit"`
	Identity Identity  `json:"identity,omitempty"` // empty is every identity
	Of       string    `json:"of,omitempty"`       // the call or pipe
	Tried    int       `json:"tried"`
	Left     int       `json:"left,omitempty"` // 0 where nobody knows how many there are
	Why      string    `json:"why"`            // in a sentence
}
