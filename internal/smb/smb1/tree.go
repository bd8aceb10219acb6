package smb1

// The service strings of a tree connect. See [MS-CIFS] 2.2.4.55.1.
const (
	ServiceAny     = "?????"
	ServicePipe    = "IPC"
	ServiceDisk    = "A:"
	ServicePrinter = "LPT1:"
)

// The bits of TreeConnectRequest.Flags. See [MS-CIFS] 2.2.4.55.1 and [MS-SMB] 2.2.4.7.1.
const (
	TreeDisconnectTID      uint16 = 0x0001
	TreeExtendedSignatures uint16 = 0x0004
	TreeExtendedResponse   uint16 = 0x0008
)

// TreeConnectRequest connects a share.
//
// See [MS-CIFS] 2.2.4.55.1.
type TreeConnectRequest struct {
	Flags    uint16
	Password []byte
	Path     string // \\server\share
	Service  string
	Extra    []byte
}

// Command is TREE_CONNECT_ANDX.
func (*TreeConnectRequest) Command() Command { return TreeConnectAndX }

func (m *TreeConnectRequest) decode(r *reader) {
	r.andX()
	m.Flags = r.u16()
	m.Password = r.bytes(int(r.u16()))
	m.Path = r.text()
	m.Service = r.oem()
	m.Extra = r.rest()
}

func (m *TreeConnectRequest) encode(w *writer) {
	w.andX()
	w.u16(m.Flags)
	w.u16(uint16(len(m.Password)))
	w.bytes()
	w.raw(m.Password)
	w.text(m.Path)
	w.oem(m.Service)
	w.raw(m.Extra)
}

// TreeConnectResponse answers it.
//
// See [MS-CIFS] 2.2.4.55.2 and [MS-SMB] 2.2.4.7.2.
type TreeConnectResponse struct {
	Words            int // 2 (LANMAN), 3, or 7 (with access rights)
	OptionalSupport  uint16
	MaximalAccess    uint32
	GuestAccess      uint32
	Service          string
	NativeFileSystem string
	HasFileSystem    bool
	Extra            []byte
}

// Command is TREE_CONNECT_ANDX.
func (*TreeConnectResponse) Command() Command { return TreeConnectAndX }

func (m *TreeConnectResponse) decode(r *reader) {
	m.Words = len(r.words) / 2
	r.andX()
	if m.Words >= 3 {
		m.OptionalSupport = r.u16()
	}
	if m.Words >= 7 {
		m.MaximalAccess, m.GuestAccess = r.u32(), r.u32()
	}
	m.Service = r.oem()
	if m.HasFileSystem = r.pos < r.end; m.HasFileSystem {
		m.NativeFileSystem = r.text()
	}
	m.Extra = r.rest()
}

func (m *TreeConnectResponse) encode(w *writer) {
	w.andX()
	if m.Words >= 3 {
		w.u16(m.OptionalSupport)
	}
	if m.Words >= 7 {
		w.u32(m.MaximalAccess)
		w.u32(m.GuestAccess)
	}
	w.bytes()
	w.oem(m.Service)
	if m.HasFileSystem {
		w.text(m.NativeFileSystem)
	}
	w.raw(m.Extra)
}

// TreeConnectCore connects a share in the core protocol.
//
// See [MS-CIFS] 2.2.4.50.1.
type TreeConnectCore struct{ Path, Password, Service string }

// Command is TREE_CONNECT.
func (*TreeConnectCore) Command() Command { return TreeConnect }

func (m *TreeConnectCore) decode(r *reader) {
	for _, s := range []*string{&m.Path, &m.Password, &m.Service} {
		if f := r.bytes(1); r.err != nil || f[0] != 4 {
			r.fail("a string does not begin with 4")
			return
		}
		*s = r.textHere()
	}
}

func (m *TreeConnectCore) encode(w *writer) {
	w.bytes()
	for _, s := range []string{m.Path, m.Password, m.Service} {
		w.u8(4)
		w.textHere(s)
	}
}

// TreeConnectCoreResponse answers it.
//
// See [MS-CIFS] 2.2.4.50.2.
type TreeConnectCoreResponse struct{ MaxBufferSize, TID uint16 }

// Command is TREE_CONNECT.
func (*TreeConnectCoreResponse) Command() Command { return TreeConnect }

func (m *TreeConnectCoreResponse) decode(r *reader) { m.MaxBufferSize, m.TID = r.u16(), r.u16() }
func (m *TreeConnectCoreResponse) encode(w *writer) { w.u16(m.MaxBufferSize); w.u16(m.TID); w.bytes() }

// TreeDisconnectMessage ends a tree connect; request and answer are alike.
//
// See [MS-CIFS] 2.2.4.51.
type TreeDisconnectMessage struct{}

// Command is TREE_DISCONNECT.
func (*TreeDisconnectMessage) Command() Command { return TreeDisconnect }

func (m *TreeDisconnectMessage) decode(*reader)   {}
func (m *TreeDisconnectMessage) encode(w *writer) { w.bytes() }
