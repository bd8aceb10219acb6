package smb

import "context"

// Session is one logon on a Conn.
type Session struct{ b sessionBackend }

// Info is what the server said about the logon.
func (s *Session) Info() SessionInfo { return s.b.info() }

// TreeConnect connects a share, such as IPC$. The path is \\server\share with the host that was dialled.
func (s *Session) TreeConnect(ctx context.Context, share string) (*Tree, error) {
	b, err := s.b.treeConnect(ctx, share)
	if err != nil {
		return nil, err
	}
	return &Tree{b}, nil
}

// Logoff ends the session on the server.
func (s *Session) Logoff(ctx context.Context) error { return s.b.logoff(ctx) }

// Tree is a connected share.
type Tree struct{ b treeBackend }

// Info is what the server said about the share.
func (t *Tree) Info() TreeInfo { return t.b.info() }

// OpenPipe opens a named pipe; name comes without \pipe\.
func (t *Tree) OpenPipe(ctx context.Context, name string) (*Pipe, error) {
	b, err := t.b.openPipe(ctx, name)
	if err != nil {
		return nil, err
	}
	return &Pipe{b}, nil
}

// OpenRoot opens the share's root folder for listing, which proves that it may be read. Nothing is ever written.
func (t *Tree) OpenRoot(ctx context.Context) (*File, error) {
	b, err := t.b.openRoot(ctx)
	if err != nil {
		return nil, err
	}
	return &File{b}, nil
}

// Disconnect ends the tree connect on the server.
func (t *Tree) Disconnect(ctx context.Context) error { return t.b.disconnect(ctx) }

// Pipe is an open named pipe in message mode.
type Pipe struct{ b pipeBackend }

// Transact writes in and returns the message that answers it, in one request. A message that does not fit the answer
// is read to its end, up to max bytes in all; a longer one is returned as far as it was read, with the error
// STATUS_BUFFER_OVERFLOW.
func (p *Pipe) Transact(ctx context.Context, in []byte, max int) ([]byte, error) {
	return p.b.transact(ctx, in, max)
}

// Write writes one message and returns how many bytes the server took.
func (p *Pipe) Write(ctx context.Context, b []byte) (int, error) { return p.b.write(ctx, b) }

// Read reads at most max bytes of a message; more tells that it goes on.
func (p *Pipe) Read(ctx context.Context, max int) (b []byte, more bool, err error) {
	return p.b.read(ctx, max)
}

// Close closes the pipe.
func (p *Pipe) Close(ctx context.Context) error { return p.b.close(ctx) }

// File is an open folder.
type File struct{ b fileBackend }

// Close closes it.
func (f *File) Close(ctx context.Context) error { return f.b.close(ctx) }
