package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/model"
)

// Seen is what a scan shows about one kind of data for one identity. Every package that compares a scan with something
// else uses it, so that all agree.
//
// Outcome is Allowed if the data was given, Denied if every way to it was tried and the server refused, Absent if every
// way was tried and does not exist, Inconclusive if a way gave no answer, and NotTested if a way was not tried, or
// returned nothing: an empty list neither discloses nor refuses anything.
type Seen struct {
	Outcome model.Outcome
	By      string // the call or layer that decided, with its status
	Empty   bool   // NotTested because of an empty answer
	Looks   []model.Look
}

// Seen judges one kind of data. Quick scans, limits and lost answers leave it open.
func (c *Catalog) Seen(s *model.Scan, r *model.IdentityResult, d model.Disclosure) Seen {
	w := &seeing{catalog: c, scan: s, result: r, kind: d}
	switch {
	case r.Session.Outcome == model.Denied:
		w.look("log on", r.Session)
		return w.end(model.Denied, "logon "+r.Session.Status)
	case r.ClosedBy != "":
		w.look("connect to IPC$", model.Step{Outcome: model.Denied, Detail: r.ClosedBy})
		return w.end(model.Denied, r.ClosedBy)
	case r.Session.Outcome != model.Allowed:
		w.look("log on", r.Session)
		return w.end(answered(r.Session.Outcome), "logon "+said(r.Session))
	case d == model.DisclosesFiles:
		return w.files()
	case r.Tree.Outcome != model.Allowed:
		w.look("connect to IPC$", r.Tree)
		return w.end(answered(r.Tree.Outcome), "IPC$ "+said(r.Tree))
	}
	return w.pipes()
}

// answered returns an outcome; an empty one means that no request was sent.
func answered(o model.Outcome) model.Outcome {
	if o == "" {
		return model.NotTested
	}
	return o
}

func said(s model.Step) string { return strings.TrimSpace(s.Status + " " + s.Detail) }

// seeing is the state while one kind of data is judged.
type seeing struct {
	catalog *Catalog
	scan    *model.Scan
	result  *model.IdentityResult
	kind    model.Disclosure
	looks   []model.Look

	refused, missing, silent, untried string // the first way of each kind
	empty                             bool
}

func (w *seeing) end(o model.Outcome, by string) Seen {
	return Seen{Outcome: o, By: strings.TrimSpace(by), Looks: w.looks}
}

func (w *seeing) look(asked string, s model.Step) {
	w.looks = append(w.looks, LookOf(w.scan, w.result, asked, s))
}

// LookOf returns one request of a scan and its answer as a Look.
func LookOf(s *model.Scan, r *model.IdentityResult, asked string, step model.Step) model.Look {
	l := model.Look{
		Asked: asked, Of: s.Address, As: r.Identity, Times: 1, First: s.Started,
		Last: s.Started.Add(time.Duration(s.DurationMS) * time.Millisecond), Answer: said(step),
	}
	if l.Answer == "" {
		l.Answer = string(step.Outcome)
	}
	l.Authenticated = r.Identity == model.User && (r.Signed || r.Encrypted) && step.Outcome != model.Inconclusive
	return l
}

// way records one way to the data that did not give it.
func (w *seeing) way(asked string, s model.Step) {
	w.look(asked, s)
	put := func(to *string) {
		if *to == "" {
			*to = strings.TrimSpace(asked + " " + said(s))
		}
	}
	switch s.Outcome {
	case model.Denied:
		put(&w.refused)
	case model.Absent:
		put(&w.missing)
	case model.Inconclusive:
		put(&w.silent)
	default:
		put(&w.untried)
	}
}

// sum combines all ways, none of which gave the data.
func (w *seeing) sum() Seen {
	switch {
	case w.silent != "":
		return w.end(model.Inconclusive, w.silent)
	case w.untried != "":
		out := w.end(model.NotTested, w.untried)
		out.Empty = w.empty
		return out
	case w.refused != "":
		return w.end(model.Denied, w.refused)
	case w.missing != "":
		return w.end(model.Absent, w.missing)
	}
	return w.end(model.NotTested, "nothing was asked that gives it")
}

// files judges the disk shares: refused if every share that was listed or named was requested and refused.
func (w *seeing) files() Seen {
	for _, s := range w.result.Shares {
		if s.Open.Outcome == model.Allowed {
			w.looks = nil
			w.look("open the root folder of a disk share", s.Open)
			return w.end(model.Allowed, "a share opens")
		}
		if s.Tree.Outcome == model.Allowed && (s.Type == "printer" || s.Type == "pipe") {
			continue
		}
		if s.Tree.Outcome != model.Allowed {
			w.way("connect to a disk share", s.Tree)
			continue
		}
		w.way("open the root folder of a disk share", s.Open)
	}
	if n := w.result.SharesLeft; n > 0 {
		w.way("disk shares", model.Step{Outcome: model.NotTested, Detail: fmt.Sprintf("%d more were not tried", n)})
	}
	return w.sum()
}

