package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"strings"

	"ipcguard/internal/apply/private"
)

// Journals of earlier versions have a CRC-32C on each line of their steps, which detects a power cut and nothing else.
// They are shown, and undone on request: then they are sealed as they are first.

const schemaUnsealed = "ipcguard.journal/1"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maxUnsealed bounds the values in each file of an unauthenticated journal: anyone may have written it, and three bytes
// of JSON can take four hundred in memory. A plan for a thousand shares has a hundred thousand.
const maxUnsealed = 250_000

// crcText is the length of a line's checksum.
const crcText = 8

func ofEarlierVersion(steps []byte) bool { return bytes.IndexByte(steps, ' ') == crcText }

// readUnsealed reads the steps of an earlier version.
func (j *Journal) readUnsealed(f *files) error {
	for name, b := range map[string][]byte{beforeFile: f.before, planFile: f.plan, stepsFile: f.steps} {
		if bytes.Count(b, []byte(",")) > maxUnsealed { // a comma separates any two values
			return fmt.Errorf("%s: more than %d values, which no journal has", name, maxUnsealed)
		}
	}
	for rest := f.steps; len(rest) > 0; {
		line, more, whole := bytes.Cut(rest, []byte("\n"))
		sum, text, _ := bytes.Cut(line, []byte(" "))
		s, ok := parseStep(text)
		if !whole || !ok || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)) ||
			s.N != len(j.Steps) || len(j.Steps) >= maxSteps {
			if len(more) > 0 {
				return fmt.Errorf("%s: line %d is damaged, and others follow it", stepsFile, len(j.Steps)+1)
			}
			j.Torn = true
			break
		}
		j.Steps = append(j.Steps, s)
		j.whole += int64(len(line) + 1)
		rest = more
	}
	return nil
}

// sealedSteps returns the steps of an earlier version as a sealed journal has them, with one more for every file next
// to them.
func (j *Journal) sealedSteps(f *files) (text []byte, steps []Step, head mac, err error) {
	steps = append(steps, j.Steps...)
	for _, kind := range []string{"proof", "record"} {
		for n := 1; ; n++ {
			name := fmt.Sprintf("%s-%d.json", kind, n)
			b, err := private.Read(filepath.Join(j.Dir, name), maxJournalFile)
			if err != nil {
				break // the next is left by a killed process, or absent
			}
			steps = append(steps, Step{N: len(steps), Time: j.Ended(), Event: Kept, File: name, Sum: digest(b)})
		}
	}
	head = j.seal.root(filepath.Base(j.Dir), f.plan, f.before)
	for _, s := range steps {
		line, err := json.Marshal(s)
		if err != nil {
			return nil, nil, mac{}, err
		}
		head = j.seal.step(head, line)
		text = fmt.Appendf(text, "%s %s\n", head, line)
	}
	return text, steps, head, nil
}

// halfAdopted accepts a journal of an earlier version that the ledger has because adopt was interrupted: the ledger's
// entry is that of the sealed journal.
func (j *Journal) halfAdopted(f *files, entry known) error {
	if j.seal != nil && len(j.Steps) > 0 {
		if _, steps, head, err := j.sealedSteps(f); err == nil && entry.Steps == len(steps) &&
			entry.Head == head.String() {
			return nil
		}
	}
	return errors.New("the ledger knows it as sealed, and it is not")
}

// Adopt seals a journal of an earlier version as it is, after a person has reviewed it: then it can be rolled back.
func (e *Engine) Adopt(id string) (*Journal, error) {
	return e.withJournal(id, func(j *Journal) error {
		if j.Sealed {
			return nil
		}
		return e.adopt(j)
	})
}

// adopt seals a journal of an earlier version as it is. It updates the ledger first.
func (e *Engine) adopt(j *Journal) error {
	f, err := readFiles(j.Dir)
	if err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	key, err := e.key()
	if errors.Is(err, fs.ErrNotExist) {
		key, err = e.makeKey()
	}
	if err != nil {
		return err
	}
	if j.seal, err = newSeal(key); err != nil {
		return err
	}
	text, steps, head, err := j.sealedSteps(f)
	if err != nil {
		return err
	}
	l, err := readLedger(e.State, j.seal)
	if err != nil {
		return err
	}
	l.Journals[j.ID] = known{len(steps), head.String()}
	if err := writeLedger(e.State, j.seal, l, e.fault); err != nil {
		return err
	}
	if err := private.Replace(filepath.Join(j.Dir, stepsFile), text, func() { e.fault("adopt:draft") }); err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	j.Steps, j.head, j.whole, j.Sealed, j.Torn = steps, head, int64(len(text)), true, false
	return j.readKept(withoutDraft(f.names))
}

// withoutDraft removes the draft of the steps.
func withoutDraft(names []string) []string {
	var out []string
	for _, n := range names {
		if !strings.HasSuffix(n, ".new") {
			out = append(out, n)
		}
	}
	return out
}
