package conversation

import (
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/status"
)

// smb1State is a connection's state in SMB1, where trees and opens belong to the connection.
type smb1State struct {
	sessions map[uint16]*session
	setups   map[uint16]*logon
	trees    map[uint16]*tree
	opens    map[uint16]*pipe
	pending  map[uint32]*pending1
}

// pending1 is a request, with all commands of its chain, that waits for its answers.
type pending1 struct {
	at  time.Time
	ops []op
}

// op is one command of a request.
type op struct {
	command smb1.Command
	uid     uint16
	tid     uint16
	logon   *logon
	ipc     bool // tree connect: by path or service
	s       *session
	p       *pipe
	from    int // the calls of the pipe that it carries
	to      int
	guessed bool // the tree is not known
	closes  bool // the pipe ends with the answer: TRANS_CALL_NMPIPE
	rap     int  // the function of a call to \PIPE\LANMAN; -1 for none
	total   int  // bytes of data that a transaction will have, in the direction that is due
	have    int
	file    uint16
}

func (c *Conversation) state1() *smb1State {
	if c.st.one == nil {
		c.st.one = &smb1State{pending: make(map[uint32]*pending1)}
		c.charge(costState)
	}
	return c.st.one
}

// key1 tells requests apart: clients count MID for each process.
func key1(h *smb1.Header) uint32 { return uint32(h.PIDLow)<<16 | uint32(h.MID) }

// want1 decides how much of a message is worth keeping. Reads and writes of files are not, nor is anything else that moves
// data.
func (c *Conversation) want1(d flow.Direction, b []byte, n int) int {
	h, err := smb1.ParseHeader(b)
	if err != nil {
		return 0
	}
	switch h.Command {
	case smb1.WriteAndX:
		if d == flow.ToClient {
			return maxFrame
		}
		if len(b) < smb1.HeaderLen+1+6 || n < 256 { // small enough to look at whole
			return maxFrame
		}
		if p, known := c.open1(h.TID, le.Uint16(b[smb1.HeaderLen+5:])); p == nil && known {
			return 0
		}
		return maxPipeFrame
	case smb1.ReadAndX:
		if d == flow.ToServer {
			return maxFrame
		}
		if c.st.one == nil || c.st.one.pending[key1(&h)] == nil {
			return 0
		}
		return maxPipeFrame
	case smb1.Transaction, smb1.TransactionSecondary:
		return maxPipeFrame
	case smb1.Negotiate, smb1.SessionSetupAndX, smb1.LogoffAndX, smb1.TreeConnect, smb1.TreeConnectAndX,
		smb1.TreeDisconnect, smb1.OpenAndX, smb1.NTCreateAndX, smb1.Close:
		return maxFrame
	}
	return 0
}

// open1 finds the pipe of a FID. known tells that it is none.
func (c *Conversation) open1(tid, fid uint16) (p *pipe, known bool) {
	if c.st.one == nil {
		return nil, false
	}
	if p := c.st.one.opens[fid]; p != nil {
		return p, true
	}
	t := c.st.one.trees[tid]
	return nil, t != nil && !t.ipc
}

func (c *Conversation) frame1(d flow.Direction, frame []byte) {
	m, err := smb1.Parse(frame)
	if err != nil {
		c.f.giveUp(badFrame)
		return
	}
	if m.Reply() != (d == flow.ToClient) {
		c.f.giveUp(badFrame)
		return
	}
	c.state1()
	if m.Reply() {
		c.response1(m)
	} else {
		c.request1(m)
	}
}

func (c *Conversation) session1(uid uint16) *session {
	one := c.st.one
	if s := one.sessions[uid]; s != nil {
		return s
	}
	s := &session{id: uint64(uid), who: notSeen, refs: 1}
	c.setSession1(uid, s)
	return s
}

func (c *Conversation) setSession1(uid uint16, s *session) {
	one := c.st.one
	if one.sessions == nil {
		one.sessions = make(map[uint16]*session)
	}
	if _, ok := one.sessions[uid]; !ok {
		if len(one.sessions) >= maxSessions {
			c.f.giveUp(tooMuchState)
			clear(one.sessions)
		}
		c.charge(costSession)
	}
	one.sessions[uid] = s
}

