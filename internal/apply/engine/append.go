package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"ipcguard/internal/apply/durable"
	"ipcguard/internal/apply/private"
)

// append adds a step. When it returns, the step is on disk and recorded in the ledger.
func (j *Journal) append(s Step) error {
	back := s.Event.back() || j.Phase() == PhaseUndoing
	for _, do := range []func() error{func() error { return j.write(s) }, j.acknowledge} {
		err := do()
		if durable.Full(err) && back && j.release() {
			err = do()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// back reports whether an event belongs to an undo, for which disk space is reserved.
func (e Event) back() bool {
	return slices.Contains([]Event{Undoing, Restoring, Restored, Undone, Conflict}, e)
}

// release frees the disk space that is reserved for an undo, and reports whether there was any.
func (j *Journal) release() bool { return os.Remove(filepath.Join(j.Dir, reserveFile)) == nil }

// acknowledge records the state of the journal in the ledger.
func (j *Journal) acknowledge() error {
	l, err := readLedger(j.state, j.seal)
	if err != nil {
		return err
	}
	l.Journals[j.ID] = known{len(j.Steps), j.head.String()}
	return writeLedger(j.state, j.seal, l, j.at)
}

// write adds one line to the steps.
func (j *Journal) write(s Step) (err error) {
	s.N = len(j.Steps)
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	code := j.seal.step(j.head, text)
	line := fmt.Appendf(nil, "%s %s\n", code, text)
	f, err := private.Open(filepath.Join(j.Dir, stepsFile), os.O_WRONLY)
	if err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("apply: journal: %w", cerr)
		}
	}()
	if err := j.put(f, line, s.Event); err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	j.Steps = append(j.Steps, s)
	j.whole += int64(len(line))
	j.head = code
	j.Torn = false
	j.at("step:" + string(s.Event) + ":synced")
	return nil
}

// put writes a line after the last complete one.
func (j *Journal) put(f *os.File, line []byte, e Event) error {
	end, err := f.Seek(0, 2)
	if err != nil {
		return err
	}
	if j.whole != end { // the torn last line of a killed run
		if err := f.Truncate(j.whole); err != nil {
			return err
		}
		if _, err := f.Seek(j.whole, 0); err != nil {
			return err
		}
	}
	j.at("step:" + string(e) + ":before")
	half := len(line) / 2
	if _, err := f.Write(line[:half]); err != nil {
		return err
	}
	j.at("step:" + string(e) + ":torn")
	if _, err := f.Write(line[half:]); err != nil {
		return err
	}
	j.at("step:" + string(e) + ":written")
	return f.Sync()
}

func (j *Journal) at(point string) {
	if j.fault != nil {
		j.fault(point)
	}
}
