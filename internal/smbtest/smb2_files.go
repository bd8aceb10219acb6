package smbtest

import (
	"encoding/binary"
	"time"

	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// dispatch executes commands that need a session. out is the header of the response.
func (c *smb2Conn) dispatch(s *session, h *smb2.Header, body smb2.Body, last *related, out *smb2.Header) (smb2.Body,
	status.NTStatus,
) {
	switch q := body.(type) {
	case *smb2.Empty:
		switch h.Command {
		case smb2.Logoff:
			delete(c.sessions, s.id)
		case smb2.TreeDisconnect:
			if s.trees[h.TreeID] == nil {
				return nil, status.NetworkNameDeleted
			}
			delete(s.trees, h.TreeID)
		}
		return new(smb2.Empty), status.Success
	case *smb2.TreeConnectRequest:
		t, st := s.connect(c.host, q.Path.String())
		if st != status.Success {
			return nil, st
		}
		out.TreeID = t.id
		r := treeResponse(t)
		if c.host.Profile.EncryptAnswers {
			r.ShareFlags |= smb2.ShareEncryptData
		}
		return r, status.Success
	}
	t := s.trees[h.TreeID]
	if t == nil {
		return nil, status.NetworkNameDeleted
	}
	switch q := body.(type) {
	case *smb2.CreateRequest:
		return c.create(s, t, q, last)
	case *smb2.CloseRequest:
		if _, st := c.file(&q.FileID, last); st != status.Success {
			return nil, st
		}
		delete(c.opens, q.FileID)
		return new(smb2.CloseResponse), status.Success
	case *smb2.FlushRequest:
		return new(smb2.Empty), status.Success
	case *smb2.IOCTLRequest:
		return c.ioctl(q, last)
	case *smb2.ReadRequest:
		o, st := c.pipe(&q.FileID, last)
		if st != status.Success {
			return nil, st
		}
		data, st := o.read(int(min(q.Length, maxTransact)))
		if st.IsError() {
			return nil, st
		}
		return &smb2.ReadResponse{Data: data}, st
	case *smb2.WriteRequest:
		o, st := c.pipe(&q.FileID, last)
		if st != status.Success {
			return nil, st
		}
		if o.pipe.Write(q.Data) != nil {
			return nil, status.PipeDisconnected
		}
		return &smb2.WriteResponse{Count: uint32(len(q.Data))}, status.Success
	case *smb2.QueryDirectoryRequest:
		return c.queryDirectory(q, last)
	case *smb2.QueryInfoRequest:
		return c.queryInfo(t, q, last)
	}
	return nil, status.NotSupported
}

func treeResponse(t *tree) *smb2.TreeConnectResponse {
	r := &smb2.TreeConnectResponse{ShareType: smb2.ShareDisk, MaximalAccess: 0x001F01FF}
	if t.share.Type&^shareSpecial == shareIPC {
		r.ShareType, r.ShareFlags = smb2.SharePipe, 0x30 // SMB2_SHAREFLAG_NO_CACHING
	}
	return r
}

// file returns an open by its ID, or the one that the chain has just created.
func (c *smb2Conn) file(id *smb2.FileID, last *related) (*opened, status.NTStatus) {
	if *id == smb2.RelatedFileID {
		*id = last.file
	}
	o := c.opens[*id]
	if o == nil {
		return nil, status.FileClosed
	}
	last.file = *id
	return o, status.Success
}

func (c *smb2Conn) pipe(id *smb2.FileID, last *related) (*opened, status.NTStatus) {
	o, st := c.file(id, last)
	if st == status.Success && o.pipe == nil {
		return nil, status.InvalidDeviceRequest
	}
	return o, st
}

func (c *smb2Conn) create(s *session, t *tree, q *smb2.CreateRequest, last *related) (smb2.Body, status.NTStatus) {
	if len(c.opens) >= maxOpens {
		return nil, status.InsufficientResources
	}
	o, st := s.open(c.host, t, q.Name.String())
	if st != status.Success {
		return nil, st
	}
	c.nextFileID++
	var id smb2.FileID
	binary.LittleEndian.PutUint64(id[:], c.nextFileID)
	binary.LittleEndian.PutUint64(id[8:], c.nextFileID|0xAB<<32)
	c.opens[id] = o
	last.file = id
	r := &smb2.CreateResponse{CreateAction: 1, FileID: id, FileAttributes: 0x80}
	if o.pipe == nil {
		now := smb2.FileTimeOf(time.Now())
		r.FileAttributes, r.CreationTime, r.LastAccessTime, r.LastWriteTime, r.ChangeTime = 0x10, now, now, now, now
	}
	return r, status.Success
}

// read returns what waits in a pipe. An empty pipe is an error at once: a practice pipe answers as soon as it is
// written to.
func (o *opened) read(max int) ([]byte, status.NTStatus) {
	data, more := o.pipe.Read(max)
	switch {
	case more:
		return data, status.BufferOverflow
	case len(data) == 0:
		return nil, status.PipeEmpty
	}
	return data, status.Success
}

func (c *smb2Conn) ioctl(q *smb2.IOCTLRequest, last *related) (smb2.Body, status.NTStatus) {
	switch q.CtlCode {
	case smb2.FSCTLPipeTransceive:
		o, st := c.pipe(&q.FileID, last)
		if st != status.Success {
			return nil, st
		}
		data, st := c.transact(o, q.Input, int(min(q.MaxOutputResponse, maxTransact)))
		if st.IsError() {
			return nil, st
		}
		return &smb2.IOCTLResponse{CtlCode: q.CtlCode, FileID: q.FileID, Output: data}, st
	case smb2.FSCTLValidateNegotiate:
		var v smb2.ValidateNegotiateRequest
		if v.Unmarshal(q.Input) != nil {
			return nil, status.InvalidParameter
		}
		n := c.negotiateBody(c.dialect)
		r := smb2.ValidateNegotiateResponse{
			Capabilities: n.Capabilities, GUID: n.ServerGUID,
			SecurityMode: n.SecurityMode, Dialect: c.dialect,
		}
		return &smb2.IOCTLResponse{CtlCode: q.CtlCode, FileID: q.FileID, Output: r.AppendMarshal(nil)}, status.Success
	case smb2.FSCTLDFSGetReferrals, smb2.FSCTLDFSGetReferralsEx:
		return nil, status.NotFound
	}
	return nil, status.InvalidDeviceRequest
}

// transact writes a message into a pipe and reads the response, with the faults that apply there.
func (c *conn) transact(o *opened, in []byte, max int) ([]byte, status.NTStatus) {
	if c.strike(AtPipe, Endless) != nil && len(in) >= 16 {
		return fragment(binary.LittleEndian.Uint32(in[12:])), status.Success
	}
	if o.pipe.Write(in) != nil {
		return nil, status.PipeDisconnected
	}
	data, st := o.read(max)
	// A response: lengths and counts become huge.
	if len(data) > 32 && data[2] == 2 && c.strike(AtPipe, BadCount) != nil {
		for at := 24; at+4 <= len(data); at += 4 {
			binary.LittleEndian.PutUint32(data[at:], 0xFFFFFFF0)
		}
	}
	return data, st
}

// queryDirectory lists a folder: itself, its parent and the made-up files, in the classes that clients use. See
// [MS-FSCC] 2.4.17 (37, FileIdBothDirectoryInformation) and 2.4.8 (3, FileBothDirectoryInformation).
func (c *smb2Conn) queryDirectory(q *smb2.QueryDirectoryRequest, last *related) (smb2.Body, status.NTStatus) {
	o, st := c.file(&q.FileID, last)
	switch {
	case st != status.Success:
		return nil, st
	case o.pipe != nil:
		return nil, status.InvalidParameter
	case q.InformationClass != 37 && q.InformationClass != 3:
		return nil, status.InvalidInfoClass
	case q.Flags&0x01 != 0: // SMB2_RESTART_SCANS
		o.listed = false
	}
	if o.listed {
		return nil, status.NoMoreFiles
	}
	o.listed = true
	var out []byte
	names := append([]string{".", ".."}, o.tree.share.Files...)
	for i, name := range names {
		start := len(out)
		text := smb2.EncodeText(name)
		fixed := 94 // class 3
		if q.InformationClass == 37 {
			fixed = 104
		}
		e := make([]byte, fixed)
		now := smb2.FileTimeOf(time.Now())
		for at := 8; at < 40; at += 8 {
			binary.LittleEndian.PutUint64(e[at:], now)
		}
		attributes := uint32(0x80)
		if i < 2 {
			attributes = 0x10
		}
		binary.LittleEndian.PutUint32(e[56:], attributes)
		binary.LittleEndian.PutUint32(e[60:], uint32(len(text)))
		out = append(append(out, e...), text...)
		if i < len(names)-1 {
			for len(out)%8 != 0 {
				out = append(out, 0)
			}
			binary.LittleEndian.PutUint32(out[start:], uint32(len(out)-start))
		}
	}
	if uint32(len(out)) > q.MaxOutput {
		return nil, status.BufferTooSmall
	}
	return &smb2.BufferResponse{Output: out}, status.Success
}

// queryInfo answers the few classes that smbclient uses. See [MS-FSCC] 2.4 and 2.5.
func (c *smb2Conn) queryInfo(t *tree, q *smb2.QueryInfoRequest, last *related) (smb2.Body, status.NTStatus) {
	o, st := c.file(&q.FileID, last)
	if st != status.Success {
		return nil, st
	}
	var out []byte
	switch [2]byte{q.InfoType, q.InfoClass} {
	case [2]byte{1, 5}: // FileStandardInformation
		out = make([]byte, 24)
		if o.pipe == nil {
			out[21] = 1
		}
	case [2]byte{1, 4}: // FileBasicInformation
		out = make([]byte, 40)
		out[32] = 0x10
	case [2]byte{2, 3}: // FileFsSizeInformation
		out = make([]byte, 24)
		binary.LittleEndian.PutUint32(out[16:], 8)
		binary.LittleEndian.PutUint32(out[20:], 512)
	case [2]byte{2, 7}: // FileFsFullSizeInformation
		out = make([]byte, 32)
		binary.LittleEndian.PutUint32(out[24:], 8)
		binary.LittleEndian.PutUint32(out[28:], 512)
	case [2]byte{2, 5}: // FileFsAttributeInformation
		out = binary.LittleEndian.AppendUint32(make([]byte, 4, 20), 255)
		out = append(binary.LittleEndian.AppendUint32(out, 8), smb2.EncodeText("NTFS")...)
	default:
		return nil, status.NotSupported
	}
	return &smb2.BufferResponse{Output: out[:min(len(out), int(q.MaxOutput))]}, status.Success
}
