package smbtest

import (
	"crypto/rand"
	"strings"
	"time"

	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/smbcrypt"
	"ipcguard/internal/status"
)

// smb1Conn is a connection in NT LM 0.12.
type smb1Conn struct {
	*conn
	challenge [8]byte // without extended security
	extended  bool
	opens     map[uint16]*opened
	nextFID   uint16
	pending   map[uint32]*partial // transactions that come in several requests, by PID and MID
	signer    *smbcrypt.Signer1   // from the first logon of a user on
	sequence  uint32
}

// partial is a transaction with incomplete data.
type partial struct {
	first *smb1.TransRequest
	data  []byte
	got   uint32
	h     smb1.Header
}

const (
	maxBuffer1 = 16644 // MaxBufferSize of Windows
	maxPartial = 16    // concurrent partial transactions; MaxMpxCount is 50 and clients use one
)

// negotiate answers NEGOTIATE. See [MS-CIFS] 2.2.4.52 and [MS-SMB] 2.2.4.5.
func (c *smb1Conn) negotiate(m *smb1.Message, q *smb1.NegotiateRequest) bool {
	index := -1
	for i, d := range q.Dialects {
		if d == smb1.DialectNTLM012 {
			index = i
		}
	}
	p := c.host.Profile
	h := answerHeader(&m.Header)
	if index < 0 || !p.SMB1 {
		if !p.SMB1 {
			return false // a server without SMB1 closes the connection
		}
		return c.reply(AtNegotiate, h, &smb1.NegotiateCore{DialectIndex: smb1.NoDialect})
	}
	c.extended = !p.NoExtended && m.Flags2&smb1.Flags2ExtendedSecurity != 0
	rand.Read(c.challenge[:])
	r := &smb1.NegotiateResponse{
		DialectIndex: uint16(index),
		SecurityMode: smb1.SecurityUserLevel | smb1.SecurityEncryptPasswords | smb1.SecuritySignEnabled,
		MaxMpxCount:  50, MaxNumberVcs: 1, MaxBufferSize: maxBuffer1, MaxRawSize: 65536,
		Capabilities: smb1.CapUnicode | smb1.CapLargeFiles | smb1.CapNTSMBs | smb1.CapRPCRemoteAPIs | smb1.CapStatus32 | smb1.CapNTFind,
		SystemTime:   smb2.FileTimeOf(time.Now()),
	}
	if p.SigningRequired {
		r.SecurityMode |= smb1.SecuritySignRequired
	}
	if c.extended {
		r.Capabilities |= smb1.CapExtendedSecurity
		r.ServerGUID, r.SecurityBlob = c.guid, newLogon(c.host).acceptor.Hello()
	} else {
		r.Challenge, r.DomainName, r.ServerName = c.challenge[:], c.host.World.Domain, c.host.World.Name
	}
	return c.reply(AtNegotiate, h, r)
}

func answerHeader(q *smb1.Header) smb1.Header {
	h := *q
	h.Flags |= smb1.FlagsReply
	h.Flags2 &^= smb1.Flags2SecuritySignature
	h.Signature = [8]byte{}
	h.Status = 0
	return h
}

// reply sends a response, signed if the connection is.
func (c *smb1Conn) reply(stage Stage, h smb1.Header, bodies ...smb1.Body) bool {
	if c.strike(stage, WrongID) != nil {
		h.MID ^= 0x5A5A
	}
	frame, err := smb1.Append(make([]byte, nbss.HeaderLen, 256), &h, bodies...)
	if err != nil {
		return false
	}
	if c.strike(stage, LoopChain) != nil && len(frame) > nbss.HeaderLen+smb1.HeaderLen+5 {
		copy(frame[nbss.HeaderLen+smb1.HeaderLen+1:], []byte{byte(smb1.TreeConnectAndX), 0, smb1.HeaderLen, 0})
	}
	if c.signer != nil {
		c.signer.Sign(frame[nbss.HeaderLen:], c.sequence+1)
		c.sequence += 2
	}
	return c.send(stage, frame, func() []byte { return nil })
}

func (c *smb1Conn) refuse(stage Stage, h smb1.Header, cmd smb1.Command, s status.NTStatus) bool {
	h.SetStatus(s)
	return c.reply(stage, h, &smb1.Generic{Code: cmd})
}

