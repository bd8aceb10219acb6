package model

// The words of claims that are neither outcomes nor verdicts: the results of a check.
const (
	Passed    = "passed"
	Failed    = "failed"
	Unchecked = "unchecked" // the check could not be run
	Waiting   = "waiting"   // changed, and in force only after a restart
	Open      = "open"      // not to be closed, and seen open
)

// strength ranks how much the word of a claim says. Different words of one rank contradict one another, so a run that
// lacks an observation must not turn one into the other.
var strength = map[string]int{
	"": 0, string(NotTested): 0, string(OutcomeUnknown): 0, Unchecked: 0,
	Waiting:              1,
	string(Inconclusive): 2, "possible": 2,
	string(Unreachable): 3, string(Closed): 3, string(Limited): 3, string(Exposed): 3,
	string(Allowed): 3, string(Denied): 3, string(Absent): 3,
	Passed: 3, Failed: 3, Open: 3,
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
