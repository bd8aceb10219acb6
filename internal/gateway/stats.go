package gateway

import (
	"maps"
	"sync"
	"time"

	"ipcguard/internal/model"
)

// Stats are a gateway's counters since its start.
type Stats struct {
	Since       time.Time                `json:"since"`
	Open        int                      `json:"open"`        // open connections
	Connections int64                    `json:"connections"` // accepted connections
	Sessions    map[model.Identity]int64 `json:"sessions"`    // accepted sessions, by identity
	// By reason; with ObserveOnly, what would have been refused.
	Refused map[Reason]int64 `json:"refused"`
	// Sessions of users with denials that could not be read.
	Unread int64 `json:"unread"`
	// Those of them that are encrypted since the logon.
	Encrypted int64   `json:"encrypted"`
	Added     Latency `json:"added"` // by the gateway, each way
}

// stats counts. The keys of both maps are closed lists.
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
