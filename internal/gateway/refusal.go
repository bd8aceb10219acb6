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
	ReasonGuest      Reason = "guest"                // the server made a guest of the caller
	ReasonUnreadable Reason = "unreadable-logon"     // a logon that does not say who comes, or says it in two ways
	ReasonPipe       Reason = "pipe"                 // what the policy does not allow to strangers on IPC$
	ReasonUser       Reason = "denied-to-users"      // what the policy denies to users
	ReasonRenewal    Reason = "renewed-stranger"     // a stranger's session that is to become somebody else's
	ReasonSession    Reason = "unknown-session"      // a request in a session that this connection does not have
	ReasonEncrypted  Reason = "encrypted-stranger"   // an encrypted frame of a session that is no user's
	ReasonCompressed Reason = "compressed-stranger"  // a compressed frame where no user has come in
	ReasonSMB1       Reason = "smb1"                 // not agreed on, or of a server that asks nobody who he is
	ReasonProtocol   Reason = "not-smb"              // neither SMB nor NetBIOS
	ReasonMalformed  Reason = "malformed"            // a message that breaks the protocol's rules
	ReasonCompound   Reason = "compound"             // a compound with a member that may not pass
	ReasonTooMuch    Reason = "too-much"             // beyond a bound of one connection
	ReasonIdle       Reason = "idle"                 // no user came in within the time
	ReasonClients    Reason = "too-many-connections" // beyond the bound of connections
	ReasonServer     Reason = "server-down"          // the server could not be reached
)

// refusal ends a connection.
type refusal struct {
	reason Reason
	detail string
}

// Error is one line.
func (r refusal) Error() string { return "gateway: refused: " + string(r.reason) + ": " + r.detail }

// refused is a request that the server never sees: what stands in for it, and what the client gets.
type refused struct {
	request smb2.Header
	status  status.NTStatus
	body    smb2.Body // nil says nothing but the status
}

// standIn is the frame that goes to the server in place of a request. It takes the same MessageIds out of the window.
// It is no part of any session: a server that requires signing answers it all the same. See [MS-SMB2] 3.3.5.17.
func (r *refused) standIn() []byte {
	return framed(&smb2.Message{
		Header: smb2.Header{
			CreditCharge: r.request.CreditCharge, Command: smb2.Echo, Credits: r.request.Credits, MessageID: r.request.MessageID,
		},
		Body: new(smb2.Empty),
	})
}

// logoff is a frame that ends the request's session and takes its place in the window.
func (r *refused) logoff() []byte {
	return framed(&smb2.Message{
		Header: smb2.Header{
			CreditCharge: r.request.CreditCharge, Command: smb2.Logoff, Credits: r.request.Credits,
			MessageID: r.request.MessageID, SessionID: r.request.SessionID,
		},
		Body: new(smb2.Empty),
	})
}

// answer is the frame that the client gets. The credits are those that the server granted to what stood in.
func (r *refused) answer(credits uint16) []byte {
	body := r.body
	if body == nil {
		body = new(smb2.ErrorResponse)
	}
	return framed(&smb2.Message{
		Header: smb2.Header{
			CreditCharge: r.request.CreditCharge, Status: uint32(r.status), Command: r.request.Command, Credits: credits,
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
