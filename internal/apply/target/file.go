package target

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/durable"
)

// maxConfig is Samba's configuration at its largest, as internal/format/smbconf reads it.
const maxConfig = 16 << 20

// readFile reads a file with everything that a write restores.
func readFile(path string) (apply.State, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return apply.State{}, nil
	}
	if err != nil {
		return apply.State{}, fmt.Errorf("apply: %w", err)
	}
	defer f.Close()
	return readOpen(f)
}

// readOpen reads a file that is open, from its beginning.
func readOpen(f *os.File) (apply.State, error) {
	info, err := f.Stat()
	if err != nil {
		return apply.State{}, fmt.Errorf("apply: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return apply.State{}, fmt.Errorf("apply: %s: not a regular file of less than %d MiB", f.Name(), maxConfig>>20)
	}
	s := apply.State{Present: true, Mode: info.Mode(), Data: make([]byte, info.Size())}
	if _, err := f.ReadAt(s.Data, 0); err != nil && len(s.Data) > 0 {
		return apply.State{}, fmt.Errorf("apply: %w", err)
	}
	s.UID, s.GID = owner(info)
	s.Attrs, err = readAttrs(f)
	if err != nil {
		return apply.State{}, fmt.Errorf("apply: %s: %w", f.Name(), err)
	}
	return s, nil
}

// editable refuses files that a rename would not replace as they are.
func editable(path string, s apply.State) error {
	if !s.Present {
		return fmt.Errorf("apply: %s: %w", path, fs.ErrNotExist)
	}
	if s.Mode.Perm()&0o200 == 0 {
		return &apply.RefusedError{
			Where: path, Why: fmt.Sprintf("it is read-only (mode %04o)", s.Mode.Perm()),
			Instead: "if nobody else manages it, chmod u+w " + path,
		}
	}
	if n := links(path); n > 1 {
		return &apply.RefusedError{
			Where: path, Why: fmt.Sprintf("it has %d names (hard links), and only one of them would change", n),
			Instead: "make it a file of its own",
		}
	}
	return nil
}

// draftPrefix is how the name of the next content of a file begins. The rest of it nobody can guess.
func draftPrefix(path string) string { return "." + filepath.Base(path) + ".ipcguard" }

// makeDraft makes the next content of a file, complete, synced, with mode, owner and attributes, under a name of its own.
func makeDraft(path string, s apply.State, fault func(string)) (name string, err error) {
	var random [12]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	name = filepath.Join(filepath.Dir(path), draftPrefix(path)+"-"+hex.EncodeToString(random[:]))
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	open := true
	defer func() {
		if open {
			_ = f.Close()
		}
		if err != nil {
			_ = os.Remove(name)
		}
	}()
	fault("file:draft")
	if _, err := f.Write(s.Data); err != nil {
		return "", err
	}
	fault("file:written")
	if err := setOwner(f, s.UID, s.GID); err != nil {
		return "", err
	}
	if err := writeAttrs(f, s.Attrs); err != nil {
		return "", err
	}
	if err := f.Chmod(s.Mode); err != nil { // after the owner, whose change takes set-id bits away
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	open = false
	if err := f.Close(); err != nil {
		return "", err
	}
	fault("file:synced")
	return name, nil
}

// writeFile replaces a file in one step, if it is what from says at that moment. What somebody else writes meanwhile is
// never lost: it stays, or is put back, and the error is a *StaleError.
func writeFile(path string, to, from apply.State, fault func(string)) error {
	draft, err := makeDraft(path, to, fault)
	if err != nil {
		return err
	}
	if !from.Present {
		return errors.Join(firstFile(draft, path, from, fault), os.Remove(draft))
	}
	old, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = stale(path, from, apply.State{})
	}
	if err != nil {
		return errors.Join(err, os.Remove(draft))
	}
	defer old.Close()
	err = swap(draft, path, old, to, from, fault)
	if err == nil {
		return dropDraft(draft, from)
	}
	return errors.Join(err, dropDraft(draft, to))
}

// firstFile gives a draft the name of a file that is not there.
func firstFile(draft, path string, from apply.State, fault func(string)) error {
	err := os.Link(draft, path)
	if errors.Is(err, fs.ErrExist) {
		return &apply.StaleError{Where: path, Want: from.String(), Have: "there"}
	}
	if err != nil {
		return err
	}
	fault("file:renamed")
	return durable.SyncDir(filepath.Dir(path))
}

// dropDraft removes what is under a draft's name, if it is what it should be: the file that was replaced, or the one that was
// not put in its place. What else is there somebody wrote in the moment when it had the name, and stays.
func dropDraft(draft string, want apply.State) error {
	have, err := readFile(draft)
	switch {
	case err != nil:
		return err
	case !have.Present:
		return nil
	case !have.Same(want):
		return fmt.Errorf("apply: somebody wrote to it meanwhile, and that is in %s now", draft)
	}
	return os.Remove(draft)
}

func stale(path string, want, have apply.State) error {
	return &apply.StaleError{Where: path, Want: want.String(), Have: have.String() + ", which somebody wrote meanwhile"}
}

// unchanged tells whether an open file is still what it is expected to be, and is what a name leads to.
func unchanged(old *os.File, name string, want apply.State) error {
	have, err := readOpen(old)
	if err != nil {
		return err
	}
	if !have.Same(want) {
		return stale(old.Name(), want, have)
	}
	was, err := old.Stat()
	if err != nil {
		return err
	}
	is, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(was, is) {
		now, _ := readFile(name) // for the message alone
		return stale(old.Name(), want, now)
	}
	return err
}

// sweep removes what a run that was killed has left beside a file: the next content, or the one that it replaced. What is
// neither was written by somebody else, and stays; it is named.
func sweep(path string, known ...apply.State) (left []string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), draftPrefix(path)) || !entry.Type().IsRegular() {
			continue
		}
		name := filepath.Join(filepath.Dir(path), entry.Name())
		have, err := readFile(name)
		if err == nil && slices.ContainsFunc(known, func(k apply.State) bool { return bytes.HasPrefix(k.Data, have.Data) }) {
			err = os.Remove(name)
		} else if err == nil {
			err = errors.New("it holds what somebody else wrote")
		}
		if err != nil {
			left = append(left, name)
		}
	}
	return left
}
