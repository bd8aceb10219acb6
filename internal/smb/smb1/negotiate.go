package smb1

import "encoding/binary"

// The dialects, as NEGOTIATE names them. See [MS-CIFS] 3.2.4.2.2 and [MS-SMB2] 3.2.4.2.2.1.
const (
	DialectNTLM012 = "NT LM 0.12"
	DialectSMB2002 = "SMB 2.002"
	DialectSMB2    = "SMB 2.???"
)

// maxDialects bounds a dialect list; Windows XP sends six, Samba twelve.
const maxDialects = 256

// NegotiateRequest offers dialects.
//
// See [MS-CIFS] 2.2.4.52.1.
type NegotiateRequest struct{ Dialects []string }

// Command is NEGOTIATE.
func (*NegotiateRequest) Command() Command { return Negotiate }

func (m *NegotiateRequest) decode(r *reader) {
	for r.pos < r.end && r.err == nil {
		if f := r.bytes(1); r.err != nil || f[0] != 2 {
			r.fail("a dialect does not begin with 2")
			return
		}
		if len(m.Dialects) == maxDialects {
			r.fail("more than %d dialects", maxDialects)
			return
		}
		m.Dialects = append(m.Dialects, r.oem())
	}
}

func (m *NegotiateRequest) encode(w *writer) {
	w.bytes()
	for _, d := range m.Dialects {
		w.u8(2)
		w.oem(d)
	}
}

// The bits of SecurityMode. See [MS-CIFS] 2.2.4.52.2.
const (
	SecurityUserLevel        byte = 0x01
	SecurityEncryptPasswords byte = 0x02
	SecuritySignEnabled      byte = 0x04
	SecuritySignRequired     byte = 0x08
)

// The capabilities that matter here. See [MS-CIFS] 2.2.4.52.2 and [MS-SMB] 2.2.4.5.2.1.
const (
	CapRawMode          uint32 = 0x00000001
	CapMpxMode          uint32 = 0x00000002
	CapUnicode          uint32 = 0x00000004
	CapLargeFiles       uint32 = 0x00000008
	CapNTSMBs           uint32 = 0x00000010
	CapRPCRemoteAPIs    uint32 = 0x00000020
	CapStatus32         uint32 = 0x00000040
	CapLevel2Oplocks    uint32 = 0x00000080
	CapNTFind           uint32 = 0x00000200
	CapDFS              uint32 = 0x00001000
	CapInfoPassthru     uint32 = 0x00002000
	CapLargeReadX       uint32 = 0x00004000
	CapLargeWriteX      uint32 = 0x00008000
	CapExtendedSecurity uint32 = 0x80000000
)

// NegotiateResponse is the answer of an NT LM 0.12 server, in both its forms.
//
// See [MS-CIFS] 2.2.4.52.2 and [MS-SMB] 2.2.4.5.2.
type NegotiateResponse struct {
	DialectIndex  uint16
	SecurityMode  byte
	MaxMpxCount   uint16
	MaxNumberVcs  uint16
	MaxBufferSize uint32
	MaxRawSize    uint32
	SessionKey    uint32
	Capabilities  uint32
	SystemTime    uint64 // FILETIME
	TimeZone      int16  // minutes west of UTC

	// With CapExtendedSecurity.
	ServerGUID   [16]byte
	SecurityBlob []byte

	// Without it. The names follow the challenge unaligned, and are UTF-16 from every server with CapUnicode, whatever
	// Flags2 says.
	Challenge  []byte
	DomainName string
	ServerName string
	NoServer   bool // the server's name is not there at all, as in [MS-CIFS]; [MS-SMB] added it
}

// Command is NEGOTIATE.
func (*NegotiateResponse) Command() Command { return Negotiate }

func (m *NegotiateResponse) decode(r *reader) {
	m.DialectIndex = r.u16()
	m.SecurityMode = r.u8()
	m.MaxMpxCount = r.u16()
	m.MaxNumberVcs = r.u16()
	m.MaxBufferSize = r.u32()
	m.MaxRawSize = r.u32()
	m.SessionKey = r.u32()
	m.Capabilities = r.u32()
	m.SystemTime = r.u64()
	m.TimeZone = int16(r.u16())
	n := int(r.u8())
	if m.Capabilities&CapExtendedSecurity != 0 && n == 0 {
		copy(m.ServerGUID[:], r.bytes(16))
		m.SecurityBlob = r.rest()
		return
	}
	m.Challenge = r.bytes(n)
	r.uni = r.uni || m.Capabilities&CapUnicode != 0
	m.DomainName = r.textHere()
	if m.NoServer = r.pos == r.end; !m.NoServer {
		m.ServerName = r.textHere()
	}
}

