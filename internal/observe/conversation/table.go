package conversation

import "ipcguard/internal/observe/flow"

// bound is the maximum number of entries of a kind, the cost of one in bytes, and the reason that is counted when one
// is dropped. What an entry costs must not change while it is in its table.
type bound[V any] struct {
	most   int
	cost   func(V) int
	reason string
}

// each is a cost that is the same for all entries.
func each[V any](n int) func(V) int { return func(V) int { return n } }

// The bounds of one connection's tables.
var (
	boundSessions = bound[*session]{maxSessions, each[*session](costSession), tooMuchState} // see also enter
	boundTrees    = bound[*tree]{maxTrees, each[*tree](costTree), tooMuchState}
	boundOpens    = bound[*pipe]{maxOpens, each[*pipe](0), tooMuchState} // a pipe is charged by newPipe
	boundSetups1  = bound[*logon]{maxSetups, each[*logon](costSetup), tooMuchState}
	boundSetups2  = bound[*setup]{maxSetups, each[*setup](costSetup), tooMuchState}
	boundPending1 = bound[*smb1Request]{maxPending, (*smb1Request).cost, tooManyPending}
	boundPending2 = bound[smb2Request]{maxPending, smb2Request.cost, tooManyPending}
)

// put stores v under k. A full table drops any entry for a new one, because a map has no order and only a flood fills
// it; gone, if not nil, receives that entry.
func put[K comparable, V any](c *Conversation, m *map[K]V, b bound[V], k K, v V, gone func(V)) {
	if *m == nil {
		*m = make(map[K]V)
	}
	if old, ok := (*m)[k]; ok {
		c.charge(-b.cost(old))
	} else if len(*m) >= b.most {
		c.f.giveUp(b.reason)
		for other, v := range *m {
			forget(c, *m, b, other)
			if gone != nil {
				gone(v)
			}
			break
		}
	}
	c.charge(b.cost(v))
	(*m)[k] = v
}

// forget removes an entry.
func forget[K comparable, V any](c *Conversation, m map[K]V, b bound[V], k K) {
	if v, ok := m[k]; ok {
		delete(m, k)
		c.charge(-b.cost(v))
	}
}

// tree is a tree connect. Only IPC$ makes rows; of others only their existence matters.
type tree struct {
	ipc     bool
	guessed bool // the tree connect was not seen
}

// shares are tree connects and their open pipes. In SMB1 they belong to the connection and an open is a 16-bit FID; in
// SMB2 they belong to the session and an open is a FileId.
type shares[F comparable] struct {
	trees map[uint32]*tree
	opens map[F]*pipe
}

func (s *shares[F]) setTree(c *Conversation, id uint32, t *tree) {
	put(c, &s.trees, boundTrees, id, t, nil)
}

func (s *shares[F]) forgetTree(c *Conversation, id uint32) { forget(c, s.trees, boundTrees, id) }

// setOpen stores a pipe. An existing one with the same number was closed without being seen.
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

// find returns the pipe of an open. known means that the answer is certain: that pipe, or the tree is not IPC$.
func (s *shares[F]) find(id F, t *tree) (p *pipe, known bool) {
	if p := s.opens[id]; p != nil {
		return p, true
	}
	return nil, t != nil && !t.ipc
}

// adopt makes a pipe for an open that was not seen but carries RPC.
func (s *shares[F]) adopt(c *Conversation, by *session, treeID uint32, id F) *pipe {
	p := c.newPipe(by, "")
	p.unseen = true
	s.setOpen(c, id, p)
	if s.trees[treeID] == nil {
		s.setTree(c, treeID, &tree{ipc: true, guessed: true})
	}
	return p
}

// damaged means that bytes of a direction are missing which may have belonged to any of the pipes.
func (s *shares[F]) damaged(c *Conversation, d flow.Direction) {
	for _, p := range s.opens {
		c.reset(p, d)
	}
}

// end emits what is unanswered on the pipes.
func (s *shares[F]) end(c *Conversation) {
	for _, p := range s.opens {
		c.endPipe(p)
	}
}
