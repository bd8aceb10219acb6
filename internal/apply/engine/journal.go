package engine

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/durable"
	"ipcguard/internal/model"
)

// Event is what one step of the journal says has happened, or is about to.
type Event string

// The events, in the order in which an apply meets them.
const (
	Begun     Event = "begun"     // everything is known; nothing is written
	Armed     Event = "armed"     // the guard runs
	Writing   Event = "writing"   // one write is about to be made
	Wrote     Event = "wrote"     // it was made and read back
	Settled   Event = "settled"   // the host uses it
	Verified  Event = "verified"  // it was proved from outside: it stays, or waits for the confirmation
	Confirmed Event = "confirmed" // it stays
	Undoing   Event = "undoing"   // from here on everything goes back
	Restoring Event = "restoring" // one place is about to be put back
	Restored  Event = "restored"  // it was put back and read back
	Undone    Event = "undone"    // the host is as before
	Conflict  Event = "conflict"  // going back has stopped at what somebody else changed
)

// Step is one line of the journal.
type Step struct {
	N        int       `json:"n"`
	Time     time.Time `json:"time"`
	Event    Event     `json:"event"`
	Write    *int      `json:"write,omitempty"` // index into Before.Writes
	Why      string    `json:"why,omitempty"`
	Notes    []string  `json:"notes,omitempty"`
	Deadline *Deadline `json:"deadline,omitempty"`
	At       *Instant  `json:"at,omitempty"` // by all clocks, of what a restart is compared with
	Diffs    []string  `json:"diffs,omitempty"`
	PID      int       `json:"pid,omitempty"`
}

// Before is what the journal holds before the first write.
type Before struct {
	Schema   string        `json:"schema"`
	ID       string        `json:"id"`
	Target   string        `json:"target"`
	Host     apply.Host    `json:"host"`
	PlanHash string        `json:"plan_hash"`
	Started  time.Time     `json:"started"`
	Who      string        `json:"who"`
	Within   Duration      `json:"confirm_within,omitempty"`
	Writes   []apply.Write `json:"writes"`
}

const schemaJournal = "ipcguard.journal/1"

// Duration is a time.Duration that reads well in JSON.
type Duration time.Duration

// MarshalText is part of encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText is part of encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Journal is the record of one apply.
type Journal struct {
	Dir string
	Before
	Plan  model.Plan
	Steps []Step
	Torn  bool // the last line was cut short; what it would have said did not happen

	whole int64 // bytes of the whole lines
	fault func(string)
}

// Limits. A plan has tens of changes; smb.conf is at most 16 MiB, in base64, before and after.
const (
	maxJournalFile = 96 << 20
	maxSteps       = 10_000
)

const (
	planFile   = "plan.json"
	beforeFile = "before.json"
	stepsFile  = "steps"
	// reserveFile keeps room on the disk for the way back: it goes when a step finds the disk full.
	reserveFile = "reserve"
	reserveSize = 64 << 10  // the steps of some hundred writes, and a record
	draft       = ".draft-" // of a journal that is being made; nothing was written to a host yet
)

// newID is a time that sorts, and something that nobody else has.
func newID(now time.Time) (string, error) {
	var b [3]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return now.UTC().Format("20060102-150405-") + hex.EncodeToString(b[:]), nil
}

// validID keeps an id from the command line inside the journal's directory.
func validID(id string) bool {
	return len(id) == len("20060102-150405-abcdef") && strings.Trim(id, "0123456789abcdef-") == ""
}

// createJournal writes everything that is known before the first write, and gives it its name when all of it is on disk.
func (e *Engine) createJournal(b Before, plan []byte, p model.Plan) (*Journal, error) {
	root := e.journals()
	if err := durable.MakeDirs(root); err != nil {
		return nil, fmt.Errorf("apply: journal: %w", err)
	}
	text, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		return nil, err
	}
	j := &Journal{Dir: filepath.Join(root, draft+b.ID), Before: b, Plan: p, fault: e.fault}
	fail := func(err error) (*Journal, error) {
		return nil, errors.Join(fmt.Errorf("apply: journal: %w", err), durable.RemoveFlat(j.Dir))
	}
	if err := os.Mkdir(j.Dir, 0o700); err != nil {
		return fail(err)
	}
	e.fault("journal:directory")
	if err := durable.Create(filepath.Join(j.Dir, planFile), plan, 0o600); err != nil {
		return fail(err)
	}
	e.fault("journal:plan")
	if err := durable.Create(filepath.Join(j.Dir, beforeFile), text, 0o600); err != nil {
		return fail(err)
	}
	e.fault("journal:before")
	if err := durable.Create(filepath.Join(j.Dir, reserveFile), bytes.Repeat([]byte{'.'}, reserveSize), 0o600); err != nil {
		return fail(err)
	}
	if err := durable.Create(filepath.Join(j.Dir, stepsFile), nil, 0o600); err != nil {
		return fail(err)
	}
	if err := j.append(Step{Time: b.Started, Event: Begun, PID: os.Getpid()}); err != nil {
		return fail(err)
	}
	if err := durable.SyncDir(j.Dir); err != nil {
		return fail(err)
	}
	dir := filepath.Join(root, b.ID)
	if err := os.Rename(j.Dir, dir); err != nil {
		return fail(err)
	}
	j.Dir = dir
	e.fault("journal:named")
	if err := durable.SyncDir(root); err != nil {
		return nil, fmt.Errorf("apply: journal: %w", err)
	}
	e.fault("journal:durable")
	return j, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// append adds a step and returns when it is on disk.
