package smb1client

import (
	"context"
	"strings"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/transport"
)

// tree is a connected share over SMB1.
type tree struct {
	s     *session
	tid   uint16
	about dialect.TreeInfo
}

func treeRequest(path string) *smb1.TreeConnectRequest {
	return &smb1.TreeConnectRequest{
		Flags: smb1.TreeExtendedResponse, Password: []byte{0}, Path: path, Service: smb1.ServiceAny,
	}
}

// TreeConnect implements dialect.Session. See [MS-CIFS] 3.2.4.2.5.
func (s *session) TreeConnect(ctx context.Context, share string) (dialect.Tree, error) {
	if strings.EqualFold(share, dialect.IPC) {
		s.mu.Lock()
		ahead, early := s.ahead, s.early
		s.ahead, s.early = nil, nil // once: a second tree connect is one of its own
		s.mu.Unlock()
		if early != nil {
			return nil, early
		}
		if ahead != nil {
			return ahead, nil
		}
	}
	got, err := s.c.exchange(ctx, s.request(ctx, transport.LayerTree, nil), treeRequest(dialect.UNC(s.c.host, share)))
	if err != nil {
		return nil, err
	}
	if err := got.failure(transport.LayerTree); err != nil {
		return nil, err
	}
	t, err := s.newTree(got, 0)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// newTree reads the answer to a tree connect, which is that block of the message.
func (s *session) newTree(got answer, block int) (*tree, error) {
	resp, err := decode[*smb1.TreeConnectResponse](got, block, transport.LayerTree)
	if err != nil {
		return nil, err
	}
	t := &tree{s: s, tid: got.TID}
	t.about = dialect.TreeInfo{
		ID: uint32(got.TID), ShareType: dialect.ShareDisk, Flags: uint32(resp.OptionalSupport),
		MaximalAccess: resp.MaximalAccess,
		Service:       resp.Service, FileSystem: resp.NativeFileSystem,
	}
	switch resp.Service {
	case smb1.ServicePipe:
		t.about.ShareType = dialect.SharePipe
	case smb1.ServicePrinter:
		t.about.ShareType = dialect.SharePrint
	}
	return t, nil
}

// Info implements dialect.Tree.
func (t *tree) Info() dialect.TreeInfo { return t.about }

// Disconnect implements dialect.Tree.
func (t *tree) Disconnect(ctx context.Context) error {
	got, err := t.s.c.exchange(ctx, t.s.request(ctx, transport.LayerTree, t), &smb1.TreeDisconnectMessage{})
	if err != nil {
		return err
	}
	return got.failure(transport.LayerTree)
}

// The access that is asked for. See [MS-CIFS] 2.2.4.64.1 and [MS-SMB] 2.2.1.4.
const (
	pipeAccess = 0x0012019F // read and write data, attributes and extended attributes; synchronize
	rootAccess = 0x00100081 // list, read attributes, synchronize
	openExists = 0x0001     // OPEN_ANDX: open what exists, fail otherwise
	openBoth   = 0x0042     // OPEN_ANDX: read and write, deny none
)

// OpenPipe implements dialect.Tree. See [MS-CIFS] 3.2.4.3.
func (t *tree) OpenPipe(ctx context.Context, name string) (dialect.Pipe, error) {
	c := t.s.c
	r := t.s.request(ctx, transport.LayerOpen, t)
	if c.neg.Capabilities&smb1.CapNTSMBs == 0 {
		got, err := c.exchange(ctx, r, &smb1.OpenRequest{
			AccessMode: openBoth, OpenMode: openExists,
			Name: smb1.PipePrefix + name,
		})
		if err != nil {
			return nil, err
		}
		if err := got.failure(transport.LayerOpen); err != nil {
			return nil, err
		}
		resp, err := decode[*smb1.OpenResponse](got, 0, transport.LayerOpen)
		if err != nil {
			return nil, err
		}
		return &pipe{t, resp.FID}, nil
	}
	fid, err := t.create(ctx, r, &smb1.NTCreateRequest{
		DesiredAccess: pipeAccess, ShareAccess: smb1.ShareRead | smb1.ShareWrite, CreateDisposition: smb1.CreateOpen,
		ImpersonationLevel: smb1.ImpersonationImpersonate, Name: `\` + name, Terminated: true,
	})
	if err != nil {
		return nil, err
	}
	return &pipe{t, fid}, nil
}

// OpenTransact implements dialect.Tree. SMB1 has no way to do both in one frame.
func (t *tree) OpenTransact(ctx context.Context, name string, in []byte, max int) (dialect.Pipe, []byte, error) {
	p, err := t.OpenPipe(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	out, err := p.Transact(ctx, in, max)
	return p, out, err
}

func (t *tree) create(ctx context.Context, r request, body *smb1.NTCreateRequest) (fid uint16, err error) {
	got, err := t.s.c.exchange(ctx, r, body)
	if err != nil {
		return 0, err
	}
	if err := got.failure(transport.LayerOpen); err != nil {
		return 0, err
	}
	resp, err := decode[*smb1.NTCreateResponse](got, 0, transport.LayerOpen)
	if err != nil {
		return 0, err
	}
	return resp.FID, nil
}

// OpenRoot implements dialect.Tree.
func (t *tree) OpenRoot(ctx context.Context) (dialect.File, error) {
	fid, err := t.create(ctx, t.s.request(ctx, transport.LayerOpen, t), &smb1.NTCreateRequest{
		DesiredAccess: rootAccess, ShareAccess: smb1.ShareRead | smb1.ShareWrite | smb1.ShareDelete,
		CreateDisposition: smb1.CreateOpen, CreateOptions: smb1.OptionDirectory,
		ImpersonationLevel: smb1.ImpersonationImpersonate, Name: `\`, Terminated: true,
	})
	if err != nil {
		return nil, err
	}
	return &pipe{t, fid}, nil
}
