package conversation

import (
	"container/list"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/packet"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
)

// session is a logon with its trees and opens. Channels on other connections share it: in SMB3 trees and opens belong to
// the session.
type session struct {
	id    uint64
	who   identity
	trees map[uint32]*tree
	opens map[smb2.FileID]*pipe

	seed    []byte // what keys can be derived from; nil where only the two ends can
	preauth smbcrypt.Preauth
	open    [2]*smbcrypt.Transform // by direction; derived at the first encrypted frame
	tried   bool
	good    bool // a frame was decrypted with them

	sealed  int64 // frames that stay encrypted
	touched time.Time
	refs    int // connections that have it
}

// tree is a tree connect. Only IPC$ gives rows; of others it is enough to know that they are not.
type tree struct {
	ipc     bool
	guessed bool // the tree connect was not seen
}

// boundKey names a session beyond its connection.
type boundKey struct {
	server packet.Endpoint // without the port: channels may use another
	id     uint64
}

// boundTable remembers sessions, the newest maxBound of them.
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

// remember makes a session known to other connections, with what it costs now.
func (f *Follower) remember(k boundKey, client packet.Endpoint, s *session) {
	t := &f.bound
	if t.byKey == nil {
		t.byKey = make(map[boundKey]*list.Element)
	}
	f.forget(k)
	client.Port = 0
	cost := costSession + len(s.trees)*costTree + len(s.opens)*costPipe
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

// ForgetOld drops the older half of the sessions and tickets that are remembered beyond their connections, for a caller who has no
// connection left to evict. False: there is none.
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

// session finds a session of this connection, or one that is known from another, or makes one whose logon was not seen.
func (c *Conversation) session(id uint64) *session {
	two := c.st.two
	if s := two.sessions[id]; s != nil {
		return s
	}
	if e, ok := c.f.recall(c.boundKey(id)); ok && c.conn.Midstream && e.client.IP == c.conn.Client.IP && id != 0 {
		c.addSession(id, e.s)
		return e.s
	}
	s := &session{id: id, who: notSeen}
	c.addSession(id, s)
	return s
}

func (c *Conversation) addSession(id uint64, s *session) {
	two := c.st.two
	if _, ok := two.sessions[id]; !ok {
		if len(two.sessions) >= maxSessions {
			c.f.giveUp(tooMuchState)
			for old, s := range two.sessions { // any: the map has no order, and this is a flood
				c.endSession(s)
				delete(two.sessions, old)
				break
			}
		}
		c.charge(costSession)
		s.refs++
	}
	if two.sessions == nil {
		two.sessions = make(map[uint64]*session)
	}
	two.sessions[id] = s
}

// endSession tells what still waits in a session that no connection has any more.
func (c *Conversation) endSession(s *session) {
	c.touchSealed(s)
	if s.refs--; s.refs > 0 {
		return
	}
	for _, p := range s.opens {
		c.endPipe(p)
	}
}

func (c *Conversation) setTree(s *session, id uint32, t *tree) {
	if s.trees == nil {
		s.trees = make(map[uint32]*tree)
	}
	if _, ok := s.trees[id]; !ok {
		if len(s.trees) >= maxTrees {
			c.f.giveUp(tooMuchState)
			clear(s.trees)
		}
		c.charge(costTree)
	}
	s.trees[id] = t
}

func (c *Conversation) setOpen(s *session, id smb2.FileID, p *pipe) {
	if s.opens == nil {
		s.opens = make(map[smb2.FileID]*pipe)
	}
	if old := s.opens[id]; old != nil && old != p {
		c.endPipe(old)
	} else if old == nil && len(s.opens) >= maxOpens {
		c.f.giveUp(tooMuchState)
		for id, old := range s.opens {
			c.endPipe(old)
			delete(s.opens, id)
			break
		}
	}
	s.opens[id] = p
}

// touchInterval is how often a session that goes on encrypted is told again.
const touchInterval = time.Minute

// seal counts a frame that stays encrypted. The first one of a session is its row.
func (c *Conversation) seal(s *session) {
	s.sealed++
	if s.sealed == 1 {
		s.touched = c.st.now
		c.f.sink.Add(c.sealedUse(s))
		return
	}
	if c.st.now.Sub(s.touched) >= touchInterval {
		c.touchSealed(s)
	}
}

func (c *Conversation) touchSealed(s *session) {
	if s.sealed > 1 && c.st.now.After(s.touched) {
		s.touched = c.st.now
		c.f.sink.Touch(c.sealedUse(s))
	}
}

func (c *Conversation) sealedUse(s *session) model.Use {
	who := s.who
	u := c.use(identity{kind: model.Opaque, account: who.account, basis: "encrypted; " + who.basis}, model.LayerSession, s.touched)
	u.Outcome = model.Inconclusive
	return u
}
