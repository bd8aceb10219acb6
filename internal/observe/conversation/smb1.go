package conversation

import (
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/status"
)

// smb1Conn is the SMB1 part of a connection, where trees and opens belong to the connection.
type smb1Conn struct {
	*Conversation
	shares[uint16]

	sessions map[uint16]*session
	setups   map[uint16]*logon
	requests map[smb1Key]*smb1Request
}

// smb1Request is an unanswered request with all commands of its chain.
type smb1Request struct {
	at  time.Time
	ops []op
}

// cost is what a request takes, in bytes. Its operations stay the same, and so does which of them are logons.
func (q *smb1Request) cost() int {
	n := costPending
	for i := range q.ops {
		n += costOp
		if q.ops[i].logon != nil {
			n += costSetup
		}
	}
	return n
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
	closes  bool // the pipe is closed by the answer: TRANS_CALL_NMPIPE
	rap     int  // the function of a call to \PIPE\LANMAN; else -1
	total   int  // data bytes of a transaction in the expected direction
	have    int
	file    uint16
}

// smb1Key identifies a request, as in servers: by PID, MID, UID and TID, because clients count MID per process; see
// [MS-CIFS] 3.3.5.2. The command is included because several requests with one MID were seen at the same time.
type smb1Key struct {
	pid           uint32
	mid, uid, tid uint16
	command       smb1.Command
}

// likeness returns how much of a request's key an answer repeats that does not repeat all of it, as some servers do; 0
// if it answers another request. The user says more than the tree, of which a user has several.
func (k smb1Key) likeness(of smb1Key) int {
	if k.mid != of.mid || uint16(k.pid) != uint16(of.pid) || k.command != of.command {
		return 0
	}
	n := 1
	for i, same := range []bool{k.tid == of.tid, k.uid == of.uid, k.pid == of.pid} {
		if same {
			n += 1 << (i + 1)
		}
	}
	return n
}

// keyOf returns the key of a request, which its answer has too. Numbers that an answer assigns do not count. An answer
// that fits several requests equally well has a key of none: which of them it answers is not guessed.
func (c *smb1Conn) keyOf(h *smb1.Header) smb1Key {
	k := smb1Key{uint32(h.PIDHigh)<<16 | uint32(h.PIDLow), h.MID, h.UID, h.TID, h.Command}
	switch h.Command {
	case smb1.SessionSetupAndX, smb1.Negotiate:
		k.uid, k.tid = 0, 0
	case smb1.TreeConnect, smb1.TreeConnectAndX:
		k.tid = 0
	case smb1.TransactionSecondary:
		k.command = smb1.Transaction
	}
	if !h.Reply() || c.requests[k] != nil {
		return k
	}
	best, likeness := k, 0
	for other := range c.requests {
		switch n := k.likeness(other); {
		case n > likeness:
			best, likeness = other, n
		case n == likeness:
			best = k
		}
	}
	return best
}