// receive executes a message with all the commands of its chain. The response's chain ends at the first failure.
func (c *smb1Conn) receive(m *smb1.Message) bool {
	if m.Reply() {
		return false
	}
	if c.signer != nil && m.Command != smb1.NTCancel && !c.signer.Verify(m.Raw, c.sequence) {
		return c.refuse(AtOther, answerHeader(&m.Header), m.Command, status.AccessDenied)
	}
	h := answerHeader(&m.Header)
	var bodies []smb1.Body
	stage := stageOf1(m.Command)
	for i := range m.Blocks {
		q, err := m.Decode(i)
		if err != nil {
			return c.refuse(stage, h, m.Command, status.InvalidParameter)
		}
		body, st := c.dispatch(&h, q, m)
		if body == nil && st == status.Success {
			return true // no response
		}
		if st != status.Success {
			h.SetStatus(st)
		}
		if body == nil {
			body = &smb1.Generic{Code: m.Blocks[i].Command}
		}
		bodies = append(bodies, body)
		if st.IsError() || st == status.MoreProcessingRequired {
			break
		}
	}
	return c.reply(stage, h, bodies...)
}

func stageOf1(cmd smb1.Command) Stage {
	switch cmd {
	case smb1.Negotiate:
		return AtNegotiate
	case smb1.SessionSetupAndX:
		return AtSession
	case smb1.TreeConnectAndX, smb1.TreeConnect:
		return AtTree
	case smb1.NTCreateAndX, smb1.OpenAndX:
		return AtOpen
	case smb1.Transaction, smb1.TransactionSecondary, smb1.ReadAndX, smb1.WriteAndX:
		return AtPipe
	}
	return AtOther
}

// dispatch executes one command. h is the header of the response, from which later commands of the chain take UID and
// TID.
func (c *smb1Conn) dispatch(h *smb1.Header, q smb1.Body, m *smb1.Message) (smb1.Body, status.NTStatus) {
	switch q := q.(type) {
	case *smb1.EchoMessage:
		return &smb1.EchoMessage{SequenceNumber: 1, Data: q.Data}, status.Success
	case *smb1.Cancel:
		return nil, status.Success
	case *smb1.SessionSetupRequest:
		return c.sessionSetup(h, q, m.Flags2&smb1.Flags2SecuritySignature != 0)
	}
	s := c.sessions[uint64(h.UID)]
	if s == nil || s.who == "" {
		return nil, status.UserSessionDeleted
	}
	switch q := q.(type) {
	case *smb1.Logoff:
		delete(c.sessions, s.id)
		return &smb1.Logoff{}, status.Success
	case *smb1.TreeConnectRequest:
		return c.treeConnect(s, h, q)
	}
	t := s.trees[uint32(h.TID)]
	if t == nil {
		return nil, status.NetworkNameDeleted
	}
	switch q := q.(type) {
	case *smb1.NTCreateRequest:
		return c.create(s, t, q)
	case *smb1.OpenRequest:
		return c.openFile(s, t, q)
	case *smb1.CloseRequest:
		if c.opens[q.FID] == nil {
			return nil, status.InvalidHandle
		}
		delete(c.opens, q.FID)
		return &smb1.Generic{Code: smb1.Close}, status.Success
	case *smb1.WriteRequest:
		return c.write(q)
	case *smb1.ReadRequest:
		return c.read(q)
	case *smb1.TransRequest:
		return c.transaction(q, h, m)
	case *smb1.TransSecondary:
		return c.secondary(q, h, m)
	case *smb1.Generic:
		if q.Code == smb1.TreeDisconnect {
			delete(s.trees, t.id)
			return &smb1.Generic{Code: q.Code}, status.Success
		}
	}
	return nil, status.NotImplemented
}

func (c *smb1Conn) treeConnect(s *session, h *smb1.Header, q *smb1.TreeConnectRequest) (smb1.Body, status.NTStatus) {
	t, st := s.connect(c.host, q.Path)
	if st != status.Success {
		return nil, st
	}
	h.TID = uint16(t.id)
	r := &smb1.TreeConnectResponse{
		Words: 3, Service: smb1.ServiceDisk, NativeFileSystem: "NTFS",
		HasFileSystem: true,
	}
	if t.share.Type&^shareSpecial == shareIPC {
		r.Service, r.NativeFileSystem = smb1.ServicePipe, ""
	}
	return r, status.Success
}

