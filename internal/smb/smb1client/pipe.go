package smb1client

import (
	"context"
	"errors"

	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/transport"
	"ipcguard/internal/status"
)

// pipe is an open pipe or folder over SMB1.
type pipe struct {
	t   *tree
	fid uint16
}

// errNoAnswer is how some small servers answer what they do not understand. The connection and its other pipes are as
// good as before.
var errNoAnswer = errors.New("smb: TRANSACTION answered with neither data nor an error")

// most is the most data that one message to the server carries.
func (c *Client) most() int {
	most := int(min(c.neg.MaxBufferSize, buffer)) - room
	return max(most, 512) // the smallest buffer that [MS-CIFS] 2.2.4.52.2 allows is 1024 bytes
}

// maxAnswer is the most data that is asked for in one answer.
const maxAnswer = buffer - room

// Transact implements dialect.Pipe. See [MS-CIFS] 2.2.5.6.
func (p *pipe) Transact(ctx context.Context, in []byte, most int) ([]byte, error) {
	c := p.t.s.c
	r := p.t.s.request(ctx, transport.LayerCall, p.t)
	if len(in) > c.most() {
		if _, err := p.writeBy(ctx, r, in); err != nil {
			return nil, err
		}
		return p.rest(ctx, r, nil, most)
	}
	got, err := c.exchange(ctx, r, &smb1.TransRequest{
		Code: smb1.Transaction, TotalDataCount: uint32(len(in)), MaxDataCount: uint32(min(most, maxAnswer)),
		Setup: []uint16{smb1.TransTransactNmPipe, p.fid}, Name: smb1.PipePrefix, Data: in,
	})
	if err != nil {
		return nil, err
	}
	st := got.NTStatus()
	if st != status.Success && st != status.BufferOverflow {
		return nil, dialect.Refused(transport.LayerCall, st)
	}
	if got.trans == nil {
		return nil, errNoAnswer
	}
	out := got.trans.Data
	if st == status.Success {
		return out, nil
	}
	return p.rest(ctx, r, out, most)
}

// rest reads a message to its end, behind what came of it already.
func (p *pipe) rest(ctx context.Context, r request, out []byte, most int) ([]byte, error) {
	return dialect.ReadRest(out, most, func(max int) ([]byte, bool, error) { return p.readBy(ctx, r, max) })
}

// Write implements dialect.Pipe.
func (p *pipe) Write(ctx context.Context, b []byte) (int, error) {
	return p.writeBy(ctx, p.t.s.request(ctx, transport.LayerCall, p.t), b)
}

// writeBy writes one message. A message beyond the server's buffer goes in parts: the first begins with the length of
// the whole, in raw mode. See [MS-CIFS] 2.2.4.43.1.
func (p *pipe) writeBy(ctx context.Context, r request, b []byte) (int, error) {
	most := p.t.s.c.most()
	if len(b) > 0xFFFF {
		return 0, dialect.Refused(transport.LayerCall, status.InvalidParameter)
	}
	body := smb1.WriteRequest{FID: p.fid, WriteMode: smb1.WriteMessageStart, Remaining: uint16(len(b)), Data: b}
	data, prefix := b, 0
	if len(b) > most {
		data, prefix = append([]byte{byte(len(b)), byte(len(b) >> 8)}, b...), 2
		body.WriteMode |= smb1.WriteRawNmPipe
	}
	for sent := 0; ; {
		body.Data = data[sent:min(len(data), sent+most)]
		got, err := p.t.s.c.exchange(ctx, r, &body)
		if err != nil {
			return max(0, sent-prefix), err
		}
		if err := got.failure(transport.LayerCall); err != nil {
			return max(0, sent-prefix), err
		}
		resp, err := decode[*smb1.WriteResponse](got, 0, transport.LayerCall)
		if err != nil {
			return max(0, sent-prefix), err
		}
		if prefix == 0 {
			return min(int(resp.Count), len(b)), nil
		}
		if sent += len(body.Data); sent == len(data) {
			return len(b), nil
		}
		body.WriteMode &^= smb1.WriteMessageStart
		body.Remaining = uint16(len(data) - sent)
	}
}

// Read implements dialect.Pipe.
func (p *pipe) Read(ctx context.Context, most int) ([]byte, bool, error) {
	return p.readBy(ctx, p.t.s.request(ctx, transport.LayerCall, p.t), most)
}

func (p *pipe) readBy(ctx context.Context, r request, most int) (b []byte, more bool, err error) {
	most = min(max(most, 1), maxAnswer)
	got, err := p.t.s.c.exchange(ctx, r, &smb1.ReadRequest{FID: p.fid, MaxCount: uint16(most), MinCount: uint16(most)})
	if err != nil {
		return nil, false, err
	}
	st := got.NTStatus()
	if st != status.Success && st != status.BufferOverflow {
		return nil, false, dialect.Refused(transport.LayerCall, st)
	}
	resp, err := decode[*smb1.ReadResponse](got, 0, transport.LayerCall)
	if err != nil {
		return nil, false, err
	}
	if len(resp.Data) > most {
		return nil, false, transport.Broken("READ answered with %d bytes, more than %d", len(resp.Data),
			most).At(transport.LayerCall)
	}
	return resp.Data, st == status.BufferOverflow, nil
}

// Close implements dialect.Pipe.
func (p *pipe) Close(ctx context.Context) error {
	got, err := p.t.s.c.exchange(ctx, p.t.s.request(ctx, transport.LayerCall, p.t),
		&smb1.CloseRequest{FID: p.fid, LastWriteTime: 0xFFFFFFFF})
	if err != nil {
		return err
	}
	return got.failure(transport.LayerCall)
}
