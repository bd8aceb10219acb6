package smb2

import "fmt"

// Access rights that a pipe conversation uses. See [MS-SMB2] 2.2.13.1.1.
const (
	FileReadData       = 0x00000001 // FILE_LIST_DIRECTORY of a folder
	FileWriteData      = 0x00000002
	FileAppendData     = 0x00000004
	FileReadEA         = 0x00000008
	FileWriteEA        = 0x00000010
	FileReadAttributes = 0x00000080
	ReadControl        = 0x00020000
	Synchronize        = 0x00100000

	// PipeAccess is what clients ask of a pipe: read, write and the attributes of both.
	PipeAccess = 0x0012019F
)

// Values of the other CREATE fields that a client needs. See [MS-SMB2] 2.2.13.
const (
	Impersonation   = 2
	FileShareRead   = 0x00000001
	FileShareWrite  = 0x00000002
	FileShareDelete = 0x00000004
	FileOpen        = 1 // CreateDisposition
	FileDirectory   = 0x00000001
)

// CreateRequest opens a file or a pipe.
// See [MS-SMB2] 2.2.13.
type CreateRequest struct {
	SecurityFlags      byte
	OplockLevel        byte
	ImpersonationLevel uint32
	CreateFlags        uint64
	Reserved           uint64
	DesiredAccess      uint32
	FileAttributes     uint32
	ShareAccess        uint32
	CreateDisposition  uint32
	CreateOptions      uint32
	NameOffset         uint16
	Name               Text
	Padding            []byte // what lies between Name and Contexts: Windows clients leave old memory there
	ContextsOffset     uint32
	Contexts           CreateContexts
}

// Unmarshal implements Body.
func (r *CreateRequest) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 57, 56)
	if err != nil {
		return 0, err
	}
	*r = CreateRequest{
		SecurityFlags: f.u8(), OplockLevel: f.u8(), ImpersonationLevel: f.u32(), CreateFlags: f.u64(),
		Reserved:      f.u64(),
		DesiredAccess: f.u32(), FileAttributes: f.u32(), ShareAccess: f.u32(), CreateDisposition: f.u32(),
		CreateOptions: f.u32(), NameOffset: f.u16(),
	}
	n := uint32(f.u16())
	r.ContextsOffset = f.u32()
	end := HeaderLen + 56
	name, err := span(msg, 56, uint32(r.NameOffset), n, &end)
	if err != nil {
		return 0, fmt.Errorf("name: %w", err)
	}
	contexts, err := span(msg, 56, r.ContextsOffset, f.u32(), &end)
	if err != nil {
		return 0, fmt.Errorf("create contexts: %w", err)
	}
	r.Name, r.Contexts = name, contexts
	from := HeaderLen + 56
	if len(name) > 0 {
		from = int(r.NameOffset) + len(name)
	}
	if to := int(r.ContextsOffset); len(contexts) > 0 && from < to && to-from <= maxGap {
		r.Padding = msg[from:to:to]
	}
	return end, nil
}

// AppendBody implements Body.
func (r *CreateRequest) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 57)
	dst = append(dst, r.SecurityFlags, r.OplockLevel)
	dst = le.AppendUint32(dst, r.ImpersonationLevel)
	dst = le.AppendUint64(dst, r.CreateFlags)
	dst = le.AppendUint64(dst, r.Reserved)
	dst = le.AppendUint32(dst, r.DesiredAccess)
	dst = le.AppendUint32(dst, r.FileAttributes)
	dst = le.AppendUint32(dst, r.ShareAccess)
	dst = le.AppendUint32(dst, r.CreateDisposition)
	dst = le.AppendUint32(dst, r.CreateOptions)
	at := len(dst)
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint16(dst, uint16(len(r.Name)))
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, uint32(len(r.Contexts)))
	want := int(r.NameOffset)
	if len(r.Name) == 0 && want == 0 {
		want = HeaderLen + 56 // where servers look for the promised byte
	}
	dst, off := place(dst, base, want, 8, r.Name)
	le.PutUint16(dst[at:], uint16(off))
	dst = append(dst, r.Padding...)
	dst, off = place(dst, base, int(r.ContextsOffset), 8, r.Contexts)
	le.PutUint32(dst[at+4:], uint32(off))
	return dst
}

