package scan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ipcguard/internal/catalog"
	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// firstPipe is where LsarGetUserName is asked.
const firstPipe = "lsarpc"

// The catalog's words for how far a probe may go.
const (
	probeCall     = "call"
	probeOpenOnly = "open-only"
	probeNever    = "never"
)

// pipe is a name to open and what to ask there.
type pipe struct {
	name       string
	interfaces []iface
	systems    []string // the kinds of server that have it; empty is every kind
	calls      bool     // some interface may be called, so an unknown outcome matters
	wanted     bool     // somebody named it: it is opened on every kind of server
}

type iface struct {
	entry  catalog.Interface
	syntax dcerpc.SyntaxID
	probe  probe // nil ends after the bind
}

// mgmt is the interface that every RPC server has: it lists the interfaces of a pipe.
const mgmt = "mgmt"

// pipesOf reads the catalog: every pipe except those that are never opened, each with its interfaces, and the
// management interface on all of them. Other named pipes follow, which are only opened.
func pipesOf(c *catalog.Catalog, others []string) ([]pipe, error) {
	interfaces := map[string]catalog.Interface{}
	for _, i := range c.Interfaces {
		interfaces[i.ID] = i
	}
	var out []pipe
	for _, p := range c.Pipes {
		if p.Probe == probeNever {
			continue
		}
		one := pipe{name: p.Name, systems: p.Systems}
		bound := p.Interfaces
		if p.Probe != probeOpenOnly && len(bound) > 0 && !strings.EqualFold(bound[len(bound)-1].ID, mgmt) {
			bound = append(append([]catalog.Bound{}, bound...), catalog.Bound{ID: mgmt, Probe: probeCall})
		}
		for _, b := range bound {
			entry, ok := interfaces[b.ID]
			if !ok || b.Probe == probeNever || entry.Probe == probeNever {
				continue
			}
			syntax, err := syntaxOf(entry)
			if err != nil {
				return nil, fmt.Errorf("catalog: interface %s: %w", entry.ID, err)
			}
			i := iface{entry: entry, syntax: syntax}
			if b.Probe == probeCall && entry.Probe == probeCall {
				i.probe = probes[entry.ID]
			}
			one.calls = one.calls || i.probe != nil && b.ID != mgmt
			one.interfaces = append(one.interfaces, i)
		}
		out = append(out, one)
	}
	if len(others) > maxOthers {
		return nil, fmt.Errorf("scan: %d pipes by name are more than the %d that are opened", len(others), maxOthers)
	}
	for _, name := range others {
		i := slices.IndexFunc(out, func(p pipe) bool { return strings.EqualFold(p.name, name) })
		switch {
		case i >= 0:
			out[i].wanted = true
		case c.Pipe(name) == nil:
			out = append(out, pipe{name: name})
		}
	}
	return out, nil
}

// maxOthers bounds the pipes that are opened because somebody named them: one round trip each. The longest list of a
// real server has a few dozen names.
const maxOthers = 1024

// elsewhere reports whether only other kinds of server have the pipe. Trying it costs Samba a process each time, for
// whose start the whole connection waits: 40 ms and more. Where nothing is asked on a pipe but whether it can be bound,
// it is enough that no server like this was seen to have it.
func (h *host) elsewhere(p *pipe, system string) bool {
	switch {
	case h.o.AllPipes || p.wanted || system != "samba" && system != "windows":
		return false
	case len(p.systems) > 0:
		return !slices.Contains(p.systems, system)
	case p.calls || system != "samba":
		return false
	}
	role := model.UnknownRole
	if h.ownDomain() != "" {
		role = model.Standalone
	}
	return h.catalog.Lacks(system, role, p.name)
}

func syntaxOf(i catalog.Interface) (dcerpc.SyntaxID, error) {
	var s dcerpc.SyntaxID
	var err error
	if s.UUID, err = dcerpc.ParseUUID(i.UUID); err != nil {
		return s, err
	}
	_, err = fmt.Sscanf(i.Version, "%d.%d", &s.Major, &s.Minor)
	return s, err
}

// job is one pipe's part of a ladder.
type job struct {
	*ladder
	pipe    pipe
	open    model.Step
	talks   []*talk
	quick   bool   // one call, then stop
	first   func() // called after the first call, or when there will be none
	wait    <-chan struct{}
	dropped atomic.Bool // the connection went with it
	late    atomic.Bool // no answer in time, or an answer to something else
	calm    bool        // one instance of the pipe, and one question at a time
}

func newJob(l *ladder, p pipe) *job {
	at := make(chan struct{})
	close(at)
	return &job{ladder: l, pipe: p, first: func() {}, wait: at, open: model.Step{Outcome: model.NotTested}}
}

// pause is the time between two pipes of a gentle scan.
const pause = 200 * time.Millisecond