// pipes judges the calls that give the data, behind every pipe of the catalog that leads to one.
func (w *seeing) pipes() Seen {
	for i := range w.catalog.Pipes {
		p := &w.catalog.Pipes[i]
		if p.Probe == "never" || !w.onSystem(p) || !slices.ContainsFunc(p.Interfaces, w.leads) {
			continue
		}
		at := slices.IndexFunc(w.result.Pipes, func(x model.PipeResult) bool { return samePipe(x.Pipe, p.Name) })
		if at < 0 {
			w.way("open "+p.Name, model.Step{Outcome: model.NotTested})
			continue
		}
		if given := w.pipe(p, &w.result.Pipes[at]); given != "" {
			return w.end(model.Allowed, given)
		}
	}
	return w.sum()
}

// onSystem reports whether this kind of server has the pipe, as far as its kind is known.
func (w *seeing) onSystem(p *Pipe) bool {
	s := w.scan.Server.System
	return len(p.Systems) == 0 || s != "samba" && s != "windows" || slices.Contains(p.Systems, s)
}

// leads reports whether the probes request the data from an interface.
func (w *seeing) leads(b Bound) bool {
	i := w.catalog.Interface(b.ID)
	return i != nil && b.Probe == "call" && i.Probe == "call" && slices.ContainsFunc(i.Calls, func(k Call) bool {
		return k.Discloses == w.kind && k.Avoid == ""
	})
}

// pipe judges one pipe; it returns the call that gave the data.
func (w *seeing) pipe(p *Pipe, r *model.PipeResult) (given string) {
	if r.Open.Outcome != model.Allowed {
		w.way("open "+p.Name, r.Open)
		return ""
	}
	untried := model.Step{Outcome: model.NotTested}
	if lost := lostOn(r); lost != "" {
		untried = model.Step{Outcome: model.Inconclusive, Detail: "not asked, because " + lost + " got no answer"}
	}
	for _, b := range p.Interfaces {
		if !w.leads(b) {
			continue
		}
		at := slices.IndexFunc(r.Interfaces, func(x model.InterfaceResult) bool {
			return strings.EqualFold(x.Interface, b.ID)
		})
		if at < 0 {
			w.way("bind "+b.ID, model.Step{Outcome: model.NotTested})
			continue
		}
		i := r.Interfaces[at]
		if i.Bind.Outcome != model.Allowed {
			if i.Bind.Outcome == model.NotTested {
				i.Bind = untried
			}
			w.way("bind "+b.ID, i.Bind)
			continue
		}
		if given = w.calls(b.ID, i, untried); given != "" {
			return given
		}
	}
	return ""
}

// lostOn returns what got no answer on a pipe, so that what was to follow was not asked.
func lostOn(r *model.PipeResult) string {
	for _, i := range r.Interfaces {
		if i.Bind.Outcome == model.Inconclusive && i.Bind.Status == "" {
			return "bind " + i.Interface
		}
		for _, k := range i.Calls {
			if k.Outcome == model.Inconclusive && k.Status == "" {
				return k.Call
			}
		}
	}
	return ""
}

// calls judges the calls of one interface. A refused call that ends the sequence stands for the calls that could not be
// made after it; any other missing call is an untried way.
func (w *seeing) calls(name string, i model.InterfaceResult, untried model.Step) (given string) {
	for _, k := range i.Calls {
		step := model.Step{Outcome: k.Outcome, Status: k.Status, Detail: k.Detail}
		if k.Discloses == w.kind && k.Outcome == model.Allowed && k.Count > 0 {
			w.looks = nil
			w.look(k.Call, step)
			return k.Call
		}
		if w.kindOf(name, k.Call) != w.kind {
			continue
		}
		if k.Outcome == model.Allowed {
			step.Outcome, step.Detail, w.empty = model.NotTested, "answered with nothing in it", true
		}
		w.way(k.Call, step)
	}
	gate := slices.IndexFunc(i.Calls, func(k model.CallResult) bool { return k.Ends })
	behind := false
	for _, k := range w.waysOf(name) {
		switch {
		case slices.ContainsFunc(i.Calls, func(c model.CallResult) bool { return c.Call == k.Name }):
		case gate >= 0 && !k.Free:
			behind = true
		default:
			w.way(k.Name, untried)
		}
	}
	if behind {
		k := i.Calls[gate]
		w.way(k.Call, model.Step{Outcome: k.Outcome, Status: k.Status, Detail: k.Detail})
	}
	return ""
}

// waysOf returns the calls of an interface that the probes make for the data.
func (w *seeing) waysOf(name string) (out []Call) {
	i := w.catalog.Interface(name)
	if i == nil {
		return nil
	}
	for _, k := range i.Calls {
		if k.Discloses == w.kind && k.Avoid == "" && !k.Spare {
			out = append(out, k)
		}
	}
	return out
}

// kindOf returns what a call discloses when it succeeds.
func (w *seeing) kindOf(name, call string) model.Disclosure {
	if i := w.catalog.Interface(name); i != nil {
		for _, k := range i.Calls {
			if k.Name == call {
				return k.Discloses
			}
		}
	}
	return model.DisclosesNothing
}
