package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"ipcguard/internal/apply/private"
)

// The ledger says of every journal of a state directory how far it has come. A journal that stands behind it was put back
// from an earlier time, or cut; one that it does not know was put there; one that it knows and that is not there was taken
// away. It is written after each step, so a journal may be ahead of it by the step at which a process was killed.
//
//	code over the rest, newline, JSON

const ledgerFile = "ledger"

// maxLedger is that of some hundred thousand journals.
const maxLedger = 16 << 20

// ledger is its content.
type ledger struct {
	Schema   string           `json:"schema"`
	Journals map[string]known `json:"journals"`
}

const schemaLedger = "ipcguard.ledger/1"

// known is how far a journal has come: so many steps, the last with this code.
type known struct {
	Steps int    `json:"steps"`
	Head  string `json:"head"`
}

// readLedger reads the ledger; a state directory without one has an empty one.
func readLedger(state string, s *seal) (*ledger, error) {
	l := &ledger{Schema: schemaLedger, Journals: map[string]known{}}
	path := filepath.Join(state, ledgerFile)
	b, err := private.Read(path, maxLedger)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("apply: ledger: %w", err)
	}
	code, text, _ := bytes.Cut(b, []byte("\n"))
	if s == nil || !s.over([]byte("ledger"), text).fits(code) {
		return nil, &private.Error{
			Path: path, Why: "it was changed, or is of another state directory: nothing in this one can be believed",
			Mend: private.Moved(state),
		}
	}
	if err := json.Unmarshal(text, l); err != nil || l.Schema != schemaLedger {
		return nil, fmt.Errorf("apply: %s: it is of kind %q, this version reads %q: %w", path, l.Schema, schemaLedger, errors.Join(err))
	}
	return l, nil
}

// writeLedger stores the ledger in one step.
func writeLedger(state string, s *seal, l *ledger, fault func(string)) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	b := append([]byte(s.over([]byte("ledger"), text).String()+"\n"), text...)
	if err := private.Replace(filepath.Join(state, ledgerFile), b, func() { fault("ledger:draft") }); err != nil {
		return fmt.Errorf("apply: ledger: %w", err)
	}
	fault("ledger:written")
	return nil
}
