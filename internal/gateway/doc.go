// Package gateway stands between SMB clients and servers that cannot be configured, and refuses strangers:
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
// A stranger is refused when it identifies itself, at the logon. The bytes of a logon are never changed, except one
// number of SMB1 (see keepCircuits), nor are those of users, whose keys the gateway does not have: their messages pass
// unchanged, signed and encrypted end to end. Before a session is known, a message that is not understood is refused;
// what a known user sends passes.
//
// The window of MessageIds belongs to client and server. A refused request is replaced by an ECHO with its MessageId,
// so that the server counts it and grants its credits. See [MS-SMB2] 3.3.5.2.3 and 3.3.5.17.
//
// The rules of the room:
//
//   - Every frame's header is read: the next frame may belong to another session. Bodies are spliced or pass through a
//     bounded buffer; only a logon is kept whole, which has at most 64 KiB.
//   - A caller that is not known to be a user is a stranger.
//   - A frame is judged before its last byte is forwarded: a server acts only on whole frames, so closing the
//     connection cancels a partly forwarded one.
//   - Every wait, allocation and count has a bound; limits.go has them.
package gateway
