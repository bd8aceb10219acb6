package gateway

import (
	"maps"
	"sync"
	"time"

	"ipcguard/internal/model"
)

// Stats is what a gateway has counted since it began.
type Stats struct {
	Since       time.Time                `json:"since"`
	Open        int                      `json:"open"`        // connections now
	Connections int64                    `json:"connections"` // that were taken
	Sessions    map[model.Identity]int64 `json:"sessions"`    // that came in, by identity
	Refused     map[Reason]int64         `json:"refused"`     // by reason; with ObserveOnly, what would have been
	Unread      int64                    `json:"unread"`      // sessions of users who are denied something that could not be read
	Encrypted   int64                    `json:"encrypted"`   // of them, those that the server has encrypted from the logon on
	Added       Latency                  `json:"added"`       // by the gateway, each way
}

// stats counts. Both maps have closed lists of keys.
type stats struct {
	added latency

	mu sync.Mutex
	Stats
}

func (s *stats) init() {
	s.Since, s.Sessions, s.Refused = time.Now().UTC(), map[model.Identity]int64{}, map[Reason]int64{}
}

func (s *stats) opened() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Connections++
	s.Open++
}

func (s *stats) closed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Open--
}

func (s *stats) came(who caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Sessions[who.who]++
	if who.encrypted {
		s.Encrypted++
	}
}

func (s *stats) unread() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Unread++
}

func (s *stats) refused(why Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Refused[why]++
}

func (s *stats) snapshot() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.Stats
	out.Added = s.added.snapshot()
	out.Sessions, out.Refused = maps.Clone(s.Sessions), maps.Clone(s.Refused)
	return out
}