// run opens the pipe, binds every interface in one request, and calls. A pipe carries one call at a time, so each
// interface with many calls gets an instance of the pipe for itself.
func (j *job) run(ctx context.Context) {
	if j.o.Gentle && sleep(ctx, pause) != nil {
		j.open = model.Step{Outcome: model.NotTested, Detail: "the time ran out before"}
		return
	}
	groups := j.groups()
	list := make([]*conversation, len(groups))
	j.parallel(len(groups), func(i int) { list[i] = j.begin(ctx, 0, groups[i]) })
	j.open = j.opened(list[0].pipe.closed)
	for i, c := range list {
		if c.pipe.closed == nil {
			continue
		}
		j.lose(c.pipe.closed)
		if i > 0 { // no second instance: both use the first
			list[0].more = append(list[0].more, c.talks...)
		}
	}
	if list[0].pipe.closed != nil {
		j.talks = nil
		return
	}
	j.parallel(len(list), func(i int) {
		if c := list[i]; c.pipe.closed == nil && j.converse(ctx, c) {
			j.leave(ctx, c.pipe)
		}
	})
}

// conversation is what is asked on one instance of a pipe.
type conversation struct {
	pipe    *renewing
	client  *dcerpc.Client
	talks   []*talk
	results []dcerpc.ContextResult // of the bind, one for each talk
	err     error                  // of the bind
	more    []*talk                // those without an instance of their own
}

// callsOfPipe is how far apart the numbers of the calls of two instances are: more than a probe makes on one.
const callsOfPipe = 1 << 16

// begin opens an instance of the pipe and binds talks on it, in an existing association group, or 0 for a new one.
func (j *job) begin(ctx context.Context, group uint32, talks []*talk) *conversation {
	c := &conversation{pipe: &renewing{host: j.host, tree: j.tree, name: j.pipe.name}, talks: talks}
	if len(talks) == 0 {
		_ = c.pipe.open(ctx) // the pipe records why not
		return c
	}
	c.client = dcerpc.NewClient(c.pipe)
	c.client.Join(group)
	c.client.Number(j.numbers.Add(callsOfPipe))
	syntaxes := make([]dcerpc.SyntaxID, len(talks))
	for i, t := range talks {
		t.client = c.client
		syntaxes[i] = t.iface.syntax
	}
	if c.results, c.err = c.client.Bind(ctx, syntaxes...); c.err == nil {
		group = c.client.Group()
	}
	for _, t := range talks {
		t.pipe, t.group = c.pipe, group
	}
	return c
}

// opened maps an open. The Linux kernel's server returns STATUS_INVALID_PARAMETER for every name without a pipe, and
// for no other. [M] ksmbd-6.12
func (j *job) opened(err error) model.Step {
	s := layerStep(model.LayerOpen, err)
	var nt status.NTStatus
	if errors.As(err, &nt) && nt == status.InvalidParameter && j.system() == "ksmbd" {
		s.Outcome, s.Detail = model.Absent, "this is how ksmbd says that it has no such pipe"
	}
	return s
}

// groups makes a talk for every interface and distributes them over instances of the pipe: the first gets one interface
// that is called, all that end at the bind, and the management interface.
func (j *job) groups() [][]*talk {
	groups := [][]*talk{nil}
	called := false
	for _, i := range j.pipe.interfaces {
		t := &talk{job: j, iface: i, bind: model.Step{Outcome: model.NotTested}}
		j.talks = append(j.talks, t)
		if i.probe != nil && i.entry.ID != mgmt {
			if called && j.sideBySide() {
				groups = append(groups, []*talk{t})
				continue
			}
			called = true
		}
		groups[0] = append(groups[0], t)
		if j.quick {
			break
		}
	}
	return groups
}

// sideBySide reports whether each called interface gets an instance of the pipe.
func (j *job) sideBySide() bool { return !j.single && !j.calm && (!j.small() || j.far()) }

// leave closes a pipe without waiting for the answer: a server has few places for clients of its pipes, and the next
// pipes need them.
func (j *job) leave(ctx context.Context, p smb.Pipe) {
	switch {
	case j.quick:
		return // the connection ends next
	case j.o.Gentle: // one pipe at a time, whatever it takes
		_ = p.Close(ctx)
		return
	}
	j.closing.Go(func() { _ = p.Close(ctx) }) // a pipe that does not close ends with the connection
}

