package fleet

import (
	"bytes"
	"testing"
)

// TestTrials: what has opened is not opened again while it is there, and what has not is tried each time.
func TestTrials(t *testing.T) {
	tried := 0
	x := &trials{try: func(sealed []byte) bool {
		tried++
		return bytes.HasPrefix(sealed, []byte("mine"))
	}}
	for i, round := range []struct {
		sealed string
		opens  bool
		tried  int
	}{
		{"mine", true, 1},
		{"mine", true, 0},
		{"mine, changed", true, 1},
		{"mine", true, 1}, // it was away for a round
		{"another's", false, 1},
		{"another's", false, 1},
	} {
		tried = 0
		x.round()
		if got := x.opens([]byte(round.sealed)); got != round.opens || tried != round.tried {
			t.Errorf("round %d: %v after %d trials", i, got, tried)
		}
	}
}
