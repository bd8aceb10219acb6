package smb1

// ReadRequest reads from a file or a pipe.
//
// See [MS-CIFS] 2.2.4.42.1 and [MS-SMB] 2.2.4.2.1.
type ReadRequest struct {
	FID       uint16
	Offset    uint64
	MaxCount  uint16
	MinCount  uint16
	Timeout   uint32 // of pipes; of files the low half is the high half of MaxCount
	Remaining uint16
	Short     bool // WordCount 10: an offset of 32 bits
}

// Command is READ_ANDX.
func (*ReadRequest) Command() Command { return ReadAndX }

func (m *ReadRequest) decode(r *reader) {
	m.Short = len(r.words) < 24
	r.andX()
	m.FID, m.Offset = r.u16(), uint64(r.u32())
	m.MaxCount, m.MinCount, m.Timeout, m.Remaining = r.u16(), r.u16(), r.u32(), r.u16()
	if !m.Short {
		m.Offset |= uint64(r.u32()) << 32
	}
}

func (m *ReadRequest) encode(w *writer) {
	w.andX()
	w.u16(m.FID)
	w.u32(uint32(m.Offset))
	w.u16(m.MaxCount)
	w.u16(m.MinCount)
	w.u32(m.Timeout)
	w.u16(m.Remaining)
	if !m.Short {
		w.u32(uint32(m.Offset >> 32))
	}
	w.bytes()
}

// ReadResponse answers it.
//
// See [MS-CIFS] 2.2.4.42.2 and [MS-SMB] 2.2.4.2.2.
type ReadResponse struct {
	Available      uint16 // bytes left in the pipe, 0xFFFF for files
	CompactionMode uint16
	DataOffset     uint16
	Data           []byte
}

// Command is READ_ANDX.
func (*ReadResponse) Command() Command { return ReadAndX }

func (m *ReadResponse) decode(r *reader) {
	begin := r.pos
	r.andX()
	m.Available, m.CompactionMode = r.u16(), r.u16()
	r.u16()
	n := uint32(r.u16())
	m.DataOffset = r.u16()
	n |= uint32(r.u16()) << 16
	r.word(8)
	m.Data = r.at(uint32(m.DataOffset), n, begin)
}

func (m *ReadResponse) encode(w *writer) {
	w.andX()
	w.u16(m.Available)
	w.u16(m.CompactionMode)
	w.u16(0)
	w.u16(uint16(len(m.Data)))
	offset := len(w.b)
	w.u16(0)
	w.u16(uint16(len(m.Data) >> 16))
	w.u64(0)
	w.bytes()
	w.padTo(uint32(m.DataOffset), 2)
	w.setU16(offset, uint16(w.at()))
	w.raw(m.Data)
}

// The bits of WriteMode. See [MS-CIFS] 2.2.4.43.1.
const (
	WriteThrough      uint16 = 0x0001
	WriteRawNmPipe    uint16 = 0x0004 // the data begins with the length of the message
	WriteMessageStart uint16 = 0x0008
)

// WriteRequest writes to a file or a pipe.
//
// See [MS-CIFS] 2.2.4.43.1 and [MS-SMB] 2.2.4.3.1.
type WriteRequest struct {
	FID        uint16
	Offset     uint64
	Timeout    uint32
	WriteMode  uint16
	Remaining  uint16
	DataOffset uint16
	Short      bool // WordCount 12: an offset of 32 bits
	Data       []byte
}

// Command is WRITE_ANDX.
func (*WriteRequest) Command() Command { return WriteAndX }

func (m *WriteRequest) decode(r *reader) {
	begin := r.pos
	m.Short = len(r.words) < 28
	r.andX()
	m.FID, m.Offset, m.Timeout = r.u16(), uint64(r.u32()), r.u32()
	m.WriteMode, m.Remaining = r.u16(), r.u16()
	n := uint32(r.u16()) << 16
	n |= uint32(r.u16())
	m.DataOffset = r.u16()
	if !m.Short {
		m.Offset |= uint64(r.u32()) << 32
	}
	m.Data = r.at(uint32(m.DataOffset), n, begin)
}

func (m *WriteRequest) encode(w *writer) {
	w.andX()
	w.u16(m.FID)
	w.u32(uint32(m.Offset))
	w.u32(m.Timeout)
	w.u16(m.WriteMode)
	w.u16(m.Remaining)
	w.u16(uint16(len(m.Data) >> 16))
	w.u16(uint16(len(m.Data)))
	offset := len(w.b)
	w.u16(0)
	if !m.Short {
		w.u32(uint32(m.Offset >> 32))
	}
	w.bytes()
	w.padTo(uint32(m.DataOffset), 2)
	w.setU16(offset, uint16(w.at()))
	w.raw(m.Data)
}

// WriteResponse answers it.
//
// See [MS-CIFS] 2.2.4.43.2 and [MS-SMB] 2.2.4.3.2.
type WriteResponse struct {
	Count     uint32
	Available uint16
}

// Command is WRITE_ANDX.
func (*WriteResponse) Command() Command { return WriteAndX }

func (m *WriteResponse) decode(r *reader) {
	r.andX()
	m.Count, m.Available = uint32(r.u16()), r.u16()
	m.Count |= uint32(r.u16()) << 16
	r.u16()
}

func (m *WriteResponse) encode(w *writer) {
	w.andX()
	w.u16(uint16(m.Count))
	w.u16(m.Available)
	w.u16(uint16(m.Count >> 16))
	w.u16(0)
	w.bytes()
}

// EchoMessage asks for its data back; SequenceNumber is EchoCount in a request.
//
// See [MS-CIFS] 2.2.4.39.
type EchoMessage struct {
	SequenceNumber uint16
	Data           []byte
}

// Command is ECHO.
func (*EchoMessage) Command() Command { return Echo }

func (m *EchoMessage) decode(r *reader) { m.SequenceNumber = r.u16(); m.Data = r.rest() }
func (m *EchoMessage) encode(w *writer) { w.u16(m.SequenceNumber); w.bytes(); w.raw(m.Data) }

// Cancel ends a request that waits; there is no answer.
//
// See [MS-CIFS] 2.2.4.65.
type Cancel struct{}

// Command is NT_CANCEL.
func (*Cancel) Command() Command { return NTCancel }

func (*Cancel) decode(*reader)   {}
func (*Cancel) encode(w *writer) { w.bytes() }
