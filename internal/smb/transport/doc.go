// Package transport is one TCP connection to an SMB server: framed messages, the requests in flight on it, and how it
// ended. Both dialect families stand on it; it reads no message beyond the four bytes that say which family it is.
//
//	Dial ─► Ask, one question after the other ─► Start: a goroutine reads
//	                                             Begin ─► Send ─► Wait ◄─ Deliver ◄─ receive, on that goroutine
//
// It believes no length, count or promise of a server:
//
//   - a request has one wait, from the moment it is sent to its whole answer;
//   - a frame beyond Options.MaxFrame ends the connection before memory is taken;
//   - the first failure ends the connection and every request in flight; it is what they all return.
package transport