func (m *NegotiateResponse) encode(w *writer) {
	w.u16(m.DialectIndex)
	w.u8(m.SecurityMode)
	w.u16(m.MaxMpxCount)
	w.u16(m.MaxNumberVcs)
	w.u32(m.MaxBufferSize)
	w.u32(m.MaxRawSize)
	w.u32(m.SessionKey)
	w.u32(m.Capabilities)
	w.u64(m.SystemTime)
	w.u16(uint16(m.TimeZone))
	challenge := m.Challenge[:min(len(m.Challenge), 0xFF)]
	w.u8(byte(len(challenge)))
	w.bytes()
	if m.Capabilities&CapExtendedSecurity != 0 && len(challenge) == 0 {
		w.raw(m.ServerGUID[:])
		w.raw(m.SecurityBlob)
		return
	}
	w.raw(challenge)
	w.uni = w.uni || m.Capabilities&CapUnicode != 0
	w.textHere(m.DomainName)
	if !m.NoServer {
		w.textHere(m.ServerName)
	}
}

// NegotiateLANMAN is the answer of a server that chose a LANMAN dialect.
//
// See [MS-CIFS] 2.2.4.52.2 (LAN Manager 1.0 to 2.1).
type NegotiateLANMAN struct {
	DialectIndex  uint16
	SecurityMode  uint16
	MaxBufferSize uint16
	MaxMpxCount   uint16
	MaxNumberVcs  uint16
	RawMode       uint16
	SessionKey    uint32
	ServerTime    uint16
	ServerDate    uint16
	TimeZone      int16
	Challenge     []byte
	PrimaryDomain string
	HasDomain     bool // only LANMAN 2.1
}

// Command is NEGOTIATE.
func (*NegotiateLANMAN) Command() Command { return Negotiate }

func (m *NegotiateLANMAN) decode(r *reader) {
	m.DialectIndex, m.SecurityMode, m.MaxBufferSize, m.MaxMpxCount = r.u16(), r.u16(), r.u16(), r.u16()
	m.MaxNumberVcs, m.RawMode, m.SessionKey, m.ServerTime = r.u16(), r.u16(), r.u32(), r.u16()
	m.ServerDate, m.TimeZone = r.u16(), int16(r.u16())
	n := int(r.u16())
	r.u16()
	m.Challenge = r.bytes(n)
	if m.HasDomain = r.pos < r.end; m.HasDomain {
		m.PrimaryDomain = r.oem()
	}
}

func (m *NegotiateLANMAN) encode(w *writer) {
	for _, v := range []uint16{
		m.DialectIndex, m.SecurityMode, m.MaxBufferSize, m.MaxMpxCount, m.MaxNumberVcs,
		m.RawMode,
	} {
		w.u16(v)
	}
	w.u32(m.SessionKey)
	for _, v := range []uint16{m.ServerTime, m.ServerDate, uint16(m.TimeZone), uint16(len(m.Challenge)), 0} {
		w.u16(v)
	}
	w.bytes()
	w.raw(m.Challenge)
	if m.HasDomain {
		w.oem(m.PrimaryDomain)
	}
}

// NegotiateCore is the answer of a server that chose the core dialect, or none: DialectIndex 0xFFFF.
//
// See [MS-CIFS] 2.2.4.52.2 (core protocol).
type NegotiateCore struct{ DialectIndex uint16 }

// NoDialect is the index of a server that wants none of what was offered.
const NoDialect = 0xFFFF

// Command is NEGOTIATE.
func (*NegotiateCore) Command() Command { return Negotiate }

func (m *NegotiateCore) decode(r *reader) { m.DialectIndex = binary.LittleEndian.Uint16(r.word(2)) }
func (m *NegotiateCore) encode(w *writer) { w.u16(m.DialectIndex); w.bytes() }
