package conversation

import (
	"encoding/binary"
	"time"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

var le = binary.LittleEndian

// smb2State is a connection's state in SMB2 and 3.
type smb2State struct {
	dialect  uint16
	cipher   smbcrypt.Cipher
	preauth  smbcrypt.Preauth // of NEGOTIATE
	whole    bool             // both NEGOTIATE messages were seen, so preauth is right
	sessions map[uint64]*session
	setups   map[uint64]*setup
	pending  map[uint64]pending
	trees    int // pending TREE_CONNECTs that are not claimed
	chain    [2]chain
}

// setup is a logon on its way.
type setup struct {
	logon
	at      time.Time
	preauth smbcrypt.Preauth
	whole   bool
	binding bool
}

// pending is a request that waits for its answer.
type pending struct {
	command  smb2.Command
	ctl      uint32 // of IOCTL
	at       time.Time
	s        *session
	tree     uint32
	ipc      bool // TREE_CONNECT: by the path
	claimed  bool // TREE_CONNECT: a TreeId is taken for its answer
	guessed  bool // CREATE, READ: the tree is not known; a pipe it may be
	p        *pipe
	file     smb2.FileID // READ: where p is not known
	from, to int         // the calls of the pipe that the request carries
	setup    *setup
}

// chain is what related messages of a compound take over from the one before.
type chain struct {
	session uint64
	tree    uint32
	file    smb2.FileID
	p       *pipe
	known   bool // p counts: the message before was about a pipe
}

func (c *Conversation) state2() *smb2State {
	if c.st.two == nil {
		c.st.two = &smb2State{pending: make(map[uint64]pending)}
		c.charge(costState)
	}
	return c.st.two
}

// want2 decides how much of a message or chain is worth keeping.
func (c *Conversation) want2(d flow.Direction, b []byte, n int) int {
	if len(b) < smb2.HeaderLen {
		return 0
	}
	if le.Uint32(b[smb2.OffsetNext:]) != 0 {
		return maxPipeFrame
	}
	command := smb2.Command(le.Uint16(b[12:]))
	response := le.Uint32(b[smb2.OffsetFlags:])&uint32(smb2.FlagResponse) != 0
	switch command {
	case smb2.Negotiate, smb2.SessionSetup, smb2.Logoff, smb2.TreeConnect, smb2.TreeDisconnect, smb2.Create, smb2.Close:
		return maxFrame
	case smb2.IOCTL:
		if response {
			return c.wantAnswer(b)
		}
		if len(b) >= smb2.HeaderLen+8 {
			switch le.Uint32(b[smb2.HeaderLen+4:]) {
			case smb2.FSCTLPipeTransceive:
				return maxPipeFrame
			case smb2.FSCTLDFSGetReferrals, smb2.FSCTLDFSGetReferralsEx, smb2.FSCTLQueryInterfaces:
				return maxFrame
			}
		}
		return 0
	case smb2.Write:
		if response {
			return c.wantAnswer(b)
		}
		return c.wantWrite(b, n)
	case smb2.Read:
		if response {
			return c.wantRead(b)
		}
		return maxFrame
	}
	return 0
}

// wantAnswer keeps the answer to a request that was kept.
func (c *Conversation) wantAnswer(b []byte) int {
	if c.st.two != nil {
		if _, ok := c.st.two.pending[le.Uint64(b[smb2.OffsetMessageID:])]; ok {
			return maxPipeFrame
		}
	}
	return 0
}

// wantWrite keeps what is written to a pipe. Where the open was not seen, the data must look like RPC.
func (c *Conversation) wantWrite(b []byte, n int) int {
	if len(b) < smb2.HeaderLen+32 {
		return 0
	}
	p, known := c.openOf(b, smb2.HeaderLen+16)
	if p != nil {
		return maxPipeFrame
	}
	if known || !looksRPC(b, int(le.Uint16(b[smb2.HeaderLen+2:])), int(le.Uint32(b[smb2.HeaderLen+4:]))) {
		return 0
	}
	return maxPipeFrame
}

// openOf finds the pipe whose FileId stands at an offset. known tells that it is none.
func (c *Conversation) openOf(b []byte, at int) (p *pipe, known bool) {
	if c.st.two == nil {
		return nil, false
	}
	s := c.st.two.sessions[le.Uint64(b[40:])]
	if s == nil {
		return nil, false
	}
	if p := s.opens[smb2.FileID(b[at:at+16])]; p != nil {
		return p, true
	}
	t := c.tree(s, le.Uint32(b[36:]))
	return nil, t != nil && !t.ipc
}

// wantRead keeps an answer with a pipe's data, or with data that looks like RPC where the open was not seen.
func (c *Conversation) wantRead(b []byte) int {
	if c.st.two == nil {
		return 0
	}
	id := le.Uint64(b[smb2.OffsetMessageID:])
	q, ok := c.st.two.pending[id]
	if !ok || len(b) < smb2.HeaderLen+8 {
		return 0
	}
	if q.guessed && le.Uint32(b[smb2.OffsetStatus:]) != uint32(status.Pending) &&
		!looksRPC(b, int(b[smb2.HeaderLen+2]), int(le.Uint32(b[smb2.HeaderLen+4:]))) {
		c.done2(id)
		return 0
	}
	return maxPipeFrame
}

// looksRPC tells whether n bytes at an offset, of which the beginning is there, are one whole RPC packet.
func looksRPC(b []byte, off, n int) bool {
	if off < smb2.HeaderLen || off+16 > len(b) || n < 16 {
		return false
	}
	return isRPC(b[off:], n)
}

// isRPC tells whether n bytes that begin with b are one RPC packet, or begin with several.
func isRPC(b []byte, n int) bool {
	if len(b) < 16 {
		return false
	}
	h, err := dcerpc.ParseHeader(b[:16])
	if err != nil || h.DataRep[0]&^0x11 != 0 || h.DataRep[2] != 0 || h.DataRep[3] != 0 || int(h.FragLength) > n {
		return false
	}
	switch h.Type {
	case dcerpc.TypeRequest, dcerpc.TypeResponse, dcerpc.TypeFault, dcerpc.TypeBind, dcerpc.TypeBindAck, dcerpc.TypeBindNak,
		dcerpc.TypeAlterContext, dcerpc.TypeAlterContextReply, dcerpc.TypeAuth3:
		return true
	}
	return false
}

// frame2 takes a plain frame: one message or a chain.
func (c *Conversation) frame2(d flow.Direction, frame []byte) {
	two := c.state2()
	two.chain[d] = chain{}
	walk := smb2.NewChain(frame)
	for walk.Next() {
		var h smb2.Header
		if err := h.Unmarshal(walk.Message); err != nil {
			c.f.giveUp(badFrame)
			return
		}
		if h.IsResponse() != (d == flow.ToClient) {
			c.f.giveUp(badFrame)
			continue
		}
		if h.IsResponse() {
			c.response2(&h, walk.Message)
		} else {
			c.request2(&h, walk.Message)
		}
	}
	if walk.Err() != nil {
		c.f.giveUp(badFrame)
	}
}

// wait keeps a request until its answer comes.
func (c *Conversation) wait(id uint64, q pending) {
	two := c.st.two
	if _, ok := two.pending[id]; !ok {
		if len(two.pending) >= maxPending {
			c.f.giveUp(tooManyPending)
			for old, q := range two.pending { // any one: a map has no order
				c.unanswered2(q)
				c.done2(old)
				break
			}
		}
		c.charge(costPending)
	}
	q.at = c.st.now
	two.pending[id] = q
	if q.command == smb2.TreeConnect {
		two.trees++
	}
}

func (c *Conversation) done2(id uint64) {
	if q, ok := c.st.two.pending[id]; ok {
		delete(c.st.two.pending, id)
		c.charge(-costPending)
		if q.command == smb2.TreeConnect && !q.claimed {
			c.st.two.trees--
		}
	}
}

// tree is what a TreeId stands for; nil where that was not seen. Where a tree connect was seen without its answer, as in a
// capture of one side, the first TreeId that comes up is taken for it, if there is but one to choose.
func (c *Conversation) tree(s *session, id uint32) *tree {
	two := c.st.two
	if t := s.trees[id]; t != nil || two.trees != 1 {
		return t
	}
	for mid, q := range two.pending {
		if q.command != smb2.TreeConnect || q.claimed || q.s != s {
			continue
		}
		t := &tree{ipc: q.ipc, guessed: true}
		if id != 0 && id != ^uint32(0) { // not a related message of its own compound
			c.setTree(s, id, t)
			q.claimed = true
			two.pending[mid] = q
			two.trees--
		}
		return t
	}
	return nil
}

func (c *Conversation) request2(h *smb2.Header, msg []byte) {
	two := c.st.two
	link := &two.chain[flow.ToServer]
	if h.Flags&smb2.FlagRelated != 0 {
		h.SessionID, h.TreeID = link.session, link.tree
	} else {
		*link = chain{session: h.SessionID, tree: h.TreeID}
	}
	var err error
	switch h.Command {
	case smb2.Negotiate:
		err = c.negotiateRequest(msg)
		c.wait(h.MessageID, pending{command: smb2.Negotiate})
	case smb2.SessionSetup:
		err = c.setupRequest(h, msg)
	case smb2.Logoff:
		c.wait(h.MessageID, pending{command: smb2.Logoff, s: c.session(h.SessionID)})
	case smb2.TreeConnect:
		var r smb2.TreeConnectRequest
		if _, err = r.Unmarshal(msg); err == nil {
			c.wait(h.MessageID, pending{command: smb2.TreeConnect, s: c.session(h.SessionID), ipc: isIPC(r.Path.String())})
		}
	case smb2.TreeDisconnect:
		c.wait(h.MessageID, pending{command: smb2.TreeDisconnect, s: c.session(h.SessionID), tree: h.TreeID})
	case smb2.Create:
		err = c.createRequest(h, msg, link)
	case smb2.Close:
		var r smb2.CloseRequest
		if _, err = r.Unmarshal(msg); err == nil {
			c.closeRequest(h, r.FileID, link)
		}
	case smb2.Write:
		err = c.writeRequest(h, msg, link)
	case smb2.Read:
		err = c.readRequest(h, msg, link)
	case smb2.IOCTL:
		err = c.ioctlRequest(h, msg, link)
	}
	if err != nil {
		c.f.giveUp(badFrame)
	}
}

func (c *Conversation) response2(h *smb2.Header, msg []byte) {
	two := c.st.two
	q, ok := two.pending[h.MessageID]
	if ok && q.command != h.Command {
		ok = false
	}
	st := status.NTStatus(h.Status)
	if st == status.Pending && h.IsAsync() {
		return // the answer comes later, under the same MessageId
	}
	if !ok {
		if h.Command == smb2.SessionSetup {
			c.setupAnswerAlone(h, msg)
		}
		return
	}
	c.done2(h.MessageID)
	switch h.Command {
	case smb2.Negotiate:
		c.negotiateResponse(msg)
	case smb2.SessionSetup:
		c.setupResponse(h, msg, q)
	case smb2.Logoff:
		if !st.IsError() {
			c.endSession(q.s)
			delete(two.sessions, q.s.id)
			c.charge(-costSession)
			c.f.forget(c.boundKey(q.s.id))
		}
	case smb2.TreeConnect:
		c.treeResponse(h, msg, q, st)
	case smb2.TreeDisconnect:
		if _, ok := q.s.trees[q.tree]; ok && !st.IsError() {
			delete(q.s.trees, q.tree)
			c.charge(-costTree)
		}
	case smb2.Create:
		c.createResponse(msg, q, st)
	case smb2.Write:
		if st.IsError() {
			c.failCalls(q.p, q.from, q.to, st)
		}
	case smb2.Read:
		c.readResponse(h, msg, q, st)
	case smb2.IOCTL:
		c.ioctlResponse(msg, q, st)
	}
}

func (c *Conversation) treeResponse(h *smb2.Header, msg []byte, q pending, st status.NTStatus) {
	ipc := q.ipc
	if !st.IsError() {
		var r smb2.TreeConnectResponse
		if _, err := r.Unmarshal(msg); err == nil {
			ipc = ipc || r.ShareType == smb2.SharePipe
		}
		c.setTree(q.s, h.TreeID, &tree{ipc: ipc})
	}
	if ipc {
		u := c.treeUse(q)
		u.Outcome, u.Status = smbOutcome(model.LayerTree, st), st.String()
		c.f.sink.Add(u)
	}
}

func (c *Conversation) treeUse(q pending) model.Use {
	u := c.use(q.s.who, model.LayerTree, q.at)
	u.Share = ipcShare
	return u
}

// unanswered2 tells of a request whose answer will not come.
func (c *Conversation) unanswered2(q pending) {
	switch q.command {
	case smb2.SessionSetup:
		if q.setup.auth != nil || q.setup.kerberos {
			c.f.sink.Add(unanswered(c.use(q.setup.claimed(), model.LayerSession, q.at)))
		}
	case smb2.TreeConnect:
		if q.ipc {
			c.f.sink.Add(unanswered(c.treeUse(q)))
		}
	case smb2.Create:
		if !q.guessed || knownPipes()[q.p.name] {
			c.f.sink.Add(unanswered(c.openUse(q.p, q.at)))
		}
		c.endPipe(q.p)
	case smb2.IOCTL:
		if q.p == nil {
			c.f.sink.Add(unanswered(c.controlUse(q)))
		}
	}
}

func (c *Conversation) close2() {
	two := c.st.two
	ids := make([]uint64, 0, len(two.pending))
	for id := range two.pending {
		ids = append(ids, id)
	}
	for _, id := range ids {
		c.unanswered2(two.pending[id])
	}
	for id, s := range two.sessions {
		c.endSession(s)
		if e, ok := c.f.recall(c.boundKey(id)); ok && e.s == s {
			c.f.remember(e.key, e.client, s) // what it costs has changed
		}
	}
}
