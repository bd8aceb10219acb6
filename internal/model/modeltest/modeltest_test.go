package modeltest

import (
	"testing"

	"ipcguard/internal/model"
)

// TestStronger: claims are strictly and partially ordered, the empty claim is the least, and answers do not imply one
// another.
func TestStronger(t *testing.T) {
	words := make([]string, 0, len(strength))
	for w := range strength {
		words = append(words, w)
	}
	for _, a := range words {
		if Stronger(a, a) {
			t.Errorf("%q is stronger than itself", a)
		}
		if strength[a] > 0 && (!Stronger(a, model.Unchecked) || Stronger(model.Unchecked, a)) {
			t.Errorf("%q does not say more than a question that was never put", a)
		}
		for _, b := range words {
			for _, c := range words {
				if strength[a] > strength[b] && strength[b] > strength[c] && !Stronger(a, c) {
					t.Errorf("%q, %q, %q: not transitive", a, b, c)
				}
			}
		}
	}
	for _, x := range [][2]string{
		{model.Passed, model.Failed},
		{string(model.Closed), string(model.Exposed)},
		{string(model.Denied), string(model.Allowed)},
		{model.Passed, model.Waiting},
		{string(model.Denied), string(model.Inconclusive)},
	} {
		if !Stronger(x[0], x[1]) {
			t.Errorf("%q may be said where %q was", x[0], x[1])
		}
	}
	if Stronger(model.Unchecked, string(model.NotTested)) || Stronger(string(model.Inconclusive), model.Failed) {
		t.Error("less is more")
	}
}
