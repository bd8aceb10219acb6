// Package transport is one TCP connection to an SMB server: framed messages, the requests in flight on it, and how it
// ended. Both dialect families use it; it reads only the four bytes of a message that identify its family.
//
//	Dial ─► Ask, one question after the other ─► Start: a goroutine reads
//	                                             Begin ─► Send ─► Wait ◄─ Deliver ◄─ receive, on that goroutine
//
// It trusts no length, count or promise of a server:
//
//   - a request has one timeout, from sending it to its complete answer;
//   - a frame beyond Options.MaxFrame ends the connection before memory is allocated;
//   - the first failure ends the connection and every request in flight; all of them return it.
package transport
