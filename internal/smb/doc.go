// Package smb is a client of IPC$: one Conn is one TCP connection over SMB1 (NT LM 0.12) or SMB 2.0.2 to 3.1.1.
//
//	Dial ─► Conn ─► SessionSetup ─► Session ─► TreeConnect ─► Tree ─► OpenPipe ─► Pipe: Transact, Write, Read
//
// The rooms below, each of which sees only what stands under it:
//
//	smb                        Dial: which family a server speaks
//	smb1client  smb2client     the conversation in one family: who signs, who encrypts, what follows what
//	dialect                    what both implement, report and share
//	transport   smb1  smb2     requests in flight on one connection; the messages of each family
//	nbss        smbcrypt       framing; keys, signatures, encryption
//
// Who the caller is comes from an Authenticator. Nothing here writes to a file, logs, or believes a length, a count or a
// promise of a server. A Conn serves many goroutines: requests are in flight together and one goroutine reads the
// answers.
package smb
