package engine

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ipcguard/internal/apply/durable"
	"ipcguard/internal/apply/private"
	"ipcguard/internal/model"
)

// draft is the name prefix of a journal directory that is being created. Nothing has been written to a host yet.
const draft = ".draft-"

// newID returns a sortable time and a random suffix.
func newID(now time.Time) (string, error) {
	var b [3]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return now.UTC().Format("20060102-150405-") + hex.EncodeToString(b[:]), nil
}

// validID keeps an ID from the command line inside the journal directory.
func validID(id string) bool {
	return len(id) == len("20060102-150405-abcdef") && strings.Trim(id, "0123456789abcdef-") == ""
}

// createJournal writes everything that is known before the first write, and renames the directory when all of it is on
// disk.
func (e *Engine) createJournal(b Before, plan []byte, p model.Plan) (*Journal, error) {
	root := e.journals()
	if err := private.Make(root); err != nil {
		return nil, fmt.Errorf("apply: journal: %w", err)
	}
	key, err := e.key()
	if errors.Is(err, fs.ErrNotExist) {
		key, err = e.makeKey()
	}
	if err != nil {
		return nil, err
	}
	seal, err := newSeal(key)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return nil, err
	}
	j := &Journal{
		Dir: filepath.Join(root, draft+b.ID), Before: b, Plan: p, Sealed: true,
		seal: seal, head: seal.root(b.ID, plan, text), state: e.State, fault: e.fault,
	}
	if err := j.fill(plan, text); err != nil {
		return nil, errors.Join(fmt.Errorf("apply: journal: %w", err), durable.RemoveFlat(j.Dir))
	}
	dir := filepath.Join(root, b.ID)
	if err := os.Rename(j.Dir, dir); err != nil {
		return nil, errors.Join(fmt.Errorf("apply: journal: %w", err), durable.RemoveFlat(j.Dir))
	}
	j.Dir = dir
	e.fault("journal:named")
	if err := durable.SyncDir(root); err != nil {
		return nil, fmt.Errorf("apply: journal: %w", err)
	}
	e.fault("journal:durable")
	return j, nil
}

// fill creates the directory of a draft and its files.
func (j *Journal) fill(plan, before []byte) error {
	if err := private.Mkdir(j.Dir); err != nil {
		return err
	}
	j.at("journal:directory")
	for _, f := range []struct {
		name    string
		content []byte
	}{{planFile, plan}, {beforeFile, before}, {reserveFile, reserve()}, {stepsFile, nil}} {
		if err := private.Create(filepath.Join(j.Dir, f.name), f.content); err != nil {
			return err
		}
		j.at("journal:" + f.name)
	}
	if err := j.append(Step{Time: j.Started, Event: Begun, PID: os.Getpid()}); err != nil {
		return err
	}
	return durable.SyncDir(j.Dir)
}

// reserve returns the bytes that reserve disk space for an undo.
func reserve() []byte { return bytes.Repeat([]byte{'.'}, reserveSize) }

// dropDrafts removes journals that a killed process had not finished creating, and their ledger entries: no host was
// written to.
func (e *Engine) dropDrafts() error {
	entries, err := os.ReadDir(e.journals())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if id, ok := strings.CutPrefix(entry.Name(), draft); ok && validID(id) && entry.IsDir() {
			if err := durable.RemoveFlat(filepath.Join(e.journals(), entry.Name())); err != nil {
				return err
			}
		}
	}
	seal, l, err := e.ledger()
	if err != nil {
		return err
	}
	dropped := false
	for id, k := range l.Journals {
		if _, err := os.Lstat(filepath.Join(e.journals(), id)); k.Steps <= 1 && errors.Is(err, fs.ErrNotExist) {
			delete(l.Journals, id)
			dropped = true
		}
	}
	if !dropped {
		return nil
	}
	return writeLedger(e.State, seal, l, e.fault)
}
