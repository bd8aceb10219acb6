package web

import (
	"context"
	"errors"
	"io"

	"ipcguard/internal/fleet"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// Fleet is what the pages ask of the fleet: what cannot be read from the store. [fleet.Fleet] is one.
type Fleet interface {
	StartRun(ctx context.Context, by string, kind store.RunKind, sel store.Selector, quick bool) (*store.Run, error)
	CancelRun(ctx context.Context, by string, id int64) error
	ImportTargets(ctx context.Context, r io.Reader, by string, sources bool) (fleet.ImportReport, error)
	ExportTargets(ctx context.Context, w io.Writer) error
	Import(ctx context.Context, by, kind string, r io.Reader) (fleet.Imported, error)
	Plan(ctx context.Context, hostID int64, strategy string, accept bool) (*model.Plan, error)
}

var _ Fleet = (*fleet.Fleet)(nil)

// testChannel sends a test message.
func (v *visit) testChannel(c store.Channel) error {
	if v.options.Test == nil {
		return errors.New("this server sends no notifications")
	}
	return v.options.Test(v.ctx(), c)
}
