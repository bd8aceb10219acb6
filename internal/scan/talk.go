package scan

import (
	"context"
	"fmt"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

// probe asks one interface for its data, and records every answer.
type probe func(ctx context.Context, t *talk)

// talk is the questions to one interface on one pipe.
type talk struct {
	*job
	iface  iface
	pipe   smb.Pipe
	client *dcerpc.Client
	group  uint32 // its association group
	bind   model.Step
	calls  []*model.CallResult
	lost   error // the pipe is lost: nothing more can be asked
	// confused means that an answer did not belong to any question, as if pipes shared one buffer.
	confused bool
	strange  bool       // a handle from another instance of the pipe was refused
	spares   chan *talk // instances being opened ahead
	spared   int        // their number
}

// note records the answer to one call. ok is the family's status for success.
func (t *talk) note(name string, ok string, err error) *answer {
	c := &model.CallResult{Call: name, Opnum: t.opnum(name)}
	var word string
	var nothing bool
	c.Outcome, word, c.Detail, nothing = callOutcome(err)
	if c.Status = word; err == nil {
		c.Status = ok
	}
	if nothing {
		c.Discloses = model.DisclosesNothing
	}
	switch {
	case lost(err):
		t.lost = err
	case err != nil && !isAnswer(err):
		t.confused = true
	}
	t.strange = t.strange || strange(err)
	t.calls = append(t.calls, c)
	t.job.first()
	return &answer{c, t}
}

// nt and win record a call of an interface that returns NTSTATUS or WERROR.
func (t *talk) nt(name string, err error) *answer  { return t.note(name, "STATUS_SUCCESS", err) }
func (t *talk) win(name string, err error) *answer { return t.note(name, "WERR_OK", err) }

// opnum returns the number of a call, from the catalog or from the interface's own table.
func (t *talk) opnum(name string) uint16 {
	for _, c := range t.iface.entry.Calls {
		if c.Name == name {
			return uint16(c.Opnum)
		}
	}
	if known := dcerpc.LookupInterface(t.iface.syntax); known != nil {
		for n, op := range known.Ops {
			if op.Name == name {
				return uint16(n)
			}
		}
	}
	return 0
}

func (t *talk) result() model.InterfaceResult {
	r := model.InterfaceResult{
		Interface: t.iface.entry.ID, UUID: t.iface.syntax.UUID.String(), Version: t.iface.syntax.Version(),
		Bind: t.bind,
	}
	for _, c := range t.calls {
		r.Calls = append(r.Calls, *c)
	}
	return r
}

// answer is the result of one call.
type answer struct {
	*model.CallResult
	t *talk
}

// ok reports whether the call succeeded.
func (a *answer) ok() bool { return a.Outcome == model.Allowed && a.Discloses == "" }

// denied reports whether the call was refused.
func (a *answer) denied() bool { return a.Outcome == model.Denied }

// gave records what a successful call disclosed, in the catalog's terms, and how many. Names are kept only if
// requested. Without any the call disclosed nothing.
func (a *answer) gave(count int, names ...string) *answer {
	kind := model.DisclosesNothing
	for _, c := range a.t.iface.entry.Calls {
		if c.Name == a.Call && c.Discloses != "" {
			kind = c.Discloses
		}
	}
	return a.gaveKind(kind, count, names...)
}

// gaveKind is gave with a kind of its own, if the answer contains less or other data than the catalog expects.
func (a *answer) gaveKind(kind model.Disclosure, count int, names ...string) *answer {
	if !a.ok() {
		return a
	}
	if a.Discloses, a.Count = kind, count; count == 0 {
		a.Discloses = model.DisclosesNothing
	}
	if a.t.o.ShowNames {
		a.Names = append(a.Names, names...)
	}
	return a
}

// more records that further data were available and not requested.
func (a *answer) more(yes bool) {
	if a.More = yes; yes {
		a.t.limit(model.Limit{
			Limit: model.LimitPages, Identity: a.t.id, Of: a.Call, Tried: a.Count,
			Why: fmt.Sprintf("%s had more to give than was read", a.Call),
		})
	}
}

// giveBack closes a handle if closing the pipe does not. The Linux kernel's server keeps it, and refuses to open
// another on a later pipe with the same number. [M] ksmbd-6.12
func (t *talk) giveBack(closing func() error) {
	if t.lost != nil || t.system() != "ksmbd" {
		return
	}
	if err := closing(); lost(err) {
		t.lost = err
	}
}

// ends records that the calls after a refused one could not be made.
func (a *answer) ends() { a.Ends = a.denied() }
