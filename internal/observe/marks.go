package observe

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"time"

	"ipcguard/internal/model"
)

// Mark is the position up to which an event log of this host was read.
type Mark struct {
	Bookmark string    `json:"bookmark"` // as the event log itself writes it
	Time     time.Time `json:"time"`     // of the last event
}

// Marks are the positions in all logs, by name.
type Marks map[string]Mark

// savedDay is a day's result with the marks up to which it reaches. Both are saved as one file, so that a power failure
// neither loses an event nor counts it twice.
type savedDay struct {
	model.Observation
	Marks Marks `json:"marks,omitempty"`
}

// Marks returns the marks of the newest day.
func (s *State) Marks() (Marks, error) {
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

// SaveMarked replaces a day's result together with the marks up to which it reaches.
func (s *State) SaveMarked(day time.Time, o *model.Observation, marks Marks) error {
	return writeDurably(filepath.Join(s.dir, dayName(day)), savedDay{*o, marks})
}
