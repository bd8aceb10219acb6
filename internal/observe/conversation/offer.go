package conversation

import (
	"slices"

	"ipcguard/internal/model"
	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/smb1"
	"ipcguard/internal/smb/smb2"
)

// Offer is what a client says in NEGOTIATE that it supports. Every row contains it, because a server that requires more
// than today refuses clients that do not support it.
type Offer struct {
	Newest     string         `json:"newest,omitempty"`  // dialect
	Signing    string         `json:"signing,omitempty"` // one of model's Signing constants
	Encryption model.Tristate `json:"encryption,omitzero"`
}

// offerOfSMB2 returns the offer of a NEGOTIATE of SMB2. See [MS-SMB2] 2.2.3.
//
// A client that lists 3.1.1 names its ciphers in a context, one whose newest dialect is 3.0.2 has a capability for
// them, and older dialects have no encryption.
func offerOfSMB2(r *smb2.NegotiateRequest) Offer {
	var o Offer
	if len(r.Dialects) == 0 {
		return o
	}
	newest := slices.Max(r.Dialects)
	o.Newest = dialect.Name(newest)
	switch {
	case r.SecurityMode&smb2.SigningRequired != 0:
		o.Signing = model.SigningRequired
	case r.SecurityMode&smb2.SigningEnabled != 0:
		o.Signing = model.SigningOffered
	default:
		o.Signing = model.SigningNone
	}
	ciphers := slices.ContainsFunc(r.Contexts,
		func(x smb2.NegotiateContext) bool { return x.Type == smb2.ContextEncryption })
	o.Encryption = model.TristateOf(newest >= smb2.Dialect300 && (ciphers || r.Capabilities&smb2.CapEncryption != 0))
	return o
}

// offerOfSMB1 reads a NEGOTIATE of SMB1 and the flags of its header. If the dialects include one of SMB2, only the
// oldest of those is known. A signing flag that is not set says nothing: Samba's clients set none unless they require
// signing. See [MS-CIFS] 2.2.4.52.1 and [MS-SMB2] 3.2.4.2.2.1.
func offerOfSMB1(r *smb1.NegotiateRequest, flags2 uint16) Offer {
	o := Offer{Newest: dialectNT, Encryption: model.False}
	switch {
	case slices.Contains(r.Dialects, smb1.DialectSMB2):
		return Offer{} // the client would continue with a NEGOTIATE of SMB2, whose dialects were not seen
	case slices.Contains(r.Dialects, smb1.DialectSMB2002):
		o.Newest = dialect.Name(smb2.Dialect202)
	}
	switch {
	case flags2&smb1.Flags2SignatureRequired != 0:
		o.Signing = model.SigningRequired
	case flags2&smb1.Flags2SecuritySignature != 0:
		o.Signing = model.SigningOffered
	}
	return o
}
