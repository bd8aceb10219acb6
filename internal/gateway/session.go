package gateway

import (
	"fmt"
	"sync"

	"ipcguard/internal/model"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// Bounds of one connection.
const (
	// maxSetups is how many logons may be under way at once; a client makes one after the other.
	maxSetups = 64

	// maxSessions is how many sessions a connection may hold: a terminal server's clients share one, and a session that
	// ends inside encryption is not seen to end.
	maxSessions = 1 << 16

	// maxWaiting is how many answers may be due that the gateway has to see. No server grants more credits than 8192.
	// Before anybody has come in, a client has one request under way, or two.
	maxWaiting       = 8192
	maxWaitingNobody = 128
)

// session is a logon that a server has accepted.
type session struct {
	caller

	// refused is why nothing of it may pass, and ended that the server was told to end it.
	refused Reason
	ended   bool

	// open is of a stranger who may use some pipes: every request is judged.
	open *conversation

	// watch is of a user who may not do everything.
	watch *watch
}

// user tells whether what the session sends passes.
func (s *session) user() bool { return s != nil && s.refused == "" && s.open == nil }

// judged tells whether the requests of the session are looked at one by one.
func (s *session) judged() bool { return s != nil && s.refused == "" && s.open != nil }

// waiting is a request whose answer the gateway has to see: one of these.
type waiting struct {
	refused   *refused // an ECHO went instead
	logon     *logon   // a SESSION_SETUP
	logoff    uint64   // a LOGOFF of this session
	negotiate bool

	// Of a session whose requests are judged: a TREE_CONNECT, a CREATE, or data for a pipe.
	connected func(tree uint32, pipes bool) error
	opened    func(smb2.FileID)
	data      *reading
}

// table is what a connection's two directions know of it.
type table struct {
	mu         sync.Mutex
	dialect    string
	negotiated bool                // a NEGOTIATE was sent
	sessions   map[uint64]*session // by SessionId
	setups     map[uint64]*logon   // under way, by SessionId
	waiting    map[uint64]waiting  // by MessageId
	users      int                 // sessions of which everything passes
	came       bool                // there was one
	strangers  int                 // sessions that are judged
}

func newTable() *table {
	return &table{sessions: map[uint64]*session{}, setups: map[uint64]*logon{}, waiting: map[uint64]waiting{}}
}

// wait notes that the answer to a request has to be seen.
func (t *table) wait(id uint64, w waiting) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	limit := maxWaiting
	if t.users == 0 && t.strangers == 0 {
		limit = maxWaitingNobody
	}
	if len(t.waiting) >= limit {
		return refusal{ReasonTooMuch, fmt.Sprintf("more than %d answers are due", limit)}
	}
	if w.negotiate {
		t.negotiated = true
	}
	t.waiting[id] = w
	return nil
}

// waits tells whether any answer has to be seen.
func (t *table) waits() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting) > 0
}

// due finds what waits for an answer. Interim answers are not the last.
func (t *table) due(h *smb2.Header) (waiting, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w, ok := t.waiting[h.MessageID]
	if ok && !(h.IsAsync() && status.NTStatus(h.Status) == status.Pending) {
		delete(t.waiting, h.MessageID)
	}
	return w, ok
}

// unanswered takes every refused request that the server has not answered.
func (t *table) unanswered() []*refused {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*refused
	for id, w := range t.waiting {
		if w.refused != nil {
			out = append(out, w.refused)
		}
		delete(t.waiting, id)
	}
	return out
}

// find is the session with an id; nil where the connection has none.
func (t *table) find(id uint64) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[id]
}

// known tells whether a user has come in on the connection.
func (t *table) known() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.users > 0
}

// some tells whether a stranger has come in who may use some pipes.
func (t *table) some() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.strangers > 0
}

// used tells whether a user has ever come in on the connection.
func (t *table) used() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.came
}

// setup finds or begins the logon that a SESSION_SETUP goes on with.
func (t *table) setup(id uint64) *logon {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.setups[id]; l != nil && id != 0 {
		return l
	}
	return &logon{session: id}
}

// underway keeps a logon that goes on.
func (t *table) underway(id uint64, l *logon) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.setups[id]; !ok && len(t.setups) >= maxSetups {
		return refusal{ReasonTooMuch, fmt.Sprintf("more than %d logons under way", maxSetups)}
	}
	t.setups[id] = l
	return nil
}

// failed ends a logon that the server refused.
func (t *table) failed(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.setups, id)
}

// come ends a logon that the server accepted.
func (t *table) come(id uint64, s *session) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.setups, id)
	old, ok := t.sessions[id]
	if !ok && len(t.sessions) >= maxSessions {
		return refusal{ReasonTooMuch, fmt.Sprintf("more than %d sessions", maxSessions)}
	}
	t.count(old, -1)
	t.count(s, 1)
	t.came = t.came || s.user()
	t.sessions[id] = s
	return nil
}

// left ends a session.
func (t *table) left(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(t.sessions[id], -1)
	delete(t.sessions, id)
}

// watching are the sessions whose users may not do everything.
func (t *table) watching() (out []*session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.sessions {
		if s.watch != nil {
			out = append(out, s)
		}
	}
	return out
}

// count counts a session as one more, or one less.
func (t *table) count(s *session, n int) {
	switch {
	case s.user():
		t.users += n
	case s.judged():
		t.strangers += n
	}
}

// end tells, once, that the server is to be told to end a refused session.
func (t *table) end(s *session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !s.ended
	s.ended = true
	return first
}

// dialectSMB1 is the one dialect of SMB1 that is let through.
const dialectSMB1 = "NT LM 0.12"

// speaks notes the dialect that the server chose.
func (t *table) speaks(dialect string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dialect = dialect
}

// state is what the rows of a connection carry.
func (t *table) state() (dialect string, negotiated bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dialect, t.negotiated
}

// stranger tells whether a caller is nobody that the server knows by name.
func (c caller) stranger() bool { return c.who.IsStranger() || c.who == model.Unknown }
