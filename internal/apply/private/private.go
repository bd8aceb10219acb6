// Package private keeps directories and files that nobody else can write, and refuses to read others.
//
// What an apply goes back by is believed because nobody but the account that applies could have written it. So a directory
// is used only where
//
//   - it is a directory, no symbolic link or reparse point, and belongs to this account (on Windows: to SYSTEM or
//     Administrators, or to the user of a process that is no administrator);
//   - nobody else may write to it (on Windows: nobody else has any right to it);
//   - the same holds for every directory above it, as far as writing goes: who may rename one of them can put another tree in
//     its place. Directories above may belong to the system, be open to all with the sticky bit, as /tmp is, and be symbolic
//     links of the system's.
//
// A file in it is held to the same, has one name, and is looked at when it is open, not before. What does not hold is an
// *Error that names the path, the reason and the command that mends it.
package private

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ipcguard/internal/apply/durable"
)

// Error says that a path cannot be trusted, and what mends that.
type Error struct {
	Path, Why string
	Mend      string // a command; empty where none does
}

func (e *Error) Error() string { return e.Path + ": " + e.Why }

// Probe is how the name of a file begins by which Windows is asked whether a file system stores owners. It is empty, and there
// for a moment: who lists a private directory passes it over.
const Probe = ".owner-"

// Make makes a directory and those above it where they are missing, private and durable, and checks all of them.
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

// makeAbove makes the directories above a private one.
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

// Mkdir makes one directory, private and durable.
func Mkdir(dir string) error {
	if err := mkdir(dir); err != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return durable.SyncDir(filepath.Dir(dir))
}

// Check looks at a directory and at every one above it.
func Check(dir string) error {
	if err := checkAbove(dir); err != nil {
		return err
	}
	return Dir(dir)
}

// Create makes a new file with these bytes, synced. It never replaces one, and leaves none that is not whole.
func Create(path string, b []byte) error {
	f, err := create(path)
	if err != nil {
		return err
	}
	return durable.Fill(f, b)
}

// Replace gives a file these bytes in one step that is durable when it returns. Between is called when the new file is
// whole and has not got the name yet.
func Replace(path string, b []byte, between func()) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a run that was killed
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

// Read gives the content of a file that is private and has at most so many bytes.
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

// quoted is a path as a shell takes it.
func quoted(path, quote string) string {
	if strings.Trim(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+@:\\") == "" {
		return path
	}
	return quote + strings.ReplaceAll(path, "'", `'\''`) + quote
}
