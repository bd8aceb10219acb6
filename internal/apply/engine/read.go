package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ipcguard/internal/apply/private"
)

// DamageError means that a journal cannot be trusted, and why: it was changed, truncated, restored from an earlier
// time, planted, or removed. Nothing of it is restored.
type DamageError struct {
	ID, Dir, Why string
}

func (e *DamageError) Error() string { return fmt.Sprintf("apply: journal %s: %s", e.Dir, e.Why) }

// UnsealedError means that a journal was written before journals were sealed: nothing proves who wrote it.
type UnsealedError struct{ ID string }

func (e *UnsealedError) Error() string {
	return fmt.Sprintf("apply: %s is of a version that did not seal its journals: nothing proves that nobody "+
		"changed it, and it is taken back only when that is asked for", e.ID)
}

// Files in journals of earlier versions that are no longer read.
var leftovers = []string{"guard.lock", "guard.log"}

// files is the content of a journal's directory, as read.
type files struct {
	before, plan, steps []byte
	names               []string
}

func readFiles(dir string) (*files, error) {
	if err := private.Dir(dir); err != nil {
		return nil, err
	}
	f := &files{}
	// Before the steps: then each file found is named by a step, or belongs to the next one.
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		f.names = append(f.names, entry.Name())
	}
	for name, to := range map[string]*[]byte{beforeFile: &f.before, planFile: &f.plan, stepsFile: &f.steps} {
		b, err := private.Read(filepath.Join(dir, name), maxJournalFile)
		if err != nil {
			return nil, err
		}
		*to = b
	}
	return f, nil
}

// readJournal reads a journal. A truncated last line is left by a killed process, and is dropped unless the ledger has
// it; damage anywhere else is an error.
func readJournal(dir string, s *seal, l *ledger) (*Journal, error) {
	id := filepath.Base(dir)
	damaged := func(format string, args ...any) (*Journal, error) {
		return nil, &DamageError{id, dir, fmt.Sprintf(format, args...)}
	}
	f, err := readFiles(dir)
	if err != nil {
		return damaged("%v", err)
	}
	j := &Journal{Dir: dir, seal: s}
	entry, listed := l.Journals[id]
	if ofEarlierVersion(f.steps) {
		err = j.readUnsealed(f)
		if err == nil && listed {
			err = j.halfAdopted(f, entry)
		}
	} else {
		err = j.readSealed(id, f, entry, listed)
	}
	if err == nil {
		err = j.decode(f)
	}
	if err != nil {
		return damaged("%v", err)
	}
	if j.ID != id {
		return damaged("it says that it is %q", j.ID)
	}
	if why := j.impossible(); why != "" {
		return damaged("%s", why)
	}
	return j, nil
}

// decode decodes the state before and the plan, once they are authenticated.
func (j *Journal) decode(f *files) error {
	if err := json.Unmarshal(f.before, &j.Before); err != nil {
		return fmt.Errorf("%s: %w", beforeFile, err)
	}
	if j.Schema != schemaJournal && j.Schema != schemaUnsealed {
		return fmt.Errorf("it is of kind %q, this version reads %q", j.Schema, schemaJournal)
	}
	if err := json.Unmarshal(f.plan, &j.Plan); err != nil {
		return fmt.Errorf("%s: %w", planFile, err)
	}
	return nil
}

// impossible says what no valid journal can hold, or returns an empty string.
func (j *Journal) impossible() string {
	if len(j.Steps) == 0 {
		return stepsFile + ": it has no first line"
	}
	for _, s := range j.Steps {
		switch s.Event {
		case Writing, Wrote, Left, Restoring, Restored:
			if s.Write == nil || *s.Write < 0 || *s.Write >= len(j.Writes) {
				return fmt.Sprintf("%s: line %d speaks of a write that there is not", stepsFile, s.N+1)
			}
		case "":
			return fmt.Sprintf("%s: line %d tells nothing", stepsFile, s.N+1)
		}
	}
	return ""
}