func (c *smb1Conn) openFile(s *session, t *tree, q *smb1.OpenRequest) (smb1.Body, status.NTStatus) {
	o, fid, st := c.open(s, t, q.Name)
	if st != status.Success {
		return nil, st
	}
	r := &smb1.OpenResponse{FID: fid, OpenResults: 1, More: make([]byte, 6)}
	if o.pipe != nil {
		r.ResourceType, r.NMPipeStatus = smb1.ResourceMessagePipe, 0x05FF
	}
	return r, status.Success
}

func (c *smb1Conn) write(q *smb1.WriteRequest) (smb1.Body, status.NTStatus) {
	o := c.opens[q.FID]
	if o == nil || o.pipe == nil {
		return nil, status.InvalidHandle
	}
	data := q.Data
	if q.WriteMode&smb1.WriteRawNmPipe != 0 && q.WriteMode&smb1.WriteMessageStart != 0 && len(data) >= 2 {
		data = data[2:]
	}
	if o.pipe.Write(data) != nil {
		return nil, status.PipeDisconnected
	}
	return &smb1.WriteResponse{Count: uint32(len(q.Data))}, status.Success
}

func (c *smb1Conn) read(q *smb1.ReadRequest) (smb1.Body, status.NTStatus) {
	o := c.opens[q.FID]
	if o == nil || o.pipe == nil {
		return nil, status.InvalidHandle
	}
	data, st := o.read(int(q.MaxCount))
	if st.IsError() {
		return nil, st
	}
	return &smb1.ReadResponse{Available: uint16(min(o.pipe.Pending(), 0xFFFF)), Data: data}, st
}

// sessionSetup logs on, in the form with a security blob or in the one with two passwords. See [MS-SMB] 2.2.4.6 and
// [MS-CIFS] 2.2.4.53.
func (c *smb1Conn) sessionSetup(h *smb1.Header, q *smb1.SessionSetupRequest, signs bool) (smb1.Body, status.NTStatus) {
	s := c.sessions[uint64(h.UID)]
	if s == nil || s.logon == nil {
		if s = c.newSession(); s == nil {
			return nil, status.InsufficientResources
		}
	}
	h.UID = uint16(s.id)
	p := c.host.Profile
	r := &smb1.SessionSetupResponse{
		Extended: c.extended, NativeOS: p.OS, NativeLanMan: p.LanMan, PrimaryDomain: c.host.World.Domain,
		HasDomain: !c.extended,
	}
	if q.Form != smb1.SetupExtended {
		st := c.legacyLogon(s, q)
		if st != status.Success {
			delete(c.sessions, s.id)
			return nil, st
		}
		if s.who == model.Guest {
			r.Action = smb1.SetupGuest
		}
		return r, status.Success
	}
	token, accepted, st := s.logon.step(q.SecurityBlob)
	r.SecurityBlob = token
	switch st {
	case status.MoreProcessingRequired:
		return r, st
	case status.Success:
	default:
		delete(c.sessions, s.id)
		return nil, st
	}
	s.accept(accepted)
	if s.who == model.Guest {
		r.Action = smb1.SetupGuest
	}
	if s.who == model.User && c.signer == nil && signs {
		c.signer = smbcrypt.NewSigner1(accepted.SessionKey)
	}
	return r, st
}

// legacyLogon checks a session setup without extended security. It accepts passwords only as NTLMv2.
func (c *smb1Conn) legacyLogon(s *session, q *smb1.SessionSetupRequest) status.NTStatus {
	p := c.host.Profile
	switch {
	case q.Anonymous():
		s.who = model.Anonymous
	case c.verifies(q):
		s.who, s.account = model.User, q.AccountName
	case p.GuestForUnknown && c.host.World.Passwords[strings.ToLower(q.AccountName)] == "":
		s.who, s.account = model.Guest, "Guest"
	default:
		time.Sleep(p.LogonDelay)
		return status.LogonFailure
	}
	s.logon = nil
	if !p.session(s.who) {
		return status.AccessDenied
	}
	return status.Success
}

func (c *smb1Conn) verifies(q *smb1.SessionSetupRequest) bool {
	password, ok := c.host.World.Passwords[strings.ToLower(q.AccountName)]
	if !ok {
		return false
	}
	r, err := ntlm.ParseV2Response(q.UnicodePassword)
	if err != nil {
		return false
	}
	_, ok = (ntlm.Secret{User: q.AccountName, Domain: q.PrimaryDomain, Hash: ntlm.NTHash(password)}).Verify(c.challenge,
		r)
	return ok
}

