package observe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"ipcguard/internal/observe/conversation"
	"ipcguard/internal/observe/flow"
)

// memoryFile is in the directory of the days' results: what a run knows of open connections, for the next run.
const memoryFile = "connections.json"

const (
	// maxKnown bounds the connections that are saved for the next run, the most recent ones: about 4 MB.
	maxKnown = 8192
	// maxMemory bounds the file, in bytes.
	maxMemory = 64 << 20
	// maxAway is the longest restart after which connections are resumed. What happened meanwhile is unknown: another
	// user may have taken the place of the first on the same connection with the same number. Within minutes that is
	// unlikely, and every row that depends on it says so.
	maxAway = 5 * time.Minute
	// maxTicketAge is how long the clients of tickets are remembered: a week, the longest time for which Windows renews
	// one.
	maxTicketAge = 7 * 24 * time.Hour
)

// memory is the file.
type memory struct {
	Saved       time.Time                  `json:"saved"`
	Connections []conversation.Known       `json:"connections"`
	Tickets     []conversation.KnownTicket `json:"tickets,omitempty"`
}

// known returns what the next run needs.
func (t *Traffic) known(now time.Time) *memory {
	m := &memory{Saved: now, Connections: []conversation.Known{}, Tickets: t.follower.Tickets()}
	t.table.Newest(func(s flow.Stream) bool {
		if c, ok := s.(*conversation.Conversation); ok {
			if k := c.Known(); k != nil {
				m.Connections = append(m.Connections, *k)
			}
		}
		return len(m.Connections) < maxKnown
	})
	return m
}

// resume adds what the previous run knew.
func (t *Traffic) resume(m *memory, now time.Time) {
	if m == nil {
		return
	}
	away := now.Sub(m.Saved)
	if away >= 0 && away <= maxTicketAge {
		t.follower.ResumeTickets(m.Tickets)
	}
	if len(m.Connections) == 0 {
		return
	}
	if away < 0 || away > maxAway {
		t.cov.Note(fmt.Sprintf("sessions that were open when the observation went on, %s, are unknown: it was away "+
			"for more than %s", now.UTC().Format(time.RFC3339), maxAway))
		return
	}
	n := min(len(m.Connections), maxKnown)
	t.follower.Resume(m.Connections[:n], now.Add(maxAway))
	t.cov.CountRead("connections known from before a restart", int64(n))
}

// saveMemory replaces the file for the next run.
func (s *State) saveMemory(m *memory) error {
	return writeDurably(filepath.Join(s.dir, memoryFile), m)
}

// loadMemory returns what the previous run knew; nil if there is nothing.
func (s *State) loadMemory() (*memory, error) {
	f, err := os.Open(filepath.Join(s.dir, memoryFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m := new(memory)
	if err := json.NewDecoder(io.LimitReader(f, maxMemory)).Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return m, nil
}
