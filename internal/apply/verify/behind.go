package verify

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Policy is the policy of a gateway.
type Policy struct {
	// Stranger returns what the gateway does with one use of a stranger: allowed is left open on purpose, denied is to
	// be closed, and inconclusive is unknown.
	Stranger func(u *model.Use) (model.Outcome, string)
	Users    bool // it also denies something to users, which is not tested
}

// behind checks every answer that strangers got against the policy of the gateway. A check is one request over one
// dialect as one stranger, so that a check that passes includes nothing that was not requested.
func (v *Verification) behind(p *Proof, c *catalog.Catalog) {
	for _, s := range p.Scans {
		for _, id := range model.Strangers() {
			w := &behindWalk{scan: s, r: s.Of(id), policy: v.Policy.Stranger, catalog: c}
			w.ladder()
			p.Checks = append(p.Checks, w.checks...)
			if len(w.open) > 0 {
				p.Checks = append(p.Checks, Check{
					Check: "policy: " + w.name() + ": left open", Result: Open, Note: true,
					Detail: "the policy leaves it open on purpose, and it was answered: " + strings.Join(w.open, ", "),
				})
			}
		}
	}
	if gap := (&doors{catalog: c, scans: p.Scans}).gap(); gap != "" {
		p.Checks = append(p.Checks, Check{Check: "policy: every dialect", Result: Unchecked, Detail: gap})
	}
	if v.Policy.Users {
		p.Checks = append(p.Checks, Check{
			Check: "policy: users", Result: Unchecked,
			Detail: "what the policy denies to users was not tried",
		})
	}
	p.Checks = append(p.Checks, Check{
		Check: "policy: the rest", Result: Unchecked, Note: true,
		Detail: "pipes, calls and shares that were not asked for, those that write among them, and other clients",
	})
}

// behindWalk checks the layers for one stranger.
type behindWalk struct {
	scan    *model.Scan
	r       *model.IdentityResult
	policy  func(u *model.Use) (model.Outcome, string)
	catalog *catalog.Catalog
	checks  []Check
	open    []string // what the policy leaves open and was answered
}

// who returns the stranger as a gateway sees it: by the flags of the server's response. No gateway can distinguish a
// made-up user who is let in without a flag from a user; the policy for strangers applies anyway.
func (w *behindWalk) who() model.Identity {
	switch {
	case w.r.NullFlag:
		return model.Anonymous
	case w.r.GuestFlag:
		return model.Guest
	}
	return w.r.Identity
}

// name returns the stranger and the dialect. If the logon was refused before the dialect was known, it is the best
// dialect that is offered, not one that others negotiated.
func (w *behindWalk) name() string {
	d := w.r.Dialect
	if n := len(w.scan.Server.Dialects); d == "" && n > 0 {
		d = w.scan.Server.Dialects[n-1]
	}
	return strings.TrimPrefix(fmt.Sprintf("over SMB %s %s", d, w.r.Identity), "over SMB  ")
}

// asks checks one request. It reports whether there is more to request after it.
func (w *behindWalk) asks(what string, u model.Use, s model.Step) bool {
	if end := w.judge(what, u, s); end.result != "" {
		w.check(what, end)
	} else if s.Outcome == model.Allowed {
		w.open = append(w.open, what)
	}
	return s.Outcome == model.Allowed
}

// passes checks a request on which others depend. If the policy leaves it open and it did not succeed, what the policy
// closes behind it was not requested, and this is reported; it counts if no request was refused.
func (w *behindWalk) passes(what string, u model.Use, s model.Step) bool {
	n := len(w.checks)
	if w.asks(what, u, s) {
		return true
	}
	if len(w.checks) == n {
		refused := s.Outcome == model.Denied || s.Outcome == model.Absent
		w.check(what, verdict{
			Unchecked,
			strings.TrimSpace("the policy leaves it open, and what lies behind it could not be asked: " +
				string(s.Outcome) + " " + s.Status), nil,
		})
		w.checks[n].Note = refused
	}
	return false
}

func (w *behindWalk) check(what string, end verdict) {
	w.checks = append(w.checks, Check{
		Check: "policy: " + w.name() + ": " + what, Result: end.result,
		Detail: end.detail, Looks: end.looks,
	})
}