// CreateResponse describes the open.
// See [MS-SMB2] 2.2.14.
type CreateResponse struct {
	OplockLevel    byte
	Flags          byte
	CreateAction   uint32
	CreationTime   uint64 // FILETIME, as the three below
	LastAccessTime uint64
	LastWriteTime  uint64
	ChangeTime     uint64
	AllocationSize uint64
	EndOfFile      uint64
	FileAttributes uint32
	Reserved2      uint32
	FileID         FileID
	ContextsOffset uint32
	Contexts       CreateContexts
}

// Unmarshal implements Body.
func (r *CreateResponse) Unmarshal(msg []byte) (int, error) {
	f, err := open(msg, 89, 88)
	if err != nil {
		return 0, err
	}
	*r = CreateResponse{
		OplockLevel: f.u8(), Flags: f.u8(), CreateAction: f.u32(), CreationTime: f.u64(), LastAccessTime: f.u64(),
		LastWriteTime: f.u64(), ChangeTime: f.u64(), AllocationSize: f.u64(), EndOfFile: f.u64(),
		FileAttributes: f.u32(),
		Reserved2:      f.u32(), FileID: f.id(), ContextsOffset: f.u32(),
	}
	end := HeaderLen + 88
	contexts, err := span(msg, 88, r.ContextsOffset, f.u32(), &end)
	if err != nil {
		return 0, fmt.Errorf("create contexts: %w", err)
	}
	r.Contexts = contexts
	return end, nil
}

// AppendBody implements Body.
func (r *CreateResponse) AppendBody(dst []byte, base int) []byte {
	dst = le.AppendUint16(dst, 89)
	dst = append(dst, r.OplockLevel, r.Flags)
	dst = le.AppendUint32(dst, r.CreateAction)
	dst = le.AppendUint64(dst, r.CreationTime)
	dst = le.AppendUint64(dst, r.LastAccessTime)
	dst = le.AppendUint64(dst, r.LastWriteTime)
	dst = le.AppendUint64(dst, r.ChangeTime)
	dst = le.AppendUint64(dst, r.AllocationSize)
	dst = le.AppendUint64(dst, r.EndOfFile)
	dst = le.AppendUint32(dst, r.FileAttributes)
	dst = le.AppendUint32(dst, r.Reserved2)
	dst = append(dst, r.FileID[:]...)
	at := len(dst)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, uint32(len(r.Contexts)))
	dst, off := place(dst, base, int(r.ContextsOffset), 8, r.Contexts)
	le.PutUint32(dst[at:], uint32(off))
	return dst
}

// CreateContexts is a list of create contexts as it lies in a message.
type CreateContexts []byte

// CreateContext is one entry: a name of four letters or a GUID, and data.
// See [MS-SMB2] 2.2.13.2.
type CreateContext struct {
	Name []byte
	Data []byte
}

// maxCreateContexts bounds a list; fifteen names exist and each is used once.
const maxCreateContexts = 64

// List reads the contexts.
func (l CreateContexts) List() ([]CreateContext, error) {
	var list []CreateContext
	for b := []byte(l); len(b) > 0; {
		if len(list) == maxCreateContexts {
			return nil, fmt.Errorf("smb2: more than %d create contexts: %w", maxCreateContexts, ErrCount)
		}
		if len(b) < 16 {
			return nil, fmt.Errorf("smb2: create context: %w", ErrShort)
		}
		next := le.Uint32(b)
		entry := b
		switch {
		case next == 0:
			b = nil
		case next < 16 || next%8 != 0 || uint64(next) > uint64(len(b)):
			return nil, fmt.Errorf("smb2: create context: %w", ErrChain)
		default:
			entry, b = b[:next:next], b[next:]
		}
		name, ok1 := within(entry, uint32(le.Uint16(entry[4:])), uint32(le.Uint16(entry[6:])))
		data, ok2 := within(entry, uint32(le.Uint16(entry[10:])), le.Uint32(entry[12:]))
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("smb2: create context: %w", ErrBounds)
		}
		list = append(list, CreateContext{name, data})
	}
	return list, nil
}

func within(b []byte, off, n uint32) ([]byte, bool) {
	if n == 0 {
		return nil, true
	}
	if uint64(off)+uint64(n) > uint64(len(b)) {
		return nil, false
	}
	return b[off : off+n : off+n], true
}
