// Package smb is a client of IPC$: one Conn is one TCP connection over SMB1 (NT LM 0.12) or SMB 2.0.2 to 3.1.1.
//
//	Dial ─► Conn ─► SessionSetup ─► Session ─► TreeConnect ─► Tree ─► OpenPipe ─► Pipe: Transact, Write, Read
//
// Its subpackages, each of which imports only those below it:
//
//	smb                        Dial: which family a server speaks
//	smb1client  smb2client     the conversation in one family: who signs, who encrypts, what follows what
//	dialect                    what both implement, report and share
//	transport   smb1  smb2     requests in flight on one connection; the messages of each family
//	nbss        smbcrypt       framing; keys, signatures, encryption
//
// An Authenticator provides the caller's identity. The package writes no files, does not log, and trusts no length,
// count or promise of a server. A Conn is safe for concurrent use: requests are in flight together and one goroutine
// reads the responses.
package smb
