package scan

import (
	"context"
	"errors"
	"slices"

	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// A pipe carries one call at a time. On a slow network, where each call costs a round trip, questions that do not
// depend on one another are asked at the same time, each on its own instance of the pipe. The instances share one
// association group, in which handles are valid on all of them, and which Samba serves from one process. A question
// without a good answer is asked again on the first instance, one at a time.

// spread reports whether a pipe gets further instances to save round trips.
func (j *job) spread() bool { return j.far() && j.sideBySide() && !j.strict.Load() }

// beside asks questions that do not depend on one another. The answers are kept in the order of the questions. The last
// question uses the first instance, because it may take long.
func (t *talk) beside(ctx context.Context, questions ...func(t *talk)) {
	if !t.spread() {
		for _, ask := range questions {
			if t.lost != nil {
				return
			}
			ask(t)
		}
		return
	}
	last := len(questions) - 1
	before := t.calls
	t.calls = nil
	lines := make([]func() *talk, last)
	for i := range lines {
		lines[i] = t.line(ctx)
	}
	answers := make([]*talk, last)
	t.parallel(len(questions), func(i int) {
		if i == last {
			questions[i](t)
		} else if answers[i] = lines[i](); answers[i] != nil {
			questions[i](answers[i])
		}
	})
	own := t.calls
	t.calls = before
	for i, a := range answers {
		switch {
		case a != nil && a.sound():
			t.calls = append(t.calls, a.calls...)
		case t.lost == nil:
			questions[i](t)
		case a != nil:
			t.calls = append(t.calls, a.calls...)
		}
		if a != nil {
			t.strict.CompareAndSwap(false, a.strange)
			t.leave(ctx, a.pipe)
		}
	}
	t.calls = append(t.calls, own...)
}

// sound tells whether all that was asked on an instance got a good answer. Of Samba and Windows it is known that a
// handle is good on all instances of a group. Of others anything but success may mean that they do not know the handle,
// in whatever words.
func (t *talk) sound() bool {
	switch {
	case t.lost != nil, t.confused, t.strange:
		return false
	case hasGroups(t.system()):
		return true
	}
	return !slices.ContainsFunc(t.calls, func(c *model.CallResult) bool {
		return c.Outcome != model.Allowed || c.Discloses == model.DisclosesNothing
	})
}

// hasGroups tells whether servers of a kind are known to share handles between the pipes of an association group.
func hasGroups(system string) bool { return system == "samba" || system == "windows" }

// strange reports whether a server no longer knows the handle, or does not know it on this instance of the pipe.
func strange(err error) bool {
	var nt status.NTStatus
	var fault status.Fault
	return errors.As(err, &fault) && fault == status.FaultContextMismatch ||
		errors.As(err, &nt) && nt == status.InvalidHandle
}

// ahead opens further instances for later questions on a slow network.
func (t *talk) ahead(ctx context.Context, n int) {
	if !t.spread() {
		return
	}
	t.spares, t.spared = make(chan *talk, n), n
	for range n {
		go func() { t.spares <- t.another(ctx) }()
	}
}

// line returns a further instance: one that was opened ahead, or a new one. It is nil if none can be opened.
func (t *talk) line(ctx context.Context) func() *talk {
	if t.spared == 0 {
		return func() *talk { return t.another(ctx) }
	}
	t.spared--
	return func() *talk { return <-t.spares }
}

// dismiss closes the unused instances that were opened ahead.
func (t *talk) dismiss(ctx context.Context) {
	for ; t.spared > 0; t.spared-- {
		if s := <-t.spares; s != nil {
			t.leave(ctx, s.pipe)
		}
	}
}

// another opens one more instance of the pipe and binds the interface on it.
func (t *talk) another(ctx context.Context) *talk {
	a := &talk{job: t.job, iface: t.iface}
	c := t.begin(ctx, t.group, []*talk{a})
	switch {
	case c.pipe.closed != nil:
		return nil
	case c.err == nil:
		a.bind = bindStep(c.results[0])
	}
	if a.bind.Outcome != model.Allowed {
		t.leave(ctx, a.pipe)
		return nil
	}
	return a
}
