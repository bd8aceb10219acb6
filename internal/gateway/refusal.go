package gateway

import (
	"ipcguard/internal/smb/nbss"
	"ipcguard/internal/smb/smb2"
	"ipcguard/internal/status"
)

// Reason is why something was refused: a closed list, by which refusals are counted.
type Reason string

// The reasons.
const (
	ReasonAnonymous  Reason = "anonymous"            // a null session
	ReasonGuest      Reason = "guest"                // the server made the caller a guest
	ReasonUnreadable Reason = "unreadable-logon"     // a logon without a readable or unambiguous identity
	ReasonPipe       Reason = "pipe"                 // not allowed to strangers on IPC$
	ReasonUser       Reason = "denied-to-users"      // denied to users
	ReasonRenewal    Reason = "renewed-stranger"     // a stranger's session that changes to another identity
	ReasonSession    Reason = "unknown-session"      // a request in a session that this connection does not have
	ReasonEncrypted  Reason = "encrypted-stranger"   // an encrypted frame of a session that is not a user's
	ReasonCompressed Reason = "compressed-stranger"  // a compressed frame before a user has logged on
	ReasonSMB1       Reason = "smb1"                 // not negotiated, or the server does not ask for users
	ReasonProtocol   Reason = "not-smb"              // neither SMB nor NetBIOS
	ReasonMalformed  Reason = "malformed"            // a message that violates the protocol
	ReasonCompound   Reason = "compound"             // a compound with a refused message
	ReasonTooMuch    Reason = "too-much"             // beyond a limit of one connection
	ReasonIdle       Reason = "idle"                 // a time limit: no user came, or nothing was said or read
	ReasonClients    Reason = "too-many-connections" // beyond the limit of connections
	ReasonServer     Reason = "server-down"          // the server could not be reached
)

// refusal is an error that ends a connection.
type refusal struct {
	reason Reason
	detail string
}

// Error implements error.
func (r refusal) Error() string { return "gateway: refused: " + string(r.reason) + ": " + r.detail }

// reported is a refusal that was counted and logged already.
type reported struct{ refusal }

// Unwrap returns the refusal.
func (r reported) Unwrap() error { return r.refusal }

// refused is a request that the server never sees: its replacement, and the client's response.
type refused struct {
	request smb2.Header
	status  status.NTStatus
	body    smb2.Body // nil is a body with only the status
}

// standIn returns the frame that replaces a request. It uses the same MessageIds and belongs to no session: a server
// that requires signing answers it all the same. See [MS-SMB2] 3.3.5.17.
func (r *refused) standIn() []byte {
	return framed(&smb2.Message{
		Header: smb2.Header{
			CreditCharge: r.request.CreditCharge, Command: smb2.Echo, Credits: r.request.Credits,
			MessageID: r.request.MessageID,
		},
		Body: new(smb2.Empty),
	})
}

// logoff returns a frame that replaces the request and ends its session.
func (r *refused) logoff() []byte {
	return framed(&smb2.Message{
		Header: smb2.Header{
			CreditCharge: r.request.CreditCharge, Command: smb2.Logoff, Credits: r.request.Credits,
			MessageID: r.request.MessageID, SessionID: r.request.SessionID,
		},
		Body: new(smb2.Empty),
	})
}

// answer returns the client's response. The credits are those that the server granted to the replacement.
func (r *refused) answer(credits uint16) []byte {
	body := r.body
	if body == nil {
		body = new(smb2.ErrorResponse)
	}
	return framed(&smb2.Message{
		Header: smb2.Header{
			CreditCharge: r.request.CreditCharge, Status: uint32(r.status),
			Command: r.request.Command, Credits: credits,
			Flags: smb2.FlagResponse, MessageID: r.request.MessageID, Reserved: r.request.Reserved,
			TreeID: r.request.TreeID, SessionID: r.request.SessionID,
		},
		Body: body,
	})
}

func framed(m *smb2.Message) []byte {
	b := m.AppendMarshal(make([]byte, nbss.HeaderLen, nbss.HeaderLen+128))
	nbss.PutHeader(b)
	return b
}
