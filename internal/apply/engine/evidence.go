package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/durable"
)

// saveProof keeps the evidence with the journal.
func (j *Journal) saveProof(p apply.Evidence) error {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	return j.keep("proof", b, false)
}

// keep stores a numbered file beside the steps; one of the way back may use the room that is kept for it.
func (j *Journal) keep(kind string, b []byte, back bool) error {
	n := 1 + len(j.files(kind))
	name := filepath.Join(j.Dir, fmt.Sprintf("%s-%d.json", kind, n))
	err := durable.Create(name, append(b, '\n'), 0o600)
	if durable.Full(err) && back && j.release() {
		err = durable.Create(name, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	if err := durable.SyncDir(j.Dir); err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	j.at(kind + ":kept")
	return nil
}

// files lists what keep has stored, in order.
func (j *Journal) files(kind string) []string {
	var out []string
	for n := 1; ; n++ {
		name := filepath.Join(j.Dir, fmt.Sprintf("%s-%d.json", kind, n))
		if _, err := os.Stat(name); err != nil {
			return out
		}
		out = append(out, name)
	}
}
