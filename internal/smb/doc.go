// Package smb is a client of IPC$: one Conn is one TCP connection over SMB1 (NT LM 0.12) or SMB 2.0.2 to 3.1.1.
//
//	Dial ─► Conn ─► SessionSetup ─► Session ─► TreeConnect ─► Tree ─► OpenPipe ─► Pipe: Transact, Write, Read
//
// The room holds the conversation: which request follows which answer, what waits how long, who signs and encrypts.
// Bytes are encoded and decoded next door (nbss, smb1, smb2, smbcrypt); who the caller is comes from an Authenticator.
// It never writes to a file, logs nothing, and believes no length, count or promise of a server:
//
//   - a request has one wait, from the moment it is sent to its whole answer, however many interim answers or single
//     bytes come in between;
//   - a frame beyond Options.MaxFrame ends the connection before memory is taken;
//   - an answer nobody asked for ends the connection, and so does a chain that does not advance.
//
// One Conn serves many goroutines: requests are in flight together and one goroutine reads the answers. The dialect is
// behind the interfaces of backend.go: client2*.go is SMB2 and SMB3, client1*.go is SMB1.
package smb
