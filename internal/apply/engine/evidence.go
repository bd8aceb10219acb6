package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/durable"
	"ipcguard/internal/apply/private"
)

// saveProof stores the evidence in the journal.
func (e *Engine) saveProof(j *Journal, p apply.Evidence) error {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	return e.keep(j, "proof", b, false)
}

// keep stores a numbered file next to the steps, and a step with its checksum. A file of an undo may use the reserved
// disk space.
func (e *Engine) keep(j *Journal, kind string, b []byte, back bool) error {
	name := j.nextFile(kind)
	path := filepath.Join(j.Dir, name)
	b = append(b, '\n')
	// Left by a run that was killed before the step.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("apply: journal: %w", err)
	}
	err := private.Create(path, b)
	if durable.Full(err) && back && j.release() {
		err = private.Create(path, b)
	}
	if err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	if err := durable.SyncDir(j.Dir); err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	j.at(kind + ":created")
	if err := e.step(j, Step{Event: Kept, File: name, Sum: digest(b)}); err != nil {
		return err
	}
	j.at(kind + ":kept")
	return nil
}

// files returns the names of the files that keep has stored, in order.
func (j *Journal) files(kind string) []string {
	var out []string
	for _, s := range j.Steps {
		if s.Event == Kept && strings.HasPrefix(s.File, kind+"-") {
			out = append(out, filepath.Join(j.Dir, s.File))
		}
	}
	return out
}

// nextFile returns the name of the next file of a kind.
func (j *Journal) nextFile(kind string) string {
	return fmt.Sprintf("%s-%d.json", kind, 1+len(j.files(kind)))
}
