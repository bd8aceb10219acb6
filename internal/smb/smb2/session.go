package smb2

// Bits of SessionFlags. See [MS-SMB2] 2.2.6.
const (
	SessionIsGuest     = 0x0001
	SessionIsNull      = 0x0002
	SessionEncryptData = 0x0004
)

// SessionBinding is the flag of a SESSION_SETUP that binds a session to another connection. See [MS-SMB2] 2.2.5.
const SessionBinding = 0x01

// SessionSetupRequest carries a token of the client.
// See [MS-SMB2] 2.2.5.
type SessionSetupRequest struct {
	Flags             byte
	SecurityMode      byte
	Capabilities      uint32
	Channel           uint32
	SecurityOffset    uint16
	SecurityBuffer    []byte
	PreviousSessionID uint64
}

// Unmarshal implements Body.
func (r *SessionSetupRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 25, 24)
	if err != nil {
		return 0, err
	}
	*r = SessionSetupRequest{
		Flags: f.u8(), SecurityMode: f.u8(), Capabilities: f.u32(), Channel: f.u32(), SecurityOffset: f.u16(),
	}
	n := uint32(f.u16())
	r.PreviousSessionID = f.u64()
	end := HeaderLen + 24
	r.SecurityBuffer, err = span(msg, 24, uint32(r.SecurityOffset), n, &end)
	return end, err
}

// AppendBody implements Body.
func (r *SessionSetupRequest) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 25)
	dst = append(dst, r.Flags, r.SecurityMode)
	dst = le.AppendUint32(dst, r.Capabilities)
	dst = le.AppendUint32(dst, r.Channel)
	at := len(dst)
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint16(dst, uint16(len(r.SecurityBuffer)))
	dst = le.AppendUint64(dst, r.PreviousSessionID)
	dst, off := place(dst, base, int(r.SecurityOffset), 1, r.SecurityBuffer)
	le.PutUint16(dst[at:], uint16(off))
	return dst
}

// SessionSetupResponse carries a token of the server.
// See [MS-SMB2] 2.2.6.
type SessionSetupResponse struct {
	SessionFlags   uint16
	SecurityOffset uint16
	SecurityBuffer []byte
}

// Unmarshal implements Body.
func (r *SessionSetupResponse) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 9, 8)
	if err != nil {
		return 0, err
	}
	r.SessionFlags, r.SecurityOffset = f.u16(), f.u16()
	end := HeaderLen + 8
	r.SecurityBuffer, err = span(msg, 8, uint32(r.SecurityOffset), uint32(f.u16()), &end)
	return end, err
}

// AppendBody implements Body.
func (r *SessionSetupResponse) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 9)
	dst = le.AppendUint16(dst, r.SessionFlags)
	at := len(dst)
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint16(dst, uint16(len(r.SecurityBuffer)))
	dst, off := place(dst, base, int(r.SecurityOffset), 1, r.SecurityBuffer)
	le.PutUint16(dst[at:], uint16(off))
	return dst
}