func (c *smb1Conn) open(s *session, t *tree, name string) (*opened, uint16, status.NTStatus) {
	if len(c.opens) >= maxOpens {
		return nil, 0, status.InsufficientResources
	}
	name = strings.TrimLeft(name, `\`)
	if len(name) >= 5 && equalFold(name[:5], `pipe\`) {
		name = name[5:]
	}
	o, st := s.open(c.host, t, name)
	if st != status.Success {
		return nil, 0, st
	}
	for c.nextFID++; c.nextFID == 0 || c.nextFID == 0xFFFF || c.opens[c.nextFID] != nil; c.nextFID++ {
	}
	c.opens[c.nextFID] = o
	return o, c.nextFID, status.Success
}

func (c *smb1Conn) create(s *session, t *tree, q *smb1.NTCreateRequest) (smb1.Body, status.NTStatus) {
	o, fid, st := c.open(s, t, q.Name)
	if st != status.Success {
		return nil, st
	}
	r := &smb1.NTCreateResponse{FID: fid, CreateDisposition: 1, FileAttributes: 0x80}
	if o.pipe != nil {
		r.ResourceType, r.NMPipeStatus = smb1.ResourceMessagePipe, 0x05FF // message mode, [MS-CIFS] 2.2.1.3
	} else {
		r.FileAttributes, r.Directory = 0x10, 1
	}
	return r, status.Success
}

// transaction executes a TRANSACTION on a pipe, or waits for the rest of it.
func (c *smb1Conn) transaction(q *smb1.TransRequest, h *smb1.Header, m *smb1.Message) (smb1.Body, status.NTStatus) {
	if q.Code != smb1.Transaction || len(q.Setup) != 2 {
		return nil, status.NotSupported
	}
	if q.TotalDataCount > maxTransact {
		return nil, status.InvalidParameter
	}
	if uint32(len(q.Data)) < q.TotalDataCount {
		if len(c.pending) >= maxPartial {
			return nil, status.InsufficientResources
		}
		part := &partial{first: q, data: make([]byte, q.TotalDataCount), h: *h}
		part.got = uint32(copy(part.data, q.Data))
		c.pending[pidMID(m)] = part
		return &smb1.Generic{Code: smb1.Transaction}, status.Success // the interim answer
	}
	return c.pipeTransaction(q, q.Data)
}

func pidMID(m *smb1.Message) uint32 { return uint32(m.PIDLow)<<16 | uint32(m.MID) }

func (c *smb1Conn) secondary(q *smb1.TransSecondary, h *smb1.Header, m *smb1.Message) (smb1.Body, status.NTStatus) {
	part := c.pending[pidMID(m)]
	if part == nil || uint64(q.DataDisplacement)+uint64(len(q.Data)) > uint64(len(part.data)) {
		return nil, status.InvalidParameter
	}
	part.got += uint32(copy(part.data[q.DataDisplacement:], q.Data))
	if part.got < uint32(len(part.data)) {
		return nil, status.Success // secondary requests have no response
	}
	delete(c.pending, pidMID(m))
	h.Command = smb1.Transaction
	return c.pipeTransaction(part.first, part.data)
}

// pipeTransaction executes the named pipe subcommands. See [MS-CIFS] 2.2.5.
func (c *smb1Conn) pipeTransaction(q *smb1.TransRequest, data []byte) (smb1.Body, status.NTStatus) {
	o := c.opens[q.Setup[1]]
	if o == nil || o.pipe == nil {
		return nil, status.InvalidHandle
	}
	r := &smb1.TransResponse{Code: smb1.Transaction}
	st := status.Success
	switch q.Setup[0] {
	case smb1.TransTransactNmPipe:
		r.Data, st = c.transact(o, data, int(q.MaxDataCount))
	case smb1.TransSetNmPipeState, smb1.TransWaitNmPipe:
	case smb1.TransQueryNmPipeState:
		r.Parameters = []byte{0xFF, 0x05}
	case smb1.TransPeekNmPipe:
		n := o.pipe.Pending()
		r.Parameters = []byte{byte(n), byte(n >> 8), byte(n), byte(n >> 8), 3, 0}
	default:
		return nil, status.NotSupported
	}
	if st.IsError() {
		return nil, st
	}
	r.TotalDataCount, r.TotalParameterCount = uint32(len(r.Data)), uint32(len(r.Parameters))
	return r, st
}
