package gateway

import (
	"fmt"
	"sync"

	"ipcguard/internal/model"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// Limits of one connection.
const (
	// maxSetups bounds concurrent logons; a client makes one after the other.
	maxSetups = 64

	// maxSessions bounds the sessions of a connection: a terminal server's clients share one, and the logoff of an
	// encrypted session is not visible.
	maxSessions = 1 << 16

	// maxWaiting bounds the pending responses that the gateway must see. No server grants more than 8192 credits.
	// Before a logon, a client has one or two pending requests.
	maxWaiting       = 8192
	maxWaitingNobody = 128
)

// session is a session that the server has accepted.
type session struct {
	caller

	// refused is why its requests are refused; ended means that the server was asked to end it.
	refused Reason
	ended   bool

	// open is set for a stranger who may use some pipes: every request is judged.
	open *conversation

	// watch is set for a user who is denied something.
	watch *watch
}

// user reports whether the session's requests pass.
func (s *session) user() bool { return s != nil && s.refused == "" && s.open == nil }

// judged reports whether the session's requests are judged one by one.
func (s *session) judged() bool { return s != nil && s.refused == "" && s.open != nil }

// waiting is a request whose response the gateway must see. One field is set.
type waiting struct {
	refused   *refused // an ECHO was sent instead
	logon     *logon   // a SESSION_SETUP
	logoff    uint64   // a LOGOFF of this session
	negotiate bool

	// For a session whose requests are judged: a TREE_CONNECT, a CREATE, or data for a pipe.
	connected func(tree uint32, pipes bool) error
	opened    func(smb2.FileID)
	data      *reading
}

// table is the state that both directions of a connection share.
type table struct {
	mu         sync.Mutex
	dialect    string
	offer      offer               // of a server of SMB1
	negotiated bool                // a NEGOTIATE was sent
	sessions   map[uint64]*session // by SessionId
	setups     map[uint64]*logon   // in progress, by SessionId
	waiting    map[uint64]waiting  // by MessageId
	users      int                 // sessions whose requests all pass
	named      int                 // those of them that are no stranger's
	came       bool                // there has been a user
	strangers  int                 // sessions that are judged
	judging    bool                // the server's answer to a logon has come, and its session is not recorded yet
	raw        rawWrite            // of SMB1
	reads      rawRead             // of SMB1
}

func newTable() *table {
	return &table{sessions: map[uint64]*session{}, setups: map[uint64]*logon{}, waiting: map[uint64]waiting{}}
}

// wait records that the response to a request must be seen.
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
	switch {
	case t.reads.asked:
		return errReadsRaw
	case t.reads.mixed && w.logon != nil:
		return errMixed
	}
	if _, twice := t.waiting[id]; twice { // the first answer would be taken for the second
		return refusal{ReasonMalformed, "a MessageId whose answer is still due"}
	}
	if w.negotiate {
		t.negotiated = true
	}
	if w.logon != nil {
		w.logon.due = true
	}
	t.waiting[id] = w
	return nil
}

// waits reports whether any response must be seen.
func (t *table) waits() bool {
	seen, raw := t.expects()
	return seen || raw
}

// expects reports whether any response must be seen, and whether the next frame is data in raw mode instead.
func (t *table) expects() (seen, raw bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting) > 0 || t.raw.asked, t.reads.asked
}

// due returns what waits for a response. After an interim response it keeps waiting.
func (t *table) due(h *smb2.Header) (waiting, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w, ok := t.waiting[h.MessageID]
	if ok && !(h.IsAsync() && status.NTStatus(h.Status) == status.Pending) {
		delete(t.waiting, h.MessageID)
		t.judging = w.logon != nil
	}
	return w, ok
}

// recorded ends what due began with the answer to a logon.
func (t *table) recorded() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.judging = false
}

// unanswered removes and returns the refused requests that the server has not answered.
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

// find returns the session with an id; nil if the connection has none.
func (t *table) find(id uint64) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[id]
}

// known reports whether a user is logged on.
func (t *table) known() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.users > 0
}

// trusts reports whether a user is logged on who is no stranger with an exception.
func (t *table) trusts() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.named > 0
}

// some reports whether a stranger who may use some pipes is logged on.
func (t *table) some() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.strangers > 0
}

// used reports whether a user has ever logged on.
func (t *table) used() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.came
}

// setup returns the logon that a SESSION_SETUP continues, or a new one. A logon goes on when its last message was
// answered: otherwise that answer would be about the claims of a later message.
func (t *table) setup(id uint64) (*logon, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.setups[id]
	switch {
	case l == nil || id == 0:
		return &logon{session: id}, nil
	case l.due:
		return nil, refusal{ReasonMalformed, "a SESSION_SETUP before the one ahead of it was answered"}
	}
	return l, nil
}

// underway stores a logon that continues.
func (t *table) underway(id uint64, l *logon) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.setups[id]; !ok && len(t.setups) >= maxSetups {
		return refusal{ReasonTooMuch, fmt.Sprintf("more than %d logons under way", maxSetups)}
	}
	t.setups[id], l.due = l, false
	if l.session == 0 { // a new logon has the number, so that the session which had it is over
		t.count(t.sessions[id], -1)
		delete(t.sessions, id)
	}
	return nil
}

// failed removes a logon that the server refused.
func (t *table) failed(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.setups, id)
}

// come replaces a logon by the session that the server accepted.
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

// settled reports whether a user is logged on and no logon is in progress: a session that the table does not have is
// then none of the server's on this connection.
func (t *table) settled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users == 0 || t.judging || len(t.setups) > 0 {
		return false
	}
	for _, w := range t.waiting {
		if w.logon != nil {
			return false
		}
	}
	return true
}

// left removes a session.
func (t *table) left(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(t.sessions[id], -1)
	delete(t.sessions, id)
}

// watching returns the sessions of users who are denied something.
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

// count adjusts the counters for a session by n.
func (t *table) count(s *session, n int) {
	switch {
	case s.user():
		t.users += n
		if !s.stranger() {
			t.named += n
		}
	case s.judged():
		t.strangers += n
	}
}

// end reports, once, that the server must end a refused session.
func (t *table) end(s *session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !s.ended
	s.ended = true
	return first
}

// dialectSMB1 is the only SMB1 dialect that is allowed.
const dialectSMB1 = "NT LM 0.12"

// speaks records the dialect that the server chose.
func (t *table) speaks(dialect string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dialect = dialect
}

// offer is what a server of SMB1 has chosen.
type offer struct {
	extended  bool // with extended security
	unicode   bool // it reads Unicode
	plaintext bool // it asks for passwords themselves
}

// speaksSMB1 records that the server chose SMB1.
func (t *table) speaksSMB1(o offer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dialect, t.offer = dialectSMB1, o
}

// offered returns what speaksSMB1 recorded.
func (t *table) offered() offer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.offer
}

// state returns the fields of a connection's rows.
func (t *table) state() (dialect string, negotiated bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dialect, t.negotiated
}

// stranger reports whether the server does not know the caller by name.
func (c caller) stranger() bool { return c.who.IsStranger() || c.who == model.Unknown }
