package conversation

import (
	"fmt"
	"strings"

	"ipcguard/internal/model"
	"ipcguard/internal/observe/flow"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

func (c *smb2Conn) createRequest(h *smb2.Header, msg []byte, link *chain) error {
	link.p, link.known, link.file = nil, true, smb2.RelatedFileID
	s := c.session(h.SessionID)
	t := c.tree(s, h.TreeID)
	if t != nil && !t.ipc {
		return nil
	}
	var r smb2.CreateRequest
	if _, err := r.Unmarshal(msg); err != nil {
		return err
	}
	name := pipeName(r.Name.String())
	if t == nil && (name == "" || len(name) > maxPipeName || strings.ContainsRune(name, '\\') && !knownPipes()[name]) {
		return nil
	}
	p := c.newPipe(s, name)
	p.guessed = t == nil
	p.unnamed = t == nil && !knownPipes()[name]
	link.p = p
	c.wait(h.MessageID, smb2Request{command: smb2.Create, s: s, tree: h.TreeID, guessed: t == nil, p: p})
	return nil
}

func (c *smb2Conn) createResponse(msg []byte, q smb2Request, st status.NTStatus) {
	q.p.answered, q.p.opened, q.p.status = true, q.at, st
	if st.IsError() {
		if !q.guessed || knownPipes()[q.p.name] {
			c.tellOpen(q.p)
		}
		q.p.calls, q.p.binds = nil, nil // what a compound sent after it never reached a pipe
		c.endPipe(q.p)
		return
	}
	var r smb2.CreateResponse
	if _, err := r.Unmarshal(msg); err != nil {
		c.f.giveUp(badFrame)
		return
	}
	const directory = 0x10 // FILE_ATTRIBUTE_DIRECTORY
	if q.guessed && (r.FileAttributes&directory != 0 || r.EndOfFile != 0) {
		c.endPipe(q.p)
		q.s.setTree(c.Conversation, q.tree, &tree{guessed: true})
		return
	}
	if !q.guessed || knownPipes()[q.p.name] {
		c.tellOpen(q.p)
	}
	q.s.setOpen(c.Conversation, r.FileID, q.p)
}

// file returns the pipe of a request; known means that the answer is certain: that pipe, or none if nil.
func (c *smb2Conn) file(h *smb2.Header, id smb2.FileID, link *chain) (p *pipe, s *session, known bool) {
	s = c.session(h.SessionID)
	if id == smb2.RelatedFileID && h.Flags&smb2.FlagRelated != 0 {
		if link.file != smb2.RelatedFileID {
			id = link.file
		} else {
			return link.p, s, link.known
		}
	}
	link.file = id
	p, known = s.find(id, c.tree(s, h.TreeID))
	return p, s, known
}

// adopt makes a pipe for an open that was not seen.
func (c *smb2Conn) adopt(h *smb2.Header, s *session, id smb2.FileID) *pipe {
	if id == smb2.RelatedFileID {
		return nil
	}
	return s.adopt(c.Conversation, s, h.TreeID, id)
}

func (c *smb2Conn) closeRequest(h *smb2.Header, id smb2.FileID, link *chain) {
	p, s, _ := c.file(h, id, link)
	if p == nil {
		return
	}
	s.closeOpen(c.Conversation, link.file, p)
}

func (c *smb2Conn) writeRequest(h *smb2.Header, msg []byte, link *chain) error {
	var r smb2.WriteRequest
	_, err := r.Unmarshal(msg)
	if err != nil && r.FileID == (smb2.FileID{}) {
		return err
	}
	p, s, known := c.file(h, r.FileID, link)
	if p == nil && !known && err == nil && isRPC(r.Data, len(r.Data)) {
		p = c.adopt(h, s, r.FileID)
	}
	if p == nil {
		if !known && r.Offset != 0 && s.trees[h.TreeID] == nil { // pipes have no offsets: these are files
			s.setTree(c.Conversation, h.TreeID, &tree{guessed: true})
		}
		return nil
	}
	if err != nil {
		return err
	}
	from := p.seq
	c.rpc(p, flow.ToServer, r.Data)
	c.wait(h.MessageID, smb2Request{command: smb2.Write, p: p, from: from, to: p.seq})
	return nil
}

func (c *smb2Conn) readRequest(h *smb2.Header, msg []byte, link *chain) error {
	var r smb2.ReadRequest
	if _, err := r.Unmarshal(msg); err != nil {
		return err
	}
	p, s, known := c.file(h, r.FileID, link)
	switch {
	case p != nil:
		c.wait(h.MessageID, smb2Request{command: smb2.Read, s: s, p: p})
	case known:
	case r.Offset != 0:
		if s.trees[h.TreeID] == nil {
			s.setTree(c.Conversation, h.TreeID, &tree{guessed: true})
		}
	case link.file != smb2.RelatedFileID:
		q := smb2Request{command: smb2.Read, s: s, tree: h.TreeID, guessed: true}
		q.file = link.file
		c.wait(h.MessageID, q)
	}
	return nil
}

func (c *smb2Conn) readResponse(h *smb2.Header, msg []byte, q smb2Request, st status.NTStatus) {
	if st.IsError() {
		if q.p != nil && st != status.PipeEmpty && st != status.Cancelled && st != status.EndOfFile {
			c.failCalls(q.p, 0, q.p.seq, st)
		}
		return
	}
	var r smb2.ReadResponse
	if _, err := r.Unmarshal(msg); err != nil {
		c.f.giveUp(badFrame)
		if q.p != nil {
			c.reset(q.p, flow.ToClient)
		}
		return
	}
	if q.p == nil { // the open was not seen
		if q.p = q.s.opens[q.file]; q.p == nil {
			if !isRPC(r.Data, len(r.Data)) {
				return
			}
			h.TreeID = q.tree
			q.p = c.adopt(h, q.s, q.file)
		}
	}
	c.rpc(q.p, flow.ToClient, r.Data)
}

func (c *smb2Conn) ioctlRequest(h *smb2.Header, msg []byte, link *chain) error {
	var r smb2.IOCTLRequest
	if _, err := r.Unmarshal(msg); err != nil {
		return err
	}
	switch r.CtlCode {
	case smb2.FSCTLPipeTransceive:
		p, s, known := c.file(h, r.FileID, link)
		if p == nil && !known && isRPC(r.Input, len(r.Input)) {
			p = c.adopt(h, s, link.file)
		}
		if p == nil {
			return nil
		}
		from := p.seq
		c.rpc(p, flow.ToServer, r.Input)
		c.wait(h.MessageID, smb2Request{command: smb2.IOCTL, ctl: r.CtlCode, s: s, p: p, from: from, to: p.seq})
	case smb2.FSCTLDFSGetReferrals, smb2.FSCTLDFSGetReferralsEx, smb2.FSCTLQueryInterfaces:
		s := c.session(h.SessionID)
		if t := c.tree(s, h.TreeID); t != nil && t.ipc {
			c.wait(h.MessageID, smb2Request{command: smb2.IOCTL, ctl: r.CtlCode, s: s})
		}
	}
	return nil
}

func (c *smb2Conn) ioctlResponse(msg []byte, q smb2Request, st status.NTStatus) {
	if q.p == nil {
		u := c.controlUse(q)
		u.Status = st.String()
		switch u.Outcome = smbOutcome(model.LayerCall, st); st { // a name without referrals is a valid answer, too
		case status.NotFound, status.ObjectNameNotFound, status.ObjectPathNotFound, status.BadNetworkName, status.NoSuchFile, 0xC000019C: // STATUS_FS_DRIVER_REQUIRED
			u.Outcome = model.Allowed
		}
		c.f.sink.Add(u)
		return
	}
	if st.IsError() {
		c.failCalls(q.p, q.from, q.to, st)
		return
	}
	var r smb2.IOCTLResponse
	if _, err := r.Unmarshal(msg); err != nil {
		c.f.giveUp(badFrame)
		c.reset(q.p, flow.ToClient)
		return
	}
	c.rpc(q.p, flow.ToClient, r.Output)
}

// controlUse returns a use of IPC$ itself without a pipe: clients ask it for DFS referrals and for network interfaces.
func (c *smb2Conn) controlUse(q smb2Request) model.Use {
	u := c.useIn(q.s, q.s.who, model.LayerCall, q.at)
	u.Share = ipcShare
	switch q.ctl {
	case smb2.FSCTLDFSGetReferrals:
		u.Call = "FSCTL_DFS_GET_REFERRALS"
	case smb2.FSCTLDFSGetReferralsEx:
		u.Call = "FSCTL_DFS_GET_REFERRALS_EX"
	case smb2.FSCTLQueryInterfaces:
		u.Call = "FSCTL_QUERY_NETWORK_INTERFACE_INFO"
	default:
		u.Call = fmt.Sprintf("FSCTL 0x%08X", q.ctl)
	}
	return u
}
