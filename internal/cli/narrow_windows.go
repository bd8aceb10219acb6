package cli

import (
	"os"

	"ipcguard/internal/apply/private"
)

// narrow does nothing: a file inherits its folder's access list.
func narrow(*os.File) error { return nil }

// makeHome creates a directory that nobody else can read, or checks an existing one: it would inherit an access list
// that lets every user read its files.
func makeHome(dir, service string) error { return private.Home(dir, service) }
