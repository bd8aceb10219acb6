package smb2client

import (
	"context"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/transport"
	"ipcguard/internal/status"
)

// tree is a connected share over SMB2 or SMB3.
type tree struct {
	s       *session
	id      uint32
	encrypt bool
	about   dialect.TreeInfo
}

// TreeConnect implements dialect.Session. See [MS-SMB2] 3.2.4.2.4 and 3.2.5.5.
func (s *session) TreeConnect(ctx context.Context, share string) (dialect.Tree, error) {
	r := s.request(ctx, transport.LayerTree, nil)
	r.sign = r.sign || s.mustSign()
	body := &smb2.TreeConnectRequest{Path: smb2.EncodeText(dialect.UNC(s.c.host, share))}
	got, err := s.c.one(ctx, r, smb2.TreeConnect, body)
	if err != nil {
		return nil, err
	}
	if status.NTStatus(got.header.Status) == status.AccessDenied && !s.secret && s.c.negotiated.SigningRequired &&
		s.signer != nil && !r.sign && !r.encrypt {
		// The server may require signing even of a session without a secret: retry once before treating it as a
		// refusal.
		r.sign = true
		if got, err = s.c.one(ctx, r, smb2.TreeConnect, body); err != nil {
			return nil, err
		}
		if got.header.Status == uint32(status.Success) {
			s.mu.Lock()
			s.sign = true
			s.mu.Unlock()
		}
	}
	if err := got.status(transport.LayerTree); err != nil {
		return nil, err
	}
	var resp smb2.TreeConnectResponse
	if err := got.body(transport.LayerTree, &resp); err != nil {
		return nil, err
	}
	t := &tree{s: s, id: got.header.TreeID}
	t.encrypt = resp.ShareFlags&smb2.ShareEncryptData != 0 && s.c.dialect >= smb2.Dialect300 && s.secret &&
		s.transform != nil && !s.c.o.Unencrypted
	t.about = dialect.TreeInfo{
		ID: t.id, ShareType: resp.ShareType, Flags: resp.ShareFlags, Capabilities: resp.Capabilities,
		MaximalAccess: resp.MaximalAccess, Encrypted: resp.ShareFlags&smb2.ShareEncryptData != 0,
	}
	if err := t.validate(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// mustSign reports whether a request that proves the negotiation is signed although the session's others are not.
// See [MS-SMB2] 3.3.5.7 and 3.2.5.5.
func (s *session) mustSign() bool { return s.c.o.Unsigned && s.secret && s.signer != nil }

// validate checks once a session that the negotiation was not tampered with. 3.1.1 proves it by its hash.
func (t *tree) validate(ctx context.Context) error {
	s := t.s
	c := s.c
	r := s.request(ctx, transport.LayerTree, t)
	r.sign = r.sign || s.mustSign()
	top := uint16(0)
	if n := len(c.offer.dialects); n > 0 {
		top = c.offer.dialects[n-1]
	}
	s.mu.Lock()
	done := s.validated
	s.validated = true
	s.mu.Unlock()
	if done || !s.secret || s.signer == nil || c.dialect == smb2.Dialect311 || top < smb2.Dialect300 {
		return nil
	}
	want, question := c.validation()
	got, err := c.one(ctx, r, smb2.IOCTL, question)
	if err != nil {
		return err
	}
	if notValidated(got.header.Status) {
		return nil
	}
	if got.header.Status != uint32(status.Success) {
		return c.conn.Distrust(transport.LayerTree,
			"the server does not confirm the negotiation: "+status.NTStatus(got.header.Status).String())
	}
	var resp smb2.IOCTLResponse
	if err := got.body(transport.LayerTree, &resp); err != nil {
		return err
	}
	var have smb2.ValidateNegotiateResponse
	if err := have.Unmarshal(resp.Output); err != nil || have != *want {
		return c.conn.Distrust(transport.LayerTree,
			"the server does not confirm the negotiation: it was changed on the way")
	}
	return nil
}

// NetworkInterfaces asks the server for its addresses. See [MS-SMB2] 3.2.4.20.10.
func (t *tree) NetworkInterfaces(ctx context.Context) ([]smb2.NetworkInterface, error) {
	got, err := t.s.c.one(ctx, t.s.request(ctx, transport.LayerCall, t), smb2.IOCTL, &smb2.IOCTLRequest{
		CtlCode: smb2.FSCTLQueryNetworkInterfaceInfo, FileID: smb2.RelatedFileID, MaxOutputResponse: maxPayload,
		Flags: smb2.IsFSCTL,
	})
	if err != nil {
		return nil, err
	}
	if err := got.status(transport.LayerCall); err != nil {
		return nil, err
	}
	var resp smb2.IOCTLResponse
	if err := got.body(transport.LayerCall, &resp); err != nil {
		return nil, err
	}
	return smb2.ParseNetworkInterfaces(resp.Output)
}

// Info implements dialect.Tree.
func (t *tree) Info() dialect.TreeInfo { return t.about }

// Disconnect implements dialect.Tree.
func (t *tree) Disconnect(ctx context.Context) error {
	got, err := t.s.c.one(ctx, t.s.request(ctx, transport.LayerTree, t), smb2.TreeDisconnect, new(smb2.Empty))
	if err != nil {
		return err
	}
	return got.status(transport.LayerTree)
}

// create opens what body names.
func (t *tree) create(ctx context.Context, body *smb2.CreateRequest) (*pipe, error) {
	got, err := t.s.c.one(ctx, t.s.request(ctx, transport.LayerOpen, t), smb2.Create, body)
	if err != nil {
		return nil, err
	}
	if err := got.status(transport.LayerOpen); err != nil {
		return nil, err
	}
	var resp smb2.CreateResponse
	if err := got.body(transport.LayerOpen, &resp); err != nil {
		return nil, err
	}
	return &pipe{t, resp.FileID}, nil
}

// OpenPipe implements dialect.Tree.
func (t *tree) OpenPipe(ctx context.Context, name string) (dialect.Pipe, error) {
	p, err := t.create(ctx, named(name))
	if err != nil {
		return nil, err
	}
	return p, nil
}

// named asks for a pipe.
func named(name string) *smb2.CreateRequest {
	return &smb2.CreateRequest{
		ImpersonationLevel: smb2.Impersonation, DesiredAccess: smb2.PipeAccess,
		ShareAccess: smb2.FileShareRead | smb2.FileShareWrite, CreateDisposition: smb2.FileOpen,
		Name: smb2.EncodeText(name),
	}
}

// OpenTransact implements dialect.Tree, with a compound of related requests. See [MS-SMB2] 3.2.4.1.4.
func (t *tree) OpenTransact(ctx context.Context, name string, in []byte, max int) (dialect.Pipe, []byte, error) {
	c := t.s.c
	if err := ctx.Err(); err != nil {
		return nil, nil, transport.NetError(transport.LayerOpen, err)
	}
	if !c.credits.has(2) { // a server that grants one credit at a time would never allow two
		p, err := t.create(ctx, named(name))
		if err != nil {
			return nil, nil, err
		}
		out, err := p.Transact(ctx, in, max)
		return p, out, err
	}
	p := &pipe{t, smb2.RelatedFileID}
	open := t.s.request(ctx, transport.LayerOpen, t)
	open.messages = []*smb2.Message{
		{Header: smb2.Header{Command: smb2.Create}, Body: named(name)},
		{Header: smb2.Header{Command: smb2.IOCTL}, Body: p.transceive(in, max)},
	}
	id, ask, err := c.credits.take(ctx, len(open.messages), c.conn, open.layer, open.deadline)
	if err != nil {
		return nil, nil, err
	}
	sent, err := c.send(open, id, ask)
	if err != nil {
		return nil, nil, err
	}
	got, err := c.await(ctx, sent[0], open)
	if err == nil {
		err = got.status(transport.LayerOpen)
	}
	var opened smb2.CreateResponse
	if err == nil {
		err = got.body(transport.LayerOpen, &opened)
	}
	if err != nil {
		c.conn.Abandon(sent[1]) // it fails for the same reason
		return nil, nil, err
	}
	p.id = opened.FileID
	call := t.s.request(ctx, transport.LayerCall, t)
	if got, err = c.await(ctx, sent[1], call); err != nil {
		return p, nil, err
	}
	out, err := p.transacted(ctx, &got, max)
	return p, out, err
}

// OpenRoot implements dialect.Tree.
func (t *tree) OpenRoot(ctx context.Context) (dialect.File, error) {
	p, err := t.create(ctx, &smb2.CreateRequest{
		ImpersonationLevel: smb2.Impersonation,
		DesiredAccess:      smb2.FileReadData | smb2.FileReadAttributes | smb2.Synchronize,
		ShareAccess:        smb2.FileShareRead | smb2.FileShareWrite | smb2.FileShareDelete,
		CreateDisposition:  smb2.FileOpen, CreateOptions: smb2.FileDirectory,
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}