func (j *Journal) append(s Step) error {
	err := j.write(s)
	if durable.Full(err) && s.Event.back() && j.release() {
		err = j.write(s)
	}
	return err
}

// back tells whether an event is one of the way back, for which room is kept.
func (e Event) back() bool {
	return slices.Contains([]Event{Undoing, Restoring, Restored, Undone, Conflict}, e)
}

// release gives up the room that was kept for the way back, and tells whether there was any.
func (j *Journal) release() bool { return os.Remove(filepath.Join(j.Dir, reserveFile)) == nil }

func (j *Journal) write(s Step) (err error) {
	s.N = len(j.Steps)
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	line := fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, castagnoli), text)
	f, err := os.OpenFile(filepath.Join(j.Dir, stepsFile), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("apply: journal: %w", cerr)
		}
	}()
	end, err := f.Seek(0, 2)
	if err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	if j.whole != end { // a torn tail of a run that was killed
		if err := f.Truncate(j.whole); err != nil {
			return fmt.Errorf("apply: journal: %w", err)
		}
		if _, err := f.Seek(j.whole, 0); err != nil {
			return fmt.Errorf("apply: journal: %w", err)
		}
	}
	j.at("step:" + string(s.Event) + ":before")
	half := len(line) / 2
	if _, err := f.Write(line[:half]); err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	j.at("step:" + string(s.Event) + ":torn")
	if _, err := f.Write(line[half:]); err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	j.at("step:" + string(s.Event) + ":written")
	if err := f.Sync(); err != nil {
		return fmt.Errorf("apply: journal: %w", err)
	}
	j.Steps = append(j.Steps, s)
	j.whole += int64(len(line))
	j.Torn = false
	j.at("step:" + string(s.Event) + ":synced")
	return nil
}

func (j *Journal) at(point string) {
	if j.fault != nil {
		j.fault(point)
	}
}

// DamageError says that a journal cannot be read, and where.
type DamageError struct {
	Dir, Why string
}

func (e *DamageError) Error() string { return fmt.Sprintf("apply: journal %s: %s", e.Dir, e.Why) }

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxJournalFile {
		return nil, fmt.Errorf("%s: not a regular file of less than %d MiB", path, maxJournalFile>>20)
	}
	return os.ReadFile(path)
}

// readJournal reads one. A last line that was cut short is what a killed process leaves, and is dropped; damage anywhere
// else is an error.
func readJournal(dir string) (*Journal, error) {
	j := &Journal{Dir: dir}
	damaged := func(format string, args ...any) (*Journal, error) {
		return nil, &DamageError{dir, fmt.Sprintf(format, args...)}
	}
	b, err := readBounded(filepath.Join(dir, beforeFile))
	if err != nil {
		return damaged("%v", err)
	}
	if err := json.Unmarshal(b, &j.Before); err != nil {
		return damaged("%s: %v", beforeFile, err)
	}
	if j.Schema != schemaJournal {
		return damaged("it is of kind %q, this version reads %q", j.Schema, schemaJournal)
	}
	if j.ID != filepath.Base(dir) {
		return damaged("it says that it is %q", j.ID)
	}
	if b, err = readBounded(filepath.Join(dir, planFile)); err != nil {
		return damaged("%v", err)
	}
	if err := json.Unmarshal(b, &j.Plan); err != nil {
		return damaged("%s: %v", planFile, err)
	}
	if b, err = readBounded(filepath.Join(dir, stepsFile)); err != nil {
		return damaged("%v", err)
	}
	if why := j.replay(b); why != "" {
		return damaged("%s", why)
	}
	return j, nil
}

