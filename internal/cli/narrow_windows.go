package cli

import (
	"errors"
	"io/fs"
	"os"

	"ipcguard/internal/apply/private"
)

// narrow has nothing to do: the access list of a file comes from its folder.
func narrow(*os.File) error { return nil }

// makeHome makes a directory that nobody else can read: what lies above would let every user read its files.
func makeHome(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err // whoever made it has said who may read it
	}
	return private.Make(dir)
}