// want decides how much of a message to keep. Reads and writes of files, and everything else that moves data, are
// skipped.
func (c *smb1Conn) want(d flow.Direction, b []byte, n int) int {
	h, err := smb1.ParseHeader(b)
	if err != nil {
		c.f.giveUp(badFrame)
		return 0
	}
	switch h.Command {
	case smb1.WriteAndX:
		if d == flow.ToClient {
			return maxFrame
		}
		if len(b) < smb1.HeaderLen+1+6 || n < 256 { // small enough to keep completely
			return maxFrame
		}
		if p, known := c.openOf(h.TID, le.Uint16(b[smb1.HeaderLen+5:])); p == nil && known {
			return 0
		}
		return maxPipeFrame
	case smb1.ReadAndX:
		if d == flow.ToServer {
			return maxFrame
		}
		if c.requests[c.keyOf(&h)] == nil {
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

// openOf returns the pipe of a FID. known means that it is certainly not a pipe if nil.
func (c *smb1Conn) openOf(tid, fid uint16) (p *pipe, known bool) {
	return c.find(fid, c.trees[uint32(tid)])
}

// message implements protocol.
func (c *smb1Conn) message(d flow.Direction, frame []byte) {
	m, err := smb1.Parse(frame)
	if err != nil {
		c.f.giveUp(badFrame)
		return
	}
	if m.Reply() != (d == flow.ToClient) {
		c.f.giveUp(badFrame)
		return
	}
	if m.Reply() {
		c.response(m)
	} else {
		c.request(m)
	}
}

func (c *smb1Conn) session(uid uint16) *session {
	if s := c.sessions[uid]; s != nil {
		return s
	}
	s := &session{id: uint64(uid), who: notSeen}
	c.setSession(uid, s)
	return s
}

func (c *smb1Conn) setSession(uid uint16, s *session) {
	if old := c.sessions[uid]; old != nil {
		c.f.leave(old)
	}
	c.f.enter(s)
	put(c.Conversation, &c.sessions, boundSessions, uid, s, func(s *session) { c.f.leave(s) })
}

func (c *smb1Conn) loggedOff(uid uint16) {
	if s := c.sessions[uid]; s != nil {
		c.f.leave(s)
	}
	forget(c.Conversation, c.sessions, boundSessions, uid)
}

func (c *smb1Conn) request(m *smb1.Message) {
	if m.Command == smb1.TransactionSecondary {
		c.secondary(m)
		return
	}
	if m.Command != smb1.SessionSetupAndX && m.Command != smb1.Negotiate {
		s := c.session(m.UID)
		s.signed, s.encrypted = model.TristateOf(m.Flags2&smb1.Flags2SecuritySignature != 0), model.False
	}
	q := &smb1Request{at: c.st.now}
	for i := range m.Blocks {
		body, err := m.Decode(i)
		if err != nil {
			c.f.giveUp(badFrame)
			break
		}
		o := op{command: m.Blocks[i].Command, uid: m.UID, tid: m.TID, rap: -1}
		if c.command(m, body, &o) {
			q.ops = append(q.ops, o)
		} else if len(m.Blocks) > 1 {
			q.ops = append(q.ops, op{command: m.Blocks[i].Command, rap: -1})
		}
	}
	if len(q.ops) == 0 {
		return
	}
	key := c.keyOf(&m.Header)
	if old := c.requests[key]; old != nil {
		c.unansweredRequest(old)
	}
	put(c.Conversation, &c.requests, boundPending1, key, q, c.unansweredRequest)
}

// command handles one command of a request; false if its answer does not matter.
func (c *smb1Conn) command(m *smb1.Message, body smb1.Body, o *op) bool {
	switch r := body.(type) {
	case *smb1.NegotiateRequest:
		c.st.offer = offerOfSMB1(r, m.Flags2)
		return false
	case *smb1.SessionSetupRequest:
		if m.Flags2&smb1.Flags2SecuritySignature != 0 && c.st.offer.Signing == "" {
			c.st.offer.Signing = model.SigningOffered // clients say it here, and not in NEGOTIATE
		}
		c.setup(m, r, o)
	case *smb1.Logoff:
	case *smb1.TreeConnectRequest:
		o.ipc = isIPC(r.Path) || r.Service == smb1.ServicePipe
	case *smb1.TreeConnectCore:
		o.ipc = isIPC(r.Path) || r.Service == smb1.ServicePipe
	case *smb1.TreeDisconnectMessage:
	case *smb1.NTCreateRequest:
		return c.create(m, r.Name, o)
	case *smb1.OpenRequest:
		return c.create(m, r.Name, o)
	case *smb1.CloseRequest:
		if p := c.opens[r.FID]; p != nil {
			c.closeOpen(c.Conversation, r.FID, p)
		}
		return false
	case *smb1.WriteRequest:
		return c.write(m, r, o)
	case *smb1.ReadRequest:
		p, known := c.openOf(m.TID, r.FID)
		if p == nil && (known || r.Offset != 0) {
			return false
		}
		o.p, o.guessed, o.file = p, p == nil, r.FID
	case *smb1.TransRequest:
		return c.trans(m, r, o)
	default:
		return false
	}
	return true
}

func (c *smb1Conn) setup(m *smb1.Message, r *smb1.SessionSetupRequest, o *op) {
	if r.Form == smb1.SetupExtended {
		l := c.setups[m.UID]
		if l == nil || m.UID == 0 {
			l = new(logon)
		}
		l.agent = systemOf(r.NativeOS, r.NativeLanMan)
		c.f.token(l, r.SecurityBlob)
		if l.damaged {
			c.f.giveUp(badToken)
		}
		o.logon = l
		return
	}
	o.logon = &logon{plain: &plain{
		r.Anonymous(), named(account(r.PrimaryDomain, r.AccountName), "SMB1 logon by name"), plainPackage(r),
		systemOf(r.NativeOS, r.NativeLanMan),
	}}
}

func (c *smb1Conn) create(m *smb1.Message, name string, o *op) bool {
	t := c.trees[uint32(m.TID)]
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

func (c *smb1Conn) write(m *smb1.Message, r *smb1.WriteRequest, o *op) bool {
	data := r.Data
	if r.WriteMode&smb1.WriteRawNmPipe != 0 && r.WriteMode&smb1.WriteMessageStart != 0 && len(data) >= 2 {
		data = data[2:] // the length of the message
	}
	p, known := c.openOf(m.TID, r.FID)
	if p == nil && !known && isRPC(data, len(data)) {
		p = c.adoptOpen(m, r.FID)
	}
	if p == nil {
		return false
	}
	p.s = c.session(m.UID)
	o.p, o.from = p, p.seq
	c.rpc(p, flow.ToServer, data)
	o.to = p.seq
	return true
}

// adoptOpen makes a pipe for an open that was not seen.
func (c *smb1Conn) adoptOpen(m *smb1.Message, fid uint16) *pipe {
	return c.adopt(c.Conversation, c.session(m.UID), uint32(m.TID), fid)
}

func (c *smb1Conn) response(m *smb1.Message) {
	key := c.keyOf(&m.Header)
	q := c.requests[key]
	if q == nil {
		return
	}
	final := m.NTStatus()
	more := false
	for i := range m.Blocks {
		if i >= len(q.ops) || q.ops[i].command != m.Blocks[i].Command {
			break
		}
		st := status.Success // a chain continues only while its commands succeed
		if i == len(m.Blocks)-1 {
			st = final
		}
		body, err := m.Decode(i)
		if err != nil {
			c.f.giveUp(badFrame)
			body = nil
		}
		more = c.answer(m, q, &q.ops[i], body, st) || more
		q.ops[i].command = smb1.NoAndX
	}
	if more {
		q.ops[0].command = m.Command
		return
	}
	forget(c.Conversation, c.requests, boundPending1, key)
	for i := range q.ops { // what a failed chain did not carry out
		if p := q.ops[i].p; p != nil && (q.ops[i].command == smb1.NTCreateAndX || q.ops[i].command == smb1.OpenAndX) {
			c.endPipe(p)
		}
	}
}

// answer handles the answer to one command; true if more follow.
func (c *smb1Conn) answer(m *smb1.Message, q *smb1Request, o *op, body smb1.Body, st status.NTStatus) bool {
	switch o.command {
	case smb1.SessionSetupAndX:
		r, _ := body.(*smb1.SessionSetupResponse)
		c.loggedOn(m, q, o, r, st)
	case smb1.LogoffAndX:
		if !st.IsError() {
			c.loggedOff(o.uid)
		}
	case smb1.TreeConnect, smb1.TreeConnectAndX:
		c.connected(m, q, o, body, st)
	case smb1.TreeDisconnect:
		if !st.IsError() {
			c.forgetTree(c.Conversation, uint32(o.tid))
		}
	case smb1.NTCreateAndX, smb1.OpenAndX:
		if o.p != nil {
			c.opened(m, q, o, body, st)
		}
	case smb1.WriteAndX:
		if o.p != nil && st.IsError() {
			c.failCalls(o.p, o.from, o.to, st)
		}
	case smb1.ReadAndX:
		r, ok := body.(*smb1.ReadResponse)
		switch {
		case o.p == nil && ok && o.guessed && isRPC(r.Data, len(r.Data)):
			if o.p = c.opens[o.file]; o.p == nil {
				o.p = c.adoptOpen(m, o.file)
			}
			c.rpc(o.p, flow.ToClient, r.Data)
		case o.p == nil:
		case ok:
			c.rpc(o.p, flow.ToClient, r.Data)
		case st.IsError() && st != status.PipeEmpty && st != status.Cancelled:
			c.failCalls(o.p, 0, o.p.seq, st)
		}
	case smb1.Transaction:
		return c.transacted(q, o, body, st)
	}
	return false
}

func (c *smb1Conn) loggedOn(m *smb1.Message, q *smb1Request, o *op, r *smb1.SessionSetupResponse, st status.NTStatus) {
	if o.logon == nil {
		return
	}
	if st == status.MoreProcessingRequired {
		if r != nil && o.logon.kerberos {
			c.f.proxied(r.SecurityBlob)
		}
		put(c.Conversation, &c.setups, boundSetups1, m.UID, o.logon, nil)
		return
	}
	forget(c.Conversation, c.setups, boundSetups1, m.UID)
	if st.IsError() {
		c.tellLogon(o.logon.claimed(), q.at, st)
		return
	}
	who := o.logon.who(r != nil && r.Action&smb1.SetupGuest != 0, false)
	if s := c.sessions[m.UID]; s != nil {
		c.f.change(s, func() { s.who = who })
	} else {
		c.setSession(m.UID, &session{id: uint64(m.UID), who: who})
	}
	c.tellLogon(who, q.at, st)
}

func (c *smb1Conn) connected(m *smb1.Message, q *smb1Request, o *op, body smb1.Body, st status.NTStatus) {
	ipc := o.ipc
	if !st.IsError() {
		tid := m.TID
		switch r := body.(type) {
		case *smb1.TreeConnectResponse:
			ipc = ipc || r.Service == smb1.ServicePipe
		case *smb1.TreeConnectCoreResponse:
			tid = r.TID
		}
		c.setTree(c.Conversation, uint32(tid), &tree{ipc: ipc})
	}
	if ipc {
		c.tellTree(c.session(m.UID), q.at, st)
	}
}

func (c *smb1Conn) opened(m *smb1.Message, q *smb1Request, o *op, body smb1.Body, st status.NTStatus) {
	p := o.p
	p.s, p.answered, p.opened, p.status = c.session(m.UID), true, q.at, st
	if t := c.trees[uint32(m.TID)]; t != nil && !t.ipc && !o.guessed {
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
		c.setTree(c.Conversation, uint32(m.TID), &tree{guessed: true})
		o.p = nil
		return
	}
	c.tellOpen(p) // the server says that it is a pipe, or the tree is IPC$
	c.setOpen(c.Conversation, fid, p)
	o.p = nil
}

// unansweredRequest emits the rows of a request without an answer.
func (c *smb1Conn) unansweredRequest(q *smb1Request) {
	for i := range q.ops {
		o := &q.ops[i]
		switch o.command {
		case smb1.SessionSetupAndX:
			if o.logon != nil && o.logon.decided() {
				c.f.sink.Add(unanswered(c.use(o.logon.claimed(), model.LayerSession, q.at)))
			}
		case smb1.TreeConnect, smb1.TreeConnectAndX:
			if o.ipc {
				c.f.sink.Add(unanswered(c.treeUse(c.session(o.uid), q.at)))
			}
		case smb1.NTCreateAndX, smb1.OpenAndX:
			if o.p != nil {
				o.p.s = c.session(o.uid)
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

func (c *smb1Conn) close() {
	for _, q := range c.requests {
		c.unansweredRequest(q)
	}
	for _, s := range c.sessions {
		c.f.leave(s)
	}
	c.end(c.Conversation)
}

func (c *smb1Conn) damaged(d flow.Direction) { c.shares.damaged(c.Conversation, d) }
