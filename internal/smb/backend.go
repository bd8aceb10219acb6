package smb

import "context"

// A backend is one dialect family on a Conn. It sends with Conn.wire and matches answers with Conn.mux.
type backend interface {
	// receive takes one frame from the reading goroutine and owns it. An error ends the connection.
	receive(frame []byte) error
	// sessionSetup logs on; the whole of it has the wait Timeouts.Session.
	sessionSetup(ctx context.Context, a Authenticator) (sessionBackend, error)
}

// sessionBackend is a logon.
type sessionBackend interface {
	info() SessionInfo
	treeConnect(ctx context.Context, share string) (treeBackend, error)
	logoff(ctx context.Context) error
}

// treeBackend is a connected share.
type treeBackend interface {
	info() TreeInfo
	openPipe(ctx context.Context, name string) (pipeBackend, error)
	openRoot(ctx context.Context) (fileBackend, error)
	disconnect(ctx context.Context) error
}

// pipeBackend is an open pipe.
type pipeBackend interface {
	transact(ctx context.Context, in []byte, max int) ([]byte, error)
	write(ctx context.Context, b []byte) (int, error)
	read(ctx context.Context, max int) (b []byte, more bool, err error)
	close(ctx context.Context) error
}

// fileBackend is an open folder.
type fileBackend interface {
	close(ctx context.Context) error
}

// The layers, as TransportError names them.
const (
	layerConnect   = "connect"
	layerNegotiate = "negotiate"
	layerSession   = "session"
	layerTree      = "tree"
	layerOpen      = "open"
	layerCall      = "call"
)
