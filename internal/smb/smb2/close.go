package smb2

// CloseRequest ends an open.
// See [MS-SMB2] 2.2.15.
type CloseRequest struct {
	Flags    uint16
	Reserved uint32
	FileID   FileID
}

// Unmarshal implements Body.
func (r *CloseRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 24, 24)
	if err != nil {
		return 0, err
	}
	*r = CloseRequest{f.u16(), f.u32(), f.id()}
	return HeaderLen + 24, nil
}

// AppendBody implements Body.
func (r *CloseRequest) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(dst, 24)
	dst = le.AppendUint16(dst, r.Flags)
	dst = le.AppendUint32(dst, r.Reserved)
	return append(dst, r.FileID[:]...)
}

// CloseResponse carries the last attributes where they were asked for.
// See [MS-SMB2] 2.2.16.
type CloseResponse struct {
	Flags          uint16
	Reserved       uint32
	CreationTime   uint64
	LastAccessTime uint64
	LastWriteTime  uint64
	ChangeTime     uint64
	AllocationSize uint64
	EndOfFile      uint64
	FileAttributes uint32
}

// Unmarshal implements Body.
func (r *CloseResponse) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 60, 60)
	if err != nil {
		return 0, err
	}
	*r = CloseResponse{f.u16(), f.u32(), f.u64(), f.u64(), f.u64(), f.u64(), f.u64(), f.u64(), f.u32()}
	return HeaderLen + 60, nil
}

// AppendBody implements Body.
func (r *CloseResponse) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(dst, 60)
	dst = le.AppendUint16(dst, r.Flags)
	dst = le.AppendUint32(dst, r.Reserved)
	for _, v := range [...]uint64{
		r.CreationTime, r.LastAccessTime, r.LastWriteTime, r.ChangeTime, r.AllocationSize, r.EndOfFile,
	} {
		dst = le.AppendUint64(dst, v)
	}
	return le.AppendUint32(dst, r.FileAttributes)
}

// FlushRequest asks for what is cached to be written.
// See [MS-SMB2] 2.2.17.
type FlushRequest struct {
	Reserved1 uint16
	Reserved2 uint32
	FileID    FileID
}

// Unmarshal implements Body.
func (r *FlushRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 24, 24)
	if err != nil {
		return 0, err
	}
	*r = FlushRequest{f.u16(), f.u32(), f.id()}
	return HeaderLen + 24, nil
}

// AppendBody implements Body.
func (r *FlushRequest) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(dst, 24)
	dst = le.AppendUint16(dst, r.Reserved1)
	dst = le.AppendUint32(dst, r.Reserved2)
	return append(dst, r.FileID[:]...)
}
