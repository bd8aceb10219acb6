package smb2

import "fmt"

// LockRequest locks and unlocks ranges of a file.
// See [MS-SMB2] 2.2.26.
type LockRequest struct {
	LockSequence uint32
	FileID       FileID
	Locks        []LockElement
}

// LockElement is one range.
// See [MS-SMB2] 2.2.26.1.
type LockElement struct {
	Offset   uint64
	Length   uint64
	Flags    uint32
	Reserved uint32
}

const lockElementLen = 24

// Unmarshal implements Body.
func (r *LockRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 48, 24)
	if err != nil {
		return 0, err
	}
	n := int(f.u16())
	r.LockSequence, r.FileID = f.u32(), f.id()
	end := HeaderLen + 24 + n*lockElementLen
	if end > len(msg) {
		return 0, fmt.Errorf("%w: %d locks", ErrCount, n)
	}
	r.Locks = make([]LockElement, n)
	for i := range r.Locks {
		b := msg[HeaderLen+24+i*lockElementLen:]
		r.Locks[i] = LockElement{le.Uint64(b), le.Uint64(b[8:]), le.Uint32(b[16:]), le.Uint32(b[20:])}
	}
	return end, nil
}

// AppendBody implements Body.
func (r *LockRequest) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(dst, 48)
	dst = le.AppendUint16(dst, uint16(len(r.Locks)))
	dst = le.AppendUint32(dst, r.LockSequence)
	dst = append(dst, r.FileID[:]...)
	for _, l := range r.Locks {
		dst = le.AppendUint64(dst, l.Offset)
		dst = le.AppendUint64(dst, l.Length)
		dst = le.AppendUint32(dst, l.Flags)
		dst = le.AppendUint32(dst, l.Reserved)
	}
	return dst
}
