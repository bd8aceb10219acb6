package catalog

import (
	"slices"

	"ipcguard/internal/model"
)

// View answers single questions of the access model for one host lazily, so that a caller that compares many
// configurations pays only for what it asks. Its answers are those of Evaluate. It is not safe for concurrent use.
type View struct {
	c     *Catalog
	facts *facts
	rules rules
	gates []*gates // of the identities asked for
	line  bool     // the settings are lines of one share
}

// OfShare makes the view one of settings that are the lines of one share. It returns the view.
func (v *View) OfShare() *View {
	v.line = true
	return v
}

// gates holds what an identity passes before it reaches a pipe, and the pipes asked for.
type gates struct {
	of            model.Identity
	session, tree cell // with their reasons
	inside, open  cell // without the reasons of an open gate
	pipes         []pipeCell
}

// pipeCell is the cached answer for a pipe. A question about data needs a dozen of them.
type pipeCell struct {
	pipe *Pipe
	cell cell
}

// View creates a view of the model. The configuration must not be changed while the view is used.
func (c *Catalog) View(in Config) *View {
	f := c.facts(in)
	v := &View{c: c, facts: f}
	switch in.Platform.System {
	case "windows":
		v.rules = newWindows(f)
	case "samba":
		v.rules = &samba{f, f.is(Scope{Roles: []model.Role{model.DomainController}})}
	case "ksmbd":
		v.rules = &ksmbd{f}
	default:
		v.rules = nobody{}
	}
	return v
}

// With returns a view of the same host with some settings, its disk shares and their defaults changed; the rest is
// resolved in this view, once for both. The two views must not be used concurrently.
func (v *View) With(shares []model.Share, defaults *model.Share, over ...Override) *View {
	f := v.facts.with(shares, defaults, over)
	return &View{c: v.c, facts: f, rules: v.rules.on(f)}
}

// Without returns a view of the same host without some of its disk shares.
func (v *View) Without(not func(share string) bool) *View {
	shares := slices.DeleteFunc(slices.Clone(v.facts.cfg.Shares), func(s model.Share) bool { return not(s.Name) })
	return v.With(shares, v.facts.cfg.Defaults)
}

func (v *View) gate(id model.Identity) *gates {
	for _, g := range v.gates {
		if g.of == id {
			return g
		}
	}
	session := v.rules.session(id)
	tree := all(session, v.rules.tree(id))
	g := &gates{of: id, session: session, tree: tree, inside: session.quiet(), open: tree.quiet()}
	v.gates = append(v.gates, g)
	return g
}

func (v *View) at(id model.Identity, g *gates, p *Pipe) cell {
	for i := range g.pipes {
		if g.pipes[i].pipe == p {
			return g.pipes[i].cell
		}
	}
	cl := all(g.open, v.rules.pipe(id, p))
	g.pipes = append(g.pipes, pipeCell{p, cl})
	return cl
}

// Call answers for one call of an interface, both by name, if the call has a rule of its own; otherwise ok is false. It
// presupposes that the pipe is open to the identity.
func (v *View) Call(id model.Identity, iface, call string) (model.Outcome, bool) {
	s, ok := v.rules.(*samba)
	if !ok {
		return "", false
	}
	c, ok := s.call(id, iface, call)
	return c.outcome, ok
}

func (v *View) discloses(id model.Identity, d model.Disclosure) cell {
	g := v.gate(id)
	if g.inside.shut() {
		return g.inside
	}
	return all(g.inside, v.rules.discloses(id, d, func(name string) cell {
		if p := v.c.Pipe(name); p != nil && p.Probe != "never" {
			return v.at(id, g, p)
		}
		return unknown("the pipe is not in the catalog")
	}))
}

// JudgeShares sets for each share of the configuration the most that strangers get there; for Samba each share is
// judged separately.
func (v *View) JudgeShares() {
	s, ok := v.rules.(*samba)
	if !ok {
		return
	}
	for i := range v.facts.cfg.Shares {
		sh := &v.facts.cfg.Shares[i]
		sh.Strangers = ""
		for _, id := range model.Strangers() {
			if o := all(v.gate(id).inside, s.share(id, sh)).outcome; sh.Strangers == "" || o == model.Allowed ||
				o == model.OutcomeUnknown && sh.Strangers != model.Allowed {
				sh.Strangers = o
			}
		}
	}
}

// Share reports whether an identity can connect to a Samba disk share. ok is false for other systems, whose shares
// cannot be judged separately.
func (v *View) Share(id model.Identity, sh *model.Share) (o model.Outcome, ok bool) {
	s, ok := v.rules.(*samba)
	if !ok {
		return "", false
	}
	return all(v.gate(id).inside, s.share(id, sh)).outcome, true
}

// EncryptsNothing reports whether a Samba server is known to offer no encryption, whatever its shares ask for.
func (v *View) EncryptsNothing() bool {
	s, ok := v.rules.(*samba)
	return ok && s.encryptsNothing()
}

// Session reports whether an identity can log on.
func (v *View) Session(id model.Identity) model.Outcome { return v.gate(id).session.outcome }

// Tree reports whether an identity can connect to IPC$.
func (v *View) Tree(id model.Identity) model.Outcome { return v.gate(id).tree.outcome }

// Discloses reports whether an identity is given one kind of data.
func (v *View) Discloses(id model.Identity, d model.Disclosure) model.Outcome {
	return v.discloses(id, d).outcome
}

// Pipe reports whether an identity can open a pipe. A name that the catalog does not have is unknown if IPC$ is open.
func (v *View) Pipe(id model.Identity, name string) model.Outcome {
	g := v.gate(id)
	p := v.c.Pipe(name)
	if p == nil || p.Probe == "never" {
		return all(g.open, unknown()).outcome
	}
	return v.at(id, g, p).outcome
}

// Why returns the reasons of the answer for one kind of data.
func (v *View) Why(id model.Identity, d model.Disclosure) []string { return v.discloses(id, d).why }

// WhySession returns the reasons of the answer for the session.
func (v *View) WhySession(id model.Identity) []string { return v.gate(id).session.why }