// judge checks one answer against the policy; no result if the policy leaves it open.
func (w *behindWalk) judge(what string, u model.Use, s model.Step) verdict {
	u.Identity, u.Dialect, u.Server = w.who(), w.r.Dialect, w.scan.Address
	may, why := w.policy(&u)
	look := []model.Look{catalog.LookOf(w.scan, w.r, what, s)}
	said := strings.TrimSpace(s.Status + " " + s.Detail)
	switch {
	case may == model.Allowed:
		return verdict{}
	case may != model.Denied:
		return verdict{Unchecked, why, nil}
	case s.Outcome == model.Denied:
		return verdict{Passed, said, look}
	case s.Outcome == model.Allowed:
		return verdict{Failed, "it is given, and the policy closes it: " + why, look}
	case s.Outcome == model.Absent:
		return verdict{Unchecked, "the answer is that there is no such thing, and no refusal: " + said, look}
	case s.Outcome == model.Inconclusive:
		return verdict{Inconclusive, "no answer that counts: " + said, look}
	}
	return verdict{Unchecked, strings.TrimSpace("it was not asked " + s.Detail), nil}
}

// shares are one check, because their names are not shown by default.
func (w *behindWalk) shares() {
	const what = "connect to disk shares"
	var closed []verdict
	for i := range w.r.Shares {
		s := &w.r.Shares[i]
		if end := w.judge(what, model.Use{Layer: model.LayerTree, Share: "disk"}, s.Tree); end.result != "" {
			closed = append(closed, end)
		} else if s.Tree.Outcome == model.Allowed && !slices.Contains(w.open, what) {
			w.open = append(w.open, what)
		}
	}
	if w.r.SharesLeft > 0 {
		if end := w.judge(what, model.Use{Layer: model.LayerTree, Share: "disk"},
			model.Step{Outcome: model.NotTested}); end.result != "" {
			closed = append(closed, end)
		}
	}
	if len(closed) > 0 {
		w.check(what, all(closed, "each that was asked for was refused"))
	}
}

// ladder checks the layers from the logon down, as far as there are answers.
func (w *behindWalk) ladder() {
	if w.r.Session.Outcome == "" { // nothing was requested as this stranger
		w.check("log on", verdict{Unchecked, fmt.Sprintf("%s was not tried", w.r.Identity), nil})
		return
	}
	if !w.passes("log on", model.Use{Layer: model.LayerSession}, w.r.Session) {
		return
	}
	w.shares()
	if !w.passes("connect to IPC$", model.Use{Layer: model.LayerTree, Share: "IPC$"}, w.r.Tree) {
		return
	}
	asked := map[string]bool{}
	for i := range w.r.Pipes {
		asked[catalog.PipeName(w.r.Pipes[i].Pipe)] = true
		w.pipe(&w.r.Pipes[i])
	}
	for i := range w.catalog.Pipes {
		if p := &w.catalog.Pipes[i]; p.Probe != "never" && p.Probe != "open-only" && !asked[catalog.PipeName(p.Name)] {
			w.passes("open "+p.Name, onPipe(model.LayerOpen, p.Name), model.Step{Outcome: model.NotTested})
		}
	}
}

func onPipe(l model.Layer, pipe string) model.Use {
	return model.Use{Layer: l, Share: "IPC$", Pipe: pipe, Opnum: -1}
}

func (w *behindWalk) pipe(p *model.PipeResult) {
	if !w.passes("open "+p.Pipe, onPipe(model.LayerOpen, p.Pipe), p.Open) {
		return
	}
	for i := range p.Interfaces {
		f := &p.Interfaces[i]
		u := onPipe(model.LayerBind, p.Pipe)
		u.Interface, u.UUID = f.Interface, f.UUID
		if !w.passes(p.Pipe+": bind "+f.Interface, u, f.Bind) {
			continue
		}
		u.Layer = model.LayerCall
		for j := range f.Calls {
			call := &f.Calls[j]
			u.Call, u.Opnum = call.Call, int(call.Opnum)
			what := p.Pipe + ": " + call.Call
			if call.Discloses.IsExposure() {
				what += " (" + string(call.Discloses) + ")"
			}
			w.asks(what, u, model.Step{Outcome: call.Outcome, Status: call.Status, Detail: call.Detail})
		}
	}
}
