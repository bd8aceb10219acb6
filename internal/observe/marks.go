package observe

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"ipcguard/internal/model"
)

// Mark is up to where an event log of this host was read.
type Mark struct {
	Bookmark string    `json:"bookmark"` // as the event log itself writes it
	Time     time.Time `json:"time"`     // of the last event
}

// Marks are those of all logs, by name.
type Marks map[string]Mark

// savedDay is a day's result with the marks up to where it reaches: saved as one, so that no event is counted twice or lost
// between them, whenever the power fails.
type savedDay struct {
	model.Observation
	Marks Marks `json:"marks,omitempty"`
}

// loadMarks gives the marks of the newest day.
func (s *State) loadMarks() (Marks, error) {
	all, err := days(s.dir)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	f, err := os.Open(all[len(all)-1])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var o struct{ Marks Marks }
	err = json.NewDecoder(io.LimitReader(f, maxResult)).Decode(&o)
	return o.Marks, err
}

// LocalState reads what is new in the event logs of this host into a state directory: into the result of today, behind the marks of
// the last time, or what is no older than since (0 is everything) at first. It ends the Logs.
func (l *Logs) LocalState(ctx context.Context, dir string, since time.Duration, now time.Time) error {
	return l.intoState(dir, now, func(after Marks) (Marks, error) { return l.ReadLocal(ctx, since, after) })
}

func (l *Logs) intoState(dir string, now time.Time, read func(Marks) (Marks, error)) (err error) {
	s, err := OpenState(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	after, err := s.loadMarks()
	if err != nil {
		return err
	}
	day := today(now)
	o, err := s.Load(day)
	if err != nil {
		return err
	}
	if o != nil {
		Merge(l.agg, l.cov, o)
	}
	marks, err := read(after)
	if err != nil {
		return err
	}
	l.Close() // what still waits for a logon is told now: its event is behind the mark
	if err := writeDurably(filepath.Join(s.dir, dayName(day)), savedDay{*Result(l.agg, l.cov), marks}); err != nil {
		return err
	}
	return s.Expire()
}
