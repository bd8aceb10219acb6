package smb2

// Empty is the body of LOGOFF, TREE_DISCONNECT, ECHO and CANCEL, and of the responses to FLUSH and LOCK.
// See [MS-SMB2] 2.2.7, 2.2.8, 2.2.11, 2.2.12, 2.2.18, 2.2.27 to 2.2.30.
type Empty struct{ Reserved uint16 }

// Unmarshal implements Body.
func (r *Empty) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 4, 4)
	if err != nil {
		return 0, err
	}
	r.Reserved = f.u16()
	return HeaderLen + 4, nil
}

// AppendBody implements Body.
func (r *Empty) AppendBody(dst []byte, _ int) []byte {
	return le.AppendUint16(le.AppendUint16(dst, 4), r.Reserved)
}

// ServerNotification is sent by a server unasked, with MessageID all ones.
// See [MS-SMB2] 2.2.44.
type ServerNotification struct {
	StructureSize uint16
	Reserved      uint16
	Type          uint32
	Notification  []byte
}

// Unmarshal implements Body. The specification leaves StructureSize to the type of the notification.
func (r *ServerNotification) Unmarshal(msg []byte) (int, error) {
	if len(msg) < HeaderLen+8 {
		return 0, ErrShort
	}
	f := fields{msg[HeaderLen:], 0}
	r.StructureSize, r.Reserved, r.Type = f.u16(), f.u16(), f.u32()
	r.Notification = msg[HeaderLen+8 : len(msg) : len(msg)]
	return len(msg), nil
}

// AppendBody implements Body.
func (r *ServerNotification) AppendBody(dst []byte, _ int) []byte {
	dst = le.AppendUint16(le.AppendUint16(dst, r.StructureSize), r.Reserved)
	return append(le.AppendUint32(dst, r.Type), r.Notification...)
}
