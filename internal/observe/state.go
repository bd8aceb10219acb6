package observe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/source"
)

// Result returns the current result.
func Result(agg *Aggregator, cov *Coverage) *model.Observation {
	c := cov.Coverage
	c.Read, c.Unreadable = maps.Clone(c.Read), maps.Clone(c.Unreadable)
	c.Notes, c.Notices, c.Heard = slices.Clone(c.Notes), slices.Clone(c.Notices), cov.heardInOrder()
	if c.Bytes != nil {
		b := *c.Bytes
		c.Bytes = &b
	}
	return &model.Observation{Schema: model.SchemaObserve, Coverage: c, Days: agg.Days(), Uses: agg.Rows()}
}

// Merge adds an earlier result: equal rows become one, and counts are added.
func Merge(agg *Aggregator, cov *Coverage, o *model.Observation) {
	for _, u := range o.Uses {
		agg.add(&u)
	}
	agg.days.merge(o)
	c := &o.Coverage
	cov.Saw(c.From)
	cov.Saw(c.To)
	for kind, n := range c.Read {
		cov.CountRead(kind, n)
	}
	for why, n := range c.Unreadable {
		cov.CountUnreadable(why, n)
	}
	if c.Bytes != nil {
		if cov.Bytes == nil {
			cov.Bytes = new(model.Bytes)
		}
		cov.Bytes.Add(*c.Bytes)
	}
	for i := range c.Heard {
		cov.hear(&c.Heard[i])
	}
	for _, n := range c.Notes {
		cov.Note(n)
	}
	for _, n := range c.Notices {
		cov.Notice(n)
	}
	cov.sortNotes()
}

// ErrNotResult means that bytes are not a result of observe.
var ErrNotResult = errors.New("not a result of observe")

// maxResult bounds a result's file, in bytes: the rows of a full aggregator take about 60 MB as JSON. A file of several
// results has at most twice as much.
const maxResult = 128 << 20

// ReadResult reads a result: the JSON document, or rows as JSON lines, compressed or not. Rows alone say nothing about
// their coverage except their times.
func ReadResult(r io.Reader, add func(*model.Observation) error) error {
	plain, err := source.Decompress(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotResult, err)
	}
	limits := model.DocumentLimits{Document: maxResult, Whole: 2 * maxResult}
	var ours error
	n := 0
	err = model.ReadDocuments(plain, limits, func(raw []byte) error {
		n++
		o := new(model.Observation)
		if err := json.Unmarshal(raw, o); err != nil {
			return err
		}
		switch o.Schema {
		case model.SchemaObserve:
		case model.SchemaUse:
			var u model.Use
			if err := json.Unmarshal(raw, &u); err != nil {
				return err
			}
			*o = model.Observation{Coverage: model.Coverage{From: u.First, To: u.Last}, Uses: []model.Use{u}}
		default:
			return fmt.Errorf("this is %s", model.KindOf(raw))
		}
		ours = add(o)
		return ours
	})
	switch {
	case err != nil && ours == nil:
		return fmt.Errorf("%w: %w", ErrNotResult, err)
	case n == 0:
		return fmt.Errorf("%w: it is empty", ErrNotResult)
	}
	return err
}

// IsResult reports, from the first bytes of an uncompressed file, whether ReadResult can read it.
func IsResult(head []byte) bool {
	head = model.UTF8Text(head[:min(len(head), 128)])
	return containsSchema(head, model.SchemaObserve) || containsSchema(head, model.SchemaUse)
}

func containsSchema(head []byte, schema string) bool {
	squeezed := make([]byte, 0, len(head))
	for _, b := range head {
		if b != ' ' && b != '\n' && b != '\t' && b != '\r' {
			squeezed = append(squeezed, b)
		}
	}
	want := `{"schema":"` + schema + `"`
	return len(squeezed) >= len(want) && string(squeezed[:len(want)]) == want
}

// State is a directory with the results of a continuing run, one a day, so that a restart neither loses nor counts
// twice what was saved. One process writes to it at a time; others may read it meanwhile.
//
//	2026-11-22.json   a day's result (UTC), replaced as a whole: written to a temporary file, synced, renamed
//	connections.json  what is known of open connections, for the next run
//	lock              held while a process writes here
type State struct {
	dir  string
	lock *os.File
}

const (
	dayLayout = "2006-01-02"
	dayEnd    = ".json"
	lockFile  = "lock"
	// keepDays is the number of days that are kept: a year, so that yearly events are included, and a month.
	keepDays = 397
)

// ErrBusy means that another process uses the state directory.
var ErrBusy = errors.New("another process observes into this directory")

// OpenState creates the directory if needed, and locks it.
func OpenState(dir string) (*State, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockNow(lock); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, ErrBusy), lock.Close())
	}
	return &State{dir, lock}, nil
}

// Close unlocks the directory.
func (s *State) Close() error { return s.lock.Close() }

// Load returns the saved result of a day; nil if there is none.
func (s *State) Load(day time.Time) (*model.Observation, error) {
	return loadDay(filepath.Join(s.dir, dayName(day)))
}

func dayName(day time.Time) string { return day.UTC().Format(dayLayout) + dayEnd }

func loadDay(path string) (*model.Observation, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out *model.Observation
	err = ReadResult(f, func(o *model.Observation) error { out = o; return nil })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return out, nil
}

// days lists the saved days, oldest first.
func days(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), dayEnd)
		if _, err := time.Parse(dayLayout, name); ok && err == nil {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(out)
	return out, nil
}

// LoadState adds the results of all days of a directory that another process may be writing to.
func LoadState(dir string, agg *Aggregator, cov *Coverage) error {
	all, err := days(dir)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("%s: %w", dir, os.ErrNotExist)
	}
	for _, path := range all {
		o, err := loadDay(path)
		if err != nil {
			return err
		}
		if o != nil {
			Merge(agg, cov, o)
		}
	}
	return nil
}

// Save replaces the saved result of a day. If it returns nil, the result is on the disk; if the process or the machine
// fails meanwhile, the earlier one is.
func (s *State) Save(day time.Time, o *model.Observation) error {
	return writeDurably(filepath.Join(s.dir, dayName(day)), o)
}

// Expire removes the oldest days, and incomplete files of a process that was killed.
func (s *State) Expire() error {
	all, err := days(s.dir)
	if err != nil {
		return err
	}
	half, err := filepath.Glob(filepath.Join(s.dir, "*"+dayEnd+".*.tmp"))
	if err != nil {
		return err
	}
	for _, path := range append(half, all[:max(0, len(all)-keepDays)]...) {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

func writeDurably(path string, o any) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
		}
	}()
	if err := json.NewEncoder(tmp).Encode(o); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
