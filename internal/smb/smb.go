package smb

import (
	"ipcguard/internal/smb/dialect"
	"ipcguard/internal/smb/transport"
)

// What callers meet, from the rooms below.
type (
	// Options is how a Conn is made and kept.
	Options = dialect.Options
	// Timeouts bound the wait of each layer.
	Timeouts = dialect.Timeouts
	// Counters count what connections cost.
	Counters = transport.Counters
	// TransportError means that a request got no answer, never that it was refused.
	TransportError = transport.Error

	// Authenticator creates the tokens of one logon.
	Authenticator = dialect.Authenticator
	// LegacyAuthenticator is an Authenticator that can also log on without extended security.
	LegacyAuthenticator = dialect.LegacyAuthenticator

	// Session is one logon on a Conn.
	Session = dialect.Session
	// Tree is a connected share.
	Tree = dialect.Tree
	// Pipe is an open named pipe in message mode.
	Pipe = dialect.Pipe
	// File is an open folder.
	File = dialect.File

	// Negotiated is what the server said before any logon.
	Negotiated = dialect.Negotiated
	// SessionInfo is what the server said about a logon.
	SessionInfo = dialect.SessionInfo
	// TreeInfo is what the server said about a share.
	TreeInfo = dialect.TreeInfo

	// Dialect is an SMB dialect.
	Dialect = dialect.Dialect
)

// The dialects.
const (
	SMB1   = dialect.SMB1
	SMB202 = dialect.SMB202
	SMB210 = dialect.SMB210
	SMB300 = dialect.SMB300
	SMB302 = dialect.SMB302
	SMB311 = dialect.SMB311
)

// The share types of [MS-SMB2] 2.2.10.
const (
	ShareDisk  = dialect.ShareDisk
	SharePipe  = dialect.SharePipe
	SharePrint = dialect.SharePrint
)

// AllDialects lists every dialect, oldest first.
func AllDialects() []Dialect { return dialect.All() }
