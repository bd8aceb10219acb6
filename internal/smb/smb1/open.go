package smb1

// NTCreateRequest opens a file or a pipe.
//
// See [MS-CIFS] 2.2.4.64.1.
type NTCreateRequest struct {
	Flags              uint32
	RootFID            uint32
	DesiredAccess      uint32
	AllocationSize     uint64
	FileAttributes     uint32
	ShareAccess        uint32
	CreateDisposition  uint32
	CreateOptions      uint32
	ImpersonationLevel uint32
	SecurityFlags      byte
	Name               string // of a pipe: \samr
	Terminated         bool   // the name ends with a zero that its length does not count
	Extra              []byte
}

// The values that opening a pipe or a folder takes. See [MS-CIFS] 2.2.4.64.1.
const (
	CreateOpen               uint32 = 1
	ShareRead                uint32 = 1
	ShareWrite               uint32 = 2
	ShareDelete              uint32 = 4
	OptionDirectory          uint32 = 1
	ImpersonationImpersonate uint32 = 2
	ExtendedCreateResponse   uint32 = 0x10
)

// Command is NT_CREATE_ANDX.
func (*NTCreateRequest) Command() Command { return NTCreateAndX }

func (m *NTCreateRequest) decode(r *reader) {
	r.andX()
	r.u8()
	n := int(r.u16())
	m.Flags, m.RootFID, m.DesiredAccess, m.AllocationSize = r.u32(), r.u32(), r.u32(), r.u64()
	m.FileAttributes, m.ShareAccess, m.CreateDisposition = r.u32(), r.u32(), r.u32()
	m.CreateOptions, m.ImpersonationLevel, m.SecurityFlags = r.u32(), r.u32(), r.u8()
	m.Name = r.textN(min(n, max(r.end-r.pos, 0)))
	size := 1
	if r.uni {
		size = 2
	}
	m.Extra = r.rest()
	if m.Terminated = len(m.Extra) >= size && m.Extra[0] == 0 && m.Extra[size-1] == 0; m.Terminated {
		m.Extra = m.Extra[size:]
	}
}

func (m *NTCreateRequest) encode(w *writer) {
	w.andX()
	w.u8(0)
	name := toOEM(m.Name)
	if w.uni {
		name = toUTF16(m.Name)
	}
	w.u16(uint16(len(name)))
	for _, v := range []uint32{m.Flags, m.RootFID, m.DesiredAccess} {
		w.u32(v)
	}
	w.u64(m.AllocationSize)
	for _, v := range []uint32{
		m.FileAttributes, m.ShareAccess, m.CreateDisposition, m.CreateOptions,
		m.ImpersonationLevel,
	} {
		w.u32(v)
	}
	w.u8(m.SecurityFlags)
	w.bytes()
	if w.uni {
		w.pad(2)
	}
	w.raw(name)
	if m.Terminated && w.uni {
		w.u16(0)
	} else if m.Terminated {
		w.u8(0)
	}
	w.raw(m.Extra)
}

// The resource types of an open answer. See [MS-CIFS] 2.2.4.64.2.
const (
	ResourceDisk        uint16 = 0
	ResourceBytePipe    uint16 = 1
	ResourceMessagePipe uint16 = 2
)

// NTCreateResponse answers it.
//
// See [MS-CIFS] 2.2.4.64.2 and [MS-SMB] 2.2.4.9.2.
type NTCreateResponse struct {
	OplockLevel       byte
	FID               uint16
	CreateDisposition uint32
	Times             [4]uint64 // created, accessed, written, changed: FILETIME
	FileAttributes    uint32
	AllocationSize    uint64
	EndOfFile         uint64
	ResourceType      uint16
	NMPipeStatus      uint16
	Directory         byte
	More              []byte // further words of the extended answer: volume, file id, access rights
	Extra             []byte
}

// Command is NT_CREATE_ANDX.
func (*NTCreateResponse) Command() Command { return NTCreateAndX }

func (m *NTCreateResponse) decode(r *reader) {
	r.andX()
	m.OplockLevel, m.FID, m.CreateDisposition = r.u8(), r.u16(), r.u32()
	for i := range m.Times {
		m.Times[i] = r.u64()
	}
	m.FileAttributes, m.AllocationSize, m.EndOfFile = r.u32(), r.u64(), r.u64()
	m.ResourceType, m.NMPipeStatus, m.Directory = r.u16(), r.u16(), r.u8()
	m.More = r.word(len(r.words))
	m.Extra = r.rest()
}