// converse calls the interfaces that were accepted. If a server refuses the whole bind because of one of several
// interfaces, each is bound alone. It reports whether the pipe is still open.
func (j *job) converse(ctx context.Context, c *conversation) (open bool) {
	talks := append(c.talks, c.more...)
	if len(talks) == 0 {
		return true
	}
	if c.err != nil {
		j.lose(c.err)
		if len(talks) > 1 && !lost(c.err) {
			_ = c.pipe.Close(ctx) // first: some servers have one place for each pipe
			j.separately(ctx, talks)
			return false
		}
		for _, t := range talks {
			t.bind = bindError(c.err)
		}
		return true
	}
	<-j.wait
	answered := j.manage(ctx, talks)
	for i, t := range talks {
		if i == len(talks)-1 && answered() {
			break
		}
		if i >= len(c.results) {
			t.client = c.client
			t.alter(ctx)
		} else if t.bind = bindStep(c.results[i]); oneAtATime(c.results[i]) && len(talks) > 1 {
			t.alter(ctx)
		}
		t.ask(ctx)
		if t.confused {
			j.late.Store(true)
		}
		if t.lost != nil {
			j.lose(t.lost)
			if left := talks[i+1:]; answered() {
				j.unasked(left[:len(left)-1])
			} else {
				j.unasked(left)
			}
			break
		}
	}
	return true
}

// manage asks the last interface, if it is management, on an instance of its own in parallel with the others, if the
// network is slow. The returned function waits for that, and reports whether there was an answer.
func (j *job) manage(ctx context.Context, talks []*talk) (answered func() bool) {
	last := talks[len(talks)-1]
	if len(talks) == 1 || last.iface.entry.ID != mgmt || !j.spread() {
		return func() bool { return false }
	}
	done := make(chan *talk, 1)
	go func() {
		t := last.another(ctx)
		if t != nil {
			t.ask(ctx)
			t.leave(ctx, t.pipe)
		}
		done <- t
	}()
	return sync.OnceValue(func() bool {
		t := <-done
		if t == nil || !t.sound() {
			return false
		}
		last.bind, last.calls = t.bind, t.calls
		return true
	})
}

// ask asks an interface that was accepted.
func (t *talk) ask(ctx context.Context) {
	if t.bind.Outcome == model.Allowed && t.iface.probe != nil && t.lost == nil {
		t.iface.probe(ctx, t)
		t.dismiss(ctx)
	}
}

// oneAtATime reports whether a server may have refused an interface only because one bind offered several, as Samba
// does.
func oneAtATime(r dcerpc.ContextResult) bool {
	return !r.Accepted && r.Reason == dcerpc.ReasonTransferNotSupported
}

// alter offers the interface once more, alone.
func (t *talk) alter(ctx context.Context) {
	results, err := t.client.AlterContext(ctx, t.iface.syntax)
	if err != nil {
		if t.bind = bindError(err); lost(err) {
			t.lost = err
		}
		return
	}
	t.bind = bindStep(results[0])
}

func (j *job) separately(ctx context.Context, talks []*talk) {
	for _, t := range talks {
		c := j.begin(ctx, 0, []*talk{t})
		if err := c.pipe.closed; err != nil {
			j.lose(err)
			t.bind = model.Step{Outcome: model.Inconclusive, Detail: "the pipe could not be opened again: " +
				plain(err)}
			continue
		}
		j.converse(ctx, c)
		_ = c.pipe.Close(ctx)
	}
}

// unasked marks the questions that were not asked after the pipe was lost.
func (j *job) unasked(talks []*talk) {
	for _, t := range talks {
		t.bind = model.Step{Outcome: model.NotTested, Detail: "the pipe was lost before"}
	}
}

func (j *job) lose(err error) {
	switch {
	case dropped(err):
		j.dropped.Store(true)
	case lost(err) || !isAnswer(err):
		j.late.Store(true)
	}
}

// lost reports whether the pipe should be tried again: the connection was lost, or a call that could have disclosed
// something got no answer.
func (j *job) lost() bool { return j.dropped.Load() || j.pipe.calls && j.late.Load() }

// opens reports whether the pipe was opened.
func (j *job) opens() bool { return j.open.Outcome == model.Allowed }

// doubts counts the questions without an answer.
func (j *job) doubts() (n int) {
	r := j.result()
	count := func(o model.Outcome) {
		if o == model.Inconclusive || o == model.NotTested {
			n++
		}
	}
	count(r.Open.Outcome)
	for _, i := range r.Interfaces {
		count(i.Bind.Outcome)
		for _, c := range i.Calls {
			count(c.Outcome)
		}
	}
	return n
}

// remark adds a reason to every question without an answer.
func (j *job) remark(words string) {
	if j.open.Outcome == model.Inconclusive {
		j.open.Detail = words
	}
	for _, t := range j.talks {
		if t.bind.Outcome == model.Inconclusive {
			t.bind.Detail = words
		}
		for _, c := range t.calls {
			if c.Outcome == model.Inconclusive {
				c.Detail = words
			}
		}
	}
}

func (j *job) result() model.PipeResult {
	r := model.PipeResult{Pipe: j.pipe.name, Open: j.open}
	for _, t := range j.talks {
		r.Interfaces = append(r.Interfaces, t.result())
	}
	return r
}
