package dialect

import "context"

// Client is one dialect family on a connection, after NEGOTIATE. It is safe for concurrent use, as is what it returns.
type Client interface {
	// Negotiated is what the server said before any logon.
	Negotiated() Negotiated
	// SessionSetup logs on; all its requests share the wait Timeouts.Session. It may be called several times, for
	// several sessions. A refusal is a status.NTStatus.
	SessionSetup(ctx context.Context, a Authenticator) (Session, error)
}

// Session is one logon.
type Session interface {
	// Info is what the server said about the logon.
	Info() SessionInfo
	// TreeConnect connects a share, such as IPC$. The path is \\server\share with the host that was dialled.
	TreeConnect(ctx context.Context, share string) (Tree, error)
	// Logoff ends the session on the server.
	Logoff(ctx context.Context) error
}

// Tree is a connected share.
type Tree interface {
	// Info is what the server said about the share.
	Info() TreeInfo
	// OpenPipe opens a named pipe; name comes without \pipe\.
	OpenPipe(ctx context.Context, name string) (Pipe, error)
	// OpenTransact opens a named pipe and writes in, where it can in one frame with the open. Without a Pipe the error
	// is that of the open; with one it is that of the transaction, as of [Pipe.Transact].
	OpenTransact(ctx context.Context, name string, in []byte, max int) (Pipe, []byte, error)
	// OpenRoot opens the share's root folder for listing, which proves that it may be read. Nothing is ever written.
	OpenRoot(ctx context.Context) (File, error)
	// Disconnect ends the tree connect on the server.
	Disconnect(ctx context.Context) error
}

// Pipe is an open named pipe in message mode.
type Pipe interface {
	// Transact writes in and returns the message that answers it, in one request. A message that does not fit the
	// response is read to its end, up to max bytes in all; a longer one is returned as far as it was read, with the
	// error STATUS_BUFFER_OVERFLOW.
	Transact(ctx context.Context, in []byte, max int) ([]byte, error)
	// Write writes one message and returns how many bytes the server took.
	Write(ctx context.Context, b []byte) (int, error)
	// Read reads at most max bytes of a message; more reports whether it continues.
	Read(ctx context.Context, max int) (b []byte, more bool, err error)
	// Close closes the pipe.
	Close(ctx context.Context) error
}

// File is an open folder.
type File interface {
	// Close closes it.
	Close(ctx context.Context) error
}
