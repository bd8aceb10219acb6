package cli

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestInState: a command that a person copies finds the journal, also if that is not in the default directory.
func TestInState(t *testing.T) {
	usual, err := (&stateFlags{}).dir()
	if err != nil {
		t.Fatal(err)
	}
	if got := inState(usual); got != "" {
		t.Errorf("for the default directory %q", got)
	}
	dir := filepath.Join(t.TempDir(), "night shift")
	quote := "'"
	if runtime.GOOS == "windows" {
		quote = `"`
	}
	if got, want := inState(dir), " --state "+quote+dir+quote; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := inState(strings.ReplaceAll(dir, " ", "")); strings.Contains(got, quote) {
		t.Errorf("%q is quoted for nothing", got)
	}
}
