// Package private creates directories and files that no other account can write, and refuses to read others.
//
// An undo trusts its journal because only the account that applies could have written it. So a directory is used only
// if
//
//   - it is a directory, not a symbolic link or reparse point, and belongs to this account (on Windows: to SYSTEM or
//     Administrators, or to the user of a process that is no administrator);
//   - no other account may write to it (on Windows: no other account has any right to it);
//   - no other account may write to any directory above it, because whoever may rename one of them can put another tree
//     in its place. Directories above may belong to the system, be open to all with the sticky bit, as /tmp is, and be
//     symbolic links of the system.
//
// The same rules apply to a file in it, which must also have only one name; it is checked once it is open, not before.
// A violation is an *Error with the path, the reason and the command that repairs it.
package private

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"ipcguard/internal/apply/durable"
)

// Error reports a path that cannot be trusted, and how to repair it.
type Error struct {
	Path, Why string
	Mend      string // a command; empty if none helps
}

func (e *Error) Error() string { return e.Path + ": " + e.Why }

// Probe is the name prefix of the file that tests whether a Windows file system stores owners. It is empty and
// short-lived; code that lists a private directory skips it.
const Probe = ".owner-"

// Make creates a directory and its missing parents, private and durable, and checks all of them.
func Make(dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return Check(dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeAbove(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := checkAbove(dir); err != nil {
		return err
	}
	if err := Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return Check(dir)
}

// makeAbove creates the missing parents of a private directory.
func makeAbove(dir string) error {
	if _, err := os.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if up := filepath.Dir(dir); up != dir {
		if err := makeAbove(up); err != nil {
			return err
		}
	}
	if err := Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Mkdir creates one directory, private and durable.
func Mkdir(dir string) error {
	if err := mkdir(dir); err != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return durable.SyncDir(filepath.Dir(dir))
}

// Check checks a directory and all its parents.
func Check(dir string) error {
	if err := checkAbove(dir); err != nil {
		return err
	}
	return Dir(dir)
}

// Create creates a new file with these bytes and syncs it. It never replaces a file, and never leaves an incomplete
// one.
func Create(path string, b []byte) error {
	f, err := create(path)
	if err != nil {
		return err
	}
	return durable.Fill(f, b)
}

// Replace replaces a file's content atomically; the change is durable when it returns. between is called when the new
// file is complete but not renamed yet.
func Replace(path string, b []byte, between func()) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a killed run
		return err
	}
	if err := Create(next, b); err != nil {
		return err
	}
	between()
	if err := rename(next, path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// Read returns the content of a private file of at most the given size.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("%s: more than %d MiB", path, most>>20)
	}
	return b, nil
}

// Quoted quotes a path for a command that a person copies into a shell of this system.
func Quoted(path string) string {
	if runtime.GOOS == "windows" {
		return quoted(path, `"`)
	}
	return quoted(path, "'")
}

// quoted quotes a path for a command that a person copies: with ' for a POSIX shell, with " for those of Windows, whose
// paths have no ". A path that looks like an option is named from the current directory.
func quoted(path, quote string) string {
	plain := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+@:"
	if quote == `"` {
		plain += `\`
	}
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	switch {
	case path != "" && strings.Trim(path, plain) == "":
		return path
	case quote == "'":
		path = strings.ReplaceAll(path, "'", `'\''`)
	}
	return quote + path + quote
}
