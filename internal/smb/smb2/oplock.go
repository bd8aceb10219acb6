package smb2

const (
	oplockSize      = 24
	leaseAckSize    = 36
	leaseNotifySize = 44
)

// newBreak reports the three bodies of OPLOCK_BREAK apart by their size.
func newBreak(msg []byte) Body {
	if len(msg) >= HeaderLen+2 {
		switch le.Uint16(msg[HeaderLen:]) {
		case leaseAckSize:
			return new(LeaseBreak)
		case leaseNotifySize:
			return new(LeaseBreakNotification)
		}
	}
	return new(OplockBreakBody)
}

// OplockBreakBody is the notification, acknowledgment and response of an oplock break.
// See [MS-SMB2] 2.2.23.1, 2.2.24.1, 2.2.25.1.
type OplockBreakBody struct {
	OplockLevel byte
	Reserved    byte
	Reserved2   uint32
	FileID      FileID
}

// Unmarshal implements Body.
func (r *OplockBreakBody) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, oplockSize, oplockSize)
	if err != nil {
		return 0, err
	}
	*r = OplockBreakBody{f.u8(), f.u8(), f.u32(), f.id()}
	return HeaderLen + oplockSize, nil
}

// AppendBody implements Body.
func (r *OplockBreakBody) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(dst, oplockSize)
	dst = append(dst, r.OplockLevel, r.Reserved)
	dst = le.AppendUint32(dst, r.Reserved2)
	return append(dst, r.FileID[:]...)
}

// LeaseBreak is the acknowledgment and response of a lease break.
// See [MS-SMB2] 2.2.24.2, 2.2.25.2.
type LeaseBreak struct {
	Reserved      uint16
	Flags         uint32
	LeaseKey      [16]byte
	LeaseState    uint32
	LeaseDuration uint64
}

// Unmarshal implements Body.
func (r *LeaseBreak) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, leaseAckSize, leaseAckSize)
	if err != nil {
		return 0, err
	}
	*r = LeaseBreak{f.u16(), f.u32(), f.id(), f.u32(), f.u64()}
	return HeaderLen + leaseAckSize, nil
}

// AppendBody implements Body.
func (r *LeaseBreak) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(dst, leaseAckSize)
	dst = le.AppendUint16(dst, r.Reserved)
	dst = le.AppendUint32(dst, r.Flags)
	dst = append(dst, r.LeaseKey[:]...)
	dst = le.AppendUint32(dst, r.LeaseState)
	return le.AppendUint64(dst, r.LeaseDuration)
}

// LeaseBreakNotification is sent by a server unasked, with MessageID all ones.
// See [MS-SMB2] 2.2.23.2.
type LeaseBreakNotification struct {
	NewEpoch          uint16
	Flags             uint32
	LeaseKey          [16]byte
	CurrentLeaseState uint32
	NewLeaseState     uint32
	BreakReason       uint32
	AccessMaskHint    uint32
	ShareMaskHint     uint32
}

// Unmarshal implements Body.
func (r *LeaseBreakNotification) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, leaseNotifySize, leaseNotifySize)
	if err != nil {
		return 0, err
	}
	*r = LeaseBreakNotification{f.u16(), f.u32(), f.id(), f.u32(), f.u32(), f.u32(), f.u32(), f.u32()}
	return HeaderLen + leaseNotifySize, nil
}

// AppendBody implements Body.
func (r *LeaseBreakNotification) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(dst, leaseNotifySize)
	dst = le.AppendUint16(dst, r.NewEpoch)
	dst = le.AppendUint32(dst, r.Flags)
	dst = append(dst, r.LeaseKey[:]...)
	for _, v := range [...]uint32{
		r.CurrentLeaseState, r.NewLeaseState, r.BreakReason, r.AccessMaskHint, r.ShareMaskHint,
	} {
		dst = le.AppendUint32(dst, v)
	}
	return dst
}
