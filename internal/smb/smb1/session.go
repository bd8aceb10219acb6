package smb1

// The values of a session setup's WordCount, which distinguishes its forms.
const (
	SetupLANMAN   = 10 // one password: LANMAN and core plus
	SetupExtended = 12 // a security blob
	SetupNT       = 13 // two passwords: NT LM 0.12 without extended security
)

// SessionSetupRequest logs on.
//
// See [MS-CIFS] 2.2.4.53.1 and [MS-SMB] 2.2.4.6.1.
type SessionSetupRequest struct {
	Form            int // SetupLANMAN, SetupExtended or SetupNT
	MaxBufferSize   uint16
	MaxMpxCount     uint16
	VcNumber        uint16
	SessionKey      uint32
	Capabilities    uint32 // not of SetupLANMAN
	SecurityBlob    []byte // of SetupExtended
	OEMPassword     []byte // of SetupNT, and the only one of SetupLANMAN
	UnicodePassword []byte // of SetupNT
	AccountName     string // not of SetupExtended
	PrimaryDomain   string
	NativeOS        string
	NativeLanMan    string
	// Extra is what follows, such as a domain that some clients add.
	Extra []byte
}

// Command is SESSION_SETUP_ANDX.
func (*SessionSetupRequest) Command() Command { return SessionSetupAndX }

// Anonymous reports whether this is a null session without extended security: no account and no password. Of a logon
// with a security blob the blob tells.
func (m *SessionSetupRequest) Anonymous() bool {
	return m.Form != SetupExtended && m.AccountName == "" && len(m.OEMPassword) <= 1 && len(m.UnicodePassword) <= 1
}

func (m *SessionSetupRequest) decode(r *reader) {
	m.Form = len(r.words) / 2
	r.andX()
	m.MaxBufferSize, m.MaxMpxCount, m.VcNumber, m.SessionKey = r.u16(), r.u16(), r.u16(), r.u32()
	oem, unicode := int(r.u16()), 0
	if m.Form == SetupNT {
		unicode = int(r.u16())
	}
	r.u32()
	if m.Form != SetupLANMAN {
		m.Capabilities = r.u32()
	}
	if m.Form == SetupExtended {
		m.SecurityBlob = r.bytes(oem)
	} else {
		m.OEMPassword = r.bytes(oem)
		m.UnicodePassword = r.bytes(unicode)
		m.AccountName = r.text()
		m.PrimaryDomain = r.text()
	}
	m.NativeOS = r.text()
	m.NativeLanMan = r.text()
	m.Extra = r.rest()
}

func (m *SessionSetupRequest) encode(w *writer) {
	w.andX()
	w.u16(m.MaxBufferSize)
	w.u16(m.MaxMpxCount)
	w.u16(m.VcNumber)
	w.u32(m.SessionKey)
	if m.Form == SetupExtended {
		w.u16(uint16(len(m.SecurityBlob)))
	} else {
		w.u16(uint16(len(m.OEMPassword)))
	}
	if m.Form == SetupNT {
		w.u16(uint16(len(m.UnicodePassword)))
	}
	w.u32(0)
	if m.Form != SetupLANMAN {
		w.u32(m.Capabilities)
	}
	w.bytes()
	if m.Form == SetupExtended {
		w.raw(m.SecurityBlob)
	} else {
		w.raw(m.OEMPassword)
		if m.Form == SetupNT {
			w.raw(m.UnicodePassword)
		}
		w.text(m.AccountName)
		w.text(m.PrimaryDomain)
	}
	w.text(m.NativeOS)
	w.text(m.NativeLanMan)
	w.raw(m.Extra)
}

// SetupGuest is the bit of Action that says guest. See [MS-CIFS] 2.2.4.53.2.
const SetupGuest uint16 = 0x0001

// SessionSetupResponse answers a logon, or one step of it.
//
// See [MS-CIFS] 2.2.4.53.2 and [MS-SMB] 2.2.4.6.2.
type SessionSetupResponse struct {
	Extended      bool // with a security blob: WordCount 4 instead of 3
	Action        uint16
	SecurityBlob  []byte
	NativeOS      string
	NativeLanMan  string
	PrimaryDomain string
	HasDomain     bool // always without, sometimes with extended security
	Extra         []byte
}

// Command is SESSION_SETUP_ANDX.
func (*SessionSetupResponse) Command() Command { return SessionSetupAndX }

func (m *SessionSetupResponse) decode(r *reader) {
	m.Extended = len(r.words) == 8
	r.andX()
	m.Action = r.u16()
	if m.Extended {
		m.SecurityBlob = r.bytes(int(r.u16()))
	}
	shifted := false
	text := func() string {
		if !shifted {
			r.align()
			if shifted = r.padded(); shifted {
				r.pos++
			}
		}
		return r.textHere()
	}
	m.NativeOS = text()
	m.NativeLanMan = text()
	if !shifted {
		r.align()
	}
	if m.HasDomain = r.pos < r.end; m.HasDomain {
		m.PrimaryDomain = r.textHere()
	}
	m.Extra = r.rest()
}

func (m *SessionSetupResponse) encode(w *writer) {
	w.andX()
	w.u16(m.Action)
	if m.Extended {
		w.u16(uint16(len(m.SecurityBlob)))
	}
	w.bytes()
	if m.Extended {
		w.raw(m.SecurityBlob)
	}
	w.text(m.NativeOS)
	w.text(m.NativeLanMan)
	if m.HasDomain {
		w.text(m.PrimaryDomain)
	}
	w.raw(m.Extra)
}

// Logoff ends a session; request and answer are alike.
//
// See [MS-CIFS] 2.2.4.54.
type Logoff struct{}

// Command is LOGOFF_ANDX.
func (*Logoff) Command() Command { return LogoffAndX }

func (m *Logoff) decode(r *reader) { r.andX() }
func (m *Logoff) encode(w *writer) { w.andX(); w.bytes() }
