// Package gateway stands between SMB clients and servers that nobody can configure, and refuses strangers:
//
//	          requests: every header is read                      users' bodies are spliced
//	client ──► frame ──► judge ──┬─ pass ───────────────────────────────────────────────► server
//	              ▲              ├─ answer: an ECHO with the same MessageId goes instead ──►  │
//	              │              └─ close                                                    │
//	              │                                                                          ▼
//	client ◄── pass ◄──┬─────────────────────────────── look up MessageId ◄── frame ◄── server
//	                   ├─ ECHO's answer: turned into the refusal, with its credits
//	                   └─ SESSION_SETUP's answer: held until it is known who came in
//
// A stranger is refused where it says who it is, at the logon. A logon's bytes are never changed, nor are those of
// users, whose keys the gateway does not have: their messages pass as they are, signed and encrypted end to end. What
// comes before a session is known and is not understood is refused; what a known user sends passes.
//
// The window of MessageIds belongs to client and server. A request that is refused is replaced by an ECHO with its
// MessageId, so that the server counts it and grants its credits. See [MS-SMB2] 3.3.5.2.3 and 3.3.5.17.
//
// The rules of the room:
//
//   - Every frame's header is read: another session may follow in the next frame. Bodies are spliced or pass through a
//     bounded buffer; no frame is kept whole but a logon, which has 64 KiB at most.
//   - Whoever is not known to be a user is a stranger here.
//   - A frame is judged before its last byte goes out: a server acts on whole frames alone, so closing the connection
//     undoes what was passed of one.
//   - Nothing in this room waits, allocates or counts without a bound; limits.go has them.
package gateway
