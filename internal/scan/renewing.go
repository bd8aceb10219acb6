package scan

import (
	"context"
	"errors"
	"slices"

	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// renewing is a pipe that is opened anew, and bound as before, after a call that the server's program does not have. The
// Linux kernel's server answers such a call with STATUS_NOT_SUPPORTED in the place of a fault, and every call after it on
// the same pipe likewise, those that it has among them. [M] ksmbd-6.12
type renewing struct {
	smb.Pipe
	tree  smb.Tree
	name  string
	binds [][]byte // the messages that made the association, in their order
	stale bool
}

// The types of messages that make an association: bind and alter_context. See [C706] 12.6.4.
var associating = []byte{11, 14}

// Transact see [smb.Pipe].
func (r *renewing) Transact(ctx context.Context, in []byte, most int) ([]byte, error) {
	if r.stale {
		if err := r.renew(ctx, most); err != nil {
			return nil, err
		}
	}
	out, err := r.Pipe.Transact(ctx, in, most)
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
