package verify

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// silence judges a server that does not answer, for a plan that removes the whole server: then silence proves the
// block. It is no proof if the host itself may be down. A refused connection was refused by the host, and a must-work
// check that passes shows that the host is up. The result is nil if the server answers, or if the plan leaves one.
func (v *Verification) silence(ctx context.Context, c *catalog.Catalog, s *model.Scan, must []Check) *verdict {
	if s.Verdict != model.Unreachable || !v.takesServer(c) {
		return nil
	}
	now := time.Now().UTC()
	look := []model.Look{{
		Asked: "connect", Of: v.Target.Addr.String(), Times: 1, First: now, Last: now,
		Answer: s.Reason,
	}}
	conn, err := v.dial(ctx)
	switch {
	case err == nil:
		_ = conn.Close() // it answers after all
		return &verdict{Inconclusive, "it did not answer, and then it did: " + s.Reason, look}
	case refusedByHost(err):
		return &verdict{Passed, "the host refuses connections: no server is there", look}
	}
	if i := slices.IndexFunc(must, func(c Check) bool { return c.Result == Passed }); i >= 0 {
		return &verdict{Passed, "no server answers (" + s.Reason + "), and the host lives: " + must[i].Check, look}
	}
	return &verdict{Inconclusive, s.Reason +
		": whether the server is gone or the host is not known; --check tcp:HOST:PORT of something that still runs " +
		"there settles it", look}
}

// takesServer reports whether a plan blocks in a way that leaves no server, not even its disk shares.
func (v *Verification) takesServer(c *catalog.Catalog) bool {
	return v.Plan != nil && v.Plan.Strategy == "block" &&
		slices.ContainsFunc(c.WaysFor(v.Plan.Platform.System), func(w *catalog.Way) bool {
			return w.ID == v.Plan.Means && w.Shares
		})
}

// refusedByHost distinguishes a connection that the host's network stack refused from one that failed otherwise.
func refusedByHost(err error) bool {
	const refusedOnWindows = syscall.Errno(10061) // WSAECONNREFUSED, for which syscall has no portable name
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, refusedOnWindows)
}
