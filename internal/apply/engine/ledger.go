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

// The ledger records how far every journal of a state directory has come. A journal behind its entry was restored from
// an earlier time or truncated; a journal without an entry was planted; an entry without a journal means that it was
// removed. The ledger is written after each step, so a journal may be ahead of it by the step at which a process was
// killed.
//
//	code over the rest, newline, JSON

const ledgerFile = "ledger"

// maxLedger is the size for a few hundred thousand journals.
const maxLedger = 16 << 20

// ledger is the content of the ledger.
type ledger struct {
	Schema   string           `json:"schema"`
	Journals map[string]known `json:"journals"`
}

const schemaLedger = "ipcguard.ledger/1"

// known is the state of a journal: the number of steps, and the code of the last.
type known struct {
	Steps int    `json:"steps"`
	Head  string `json:"head"`
}

// readLedger reads the ledger; a state directory without a ledger has an empty one.
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
		return nil, fmt.Errorf("apply: %s: it is of kind %q, this version reads %q: %w", path, l.Schema, schemaLedger,
			errors.Join(err))
	}
	return l, nil
}

// writeLedger replaces the ledger atomically.
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
