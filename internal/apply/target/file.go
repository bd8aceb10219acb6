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

// maxConfig is the size limit of Samba's configuration, as in internal/format/smbconf.
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

// readOpen reads an open file from its beginning.
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

// draftPrefix returns the name prefix of a file's next content. The rest of the name is unpredictable.
func draftPrefix(path string) string { return "." + filepath.Base(path) + ".ipcguard" }

// makeDraft writes the next content of a file under a temporary name, complete and synced, with mode, owner and
// attributes.
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
	if err := f.Chmod(s.Mode); err != nil { // after chown, which clears set-id bits
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

// writeFile replaces a file atomically, if it still is what from says. A concurrent write is never lost: it stays, or
// is restored, and the error is a *StaleError.
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

// firstFile renames a draft to a file that does not exist.
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

// dropDraft removes the file under a draft's name if it is as expected: the replaced file, or the draft that was not
// used. Any other content was written while the file had the real name, and stays.
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

// unchanged checks that an open file is still as expected, and still has its name.
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
		now, _ := readFile(name) // only for the message
		return stale(old.Name(), want, now)
	}
	return err
}

// sweep removes what a killed run has left next to a file: the next content, or the replaced one. It keeps and returns
// other files, which something else wrote.
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
		if err == nil && slices.ContainsFunc(known, func(k apply.State) bool {
			return bytes.HasPrefix(k.Data, have.Data)
		}) {
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
