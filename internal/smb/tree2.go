package smb

import (
	"context"
	"strings"

	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// tree2 is a connected share over SMB2 or SMB3.
type tree2 struct {
	s       *session2
	id      uint32
	encrypt bool
	about   TreeInfo
}

// unc is \\host\share. An IPv6 address becomes a name, as Windows writes it. See [MS-DTYP] 2.2.57.
func unc(host, share string) string {
	if strings.Contains(host, ":") {
		host = strings.NewReplacer(":", "-", "%", "s").Replace(host) + ".ipv6-literal.net"
	}
	return `\\` + host + `\` + share
}

// treeConnect implements sessionBackend. See [MS-SMB2] 3.2.4.2.4 and 3.2.5.5.
func (s *session2) treeConnect(ctx context.Context, share string) (treeBackend, error) {
	r := s.request(ctx, layerTree, nil)
	body := &smb2.TreeConnectRequest{Path: smb2.EncodeText(unc(s.b.c.host, share))}
	got, err := s.b.one(ctx, r, smb2.TreeConnect, body)
	if err != nil {
		return nil, err
	}
	if status.NTStatus(got.header.Status) == status.AccessDenied && !s.secret && s.b.c.neg.SigningRequired &&
		s.signer != nil && !r.sign && !r.encrypt {
		// The server may hold a session without a secret to signing too: ask once more before calling it a refusal.
		r.sign = true
		if got, err = s.b.one(ctx, r, smb2.TreeConnect, body); err != nil {
			return nil, err
		}
		if got.header.Status == uint32(status.Success) {
			s.mu.Lock()
			s.sign = true
			s.mu.Unlock()
		}
	}
	if err := got.status(layerTree); err != nil {
		return nil, err
	}
	var resp smb2.TreeConnectResponse
	if err := got.body(layerTree, &resp); err != nil {
		return nil, err
	}
	t := &tree2{s: s, id: got.header.TreeID}
	t.encrypt = resp.ShareFlags&smb2.ShareEncryptData != 0 && s.b.dialect >= smb2.Dialect300 && s.transform != nil
	t.about = TreeInfo{
		ID: t.id, ShareType: resp.ShareType, Flags: resp.ShareFlags, Capabilities: resp.Capabilities,
		MaximalAccess: resp.MaximalAccess, Encrypted: resp.ShareFlags&smb2.ShareEncryptData != 0,
	}
	if err := t.validate(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// validate checks once a session that the negotiation was not tampered with. 3.1.1 proves it by its hash.
func (t *tree2) validate(ctx context.Context) error {
	s := t.s
	b := s.b
	r := s.request(ctx, layerTree, t)
	top := uint16(0)
	if n := len(b.offer.dialects); n > 0 {
		top = b.offer.dialects[n-1]
	}
	s.mu.Lock()
	done := s.validated
	s.validated = true
	s.mu.Unlock()
	if done || !s.secret || s.signer == nil || b.dialect == smb2.Dialect311 || top < smb2.Dialect300 {
		return nil
	}
	want, question := b.validation()
	got, err := b.one(ctx, r, smb2.IOCTL, question)
	if err != nil {
		return err
	}
	if notValidated(got.header.Status) {
		return nil
	}
	if got.header.Status != uint32(status.Success) {
		return b.distrust(layerTree, "the server does not confirm the negotiation: "+status.NTStatus(got.header.Status).String())
	}
	var resp smb2.IOCTLResponse
	if err := got.body(layerTree, &resp); err != nil {
		return err
	}
	var have smb2.ValidateNegotiateResponse
	if err := have.Unmarshal(resp.Output); err != nil || have != *want {
		return b.distrust(layerTree, "the server does not confirm the negotiation: it was changed on the way")
	}
	return nil
}

func (t *tree2) info() TreeInfo { return t.about }

func (t *tree2) disconnect(ctx context.Context) error {
	got, err := t.s.b.one(ctx, t.s.request(ctx, layerTree, t), smb2.TreeDisconnect, new(smb2.Empty))
	if err != nil {
		return err
	}
	return got.status(layerTree)
}

// create opens what body names.
func (t *tree2) create(ctx context.Context, body *smb2.CreateRequest) (*pipe2, error) {
	got, err := t.s.b.one(ctx, t.s.request(ctx, layerOpen, t), smb2.Create, body)
	if err != nil {
		return nil, err
	}
	if err := got.status(layerOpen); err != nil {
		return nil, err
	}
	var resp smb2.CreateResponse
	if err := got.body(layerOpen, &resp); err != nil {
		return nil, err
	}
	return &pipe2{t, resp.FileID}, nil
}

func (t *tree2) openPipe(ctx context.Context, name string) (pipeBackend, error) {
	p, err := t.create(ctx, &smb2.CreateRequest{
		ImpersonationLevel: smb2.Impersonation, DesiredAccess: smb2.PipeAccess,
		ShareAccess: smb2.FileShareRead | smb2.FileShareWrite, CreateDisposition: smb2.FileOpen, Name: smb2.EncodeText(name),
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (t *tree2) openRoot(ctx context.Context) (fileBackend, error) {
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
