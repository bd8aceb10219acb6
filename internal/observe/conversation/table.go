package conversation

import "ipcguard/internal/observe/flow"

// bound is how many entries of a kind are remembered, what each of them costs in bytes, and the reason that is counted when
// one is given up.
type bound struct {
	most, cost int
	reason     string
}

// The bounds of one connection's tables.
var (
	boundSessions = bound{maxSessions, costSession, tooMuchState}
	boundTrees    = bound{maxTrees, costTree, tooMuchState}
	boundOpens    = bound{maxOpens, 0, tooMuchState} // a pipe is charged by newPipe
	boundSetups   = bound{maxSetups, 0, tooMuchState}
	boundRequests = bound{maxPending, costPending, tooManyPending}
)

// put remembers v by k. A full table gives up any entry for a new one, since a map has no order and only a flood fills it;
// gone is given that entry, and may be nil.
func put[K comparable, V any](c *Conversation, m *map[K]V, b bound, k K, v V, gone func(V)) {
	if *m == nil {
		*m = make(map[K]V)
	}
	if _, ok := (*m)[k]; !ok {
		if len(*m) >= b.most {
			c.f.giveUp(b.reason)
			for old, v := range *m {
				delete(*m, old)
				c.charge(-b.cost)
				if gone != nil {
					gone(v)
				}
				break
			}
		}
		c.charge(b.cost)
	}
	(*m)[k] = v
}

// forget removes an entry.
func forget[K comparable, V any](c *Conversation, m map[K]V, b bound, k K) {
	if _, ok := m[k]; ok {
		delete(m, k)
		c.charge(-b.cost)
	}
}

// tree is a tree connect. Only IPC$ gives rows; of others it is enough to know that they are not.
type tree struct {
	ipc     bool
	guessed bool // the tree connect was not seen
}

// shares are tree connects and the pipes that are open in them. In SMB1 they belong to the connection and an open is a
// 16-bit FID; in SMB2 they belong to the session and an open is a FileId.
type shares[F comparable] struct {
	trees map[uint32]*tree
	opens map[F]*pipe
}

func (s *shares[F]) setTree(c *Conversation, id uint32, t *tree) {
	put(c, &s.trees, boundTrees, id, t, nil)
}

func (s *shares[F]) forgetTree(c *Conversation, id uint32) { forget(c, s.trees, boundTrees, id) }

// setOpen remembers a pipe. One that has the same number was closed unseen.
func (s *shares[F]) setOpen(c *Conversation, id F, p *pipe) {
	if old := s.opens[id]; old != nil && old != p {
		c.endPipe(old)
	}
	put(c, &s.opens, boundOpens, id, p, c.endPipe)
}

// closeOpen ends a pipe that the client closes.
func (s *shares[F]) closeOpen(c *Conversation, id F, p *pipe) {
	c.endPipe(p)
	if s.opens[id] == p {
		delete(s.opens, id)
	}
}

// find gives the pipe of an open. known tells that nothing more can be found out: it is that pipe, or the tree is no IPC$.
func (s *shares[F]) find(id F, t *tree) (p *pipe, known bool) {
	if p := s.opens[id]; p != nil {
		return p, true
	}
	return nil, t != nil && !t.ipc
}

// adopt makes a pipe of an open that was not seen, but carries RPC.
func (s *shares[F]) adopt(c *Conversation, by *session, treeID uint32, id F) *pipe {
	p := c.newPipe(by, "")
	p.unseen = true
	s.setOpen(c, id, p)
	if s.trees[treeID] == nil {
		s.setTree(c, treeID, &tree{ipc: true, guessed: true})
	}
	return p
}

// damaged tells that bytes of a direction are missing which may have belonged to any of the pipes.
func (s *shares[F]) damaged(c *Conversation, d flow.Direction) {
	for _, p := range s.opens {
		c.reset(p, d)
	}
}

// end tells what still waits on the pipes.
func (s *shares[F]) end(c *Conversation) {
	for _, p := range s.opens {
		c.endPipe(p)
	}
}
