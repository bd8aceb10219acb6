package model

import (
	"cmp"
	"encoding/json"
	"time"
)

// SourceGateway is the source of the rows that a gateway creates. They contain only logons and refusals.
const SourceGateway = "gateway"

// Use is one aggregated row of who called what over IPC$. Logons and tree connects are rows too, with Layer session and
// tree and no pipe.
type Use struct {
	Schema    string    `json:"schema"`
	Client    string    `json:"client"`
	Server    string    `json:"server"`
	Identity  Identity  `json:"identity"`
	Basis     string    `json:"basis"` // what the identity was derived from
	Account   string    `json:"account"`
	Share     string    `json:"share"`
	Pipe      string    `json:"pipe"`
	Interface string    `json:"interface"`
	UUID      string    `json:"uuid"`
	Call      string    `json:"call"`
	Opnum     int       `json:"opnum"` // -1 if there is no call
	Layer     Layer     `json:"layer"`
	Outcome   Outcome   `json:"outcome"`
	Status    string    `json:"status"`
	Count     int64     `json:"count"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Source    string    `json:"source"` // the file's name, live:INTERFACE, or SourceGateway

	// Details of the connection. Logs say little about it; an unknown field is absent.
	Dialect   string   `json:"dialect,omitempty"`  // "NT LM 0.12", "2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"
	Signed    Tristate `json:"signed,omitzero"`    // whether the request was signed
	Encrypted Tristate `json:"encrypted,omitzero"` // whether the request was encrypted
	Package   string   `json:"package,omitempty"`  // the authentication protocol: one of the Package constants
	SPN       string   `json:"spn,omitempty"`      // the service that the client meant to reach, as it says
	MIC       Tristate `json:"mic,omitzero"`       // the NTLM logon has a message integrity code

	// What the client can do according to its NEGOTIATE, and more about its logon.
	Offers     string   `json:"offers,omitempty"`         // the newest dialect that it offers
	Signing    string   `json:"signing,omitempty"`        // its signing mode: one of the Signing constants
	CanEncrypt Tristate `json:"can_encrypt,omitzero"`     // it offers encryption
	Raw        Tristate `json:"raw,omitzero"`             // the logon came without NTLMSSP, as SMB1 allows
	Binding    Tristate `json:"channel_binding,omitzero"` // it has channel bindings
	// What the server required encryption for: one of the Encryption constants.
	Encryption string `json:"encryption,omitempty"`
	Log        bool   `json:"log,omitempty"`   // from a log, not from packets
	Agent      string `json:"agent,omitempty"` // what the client says it is: a system, a program, a version
	// The host whose log reports the use, if it is not the server: its domain controller, or the client.
	ToldBy string `json:"told_by,omitempty"`
}

// Witness returns the host that reported a use.
func (u *Use) Witness() string { return cmp.Or(u.ToldBy, u.Server) }

// Outgoing reports whether the use comes from the client's own log.
func (u *Use) Outgoing() bool { return u.ToldBy != "" && u.ToldBy == u.Client }

// Elsewhere reports whether a domain controller reports a logon at another host.
func (u *Use) Elsewhere() bool { return u.ToldBy != "" && u.ToldBy != u.Client }

// Untold reports whether a log says that somebody logged on in a certain way, but not with what result. It counts as a
// logon in this way.
func (u *Use) Untold() bool {
	return u.Log && u.Layer == LayerSession && u.Package != "" && u.Outcome == Inconclusive && u.Status == ""
}

// Considered reports whether the client's own log says only that it considered NTLM. A log of a logon that took place
// has the version of NTLM.
func (u *Use) Considered() bool {
	return u.Outgoing() && u.Outcome == Inconclusive && (u.Package == PackageNTLM || u.Package == PackageAnonymous)
}

// What a client says about signing. Signed says whether it did sign.
const (
	SigningNone     = "none"
	SigningOffered  = "offered"
	SigningRequired = "required"
)

// What encryption was required for.
const (
	EncryptionSession = "session"
	EncryptionShare   = "share"
)

// Authentication protocols of a logon.
const (
	PackageAnonymous = "anonymous"
	PackageNTLMv1    = "ntlmv1"
	PackageNTLMv1ESS = "ntlmv1-ess" // with extended session security; the hash is still that of NTLMv1
	PackageNTLMv2    = "ntlmv2"
	PackageLM        = "lm"
	PackageKerberos  = "kerberos"
	PackagePlaintext = "plaintext"
	PackageNTLM      = "ntlm"    // NTLM of an unknown version
	PackageUnknown   = "unknown" // a logon whose protocol was not seen
)

// Tristate is a boolean that may be unknown. In JSON it is true or false, and absent if unknown.
type Tristate int8

// The states.
const (
	NotKnown Tristate = iota
	False
	True
)

// TristateOf returns the Tristate of a known boolean.
func TristateOf(b bool) Tristate {
	if b {
		return True
	}
	return False
}

// MarshalJSON writes a boolean, or null if unknown.
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
