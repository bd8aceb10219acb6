package smb

import (
	"context"

	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/status"
)

// pipe1 is an open pipe or folder over SMB1.
type pipe1 struct {
	t   *tree1
	fid uint16
}

// most1 is the most data that one message to the server carries.
func (b *client1) most1() int {
	most := int(min(b.neg.MaxBufferSize, buffer1)) - room1
	return max(most, 512) // the smallest buffer that [MS-CIFS] 2.2.4.52.2 allows is 1024 bytes
}

// maxAnswer1 is the most data that is asked for in one answer.
const maxAnswer1 = buffer1 - room1

// transact implements pipeBackend. See [MS-CIFS] 2.2.5.6.
func (p *pipe1) transact(ctx context.Context, in []byte, most int) ([]byte, error) {
	b := p.t.s.b
	r := p.t.s.request(ctx, layerCall, p.t)
	if len(in) > b.most1() {
		if _, err := p.writeBy(ctx, r, in); err != nil {
			return nil, err
		}
		return p.rest(ctx, r, nil, most)
	}
	got, err := b.exchange(ctx, r, &smb1.TransRequest{
		Code: smb1.Transaction, TotalDataCount: uint32(len(in)), MaxDataCount: uint32(min(most, maxAnswer1)),
		Setup: []uint16{smb1.TransTransactNmPipe, p.fid}, Name: smb1.PipePrefix, Data: in,
	})
	if err != nil {
		return nil, err
	}
	st := got.NTStatus()
	if st != status.Success && st != status.BufferOverflow {
		return nil, statusError(layerCall, uint32(st))
	}
	if got.trans == nil {
		return nil, broken("TRANSACTION answered without data").at(layerCall)
	}
	out := got.trans.Data
	if st == status.Success {
		return out, nil
	}
	return p.rest(ctx, r, out, most)
}

// rest reads a message to its end, behind what came of it already.
func (p *pipe1) rest(ctx context.Context, r request1, out []byte, most int) ([]byte, error) {
	for {
		if len(out) >= most {
			return out, statusError(layerCall, uint32(status.BufferOverflow))
		}
		part, more, err := p.readBy(ctx, r, most-len(out))
		if err != nil {
			return out, err
		}
		out = append(out[:len(out):len(out)], part...)
		if !more {
			return out, nil
		}
		if len(part) == 0 {
			return out, broken("an empty part of a message").at(layerCall)
		}
	}
}

func (p *pipe1) write(ctx context.Context, b []byte) (int, error) {
	return p.writeBy(ctx, p.t.s.request(ctx, layerCall, p.t), b)
}

// writeBy writes one message. A message beyond the server's buffer goes in parts: the first begins with the length of
// the whole, in raw mode. See [MS-CIFS] 2.2.4.43.1.
func (p *pipe1) writeBy(ctx context.Context, r request1, b []byte) (int, error) {
	most := p.t.s.b.most1()
	if len(b) > 0xFFFF {
		return 0, statusError(layerCall, uint32(status.InvalidParameter))
	}
	body := smb1.WriteRequest{FID: p.fid, WriteMode: smb1.WriteMessageStart, Remaining: uint16(len(b)), Data: b}
	data, prefix := b, 0
	if len(b) > most {
		data, prefix = append([]byte{byte(len(b)), byte(len(b) >> 8)}, b...), 2
		body.WriteMode |= smb1.WriteRawNmPipe
	}
	for sent := 0; ; {
		body.Data = data[sent:min(len(data), sent+most)]
		got, err := p.t.s.b.exchange(ctx, r, &body)
		if err != nil {
			return max(0, sent-prefix), err
		}
		if err := got.failure(layerCall); err != nil {
			return max(0, sent-prefix), err
		}
		resp, err := decode1[*smb1.WriteResponse](got, 0, layerCall)
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

func (p *pipe1) read(ctx context.Context, most int) ([]byte, bool, error) {
	return p.readBy(ctx, p.t.s.request(ctx, layerCall, p.t), most)
}

func (p *pipe1) readBy(ctx context.Context, r request1, most int) (b []byte, more bool, err error) {
	most = min(max(most, 1), maxAnswer1)
	got, err := p.t.s.b.exchange(ctx, r, &smb1.ReadRequest{FID: p.fid, MaxCount: uint16(most), MinCount: uint16(most)})
	if err != nil {
		return nil, false, err
	}
	st := got.NTStatus()
	if st != status.Success && st != status.BufferOverflow {
		return nil, false, statusError(layerCall, uint32(st))
	}
	resp, err := decode1[*smb1.ReadResponse](got, 0, layerCall)
	if err != nil {
		return nil, false, err
	}
	if len(resp.Data) > most {
		return nil, false, broken("READ answered with %d bytes, more than %d", len(resp.Data), most).at(layerCall)
	}
	return resp.Data, st == status.BufferOverflow, nil
}

func (p *pipe1) close(ctx context.Context) error {
	got, err := p.t.s.b.exchange(ctx, p.t.s.request(ctx, layerCall, p.t), &smb1.CloseRequest{FID: p.fid, LastWriteTime: 0xFFFFFFFF})
	if err != nil {
		return err
	}
	return got.failure(layerCall)
}
