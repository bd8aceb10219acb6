package smb

import (
	"context"

	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// maxPayload bounds what one request carries or asks for, so that it costs one credit in every dialect.
// See [MS-SMB2] 3.2.4.1.5.
const maxPayload = 64 << 10

// pipe2 is an open pipe, or folder, over SMB2 or SMB3.
type pipe2 struct {
	t  *tree2
	id smb2.FileID
}

func (p *pipe2) one(ctx context.Context, command smb2.Command, body smb2.Body) (answer, error) {
	return p.t.s.b.one(ctx, p.t.s.request(ctx, layerCall, p.t), command, body)
}

// transact implements pipeBackend. See [MS-SMB2] 3.2.4.20.4.
func (p *pipe2) transact(ctx context.Context, in []byte, max int) ([]byte, error) {
	got, err := p.one(ctx, smb2.IOCTL, p.transceive(in, max))
	if err != nil {
		return nil, err
	}
	return p.transacted(ctx, &got, max)
}

func (p *pipe2) transceive(in []byte, max int) *smb2.IOCTLRequest {
	return &smb2.IOCTLRequest{
		CtlCode: smb2.FSCTLPipeTransceive, FileID: p.id, Input: in, MaxOutputResponse: uint32(min(max, maxPayload)),
		Flags: smb2.IsFSCTL,
	}
}

// transacted reads the answer to a transaction, and the rest of a message that did not fit.
func (p *pipe2) transacted(ctx context.Context, got *answer, max int) ([]byte, error) {
	st := status.NTStatus(got.header.Status)
	if st != status.Success && st != status.BufferOverflow {
		return nil, statusError(layerCall, got.header.Status)
	}
	var resp smb2.IOCTLResponse
	if err := got.body(layerCall, &resp); err != nil {
		return nil, err
	}
	out := resp.Output
	if len(out) > max {
		return nil, broken("%d bytes where %d were asked for", len(out), max).at(layerCall)
	}
	for more := st == status.BufferOverflow; more; {
		if len(out) >= max {
			return out, statusError(layerCall, uint32(status.BufferOverflow))
		}
		var part []byte
		var err error
		if part, more, err = p.read(ctx, max-len(out)); err != nil {
			return out, err
		}
		if len(part) == 0 && more {
			return out, broken("a message that goes on without end").at(layerCall)
		}
		out = append(out, part...)
	}
	return out, nil
}

// write implements pipeBackend. A message beyond 64 KiB is for the caller to cut: no RPC fragment is that long.
func (p *pipe2) write(ctx context.Context, data []byte) (int, error) {
	got, err := p.one(ctx, smb2.Write, &smb2.WriteRequest{FileID: p.id, Data: data[:min(len(data), maxPayload)]})
	if err != nil {
		return 0, err
	}
	if err := got.status(layerCall); err != nil {
		return 0, err
	}
	var resp smb2.WriteResponse
	if err := got.body(layerCall, &resp); err != nil {
		return 0, err
	}
	return min(int(resp.Count), len(data)), nil
}

// read implements pipeBackend.
func (p *pipe2) read(ctx context.Context, max int) ([]byte, bool, error) {
	want := min(max, maxPayload)
	got, err := p.one(ctx, smb2.Read, &smb2.ReadRequest{FileID: p.id, Length: uint32(want)})
	if err != nil {
		return nil, false, err
	}
	st := status.NTStatus(got.header.Status)
	if st != status.Success && st != status.BufferOverflow {
		return nil, false, statusError(layerCall, got.header.Status)
	}
	var resp smb2.ReadResponse
	if err := got.body(layerCall, &resp); err != nil {
		return nil, false, err
	}
	if len(resp.Data) > want {
		return nil, false, broken("%d bytes where %d were asked for", len(resp.Data), want).at(layerCall)
	}
	return resp.Data, st == status.BufferOverflow, nil
}

func (p *pipe2) close(ctx context.Context) error {
	got, err := p.one(ctx, smb2.Close, &smb2.CloseRequest{FileID: p.id})
	if err != nil {
		return err
	}
	return got.status(layerCall)
}