func (m *NTCreateResponse) encode(w *writer) {
	w.andX()
	w.u8(m.OplockLevel)
	w.u16(m.FID)
	w.u32(m.CreateDisposition)
	for _, t := range m.Times {
		w.u64(t)
	}
	w.u32(m.FileAttributes)
	w.u64(m.AllocationSize)
	w.u64(m.EndOfFile)
	w.u16(m.ResourceType)
	w.u16(m.NMPipeStatus)
	w.u8(m.Directory)
	w.raw(m.More[:min(len(m.More), 64)&^1])
	w.bytes()
	if w.b[w.block] == createWordsSent {
		w.b[w.block] = createWordsSaid
	}
	w.raw(m.Extra)
}

// OpenRequest opens a file or a pipe in LANMAN and newer dialects.
//
// See [MS-CIFS] 2.2.4.41.1.
type OpenRequest struct {
	Flags, AccessMode, SearchAttributes, FileAttributes uint16
	CreationTime                                        uint32
	OpenMode                                            uint16
	AllocationSize, Timeout, Reserved                   uint32
	Name                                                string // of a pipe: \PIPE\samr
	Extra                                               []byte
}

// Command is OPEN_ANDX.
func (*OpenRequest) Command() Command { return OpenAndX }

func (m *OpenRequest) decode(r *reader) {
	r.andX()
	m.Flags, m.AccessMode, m.SearchAttributes, m.FileAttributes = r.u16(), r.u16(), r.u16(), r.u16()
	m.CreationTime, m.OpenMode = r.u32(), r.u16()
	m.AllocationSize, m.Timeout, m.Reserved = r.u32(), r.u32(), r.u32()
	m.Name = r.text()
	m.Extra = r.rest()
}

func (m *OpenRequest) encode(w *writer) {
	w.andX()
	for _, v := range []uint16{m.Flags, m.AccessMode, m.SearchAttributes, m.FileAttributes} {
		w.u16(v)
	}
	w.u32(m.CreationTime)
	w.u16(m.OpenMode)
	w.u32(m.AllocationSize)
	w.u32(m.Timeout)
	w.u32(m.Reserved)
	w.bytes()
	w.text(m.Name)
	w.raw(m.Extra)
}

// OpenResponse answers it.
//
// See [MS-CIFS] 2.2.4.41.2 and [MS-SMB] 2.2.4.1.2.
type OpenResponse struct {
	FID, FileAttributes                                   uint16
	LastWriteTime, FileSize                               uint32
	AccessRights, ResourceType, NMPipeStatus, OpenResults uint16
	More                                                  []byte // six reserved bytes, or the extended answer's rights
	Extra                                                 []byte
}

// Command is OPEN_ANDX.
func (*OpenResponse) Command() Command { return OpenAndX }

func (m *OpenResponse) decode(r *reader) {
	r.andX()
	m.FID, m.FileAttributes, m.LastWriteTime, m.FileSize = r.u16(), r.u16(), r.u32(), r.u32()
	m.AccessRights, m.ResourceType, m.NMPipeStatus, m.OpenResults = r.u16(), r.u16(), r.u16(), r.u16()
	m.More = r.word(len(r.words))
	m.Extra = r.rest()
}

func (m *OpenResponse) encode(w *writer) {
	w.andX()
	w.u16(m.FID)
	w.u16(m.FileAttributes)
	w.u32(m.LastWriteTime)
	w.u32(m.FileSize)
	for _, v := range []uint16{m.AccessRights, m.ResourceType, m.NMPipeStatus, m.OpenResults} {
		w.u16(v)
	}
	if m.More == nil {
		w.raw(make([]byte, 6))
	}
	w.raw(m.More[:min(len(m.More), 64)&^1])
	w.bytes()
	w.raw(m.Extra)
}

// CloseRequest closes a file or a pipe.
//
// See [MS-CIFS] 2.2.4.5.1.
type CloseRequest struct {
	FID           uint16
	LastWriteTime uint32 // 0xFFFFFFFF leaves it as it is
}

// Command is CLOSE.
func (*CloseRequest) Command() Command { return Close }

func (m *CloseRequest) decode(r *reader) { m.FID, m.LastWriteTime = r.u16(), r.u32() }
func (m *CloseRequest) encode(w *writer) { w.u16(m.FID); w.u32(m.LastWriteTime); w.bytes() }
