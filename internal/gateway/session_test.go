package gateway

import (
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/smb/smb2"
)

// TestSettled checks that requests of unknown sessions are refused beside a user for as long as a logon may become a
// session of a stranger.
func TestSettled(t *testing.T) {
	table := newTable()
	expect := func(when string, want bool) {
		t.Helper()
		if got := table.settled(); got != want {
			t.Errorf("settled %s: %v", when, got)
		}
	}
	if err := table.come(1, &session{caller: caller{who: model.User}}); err != nil {
		t.Fatal(err)
	}
	expect("with a user", true)
	if err := table.wait(7, waiting{logon: new(logon)}); err != nil {
		t.Fatal(err)
	}
	expect("before the logon is answered", false)
	if _, ok := table.due(&smb2.Header{MessageID: 7}); !ok {
		t.Fatal("nothing waits for the answer")
	}
	expect("before the answer is judged", false)
	if err := table.come(2, &session{refused: ReasonGuest}); err != nil {
		t.Fatal(err)
	}
	table.recorded()
	expect("after it", true)
}