func (c *Conversation) request1(m *smb1.Message) {
	one := c.st.one
	if m.Command == smb1.TransactionSecondary {
		c.secondary1(m)
		return
	}
	q := &pending1{at: c.st.now}
	for i := range m.Blocks {
		body, err := m.Decode(i)
		if err != nil {
			c.f.giveUp(badFrame)
			break
		}
		o := op{command: m.Blocks[i].Command, uid: m.UID, tid: m.TID, rap: -1}
		if c.op1(m, body, &o) {
			q.ops = append(q.ops, o)
		} else if len(m.Blocks) > 1 {
			q.ops = append(q.ops, op{command: m.Blocks[i].Command, rap: -1})
		}
	}
	if len(q.ops) == 0 {
		return
	}
	key := key1(&m.Header)
	if old := one.pending[key]; old != nil {
		c.unanswered1(old)
	} else {
		if len(one.pending) >= maxPending {
			c.f.giveUp(tooManyPending)
			for k, old := range one.pending { // any one: a map has no order
				c.unanswered1(old)
				delete(one.pending, k)
				c.charge(-costPending)
				break
			}
		}
		c.charge(costPending)
	}
	one.pending[key] = q
}

// op1 takes one command of a request; false when its answer does not matter.
func (c *Conversation) op1(m *smb1.Message, body smb1.Body, o *op) bool {
	switch r := body.(type) {
	case *smb1.SessionSetupRequest:
		c.setup1(m, r, o)
	case *smb1.Logoff:
	case *smb1.TreeConnectRequest:
		o.ipc = isIPC(r.Path) || r.Service == smb1.ServicePipe
	case *smb1.TreeConnectCore:
		o.ipc = isIPC(r.Path) || r.Service == smb1.ServicePipe
	case *smb1.TreeDisconnectMessage:
	case *smb1.NTCreateRequest:
		return c.create1(m, r.Name, o)
	case *smb1.OpenRequest:
		return c.create1(m, r.Name, o)
	case *smb1.CloseRequest:
		if p := c.st.one.opens[r.FID]; p != nil {
			c.endPipe(p)
			delete(c.st.one.opens, r.FID)
		}
		return false
	case *smb1.WriteRequest:
		return c.write1(m, r, o)
	case *smb1.ReadRequest:
		p, known := c.open1(m.TID, r.FID)
		if p == nil && (known || r.Offset != 0) {
			return false
		}
		o.p, o.guessed, o.file = p, p == nil, r.FID
	case *smb1.TransRequest:
		return c.trans1(m, r, o)
	default:
		return false
	}
	return true
}

func (c *Conversation) setup1(m *smb1.Message, r *smb1.SessionSetupRequest, o *op) {
	if r.Form == smb1.SetupExtended {
		l := c.st.one.setups[m.UID]
		if l == nil || m.UID == 0 {
			l = new(logon)
		}
		c.f.token(l, r.SecurityBlob)
		if l.damaged {
			c.f.giveUp(badToken)
		}
		o.logon = l
		return
	}
	o.logon = &logon{plain: true, anonymous: r.Anonymous(), account: account(r.PrimaryDomain, r.AccountName)}
}

func (c *Conversation) create1(m *smb1.Message, name string, o *op) bool {
	t := c.st.one.trees[m.TID]
	name = pipeName(name)
	switch {
	case t != nil && !t.ipc, t == nil && (name == "" || len(name) > maxPipeName):
		return false
	case t == nil && !knownPipes()[name] && len(m.Blocks) == 1:
		o.guessed = true
	}
	o.p = c.newPipe(nil, name)
	o.p.guessed, o.p.unnamed = t == nil && len(m.Blocks) == 1, o.guessed
	return true
}

func (c *Conversation) write1(m *smb1.Message, r *smb1.WriteRequest, o *op) bool {
	data := r.Data
	if r.WriteMode&smb1.WriteRawNmPipe != 0 && r.WriteMode&smb1.WriteMessageStart != 0 && len(data) >= 2 {
		data = data[2:] // the length of the message
	}
	p, known := c.open1(m.TID, r.FID)
	if p == nil && !known && isRPC(data, len(data)) {
		p = c.adopt1(m, r.FID)
	}
	if p == nil {
		return false
	}
	p.s = c.session1(m.UID)
	o.p, o.from = p, p.seq
	c.rpc(p, flow.ToServer, data)
	o.to = p.seq
	return true
}

