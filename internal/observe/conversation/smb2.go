package conversation

import (
	"encoding/binary"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

var le = binary.LittleEndian

// smb2Conn is the SMB2 and SMB3 part of a connection.
type smb2Conn struct {
	*Conversation

	dialect  uint16
	cipher   smbcrypt.Cipher
	preauth  smbcrypt.Preauth // of NEGOTIATE
	whole    bool             // both NEGOTIATE messages were seen, so preauth is right
	sessions map[uint64]*session
	setups   map[uint64]*setup
	requests map[uint64]smb2Request // by MessageId
	connects int                    // unanswered TREE_CONNECTs that are not claimed
	chain    [2]chain
	sealed   bool // the current message was encrypted
}

// dialectNT is SMB1's last dialect, with which Windows and Samba answer.
const dialectNT = "NT LM 0.12"

// setup is a logon in progress.
type setup struct {
	logon
	at      time.Time
	preauth smbcrypt.Preauth
	whole   bool
	binding bool
}

// smb2Request is an unanswered request.
type smb2Request struct {
	command  smb2.Command
	ctl      uint32 // of IOCTL
	at       time.Time
	s        *session
	tree     uint32
	ipc      bool // TREE_CONNECT: by the path
	claimed  bool // TREE_CONNECT: a TreeId was assumed to be its answer
	guessed  bool // CREATE, READ: the tree is not known; it may be a pipe
	p        *pipe
	file     smb2.FileID // READ: p is not known
	from, to int         // the calls of the pipe that the request carries
	setup    *setup
}

func (q smb2Request) cost() int {
	if q.setup != nil {
		return costPending + costSetup
	}
	return costPending
}

// chain is what related messages of a compound inherit from the previous one.
type chain struct {
	session uint64
	tree    uint32
	file    smb2.FileID
	p       *pipe
	known   bool // p is valid: the previous message was about a pipe
}

// want decides how much of a message or chain to keep.
func (c *smb2Conn) want(d flow.Direction, b []byte, n int) int {
	if len(b) < smb2.HeaderLen {
		c.f.giveUp(badFrame)
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
func (c *smb2Conn) wantAnswer(b []byte) int {
	if _, ok := c.requests[le.Uint64(b[smb2.OffsetMessageID:])]; ok {
		return maxPipeFrame
	}
	return 0
}

// wantWrite keeps data that is written to a pipe. If the open was not seen, the data must look like RPC.
func (c *smb2Conn) wantWrite(b []byte, n int) int {
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

// openOf returns the pipe whose FileId is at an offset. known means that it is certainly not a pipe if nil.
func (c *smb2Conn) openOf(b []byte, at int) (p *pipe, known bool) {
	s := c.sessions[le.Uint64(b[40:])]
	if s == nil {
		return nil, false
	}
	return s.find(smb2.FileID(b[at:at+16]), c.tree(s, le.Uint32(b[36:])))
}

// wantRead keeps an answer with a pipe's data, or with data that looks like RPC if the open was not seen.
func (c *smb2Conn) wantRead(b []byte) int {
	id := le.Uint64(b[smb2.OffsetMessageID:])
	q, ok := c.requests[id]
	if !ok || len(b) < smb2.HeaderLen+8 {
		return 0
	}
	if q.guessed && le.Uint32(b[smb2.OffsetStatus:]) != uint32(status.Pending) &&
		!looksRPC(b, int(b[smb2.HeaderLen+2]), int(le.Uint32(b[smb2.HeaderLen+4:]))) {
		c.done(id)
		return 0
	}
	return maxPipeFrame
}

// looksRPC reports whether n bytes at an offset, whose beginning is present, are one whole RPC packet.
func looksRPC(b []byte, off, n int) bool {
	if off < smb2.HeaderLen || off+16 > len(b) || n < 16 {
		return false
	}
	return isRPC(b[off:], n)
}

// message implements protocol; a frame contains one message or a chain.
func (c *smb2Conn) message(d flow.Direction, frame []byte) {
	c.chain[d] = chain{}
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
			c.response(&h, walk.Message)
		} else {
			c.request(&h, walk.Message)
		}
	}
	if walk.Err() != nil {
		c.f.giveUp(badFrame)
	}
}

// wait stores a request until it is answered.
func (c *smb2Conn) wait(id uint64, q smb2Request) {
	q.at = c.st.now
	c.done(id) // the number is reused: the answer to the older request was not seen
	put(c.Conversation, &c.requests, boundPending2, id, q, c.giveUpRequest)
	if q.command == smb2.TreeConnect {
		c.connects++
	}
}

// giveUpRequest drops a request for which there is no room.
func (c *smb2Conn) giveUpRequest(q smb2Request) {
	c.unclaim(q)
	c.unanswered(q)
}

func (c *smb2Conn) unclaim(q smb2Request) {
	if q.command == smb2.TreeConnect && !q.claimed {
		c.connects--
	}
}

func (c *smb2Conn) done(id uint64) {
	if q, ok := c.requests[id]; ok {
		forget(c.Conversation, c.requests, boundPending2, id)
		c.unclaim(q)
	}
}

// tree returns the tree of a TreeId; nil if unknown. If a tree connect was seen without its answer, as in a capture of
// one direction, the first new TreeId is assumed to be its answer, provided that there is only one such tree connect.
func (c *smb2Conn) tree(s *session, id uint32) *tree {
	if t := s.trees[id]; t != nil || c.connects != 1 {
		return t
	}
	for mid, q := range c.requests {
		if q.command != smb2.TreeConnect || q.claimed || q.s != s {
			continue
		}
		t := &tree{ipc: q.ipc, guessed: true}
		if id != 0 && id != ^uint32(0) { // not a related message of its own compound
			s.setTree(c.Conversation, id, t)
			q.claimed = true
			c.requests[mid] = q
			c.connects--
		}
		return t
	}
	return nil
}

func (c *smb2Conn) request(h *smb2.Header, msg []byte) {
	link := &c.chain[flow.ToServer]
	if h.Flags&smb2.FlagRelated != 0 {
		h.SessionID, h.TreeID = link.session, link.tree
	} else {
		*link = chain{session: h.SessionID, tree: h.TreeID}
	}
	if h.SessionID != 0 && h.Command != smb2.SessionSetup && h.Command != smb2.Negotiate {
		s := c.session(h.SessionID)
		s.signed, s.encrypted = model.TristateOf(h.Flags&smb2.FlagSigned != 0), model.TristateOf(c.sealed)
	}
	var err error
	switch h.Command {
	case smb2.Negotiate:
		err = c.negotiateRequest(msg)
		c.wait(h.MessageID, smb2Request{command: smb2.Negotiate})
	case smb2.SessionSetup:
		err = c.setupRequest(h, msg)
	case smb2.Logoff:
		c.wait(h.MessageID, smb2Request{command: smb2.Logoff, s: c.session(h.SessionID)})
	case smb2.TreeConnect:
		var r smb2.TreeConnectRequest
		if _, err = r.Unmarshal(msg); err == nil {
			c.wait(h.MessageID, smb2Request{
				command: smb2.TreeConnect, s: c.session(h.SessionID),
				ipc: isIPC(r.Path.String()),
			})
		}
	case smb2.TreeDisconnect:
		c.wait(h.MessageID, smb2Request{command: smb2.TreeDisconnect, s: c.session(h.SessionID), tree: h.TreeID})
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

func (c *smb2Conn) response(h *smb2.Header, msg []byte) {
	q, ok := c.requests[h.MessageID]
	if ok && q.command != h.Command {
		ok = false
	}
	st := status.NTStatus(h.Status)
	if st == status.Pending && h.IsAsync() {
		return // the answer comes later, under the same MessageId
	}
	if !ok {
		switch {
		case h.Command == smb2.SessionSetup:
			c.setupAnswerAlone(h, msg)
		case h.Command == smb2.Negotiate && c.dialect == 0 && !st.IsError():
			c.negotiateResponse(msg) // to a NEGOTIATE of SMB1 that lists no newer dialect than 2.0.2
		}
		return
	}
	c.done(h.MessageID)
	switch h.Command {
	case smb2.Negotiate:
		c.negotiateResponse(msg)
	case smb2.SessionSetup:
		c.setupResponse(h, msg, q)
	case smb2.Logoff:
		if !st.IsError() {
			if c.sessions[q.s.id] == q.s { // it may have been logged off before
				c.endSession(q.s)
			}
			forget(c.Conversation, c.sessions, boundSessions, q.s.id)
			c.f.forget(c.boundKey(q.s.id))
		}
	case smb2.TreeConnect:
		c.treeResponse(h, msg, q, st)
	case smb2.TreeDisconnect:
		if !st.IsError() {
			q.s.forgetTree(c.Conversation, q.tree)
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

func (c *smb2Conn) treeResponse(h *smb2.Header, msg []byte, q smb2Request, st status.NTStatus) {
	ipc := q.ipc
	if !st.IsError() {
		var r smb2.TreeConnectResponse
		if _, err := r.Unmarshal(msg); err == nil {
			ipc = ipc || r.ShareType == smb2.SharePipe
			if ipc && r.ShareFlags&smb2.ShareEncryptData != 0 && q.s.encryption == "" {
				q.s.encryption = model.EncryptionShare
			}
		}
		q.s.setTree(c.Conversation, h.TreeID, &tree{ipc: ipc})
	}
	if ipc {
		c.tellTree(q.s, q.at, st)
	}
}

// unanswered emits the rows of a request without an answer.
func (c *smb2Conn) unanswered(q smb2Request) {
	switch q.command {
	case smb2.SessionSetup:
		if q.setup.decided() {
			c.f.sink.Add(unanswered(c.use(q.setup.claimed(), model.LayerSession, q.at)))
		}
	case smb2.TreeConnect:
		if q.ipc {
			c.f.sink.Add(unanswered(c.treeUse(q.s, q.at)))
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

func (c *smb2Conn) close() {
	ids := make([]uint64, 0, len(c.requests))
	for id := range c.requests {
		ids = append(ids, id)
	}
	for _, id := range ids {
		c.unanswered(c.requests[id])
	}
	for id, s := range c.sessions {
		c.endSession(s)
		if e, ok := c.f.recall(c.boundKey(id)); ok && e.s == s {
			c.f.remember(e.key, e.client, s) // what it costs has changed
		}
	}
	if c.requests != nil && len(ids) == 0 && len(c.f.idle) < maxIdle {
		c.f.idle, c.requests = append(c.f.idle, c.requests), nil
	}
}

// maxIdle bounds the empty request tables kept for reuse. They save a short connection most of its memory; one that a
// flood has filled takes 128 KiB, so all of them take 1 MiB.
const maxIdle = 8

func (c *smb2Conn) damaged(d flow.Direction) {
	for _, s := range c.sessions {
		s.damaged(c.Conversation, d)
	}
}
