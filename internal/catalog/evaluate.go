package catalog

import (
	"slices"

	"ipcguard/internal/model"
)

// cell is one answer of the model and its reasons.
type cell struct {
	outcome model.Outcome
	why     []string
}

func allowed(why ...string) cell { return cell{model.Allowed, why} }
func denied(why ...string) cell  { return cell{model.Denied, why} }
func absent(why ...string) cell  { return cell{model.Absent, why} }
func unknown(why ...string) cell { return cell{model.OutcomeUnknown, why} }

// quiet drops the reasons of an open gate, so that the answers behind it give their own.
func (c cell) quiet() cell {
	if c.outcome == model.Allowed {
		c.why = nil
	}
	return c
}

// shut reports whether nothing behind this gate matters.
func (c cell) shut() bool { return c.outcome == model.Denied || c.outcome == model.Absent }

// all combines several gates in a row: the first closed one decides, whatever comes after it; an unknown gate makes the
// result unknown unless another gate is closed. The reasons of all open gates are kept.
func all(gates ...cell) cell {
	for _, g := range gates {
		if g.shut() {
			return g
		}
	}
	want := model.Allowed
	for _, g := range gates {
		if g.outcome == model.OutcomeUnknown {
			want = model.OutcomeUnknown
		}
	}
	var why []string
	for _, g := range gates {
		switch {
		case g.outcome != want || len(g.why) == 0:
		case why == nil:
			why = g.why[:len(g.why):len(g.why)]
		default:
			why = append(why, g.why...)
		}
	}
	return cell{want, unique(why)}
}

// anyOf combines several ways to the same thing: one open way is enough.
func anyOf(ways ...cell) cell {
	for _, want := range []model.Outcome{model.Allowed, model.OutcomeUnknown, model.Denied, model.Absent} {
		var why []string
		found := false
		for _, w := range ways {
			if w.outcome == want {
				found = true
				why = append(why, w.why...)
			}
		}
		if found {
			return cell{want, unique(why)}
		}
	}
	return unknown("nothing in the catalog leads to it")
}

// agree returns the answer for a platform that may be one of several: they must agree.
func agree(cells ...cell) cell {
	for _, c := range cells[1:] {
		if c.outcome != cells[0].outcome {
			return unknown("it depends on the product or role, which is not known")
		}
	}
	return cells[0]
}

func unique(in []string) []string {
	if len(in) < 2 {
		return in
	}
	var out []string
	for _, s := range in {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// rules are the rules of one system. Each answer presupposes the ones before it; Evaluate combines the gates.
type rules interface {
	session(model.Identity) cell
	tree(model.Identity) cell
	pipe(model.Identity, *Pipe) cell
	// discloses answers for one kind of data, given the answers for the pipes.
	discloses(model.Identity, model.Disclosure, func(pipe string) cell) cell
	// on returns the same rules for the same host with other settings.
	on(*facts) rules
}

// Evaluate is the second step of the model: it returns what each identity may do because of the effective settings.
// user is an ordinary user with valid credentials, not an administrator. It is pure: the same input gives the same
// answer. It answers for the given identities, or for all of model.Identities.
func (c *Catalog) Evaluate(in Config, ids ...model.Identity) map[model.Identity]model.Access {
	if len(ids) == 0 {
		ids = model.Identities()
	}
	v := c.View(in)
	out := make(map[model.Identity]model.Access, len(ids))
	for _, id := range ids {
		out[id] = v.access(id)
	}
	return out
}

func (v *View) access(id model.Identity) model.Access {
	a := model.Access{
		Pipes: make(map[string]model.Outcome, len(v.c.Pipes)), Discloses: map[model.Disclosure]model.Outcome{},
		Why: map[string][]string{},
	}
	g := v.gate(id)
	a.Session, a.Why["session"] = g.session.outcome, g.session.why
	a.Tree, a.Why["tree"] = g.tree.outcome, g.tree.why
	for i := range v.c.Pipes {
		p := &v.c.Pipes[i]
		if p.Probe == "never" {
			continue
		}
		cl := v.at(id, g, p)
		a.Pipes[p.Name], a.Why["pipe:"+p.Name] = cl.outcome, cl.why
	}
	for _, d := range model.Disclosures() {
		cl := v.discloses(id, d)
		a.Discloses[d], a.Why["discloses:"+string(d)] = cl.outcome, cl.why
	}
	return a
}

// nobody has the rules of an unknown system: everything is unknown.
type nobody struct{}

func (nobody) on(*facts) rules                 { return nobody{} }
func (nobody) session(model.Identity) cell     { return unknown("the system is not known") }
func (nobody) tree(model.Identity) cell        { return unknown("the system is not known") }
func (nobody) pipe(model.Identity, *Pipe) cell { return unknown("the system is not known") }
func (nobody) discloses(model.Identity, model.Disclosure, func(string) cell) cell {
	return unknown("the system is not known")
}

// number returns a setting's effective number and whether it is known. A setting that does not apply counts as unknown.
func (f *facts) number(id string) (int, bool) {
	if r := f.get(id); r.known {
		return model.Whole(r.value)
	}
	return 0, false
}

// names returns a setting's effective list and whether it is known.
func (f *facts) names(id string) ([]string, bool) {
	if r := f.get(id); r.known {
		return list(r.value)
	}
	return nil, false
}

func (f *facts) text(id string) (string, bool) {
	if r := f.get(id); r.known {
		return model.Word(r.value)
	}
	return "", false
}

func (f *facts) flag(id string) (value, known bool) {
	if r := f.get(id); r.known {
		return model.Truth(r.value)
	}
	return false, false
}

// why describes a setting's value and its basis in one clause.
func (f *facts) why(id string) string {
	r := f.get(id)
	if r.said == "" {
		r.said = r.say()
	}
	return r.said
}

func (r *resolved) say() string {
	switch {
	case r.applies == no:
		return r.ID + " is not read by this product or role"
	case !r.known:
		return r.ID + " is unknown: " + r.why
	case r.basis == model.BasisDefault:
		return r.ID + " is " + model.Text(r.value) + " by default"
	}
	return r.ID + " is " + model.Text(r.value)
}

// is reports whether the platform is in a scope.
func (f *facts) is(s Scope) fit { return f.c.fitsOneOf(s, f.p, f.may) }
