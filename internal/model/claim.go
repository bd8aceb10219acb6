package model

// The words of claims that no outcome or verdict has: those of a check.
const (
	Passed    = "passed"
	Failed    = "failed"
	Unchecked = "unchecked" // the question could not be put
	Waiting   = "waiting"   // made, and in force only after a restart
	Open      = "open"      // not to be closed, and seen open
)

// strength is how much a claim's word says. Words of one strength contradict one another: a run that loses an
// observation may not come from one to the other.
var strength = map[string]int{
	"": 0, string(NotTested): 0, string(OutcomeUnknown): 0, Unchecked: 0,
	Waiting:              1,
	string(Inconclusive): 2, "possible": 2,
	string(Unreachable): 3, string(Closed): 3, string(Limited): 3, string(Exposed): 3,
	string(Allowed): 3, string(Denied): 3, string(Absent): 3,
	Passed: 3, Failed: 3, Open: 3,
}

// Stronger tells whether a claim's word says more than another, or something else of the same weight, so that who has
// seen less may not say it. Words are outcomes, verdicts and results of checks; an unknown word is as strong as any.
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
