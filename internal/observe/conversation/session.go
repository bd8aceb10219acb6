package conversation

import (
	"container/list"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/packet"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
)

// session is a logon with its trees and opens. Channels on other connections share it: in SMB3, trees and opens belong
// to the session.
type session struct {
	shares[smb2.FileID] // of SMB2; empty in SMB1

	id  uint64
	who identity

	signed, encrypted model.Tristate // the last request
	encryption        string         // what the server requires it for, in the terms of model.Use

	seed    []byte // the input of the keys; nil if only the two ends can derive them
	preauth smbcrypt.Preauth
	open    [2]*smbcrypt.Transform // by direction; derived at the first encrypted frame
	tried   bool
	good    bool // a frame was decrypted with them

	sealed  int64 // frames that stay encrypted
	touched time.Time
	refs    int // the number of its connections
}

// size returns the memory of a session that costSession does not contain: of its logon and its keys.
func (s *session) size() int {
	n := s.who.size()
	if s.open[0] != nil {
		n += costKeys
	}
	return n
}

// change charges for what a session takes more, while a connection has it.
func (f *Follower) change(s *session, by func()) {
	before := s.size()
	by()
	if s.refs > 0 {
		f.used += s.size() - before
	}
}

// enter counts a connection of a session.
func (f *Follower) enter(s *session) {
	if s.refs++; s.refs == 1 {
		f.used += s.size()
	}
}

// leave ends what enter began. It reports whether no connection is left.
func (f *Follower) leave(s *session) bool {
	if s.refs--; s.refs == 0 {
		f.used -= s.size()
	}
	return s.refs == 0
}

// boundKey identifies a session beyond its connection.
type boundKey struct {
	server packet.Endpoint // without the port: channels may use another
	id     uint64
}

// boundTable remembers the newest maxBound sessions.
type boundTable struct {
	byKey map[boundKey]*list.Element
	order list.List
}

type boundEntry struct {
	key    boundKey
	client packet.Endpoint
	s      *session
	cost   int
}

func (c *Conversation) boundKey(id uint64) boundKey {
	return boundKey{packet.Endpoint{IP: c.conn.Server.IP}, id}
}

// remember makes a session known to other connections, with its present cost.
func (f *Follower) remember(k boundKey, client packet.Endpoint, s *session) {
	t := &f.bound
	if t.byKey == nil {
		t.byKey = make(map[boundKey]*list.Element)
	}
	f.forget(k)
	client.Port = 0
	cost := costSession + s.size() + len(s.trees)*costTree
	for _, p := range s.opens {
		cost += costPipe + p.size()
	}
	t.byKey[k] = t.order.PushBack(boundEntry{k, client, s, cost})
	f.used += cost
	if t.order.Len() > maxBound {
		f.forget(t.order.Front().Value.(boundEntry).key)
	}
}

func (f *Follower) recall(k boundKey) (boundEntry, bool) {
	e, ok := f.bound.byKey[k]
	if !ok {
		return boundEntry{}, false
	}
	return e.Value.(boundEntry), true
}

func (f *Follower) forget(k boundKey) {
	if e, ok := f.bound.byKey[k]; ok {
		f.used -= e.Value.(boundEntry).cost
		f.bound.order.Remove(e)
		delete(f.bound.byKey, k)
	}
}

// ForgetOld drops the older half of the sessions and tickets that are remembered beyond their connections, for a caller
// without any connection left to evict. It returns false if there are none.
func (f *Follower) ForgetOld() bool {
	n := (f.bound.order.Len() + 1) / 2
	for range n {
		f.forget(f.bound.order.Front().Value.(boundEntry).key)
	}
	m := (f.tickets.order.Len() + 1) / 2
	for range m {
		f.expire()
	}
	return f.forgetKnown() || n+m > 0
}
