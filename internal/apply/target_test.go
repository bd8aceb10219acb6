package apply

import (
	"errors"
	"io/fs"
	"testing"
)

// TestWhile: the prefix of these rooms stands once, however often an error passes them.
func TestWhile(t *testing.T) {
	stale := &StaleError{Where: "a", Want: "1", Have: "2"}
	err := While("reading a back", While("writing a", stale))
	const want = "apply: reading a back: writing a: the host has changed since the plan was made: a is 2, the plan " +
		"starts from 1"
	if err.Error() != want || !errors.Is(err, error(stale)) {
		t.Errorf("%q, want %q", err, want)
	}
	if got := While("writing a", fs.ErrPermission).Error(); got != "apply: writing a: permission denied" {
		t.Error(got)
	}
}
