package smb2client

import (
	"context"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/smb/transport"
	"ipcguard/internal/status"
)

// maxPayload bounds what one request carries or asks for, so that it costs one credit in every dialect.
// See [MS-SMB2] 3.2.4.1.5.
const maxPayload = 64 << 10

// pipe is an open pipe, or folder, over SMB2 or SMB3.
type pipe struct {
	t  *tree
	id smb2.FileID
}

func (p *pipe) one(ctx context.Context, command smb2.Command, body smb2.Body) (answer, error) {
	return p.t.s.c.one(ctx, p.t.s.request(ctx, transport.LayerCall, p.t), command, body)
}

// Transact implements dialect.Pipe. See [MS-SMB2] 3.2.4.20.4.
func (p *pipe) Transact(ctx context.Context, in []byte, max int) ([]byte, error) {
	got, err := p.one(ctx, smb2.IOCTL, p.transceive(in, max))
	if err != nil {
		return nil, err
	}
	return p.transacted(ctx, &got, max)
}

func (p *pipe) transceive(in []byte, max int) *smb2.IOCTLRequest {
	return &smb2.IOCTLRequest{
		CtlCode: smb2.FSCTLPipeTransceive, FileID: p.id, Input: in, MaxOutputResponse: uint32(min(max, maxPayload)),
		Flags: smb2.IsFSCTL,
	}
}

// transacted reads the answer to a transaction, and the rest of a message that did not fit.
func (p *pipe) transacted(ctx context.Context, got *answer, max int) ([]byte, error) {
	st := status.NTStatus(got.header.Status)
	if st != status.Success && st != status.BufferOverflow {
		return nil, refused(transport.LayerCall, got.header.Status)
	}
	var resp smb2.IOCTLResponse
	if err := got.body(transport.LayerCall, &resp); err != nil {
		return nil, err
	}
	if len(resp.Output) > max {
		return nil, transport.Broken("%d bytes where %d were asked for", len(resp.Output), max).At(transport.LayerCall)
	}
	if st == status.Success {
		return resp.Output, nil
	}
	return dialect.ReadRest(resp.Output, max, func(max int) ([]byte, bool, error) { return p.Read(ctx, max) })
}

// Write implements dialect.Pipe. A message beyond 64 KiB is for the caller to cut: no RPC fragment is that long.
func (p *pipe) Write(ctx context.Context, data []byte) (int, error) {
	got, err := p.one(ctx, smb2.Write, &smb2.WriteRequest{FileID: p.id, Data: data[:min(len(data), maxPayload)]})
	if err != nil {
		return 0, err
	}
	if err := got.status(transport.LayerCall); err != nil {
		return 0, err
	}
	var resp smb2.WriteResponse
	if err := got.body(transport.LayerCall, &resp); err != nil {
		return 0, err
	}
	return min(int(resp.Count), len(data)), nil
}

// Read implements dialect.Pipe.
func (p *pipe) Read(ctx context.Context, max int) ([]byte, bool, error) {
	want := min(max, maxPayload)
	got, err := p.one(ctx, smb2.Read, &smb2.ReadRequest{FileID: p.id, Length: uint32(want)})
	if err != nil {
		return nil, false, err
	}
	st := status.NTStatus(got.header.Status)
	if st != status.Success && st != status.BufferOverflow {
		return nil, false, refused(transport.LayerCall, got.header.Status)
	}
	var resp smb2.ReadResponse
	if err := got.body(transport.LayerCall, &resp); err != nil {
		return nil, false, err
	}
	if len(resp.Data) > want {
		return nil, false, transport.Broken("%d bytes where %d were asked for", len(resp.Data),
			want).At(transport.LayerCall)
	}
	return resp.Data, st == status.BufferOverflow, nil
}

// Close implements dialect.Pipe.
func (p *pipe) Close(ctx context.Context) error {
	got, err := p.one(ctx, smb2.Close, &smb2.CloseRequest{FileID: p.id})
	if err != nil {
		return err
	}
	return got.status(transport.LayerCall)
}