// replay reads the steps, and says what is wrong with them or nothing.
func (j *Journal) replay(b []byte) string {
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		s, ok := parseStep(line)
		if ok && whole && s.N == len(j.Steps) && len(j.Steps) < maxSteps && j.possible(s) {
			j.Steps = append(j.Steps, s)
			j.whole += int64(len(line) + 1)
			b = rest
			continue
		}
		if len(rest) > 0 {
			return fmt.Sprintf("%s: line %d is damaged, and others follow it", stepsFile, len(j.Steps)+1)
		}
		j.Torn = true
		break
	}
	if len(j.Steps) == 0 {
		return stepsFile + ": it has no first line"
	}
	return ""
}

// possible tells whether a step speaks of a write that there is.
func (j *Journal) possible(s Step) bool {
	switch s.Event {
	case Writing, Wrote, Restoring, Restored:
		return s.Write != nil && *s.Write >= 0 && *s.Write < len(j.Writes)
	}
	return s.Event != ""
}

func parseStep(line []byte) (s Step, ok bool) {
	sum, text, ok := bytes.Cut(line, []byte(" "))
	if !ok || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)) {
		return s, false
	}
	return s, json.Unmarshal(text, &s) == nil
}

// Phase is where an apply stands.
type Phase string

// The phases.
const (
	PhaseWriting  Phase = "writing"  // under way, or cut short
	PhaseWaiting  Phase = "waiting"  // verified; waits for the confirmation
	PhaseKept     Phase = "kept"     // verified, and confirmed where that was asked for
	PhaseUndoing  Phase = "undoing"  // going back, or cut short while going back
	PhaseUndone   Phase = "undone"   // as before
	PhaseConflict Phase = "conflict" // going back stopped at what somebody else changed
)

// Phase is where the apply stands by its last steps.
func (j *Journal) Phase() Phase {
	p := PhaseWriting
	for _, s := range j.Steps {
		switch s.Event {
		case Verified:
			if p = PhaseKept; j.Within > 0 {
				p = PhaseWaiting
			}
		case Confirmed:
			p = PhaseKept
		case Undoing:
			p = PhaseUndoing
		case Undone:
			p = PhaseUndone
		case Conflict:
			p = PhaseConflict
		}
	}
	return p
}

// last finds the newest step of a kind, or nil.
func (j *Journal) last(e Event) *Step {
	for i := len(j.Steps) - 1; i >= 0; i-- {
		if j.Steps[i].Event == e {
			return &j.Steps[i]
		}
	}
	return nil
}

// attempted is how many writes were begun.
func (j *Journal) attempted() int {
	n := 0
	for _, s := range j.Steps {
		if s.Event == Writing {
			n = max(n, *s.Write+1)
		}
	}
	return n
}

// Deadline is when the confirmation must have come, or nil where none was asked for.
func (j *Journal) Deadline() *Deadline {
	if s := j.last(Armed); s != nil {
		return s.Deadline
	}
	return nil
}

// Ended is when the last step happened.
func (j *Journal) Ended() time.Time { return j.Steps[len(j.Steps)-1].Time }

// Why is the reason of the last step that has one.
func (j *Journal) Why() string {
	for i := len(j.Steps) - 1; i >= 0; i-- {
		if j.Steps[i].Why != "" {
			return j.Steps[i].Why
		}
	}
	return ""
}

// ErrUnknown says that a state directory knows no such apply.
var ErrUnknown = errors.New("apply: there is no apply")

// open finds a journal by its id.
func (e *Engine) open(id string) (*Journal, error) {
	if !validID(id) {
		return nil, fmt.Errorf("apply: %.40q is not an id; ipcguard history lists them", id)
	}
	dir := filepath.Join(e.journals(), id)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s in %s; ipcguard history lists them", ErrUnknown, id, e.State)
	}
	j, err := readJournal(dir)
	if err == nil {
		j.fault = e.fault
	}
	return j, err
}

// History reads every journal, oldest first. Those that cannot be read are errors of their own beside the rest.
func (e *Engine) History() ([]*Journal, error) {
	entries, err := os.ReadDir(e.journals())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("apply: journal: %w", err)
	}
	var out []*Journal
	var errs []error
	for _, entry := range entries {
		if !entry.IsDir() || !validID(entry.Name()) {
			continue
		}
		j, err := readJournal(filepath.Join(e.journals(), entry.Name()))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		j.fault = e.fault
		out = append(out, j)
	}
	slices.SortStableFunc(out, func(a, b *Journal) int { return a.Started.Compare(b.Started) })
	return out, errors.Join(errs...)
}

// dropDrafts removes journals that a killed process had not finished making: no host was written to.
func (e *Engine) dropDrafts() error {
	entries, err := os.ReadDir(e.journals())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), draft) {
			if err := durable.RemoveFlat(filepath.Join(e.journals(), entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
