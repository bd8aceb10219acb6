//go:build !linux

package cli

import (
	"fmt"
	"os"
)

// measured is for the tests that run on Linux.
func measured() {
	fmt.Fprintln(os.Stderr, "measured: not on this system")
	os.Exit(exitFailed)
}
