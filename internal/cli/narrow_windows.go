package cli

import (
	"os"

	"ipcguard/internal/apply/private"
)

// narrow has nothing to do: the access list of a file comes from its folder.
func narrow(*os.File) error { return nil }

// makeHome makes a directory that nobody else can read, or looks at one that is there: what lies above would let every user read
// its files.
func makeHome(dir, service string) error { return private.Home(dir, service) }
