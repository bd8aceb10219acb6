package scan

import (
	"context"
	"fmt"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

// probe asks one interface what it gives away, and notes every answer.
type probe func(ctx context.Context, t *talk)

// talk is the conversation with one interface behind one pipe.
type talk struct {
	*job
	iface  iface
	pipe   smb.Pipe
	client *dcerpc.Client
	group  uint32 // its association group
	bind   model.Step
	calls  []*model.CallResult
	lost   error // the pipe is gone: nothing more can be asked
	// confused tells that something was said that answers no question of ours, as where pipes share one buffer.
	confused bool
	strange  bool       // a handle was refused that another instance of the pipe had been given
	spares   chan *talk // instances that are being opened ahead
	spared   int        // how many of them
}

// note keeps the answer to one call. The family's word for success is ok.
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

// nt and win note a call of an interface that returns NTSTATUS or WERROR.
func (t *talk) nt(name string, err error) *answer  { return t.note(name, "STATUS_SUCCESS", err) }
func (t *talk) win(name string, err error) *answer { return t.note(name, "WERR_OK", err) }

// opnum is the number of a call, from the catalog or from the interface's own table.
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
		Interface: t.iface.entry.ID, UUID: t.iface.syntax.UUID.String(), Version: t.iface.syntax.Version(), Bind: t.bind,
	}
	for _, c := range t.calls {
		r.Calls = append(r.Calls, *c)
	}
	return r
}

// answer is one call's result in the making.
type answer struct {
	*model.CallResult
	t *talk
}

// ok tells whether the call was answered with success.
func (a *answer) ok() bool { return a.Outcome == model.Allowed && a.Discloses == "" }

// denied tells whether the call was answered with a no.
func (a *answer) denied() bool { return a.Outcome == model.Denied }

// gave says what a successful call gave away, by the catalog's word, and how many of them. Names are kept only when
// they were asked for. Without any the call gave nothing.
func (a *answer) gave(count int, names ...string) *answer {
	kind := model.DisclosesNothing
	for _, c := range a.t.iface.entry.Calls {
		if c.Name == a.Call && c.Discloses != "" {
			kind = c.Discloses
		}
	}
	return a.gaveKind(kind, count, names...)
}

// gaveKind is gave with a word of its own, where the answer says less or other than the catalog expects.
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

// more says that there was more, and that it was left.
func (a *answer) more(yes bool) {
	if a.More = yes; yes {
		a.t.limit(model.Limit{
			Limit: model.LimitPages, Identity: a.t.id, Of: a.Call, Tried: a.Count,
			Why: fmt.Sprintf("%s had more to give than was read", a.Call),
		})
	}
}

// giveBack closes a handle where the end of the pipe does not. The Linux kernel's server keeps it, and refuses to open
// another on a later pipe of the same number. [M] ksmbd-6.12
func (t *talk) giveBack(closing func() error) {
	if t.lost != nil || t.system() != "ksmbd" {
		return
	}
	if err := closing(); lost(err) {
		t.lost = err
	}
}

// ends says that the calls which would have come behind this one could not be made, where it was refused.
func (a *answer) ends() { a.Ends = a.denied() }
