package model

// The words of claims that are neither outcomes nor verdicts: the results of a check.
const (
	Passed    = "passed"
	Failed    = "failed"
	Unchecked = "unchecked" // the check could not be run
	Waiting   = "waiting"   // changed, and in force only after a restart
	Open      = "open"      // not to be closed, and seen open
)
