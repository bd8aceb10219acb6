package smb2

import (
	"fmt"
	"slices"
)

// Bits of SecurityMode. See [MS-SMB2] 2.2.3.
const (
	SigningEnabled  = 0x0001
	SigningRequired = 0x0002
)

// Bits of Capabilities. See [MS-SMB2] 2.2.4.
const (
	CapDFS               = 0x00000001
	CapLeasing           = 0x00000002
	CapLargeMTU          = 0x00000004
	CapMultiChannel      = 0x00000008
	CapPersistentHandles = 0x00000010
	CapDirectoryLeasing  = 0x00000020
	CapEncryption        = 0x00000040
	CapNotifications     = 0x00000080
)

// NegotiateRequest offers dialects.
// See [MS-SMB2] 2.2.3.
type NegotiateRequest struct {
	SecurityMode    uint16
	Reserved        uint16
	Capabilities    uint32
	ClientGUID      [16]byte
	ClientStartTime uint64 // without 3.1.1 among the dialects
	Dialects        []uint16
	ContextOffset   uint32 // with 3.1.1
	Reserved2       uint16
	Contexts        []NegotiateContext
}

// Unmarshal implements Body.
func (r *NegotiateRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 36, 36)
	if err != nil {
		return 0, err
	}
	count := int(f.u16())
	*r = NegotiateRequest{SecurityMode: f.u16(), Reserved: f.u16(), Capabilities: f.u32(), ClientGUID: f.id()}
	at := HeaderLen + 36
	if len(msg) < at+2*count {
		return 0, fmt.Errorf("%w: %d dialects", ErrCount, count)
	}
	r.Dialects = make([]uint16, count)
	for i := range r.Dialects {
		r.Dialects[i] = le.Uint16(msg[at+2*i:])
	}
	end := at + 2*count
	if !slices.Contains(r.Dialects, Dialect311) {
		r.ClientStartTime = f.u64()
		return end, nil
	}
	r.ContextOffset = f.u32()
	n := int(f.u16())
	r.Reserved2 = f.u16()
	r.Contexts, end, err = parseNegotiateContexts(msg, end, r.ContextOffset, n)
	return end, err
}

// AppendBody implements Body.
func (r *NegotiateRequest) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 36)
	dst = le.AppendUint16(dst, uint16(len(r.Dialects)))
	dst = le.AppendUint16(dst, r.SecurityMode)
	dst = le.AppendUint16(dst, r.Reserved)
	dst = le.AppendUint32(dst, r.Capabilities)
	dst = append(dst, r.ClientGUID[:]...)
	at := len(dst)
	dst = le.AppendUint64(dst, r.ClientStartTime)
	for _, d := range r.Dialects {
		dst = le.AppendUint16(dst, d)
	}
	if !slices.Contains(r.Dialects, Dialect311) {
		return dst
	}
	dst, off := appendNegotiateContexts(dst, base, int(r.ContextOffset), r.Contexts)
	le.PutUint32(dst[at:], uint32(off))
	le.PutUint16(dst[at+4:], uint16(len(r.Contexts)))
	le.PutUint16(dst[at+6:], r.Reserved2)
	return dst
}

// NegotiateResponse chooses.
// See [MS-SMB2] 2.2.4.
type NegotiateResponse struct {
	SecurityMode   uint16
	Dialect        uint16
	Reserved       uint16 // NegotiateContextCount in 3.1.1
	ServerGUID     [16]byte
	Capabilities   uint32
	MaxTransact    uint32
	MaxRead        uint32
	MaxWrite       uint32
	SystemTime     uint64 // FILETIME
	StartTime      uint64
	SecurityOffset uint16
	SecurityBuffer []byte
	ContextOffset  uint32 // Reserved2 in other dialects
	Contexts       []NegotiateContext
}

// Unmarshal implements Body.
func (r *NegotiateResponse) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 65, 64)
	if err != nil {
		return 0, err
	}
	*r = NegotiateResponse{
		SecurityMode: f.u16(), Dialect: f.u16(), Reserved: f.u16(), ServerGUID: f.id(), Capabilities: f.u32(),
		MaxTransact: f.u32(), MaxRead: f.u32(), MaxWrite: f.u32(), SystemTime: f.u64(), StartTime: f.u64(),
		SecurityOffset: f.u16(),
	}
	n := uint32(f.u16())
	r.ContextOffset = f.u32()
	end := HeaderLen + 64
	if r.SecurityBuffer, err = span(msg, 64, uint32(r.SecurityOffset), n, &end); err != nil {
		return 0, err
	}
	if r.Dialect == Dialect311 {
		count := int(r.Reserved)
		r.Reserved = 0
		r.Contexts, end, err = parseNegotiateContexts(msg, end, r.ContextOffset, count)
	}
	return end, err
}

// AppendBody implements Body.
func (r *NegotiateResponse) AppendBody(dst []byte, base int) []byte {
	count := r.Reserved
	if r.Dialect == Dialect311 {
		count = uint16(len(r.Contexts))
	}
	dst = le.AppendUint16(dst, 65)
	dst = le.AppendUint16(dst, r.SecurityMode)
	dst = le.AppendUint16(dst, r.Dialect)
	dst = le.AppendUint16(dst, count)
	dst = append(dst, r.ServerGUID[:]...)
	dst = le.AppendUint32(dst, r.Capabilities)
	dst = le.AppendUint32(dst, r.MaxTransact)
	dst = le.AppendUint32(dst, r.MaxRead)
	dst = le.AppendUint32(dst, r.MaxWrite)
	dst = le.AppendUint64(dst, r.SystemTime)
	dst = le.AppendUint64(dst, r.StartTime)
	at := len(dst)
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint16(dst, uint16(len(r.SecurityBuffer)))
	dst = le.AppendUint32(dst, r.ContextOffset)
	dst, off := place(dst, base, int(r.SecurityOffset), 1, r.SecurityBuffer)
	le.PutUint16(dst[at:], uint16(off))
	if r.Dialect == Dialect311 {
		dst, off = appendNegotiateContexts(dst, base, int(r.ContextOffset), r.Contexts)
		le.PutUint32(dst[at+4:], uint32(off))
	}
	return dst
}