// adopt1 makes a pipe of an open that was not seen.
func (c *Conversation) adopt1(m *smb1.Message, fid uint16) *pipe {
	p := c.newPipe(c.session1(m.UID), "")
	p.unseen = true
	c.setOpen1(fid, p)
	if c.st.one.trees[m.TID] == nil {
		c.setTree1(m.TID, &tree{ipc: true, guessed: true})
	}
	return p
}

func (c *Conversation) setTree1(tid uint16, t *tree) {
	one := c.st.one
	if one.trees == nil {
		one.trees = make(map[uint16]*tree)
	}
	if _, ok := one.trees[tid]; !ok {
		if len(one.trees) >= maxTrees {
			c.f.giveUp(tooMuchState)
			clear(one.trees)
		}
		c.charge(costTree)
	}
	one.trees[tid] = t
}

func (c *Conversation) setOpen1(fid uint16, p *pipe) {
	one := c.st.one
	if one.opens == nil {
		one.opens = make(map[uint16]*pipe)
	}
	if old := one.opens[fid]; old != nil && old != p {
		c.endPipe(old)
	} else if old == nil && len(one.opens) >= maxOpens {
		c.f.giveUp(tooMuchState)
		for fid, old := range one.opens {
			c.endPipe(old)
			delete(one.opens, fid)
			break
		}
	}
	one.opens[fid] = p
}

func (c *Conversation) response1(m *smb1.Message) {
	one := c.st.one
	key := key1(&m.Header)
	q := one.pending[key]
	if q == nil {
		return
	}
	final := m.NTStatus()
	more := false
	for i := range m.Blocks {
		if i >= len(q.ops) || q.ops[i].command != m.Blocks[i].Command {
			break
		}
		st := status.Success // a chain goes on only as long as its commands succeed
		if i == len(m.Blocks)-1 {
			st = final
		}
		body, err := m.Decode(i)
		if err != nil {
			c.f.giveUp(badFrame)
			body = nil
		}
		more = c.answer1(m, q, &q.ops[i], body, st) || more
		q.ops[i].command = smb1.NoAndX
	}
	if more {
		q.ops[0].command = m.Command
		return
	}
	delete(one.pending, key)
	c.charge(-costPending)
	for i := range q.ops { // what a failed chain did not come to
		if p := q.ops[i].p; p != nil && (q.ops[i].command == smb1.NTCreateAndX || q.ops[i].command == smb1.OpenAndX) {
			c.endPipe(p)
		}
	}
}

// answer1 takes the answer to one command; true when there is more to come.
func (c *Conversation) answer1(m *smb1.Message, q *pending1, o *op, body smb1.Body, st status.NTStatus) bool {
	one := c.st.one
	switch o.command {
	case smb1.SessionSetupAndX:
		r, _ := body.(*smb1.SessionSetupResponse)
		c.loggedOn1(m, q, o, r, st)
	case smb1.LogoffAndX:
		if !st.IsError() {
			delete(one.sessions, o.uid)
		}
	case smb1.TreeConnect, smb1.TreeConnectAndX:
		c.connected1(m, q, o, body, st)
	case smb1.TreeDisconnect:
		if !st.IsError() {
			delete(one.trees, o.tid)
		}
	case smb1.NTCreateAndX, smb1.OpenAndX:
		if o.p != nil {
			c.opened1(m, q, o, body, st)
		}
	case smb1.WriteAndX:
		if o.p != nil && st.IsError() {
			c.failCalls(o.p, o.from, o.to, st)
		}
	case smb1.ReadAndX:
		r, ok := body.(*smb1.ReadResponse)
		switch {
		case o.p == nil && ok && o.guessed && isRPC(r.Data, len(r.Data)):
			if o.p = one.opens[o.file]; o.p == nil {
				o.p = c.adopt1(m, o.file)
			}
			c.rpc(o.p, flow.ToClient, r.Data)
		case o.p == nil:
		case ok:
			c.rpc(o.p, flow.ToClient, r.Data)
		case st.IsError() && st != status.PipeEmpty && st != status.Cancelled:
			c.failCalls(o.p, 0, o.p.seq, st)
		}
	case smb1.Transaction:
		return c.transacted1(q, o, body, st)
	}
	return false
}

