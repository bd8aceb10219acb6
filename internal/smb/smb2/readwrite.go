package smb2

import "fmt"

// ReadRequest reads from a file or pipe.
// See [MS-SMB2] 2.2.19.
type ReadRequest struct {
	Padding        byte // where the client would like the data to lie
	Flags          byte
	Length         uint32
	Offset         uint64
	FileID         FileID
	MinimumCount   uint32
	Channel        uint32
	RemainingBytes uint32
	ChannelOffset  uint16
	ChannelInfo    []byte
}

// Unmarshal implements Body.
func (r *ReadRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 49, 48)
	if err != nil {
		return 0, err
	}
	*r = ReadRequest{
		Padding: f.u8(), Flags: f.u8(), Length: f.u32(), Offset: f.u64(), FileID: f.id(), MinimumCount: f.u32(),
		Channel: f.u32(), RemainingBytes: f.u32(), ChannelOffset: f.u16(),
	}
	end := HeaderLen + 48
	r.ChannelInfo, err = span(msg, 48, uint32(r.ChannelOffset), uint32(f.u16()), &end)
	return end, err
}

// AppendBody implements Body.
func (r *ReadRequest) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 49)
	dst = append(dst, r.Padding, r.Flags)
	dst = le.AppendUint32(dst, r.Length)
	dst = le.AppendUint64(dst, r.Offset)
	dst = append(dst, r.FileID[:]...)
	dst = le.AppendUint32(dst, r.MinimumCount)
	dst = le.AppendUint32(dst, r.Channel)
	dst = le.AppendUint32(dst, r.RemainingBytes)
	at := len(dst)
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint16(dst, uint16(len(r.ChannelInfo)))
	dst, off := place(dst, base, int(r.ChannelOffset), 1, r.ChannelInfo)
	le.PutUint16(dst[at:], uint16(off))
	return dst
}

// ReadResponse carries the data.
// See [MS-SMB2] 2.2.20.
type ReadResponse struct {
	DataOffset    byte
	Reserved      byte
	Data          []byte
	DataRemaining uint32
	Flags         uint32
}

// Unmarshal implements Body.
func (r *ReadResponse) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 17, 16)
	if err != nil {
		return 0, err
	}
	r.DataOffset, r.Reserved = f.u8(), f.u8()
	n := f.u32()
	r.DataRemaining, r.Flags = f.u32(), f.u32()
	end := HeaderLen + 16
	r.Data, err = span(msg, 16, uint32(r.DataOffset), n, &end)
	return end, err
}

// AppendBody implements Body.
func (r *ReadResponse) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 17)
	at := len(dst)
	dst = append(dst, 0, r.Reserved)
	dst = le.AppendUint32(dst, uint32(len(r.Data)))
	dst = le.AppendUint32(dst, r.DataRemaining)
	dst = le.AppendUint32(dst, r.Flags)
	dst, off := place(dst, base, int(r.DataOffset), 1, r.Data)
	dst[at] = byte(off)
	return dst
}

// WriteRequest writes to a file or pipe.
// See [MS-SMB2] 2.2.21.
type WriteRequest struct {
	DataOffset     uint16
	Data           []byte
	Length         uint32 // of Data; with a channel, of what goes over it, and Data is empty
	Offset         uint64
	FileID         FileID
	Channel        uint32
	RemainingBytes uint32
	ChannelOffset  uint16
	ChannelInfo    []byte
	Flags          uint32
}

// Unmarshal implements Body.
func (r *WriteRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 49, 48)
	if err != nil {
		return 0, err
	}
	*r = WriteRequest{
		DataOffset: f.u16(), Length: f.u32(), Offset: f.u64(), FileID: f.id(), Channel: f.u32(),
		RemainingBytes: f.u32(),
		ChannelOffset:  f.u16(),
	}
	n := uint32(f.u16())
	r.Flags = f.u32()
	end := HeaderLen + 48
	if r.Channel == 0 {
		if r.Data, err = span(msg, 48, uint32(r.DataOffset), r.Length, &end); err != nil {
			return 0, fmt.Errorf("data: %w", err)
		}
	}
	if r.ChannelInfo, err = span(msg, 48, uint32(r.ChannelOffset), n, &end); err != nil {
		return 0, fmt.Errorf("channel information: %w", err)
	}
	return end, nil
}

// AppendBody implements Body.
func (r *WriteRequest) AppendBody(dst []byte, base int) []byte {
	length := uint32(len(r.Data))
	if r.Channel != 0 {
		length = r.Length
	}
	dst = le.AppendUint16(dst, 49)
	at := len(dst)
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint32(dst, length)
	dst = le.AppendUint64(dst, r.Offset)
	dst = append(dst, r.FileID[:]...)
	dst = le.AppendUint32(dst, r.Channel)
	dst = le.AppendUint32(dst, r.RemainingBytes)
	info := len(dst)
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint16(dst, uint16(len(r.ChannelInfo)))
	dst = le.AppendUint32(dst, r.Flags)
	dst, off := place(dst, base, int(r.DataOffset), 1, r.Data)
	le.PutUint16(dst[at:], uint16(off))
	dst, off = place(dst, base, int(r.ChannelOffset), 1, r.ChannelInfo)
	le.PutUint16(dst[info:], uint16(off))
	return dst
}

// WriteResponse reports how much was taken.
// See [MS-SMB2] 2.2.22.
type WriteResponse struct {
	Reserved      uint16
	Count         uint32
	Remaining     uint32
	ChannelOffset uint16
	ChannelLength uint16
}

// Unmarshal implements Body.
func (r *WriteResponse) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 17, 16)
	if err != nil {
		return 0, err
	}
	*r = WriteResponse{f.u16(), f.u32(), f.u32(), f.u16(), f.u16()}
	return HeaderLen + 16, nil
}

// AppendBody implements Body.
func (r *WriteResponse) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(dst, 17)
	dst = le.AppendUint16(dst, r.Reserved)
	dst = le.AppendUint32(dst, r.Count)
	dst = le.AppendUint32(dst, r.Remaining)
	dst = le.AppendUint16(dst, r.ChannelOffset)
	return le.AppendUint16(dst, r.ChannelLength)
}
