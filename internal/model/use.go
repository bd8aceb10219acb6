package model

import (
	"cmp"
	"encoding/json"
	"time"
)

// SourceGateway is the source of the rows that a gateway makes, which hold logons and refusals alone.
const SourceGateway = "gateway"

// Use is one aggregated row of who called what over IPC$. Logons and tree connects are rows too, with Layer
// session and tree and no pipe.
type Use struct {
	Schema    string    `json:"schema"`
	Client    string    `json:"client"`
	Server    string    `json:"server"`
	Identity  Identity  `json:"identity"`
	Basis     string    `json:"basis"` // what the identity was read from
	Account   string    `json:"account"`
	Share     string    `json:"share"`
	Pipe      string    `json:"pipe"`
	Interface string    `json:"interface"`
	UUID      string    `json:"uuid"`
	Call      string    `json:"call"`
	Opnum     int       `json:"opnum"` // -1 where there is no call
	Layer     Layer     `json:"layer"`
	Outcome   Outcome   `json:"outcome"`
	Status    string    `json:"status"`
	Count     int64     `json:"count"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Source    string    `json:"source"` // the file's name, live:INTERFACE, or SourceGateway

	// How the use came. Logs tell little of it, and a field is absent where it is not known.
	Dialect   string   `json:"dialect,omitempty"`  // "NT LM 0.12", "2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"
	Signed    Tristate `json:"signed,omitzero"`    // the message that asked for it was signed
	Encrypted Tristate `json:"encrypted,omitzero"` // that message was encrypted
	Package   string   `json:"package,omitempty"`  // what the logon was made with: one of the Package constants
	SPN       string   `json:"spn,omitempty"`      // the service that the client meant to reach, as it says
	MIC       Tristate `json:"mic,omitzero"`       // the logon's messages are protected by a code

	// What the client could do, by its NEGOTIATE, and what else its logon was.
	Offers     string   `json:"offers,omitempty"`         // the newest dialect that it speaks
	Signing    string   `json:"signing,omitempty"`        // what it says of signing: one of the Signing constants
	CanEncrypt Tristate `json:"can_encrypt,omitzero"`     // it offers encryption
	Raw        Tristate `json:"raw,omitzero"`             // the logon came without NTLMSSP, as in SMB1 it may
	Binding    Tristate `json:"channel_binding,omitzero"` // it is bound to the channel below
	Encryption string   `json:"encryption,omitempty"`     // what the server demanded it for: one of the Encryption constants
	Log        bool     `json:"log,omitempty"`            // a log tells it, and not packets
	Agent      string   `json:"agent,omitempty"`          // what the client says that it is: a system, a program, a version
	ToldBy     string   `json:"told_by,omitempty"`        // the host whose log tells it where that is not the server: its domain's controller, or the client
}

// Witness is the host that a use was seen at.
func (u *Use) Witness() string { return cmp.Or(u.ToldBy, u.Server) }

// Outgoing tells whether the client's own log tells it.
func (u *Use) Outgoing() bool { return u.ToldBy != "" && u.ToldBy == u.Client }

// Elsewhere tells whether a domain controller tells of a logon at another host.
func (u *Use) Elsewhere() bool { return u.ToldBy != "" && u.ToldBy != u.Client }

// What a client says of signing. Whether it did sign is in Signed.
const (
	SigningNone     = "none"
	SigningOffered  = "offered"
	SigningRequired = "required"
)

// What encryption was demanded for.
const (
	EncryptionSession = "session"
	EncryptionShare   = "share"
)

// What a logon is made with.
const (
	PackageAnonymous = "anonymous"
	PackageNTLMv1    = "ntlmv1"
	PackageNTLMv1ESS = "ntlmv1-ess" // with extended session security, which leaves the hash that of NTLMv1
	PackageNTLMv2    = "ntlmv2"
	PackageLM        = "lm"
	PackageKerberos  = "kerberos"
	PackagePlaintext = "plaintext"
	PackageNTLM      = "ntlm"    // NTLM of a version that is not told
	PackageUnknown   = "unknown" // a logon was seen, and not what it was made with
)

// Tristate is a boolean that may not be known. In JSON it is true or false, and absent where it is not known.
type Tristate int8

// The states.
const (
	NotKnown Tristate = iota
	False
	True
)

// TristateOf is a boolean that is known.
func TristateOf(b bool) Tristate {
	if b {
		return True
	}
	return False
}

// MarshalJSON writes a boolean, or null where it is not known.
func (t Tristate) MarshalJSON() ([]byte, error) {
	switch t {
	case True:
		return []byte("true"), nil
	case False:
		return []byte("false"), nil
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads a boolean or null.
func (t *Tristate) UnmarshalJSON(b []byte) error {
	var v *bool
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if *t = NotKnown; v != nil {
		*t = TristateOf(*v)
	}
	return nil
}