func (c *Conversation) loggedOn1(m *smb1.Message, q *pending1, o *op, r *smb1.SessionSetupResponse, st status.NTStatus) {
	one := c.st.one
	if o.logon == nil {
		return
	}
	if st == status.MoreProcessingRequired {
		if one.setups == nil {
			one.setups = make(map[uint16]*logon)
		}
		if len(one.setups) >= maxSetups {
			c.f.giveUp(tooMuchState)
			clear(one.setups)
		}
		one.setups[m.UID] = o.logon
		return
	}
	delete(one.setups, m.UID)
	if st.IsError() {
		id := o.logon.claimed()
		if st == status.NoSuchUser && id.kind == model.User {
			id.kind = model.UnknownUser
		}
		u := c.use(id, model.LayerSession, q.at)
		u.Outcome, u.Status = smbOutcome(model.LayerSession, st), st.String()
		c.f.sink.Add(u)
		return
	}
	who := o.logon.who(r != nil && r.Action&smb1.SetupGuest != 0, false)
	if s := one.sessions[m.UID]; s != nil {
		s.who = who
	} else {
		c.setSession1(m.UID, &session{id: uint64(m.UID), who: who, refs: 1})
	}
	u := c.use(who, model.LayerSession, q.at)
	u.Outcome, u.Status = model.Allowed, st.String()
	c.f.sink.Add(u)
}

func (c *Conversation) connected1(m *smb1.Message, q *pending1, o *op, body smb1.Body, st status.NTStatus) {
	ipc := o.ipc
	if !st.IsError() {
		tid := m.TID
		switch r := body.(type) {
		case *smb1.TreeConnectResponse:
			ipc = ipc || r.Service == smb1.ServicePipe
		case *smb1.TreeConnectCoreResponse:
			tid = r.TID
		}
		c.setTree1(tid, &tree{ipc: ipc})
	}
	if ipc {
		u := c.use(c.session1(m.UID).who, model.LayerTree, q.at)
		u.Share, u.Outcome, u.Status = ipcShare, smbOutcome(model.LayerTree, st), st.String()
		c.f.sink.Add(u)
	}
}

func (c *Conversation) opened1(m *smb1.Message, q *pending1, o *op, body smb1.Body, st status.NTStatus) {
	p := o.p
	p.s, p.opened, p.status = c.session1(m.UID), q.at, st
	if t := c.st.one.trees[m.TID]; t != nil && !t.ipc && !o.guessed {
		c.endPipe(p) // the chain connected to another share
		o.p = nil
		return
	}
	var fid, kind uint16
	switch r := body.(type) {
	case *smb1.NTCreateResponse:
		fid, kind = r.FID, r.ResourceType
	case *smb1.OpenResponse:
		fid, kind = r.FID, r.ResourceType
	default:
		if !o.guessed {
			c.tellOpen(p)
		}
		c.endPipe(p)
		o.p = nil
		return
	}
	if o.guessed && kind != smb1.ResourceBytePipe && kind != smb1.ResourceMessagePipe {
		c.endPipe(p)
		c.setTree1(m.TID, &tree{guessed: true})
		o.p = nil
		return
	}
	c.tellOpen(p) // the server says that it is a pipe, or the tree is IPC$
	c.setOpen1(fid, p)
	o.p = nil
}

// unanswered1 tells of a request whose answer will not come.
func (c *Conversation) unanswered1(q *pending1) {
	for i := range q.ops {
		o := &q.ops[i]
		switch o.command {
		case smb1.SessionSetupAndX:
			if o.logon != nil && (o.logon.plain || o.logon.auth != nil || o.logon.kerberos) {
				c.f.sink.Add(unanswered(c.use(o.logon.claimed(), model.LayerSession, q.at)))
			}
		case smb1.TreeConnect, smb1.TreeConnectAndX:
			if o.ipc {
				u := c.use(c.session1(o.uid).who, model.LayerTree, q.at)
				u.Share = ipcShare
				c.f.sink.Add(unanswered(u))
			}
		case smb1.NTCreateAndX, smb1.OpenAndX:
			if o.p != nil {
				o.p.s = c.session1(o.uid)
				if !o.guessed {
					c.f.sink.Add(unanswered(c.openUse(o.p, q.at)))
				}
				c.endPipe(o.p)
			}
		case smb1.Transaction:
			if o.rap >= 0 {
				c.f.sink.Add(unanswered(c.rapUse(q, o)))
			}
		}
	}
}

func (c *Conversation) close1() {
	one := c.st.one
	for _, q := range one.pending {
		c.unanswered1(q)
	}
	for _, p := range one.opens {
		c.endPipe(p)
	}
}