// readSealed checks every code, and the journal's state against the ledger.
func (j *Journal) readSealed(id string, f *files, entry known, listed bool) error {
	if j.seal == nil {
		return errors.New("it is sealed, and this state directory has no key")
	}
	j.Sealed = true
	j.head = j.seal.root(id, f.plan, f.before)
	for rest := f.steps; len(rest) > 0; {
		line, more, whole := bytes.Cut(rest, []byte("\n"))
		code, text, _ := bytes.Cut(line, []byte(" "))
		next := j.seal.step(j.head, text)
		s, ok := parseStep(text)
		if !whole || !next.fits(code) || !ok || s.N != len(j.Steps) || len(j.Steps) >= maxSteps {
			if len(more) > 0 || len(j.Steps) < entry.Steps {
				if len(j.Steps) == 0 {
					return fmt.Errorf("%s, %s or the first line of %s was changed, or it is of another state directory",
						planFile, beforeFile, stepsFile)
				}
				return fmt.Errorf("%s: line %d was changed", stepsFile, len(j.Steps)+1)
			}
			j.Torn = true
			break
		}
		j.Steps = append(j.Steps, s)
		j.whole += int64(len(line) + 1)
		j.head, rest = next, more
		if len(j.Steps) == entry.Steps && next.String() != entry.Head {
			return errors.New("it is not the one that the ledger knows")
		}
	}
	switch {
	case !listed:
		return errors.New("the ledger does not know it: it was put there, or put back from an earlier time")
	case len(j.Steps) < entry.Steps:
		return fmt.Errorf("the ledger knows %d steps of it, and %d are there: it was cut, or put back from an "+
			"earlier time", entry.Steps, len(j.Steps))
	}
	return j.readKept(f.names)
}

// readKept checks the files that steps have stored, and that there are no others. A file that no step names yet is left
// by a killed process.
func (j *Journal) readKept(names []string) error {
	allowed := append([]string{planFile, beforeFile, stepsFile}, leftovers...)
	for _, s := range j.Steps {
		if s.Event != Kept {
			continue
		}
		b, err := private.Read(filepath.Join(j.Dir, filepath.Base(s.File)), maxJournalFile)
		if err != nil {
			return err
		}
		if digest(b) != s.Sum {
			return fmt.Errorf("%s was changed", s.File)
		}
		allowed = append(allowed, s.File)
	}
	for _, kind := range []string{"proof", "record"} {
		allowed = append(allowed, j.nextFile(kind))
	}
	for _, name := range names {
		if name == reserveFile {
			b, err := private.Read(filepath.Join(j.Dir, name), reserveSize)
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed meanwhile to free the space
			}
			if err != nil {
				return err
			}
			if !bytes.Equal(b, reserve()) {
				return fmt.Errorf("%s was changed", name)
			}
			continue
		}
		if !slices.Contains(allowed, name) && !strings.HasPrefix(name, private.Probe) {
			return fmt.Errorf("%s is no file of a journal, or one that no step knows", name)
		}
	}
	return nil
}

func parseStep(text []byte) (s Step, ok bool) { return s, json.Unmarshal(text, &s) == nil }

// ErrUnknown means that a state directory has no such apply.
var ErrUnknown = errors.New("apply: there is no apply")

// open returns a journal by its ID.
func (e *Engine) open(id string) (*Journal, error) {
	if !validID(id) {
		return nil, fmt.Errorf("apply: %.40q is not an id; ipcguard history lists them", id)
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	seal, l, err := e.ledger()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(e.journals(), id)
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		if l.Journals[id].Steps > 1 {
			return nil, taken(id, dir)
		}
		return nil, fmt.Errorf("%w %s in %s; ipcguard history lists them", ErrUnknown, id, e.State)
	}
	j, err := readJournal(dir, seal, l)
	if err == nil {
		j.state, j.fault = e.State, e.fault
	}
	return j, err
}

func taken(id, dir string) error {
	return &DamageError{id, dir, "the ledger knows it, and it is not there: it was taken away"}
}

// ledger reads the ledger with the state directory's key, if it has one.
func (e *Engine) ledger() (*seal, *ledger, error) {
	var s *seal
	key, err := e.key()
	if err == nil {
		s, err = newSeal(key)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	l, err := readLedger(e.State, s)
	return s, l, err
}

// History reads every journal, oldest first. Untrusted journals are reported as errors next to the rest.
func (e *Engine) History() ([]*Journal, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	// The ledger first: a journal may get ahead of it meanwhile, and never falls behind.
	seal, l, err := e.ledger()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(e.journals())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("apply: journal: %w", err)
	}
	var out []*Journal
	var errs []error
	there := map[string]bool{}
	for _, entry := range entries {
		name := entry.Name()
		if !validID(name) {
			continue
		}
		there[name] = true
		j, err := readJournal(filepath.Join(e.journals(), name), seal, l)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		j.state, j.fault = e.State, e.fault
		out = append(out, j)
	}
	for id, k := range l.Journals {
		if !there[id] && k.Steps > 1 {
			errs = append(errs, taken(id, filepath.Join(e.journals(), id)))
		}
	}
	slices.SortStableFunc(out, func(a, b *Journal) int { return a.Started.Compare(b.Started) })
	return out, errors.Join(errs...)
}

// check refuses a state directory that other accounts may have written to. A missing one is created later.
func (e *Engine) check() error {
	for _, dir := range []string{e.State, e.journals(), e.guards()} {
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err := private.Dir(dir)
		if dir == e.State {
			err = private.Check(dir)
		}
		if err != nil {
			return fmt.Errorf("apply: state directory: %w", err)
		}
	}
	return nil
}
