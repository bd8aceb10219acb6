package scan

import (
	"context"
	"errors"
	"slices"

	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// renewing is a pipe that is opened together with its first message if the server accepts both in one frame, and before
// it if not. It is reopened and bound again after a call that the server does not implement. The Linux kernel's server
// answers such a call with STATUS_NOT_SUPPORTED instead of a fault, and then every later call on the same pipe as well.
// [M] ksmbd-6.12
type renewing struct {
	smb.Pipe // nil before it is open
	host     *host
	tree     smb.Tree
	name     string
	closed   error    // why it could not be opened
	binds    [][]byte // the messages that made the association, in order
	stale    bool
}

// open opens the pipe without a message.
func (r *renewing) open(ctx context.Context) error {
	r.Pipe, r.closed = r.tree.OpenPipe(ctx, r.name)
	return r.closed
}

// begin opens the pipe and sends its first message. If an answer arrives only when the message is sent separately, the
// server does not accept both together; then they are separate from now on.
func (r *renewing) begin(ctx context.Context, in []byte, most int) ([]byte, error) {
	if r.host == nil || r.host.apart.Load() {
		if err := r.open(ctx); err != nil {
			return nil, err
		}
		return r.Pipe.Transact(ctx, in, most)
	}
	p, out, err := r.tree.OpenTransact(ctx, r.name, in, most)
	if p == nil {
		if r.closed = err; lost(err) {
			r.host.apart.Store(true)
		}
		return nil, err
	}
	r.Pipe = p
	var nt status.NTStatus
	switch {
	case lost(err):
		r.host.apart.Store(true)
	case errors.As(err, &nt) && len(out) == 0:
		alone, second := p.Transact(ctx, in, most)
		if second == nil {
			r.host.apart.Store(true)
		}
		return alone, second
	}
	return out, err
}

// The types of messages that make an association: bind and alter_context. See [C706] 12.6.4.
var associating = []byte{11, 14}

// Transact implements [smb.Pipe].
func (r *renewing) Transact(ctx context.Context, in []byte, most int) ([]byte, error) {
	if r.stale {
		if err := r.renew(ctx, most); err != nil {
			return nil, err
		}
	}
	transact := r.begin
	if r.Pipe != nil {
		transact = r.Pipe.Transact
	}
	out, err := transact(ctx, in, most)
	var nt status.NTStatus
	switch {
	case err == nil && len(in) > 2 && slices.Contains(associating, in[2]):
		r.binds = append(r.binds, slices.Clone(in))
	case errors.As(err, &nt) && nt == status.NotSupported:
		r.stale = len(r.binds) > 0
	}
	return out, err
}

func (r *renewing) renew(ctx context.Context, most int) error {
	_ = r.Close(ctx) // first: some servers have one place for each pipe
	p, err := r.tree.OpenPipe(ctx, r.name)
	if err != nil {
		return err
	}
	r.Pipe, r.stale = p, false
	for _, b := range r.binds {
		if _, err := r.Pipe.Transact(ctx, b, most); err != nil {
			return err
		}
	}
	return nil
}
