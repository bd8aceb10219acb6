package dialect

import (
	"context"
	"encoding/asn1"
	"time"

	"ipcguard/internal/ntlm/spnego"
)

// Authenticator makes the tokens of one logon. It is used once.
type Authenticator interface {
	// Mechanism is the object identifier that SPNEGO names the tokens with.
	Mechanism() asn1.ObjectIdentifier
	// Start returns the first raw mechanism token, such as NTLM NEGOTIATE.
	Start(ctx context.Context) ([]byte, error)
	// Next answers a token of the server.
	Next(ctx context.Context, challenge []byte) ([]byte, error)
	// SessionKey is the key after the end, 16 bytes or more; all zero or nil for none.
	SessionKey() []byte
	// MIC is SPNEGO's mechListMIC over the list of mechanisms that was sent; nil is none.
	MIC(mechTypes []byte) []byte
	// VerifyMIC checks the server's.
	VerifyMIC(mechTypes, mic []byte) error
}

// LegacyAuthenticator is an Authenticator that can also answer the 8-byte challenge of an SMB1 server without
// extended security. See [MS-CIFS] 2.2.4.53.1 and [MS-NLMP] 3.3.
type LegacyAuthenticator interface {
	Authenticator
	// Legacy returns what goes into SESSION_SETUP_ANDX: account and domain, both empty for anonymous, and the LM and
	// NT responses (OEMPassword and UnicodePassword).
	Legacy(challenge [8]byte, targetName string) (account, domain string, lm, nt []byte, err error)
}

// Negotiated is what the server said before any logon.
type Negotiated struct {
	Dialect         Dialect
	ServerGUID      [16]byte // as on the wire; zero on SMB1 without extended security
	Capabilities    uint32   // the dialect family's own bits
	SigningEnabled  bool
	SigningRequired bool
	SecurityBlob    []byte                  // the server's first GSS token, as sent
	Mechanisms      []asn1.ObjectIdentifier // offered in SecurityBlob
	MechanismHint   string                  // the name in NegTokenInit2's negHints
	CanEncrypt      bool
	Cipher          string // "AES-128-CCM" …, chosen by a 3.1.1 server or implied by 3.0
	Signing         string // "HMAC-SHA256", "AES-128-CMAC", "AES-128-GMAC", "MD5" (SMB1)
	Compression     []string
	MaxTransact     uint32 // bytes
	MaxRead         uint32
	MaxWrite        uint32
	SystemTime      time.Time // zero if the server does not send it
	StartTime       time.Time

	// Only SMB1. See [MS-CIFS] 2.2.4.52.2.
	Challenge  []byte // the 8-byte challenge without extended security
	DomainName string // sent only without extended security
	ServerName string
	UserLevel  bool // user-level security, not share-level
	TimeZone   int16
}

// ReadBlob fills in what SecurityBlob offers; a blob that does not parse offers nothing.
func (n *Negotiated) ReadBlob() {
	t, err := spnego.Parse(n.SecurityBlob)
	if err != nil || t.Kind != spnego.KindInit {
		return
	}
	n.Mechanisms = t.Init.MechTypes
	if t.Init.Hints != nil {
		n.MechanismHint = string(t.Init.Hints.Name)
	}
}

// SessionInfo is what the server said about a logon.
type SessionInfo struct {
	ID              uint64 // SessionId, or UID on SMB1
	Guest           bool   // the server's own flag
	Null            bool   // the server's own flag, rarely set even for null sessions
	EncryptRequired bool   // the server wants the session encrypted
	Encrypted       bool
	Signed          bool   // requests of this session are signed
	NativeOS        string // SMB1
	NativeLanMan    string // SMB1
	PrimaryDomain   string // SMB1
	Challenge       []byte // the server's first mechanism token, such as NTLM CHALLENGE with the target information
}

// TreeInfo is what the server said about a share.
type TreeInfo struct {
	ID            uint32
	ShareType     byte   // ShareDisk, SharePipe, SharePrint
	Flags         uint32 // ShareFlags, or OptionalSupport on SMB1
	Capabilities  uint32
	MaximalAccess uint32
	Encrypted     bool   // the share wants encryption
	Service       string // SMB1: "IPC", "A:" …
	FileSystem    string // SMB1
}

// The share types of [MS-SMB2] 2.2.10.
const (
	ShareDisk  = 0x01
	SharePipe  = 0x02
	SharePrint = 0x03
)
