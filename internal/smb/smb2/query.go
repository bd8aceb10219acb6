package smb2

// BufferResponse is the body of the responses to QUERY_DIRECTORY, CHANGE_NOTIFY and QUERY_INFO.
// See [MS-SMB2] 2.2.34, 2.2.36, 2.2.38.
type BufferResponse struct {
	OutputOffset uint16
	Output       []byte
}

// Unmarshal implements Body.
func (r *BufferResponse) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 9, 8)
	if err != nil {
		return 0, err
	}
	r.OutputOffset = f.u16()
	end := HeaderLen + 8
	r.Output, err = span(msg, 8, uint32(r.OutputOffset), f.u32(), &end)
	return end, err
}

// AppendBody implements Body.
func (r *BufferResponse) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 9)
	at := len(dst)
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint32(dst, uint32(len(r.Output)))
	dst, off := place(dst, base, int(r.OutputOffset), 1, r.Output)
	le.PutUint16(dst[at:], uint16(off))
	return dst
}

// QueryDirectoryRequest lists a folder.
// See [MS-SMB2] 2.2.33.
type QueryDirectoryRequest struct {
	InformationClass byte
	Flags            byte
	FileIndex        uint32
	FileID           FileID
	PatternOffset    uint16
	Pattern          Text
	MaxOutput        uint32
}

// Unmarshal implements Body.
func (r *QueryDirectoryRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 33, 32)
	if err != nil {
		return 0, err
	}
	*r = QueryDirectoryRequest{
		InformationClass: f.u8(), Flags: f.u8(), FileIndex: f.u32(), FileID: f.id(), PatternOffset: f.u16(),
	}
	n := uint32(f.u16())
	r.MaxOutput = f.u32()
	end := HeaderLen + 32
	pattern, err := span(msg, 32, uint32(r.PatternOffset), n, &end)
	r.Pattern = pattern
	return end, err
}

// AppendBody implements Body.
func (r *QueryDirectoryRequest) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 33)
	dst = append(dst, r.InformationClass, r.Flags)
	dst = le.AppendUint32(dst, r.FileIndex)
	dst = append(dst, r.FileID[:]...)
	at := len(dst)
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint16(dst, uint16(len(r.Pattern)))
	dst = le.AppendUint32(dst, r.MaxOutput)
	dst, off := place(dst, base, int(r.PatternOffset), 1, r.Pattern)
	le.PutUint16(dst[at:], uint16(off))
	return dst
}

// ChangeNotifyRequest waits for changes in a folder.
// See [MS-SMB2] 2.2.35.
type ChangeNotifyRequest struct {
	Flags            uint16
	MaxOutput        uint32
	FileID           FileID
	CompletionFilter uint32
	Reserved         uint32
}

// Unmarshal implements Body.
func (r *ChangeNotifyRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 32, 32)
	if err != nil {
		return 0, err
	}
	*r = ChangeNotifyRequest{f.u16(), f.u32(), f.id(), f.u32(), f.u32()}
	return HeaderLen + 32, nil
}

// AppendBody implements Body.
func (r *ChangeNotifyRequest) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(dst, 32)
	dst = le.AppendUint16(dst, r.Flags)
	dst = le.AppendUint32(dst, r.MaxOutput)
	dst = append(dst, r.FileID[:]...)
	dst = le.AppendUint32(dst, r.CompletionFilter)
	return le.AppendUint32(dst, r.Reserved)
}

// QueryInfoRequest asks about a file, a volume, security or quota.
// See [MS-SMB2] 2.2.37.
type QueryInfoRequest struct {
	InfoType              byte
	InfoClass             byte
	MaxOutput             uint32
	InputOffset           uint16
	Reserved              uint16
	Input                 []byte
	AdditionalInformation uint32
	Flags                 uint32
	FileID                FileID
}

// Unmarshal implements Body.
func (r *QueryInfoRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 41, 40)
	if err != nil {
		return 0, err
	}
	*r = QueryInfoRequest{
		InfoType: f.u8(), InfoClass: f.u8(), MaxOutput: f.u32(), InputOffset: f.u16(), Reserved: f.u16(),
	}
	n := f.u32()
	r.AdditionalInformation, r.Flags, r.FileID = f.u32(), f.u32(), f.id()
	end := HeaderLen + 40
	r.Input, err = span(msg, 40, uint32(r.InputOffset), n, &end)
	return end, err
}

// AppendBody implements Body.
func (r *QueryInfoRequest) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 41)
	dst = append(dst, r.InfoType, r.InfoClass)
	dst = le.AppendUint32(dst, r.MaxOutput)
	at := len(dst)
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint16(dst, r.Reserved)
	dst = le.AppendUint32(dst, uint32(len(r.Input)))
	dst = le.AppendUint32(dst, r.AdditionalInformation)
	dst = le.AppendUint32(dst, r.Flags)
	dst = append(dst, r.FileID[:]...)
	dst, off := place(dst, base, int(r.InputOffset), 1, r.Input)
	le.PutUint16(dst[at:], uint16(off))
	return dst
}

// SetInfoRequest changes a file, a volume, security or quota.
// See [MS-SMB2] 2.2.39.
type SetInfoRequest struct {
	InfoType              byte
	InfoClass             byte
	BufferOffset          uint16
	Reserved              uint16
	Buffer                []byte
	AdditionalInformation uint32
	FileID                FileID
}

// Unmarshal implements Body.
func (r *SetInfoRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 33, 32)
	if err != nil {
		return 0, err
	}
	r.InfoType, r.InfoClass = f.u8(), f.u8()
	n := f.u32()
	r.BufferOffset, r.Reserved, r.AdditionalInformation, r.FileID = f.u16(), f.u16(), f.u32(), f.id()
	end := HeaderLen + 32
	r.Buffer, err = span(msg, 32, uint32(r.BufferOffset), n, &end)
	return end, err
}

// AppendBody implements Body.
func (r *SetInfoRequest) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 33)
	dst = append(dst, r.InfoType, r.InfoClass)
	dst = le.AppendUint32(dst, uint32(len(r.Buffer)))
	at := len(dst)
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint16(dst, r.Reserved)
	dst = le.AppendUint32(dst, r.AdditionalInformation)
	dst = append(dst, r.FileID[:]...)
	dst, off := place(dst, base, int(r.BufferOffset), 1, r.Buffer)
	le.PutUint16(dst[at:], uint16(off))
	return dst
}

// SetInfoResponse says that it was done.
// See [MS-SMB2] 2.2.40.
type SetInfoResponse struct{}

// Unmarshal implements Body.
func (r *SetInfoResponse) Unmarshal(msg []byte) (int, error) {
	_, err := open(msg, 2, 2)
	return HeaderLen + 2, err
}

// AppendBody implements Body.
func (r *SetInfoResponse) AppendBody(dst []byte, _ int) []byte { return le.AppendUint16(dst, 2) }
