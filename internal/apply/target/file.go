package target

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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
	info, err := f.Stat()
	if err != nil {
		return apply.State{}, fmt.Errorf("apply: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return apply.State{}, fmt.Errorf("apply: %s: not a regular file of less than %d MiB", path, maxConfig>>20)
	}
	s := apply.State{Present: true, Mode: info.Mode(), Data: make([]byte, info.Size())}
	if _, err := f.ReadAt(s.Data, 0); err != nil && len(s.Data) > 0 {
		return apply.State{}, fmt.Errorf("apply: %w", err)
	}
	s.UID, s.GID = owner(info)
	s.Attrs, err = readAttrs(f)
	if err != nil {
		return apply.State{}, fmt.Errorf("apply: %s: %w", path, err)
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

func draftName(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".ipcguard")
}

// sweep removes the draft of a run that was killed.
func sweep(path string) { _ = os.Remove(draftName(path)) }

// writeFile replaces a file in one step: the new one is complete, synced and has mode, owner and attributes before it gets
// the name.
func writeFile(path string, s apply.State, fault func(string)) (err error) {
	name := draftName(path)
	sweep(path)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	open := true
	defer func() {
		if open {
			_ = f.Close()
		}
		if err != nil {
			sweep(path)
		}
	}()
	fault("file:draft")
	if _, err := f.Write(s.Data); err != nil {
		return err
	}
	fault("file:written")
	if err := setOwner(f, s.UID, s.GID); err != nil {
		return err
	}
	if err := writeAttrs(f, s.Attrs); err != nil {
		return err
	}
	if err := f.Chmod(s.Mode); err != nil { // after the owner, whose change takes set-id bits away
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	open = false
	if err := f.Close(); err != nil {
		return err
	}
	fault("file:synced")
	if err := os.Rename(name, path); err != nil {
		return err
	}
	fault("file:renamed")
	return durable.SyncDir(filepath.Dir(path))
}
