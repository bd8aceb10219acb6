// Package modeltest compares the words of claims for the tests of other packages.
package modeltest

import "ipcguard/internal/model"

// strength ranks how much the word of a claim says. Different words of one rank contradict one another, so a run that
// lacks an observation must not turn one into the other.
var strength = map[string]int{
	"": 0, string(model.NotTested): 0, string(model.OutcomeUnknown): 0, model.Unchecked: 0,
	model.Waiting:              1,
	string(model.Inconclusive): 2, "possible": 2,
	string(model.Unreachable): 3, string(model.Closed): 3, string(model.Limited): 3, string(model.Exposed): 3,
	string(model.Allowed): 3, string(model.Denied): 3, string(model.Absent): 3,
	model.Passed: 3, model.Failed: 3, model.Open: 3,
}

// Stronger reports whether a claim's word says more than another, or differs at the same rank, so that a run which saw
// less must not make the claim. Words are outcomes, verdicts and results of checks; an unknown word has the highest
// rank.
//
//	"", not-tested, unknown, unchecked < waiting < inconclusive < allowed, denied, absent, closed, …, passed, failed, open
func Stronger[T ~string](claim, than T) bool {
	if claim == than {
		return false
	}
	a, known := strength[string(claim)]
	if !known {
		a = 3
	}
	b, known := strength[string(than)]
	if !known {
		b = 3
	}
	return a > b || a == b && a == 3
}
