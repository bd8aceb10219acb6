package smb

import (
	"context"
	"strings"

	"ipcguard/internal/smb/smb1"
)

// tree1 is a connected share over SMB1.
type tree1 struct {
	s     *session1
	tid   uint16
	about TreeInfo
}

func treeRequest(path string) *smb1.TreeConnectRequest {
	return &smb1.TreeConnectRequest{
		Flags: smb1.TreeExtendedResponse, Password: []byte{0}, Path: path, Service: smb1.ServiceAny,
	}
}

// treeConnect implements sessionBackend. See [MS-CIFS] 3.2.4.2.5.
func (s *session1) treeConnect(ctx context.Context, share string) (treeBackend, error) {
	if strings.EqualFold(share, ipcShare) {
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
	got, err := s.b.exchange(ctx, s.request(ctx, layerTree, nil), treeRequest(unc(s.b.c.host, share)))
	if err != nil {
		return nil, err
	}
	if err := got.failure(layerTree); err != nil {
		return nil, err
	}
	t, err := s.newTree(got, 0)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// newTree reads the answer to a tree connect, which is that block of the message.
func (s *session1) newTree(got answer1, block int) (*tree1, error) {
	resp, err := decode1[*smb1.TreeConnectResponse](got, block, layerTree)
	if err != nil {
		return nil, err
	}
	t := &tree1{s: s, tid: got.TID}
	t.about = TreeInfo{
		ID: uint32(got.TID), ShareType: ShareDisk, Flags: uint32(resp.OptionalSupport), MaximalAccess: resp.MaximalAccess,
		Service: resp.Service, FileSystem: resp.NativeFileSystem,
	}
	switch resp.Service {
	case smb1.ServicePipe:
		t.about.ShareType = SharePipe
	case smb1.ServicePrinter:
		t.about.ShareType = SharePrint
	}
	return t, nil
}

func (t *tree1) info() TreeInfo { return t.about }

func (t *tree1) disconnect(ctx context.Context) error {
	got, err := t.s.b.exchange(ctx, t.s.request(ctx, layerTree, t), &smb1.TreeDisconnectMessage{})
	if err != nil {
		return err
	}
	return got.failure(layerTree)
}

// The access that is asked for. See [MS-CIFS] 2.2.4.64.1 and [MS-SMB] 2.2.1.4.
const (
	pipeAccess1 = 0x0012019F // read and write data, attributes and extended attributes; synchronize
	rootAccess1 = 0x00100081 // list, read attributes, synchronize
	openExists  = 0x0001     // OPEN_ANDX: open what exists, fail otherwise
	openBoth    = 0x0042     // OPEN_ANDX: read and write, deny none
)

// openPipe implements treeBackend. See [MS-CIFS] 3.2.4.3.
func (t *tree1) openPipe(ctx context.Context, name string) (pipeBackend, error) {
	b := t.s.b
	r := t.s.request(ctx, layerOpen, t)
	if b.neg.Capabilities&smb1.CapNTSMBs == 0 {
		got, err := b.exchange(ctx, r, &smb1.OpenRequest{AccessMode: openBoth, OpenMode: openExists, Name: smb1.PipePrefix + name})
		if err != nil {
			return nil, err
		}
		if err := got.failure(layerOpen); err != nil {
			return nil, err
		}
		resp, err := decode1[*smb1.OpenResponse](got, 0, layerOpen)
		if err != nil {
			return nil, err
		}
		return &pipe1{t, resp.FID}, nil
	}
	fid, err := t.create(ctx, r, &smb1.NTCreateRequest{
		DesiredAccess: pipeAccess1, ShareAccess: smb1.ShareRead | smb1.ShareWrite, CreateDisposition: smb1.CreateOpen,
		ImpersonationLevel: smb1.ImpersonationImpersonate, Name: `\` + name, Terminated: true,
	})
	if err != nil {
		return nil, err
	}
	return &pipe1{t, fid}, nil
}

func (t *tree1) create(ctx context.Context, r request1, body *smb1.NTCreateRequest) (fid uint16, err error) {
	got, err := t.s.b.exchange(ctx, r, body)
	if err != nil {
		return 0, err
	}
	if err := got.failure(layerOpen); err != nil {
		return 0, err
	}
	resp, err := decode1[*smb1.NTCreateResponse](got, 0, layerOpen)
	if err != nil {
		return 0, err
	}
	return resp.FID, nil
}

// openRoot implements treeBackend.
func (t *tree1) openRoot(ctx context.Context) (fileBackend, error) {
	fid, err := t.create(ctx, t.s.request(ctx, layerOpen, t), &smb1.NTCreateRequest{
		DesiredAccess: rootAccess1, ShareAccess: smb1.ShareRead | smb1.ShareWrite | smb1.ShareDelete,
		CreateDisposition: smb1.CreateOpen, CreateOptions: smb1.OptionDirectory,
		ImpersonationLevel: smb1.ImpersonationImpersonate, Name: `\`, Terminated: true,
	})
	if err != nil {
		return nil, err
	}
	return &pipe1{t, fid}, nil
}
