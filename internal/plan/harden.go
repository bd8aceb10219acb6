package plan

import (
	"fmt"
	"slices"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// The goals: how far a plan with Restrict goes.
const (
	Strangers = "strangers" // only what closes something
	Harden    = "harden"    // also what the catalog wants although something else closes it: a second lock
	Findings  = "findings"  // also everything else that an audit calls weak, even if it affects signed-in users
)

// Goals lists the goals, each going further than the one before; the first is the default.
func Goals() []string { return []string{Strangers, Harden, Findings} }

// harden chooses settings that an audit calls weak and that close nothing here, as far as the goal allows and unless
// the model knows of something declared or found on this host that would stop. Lists, shares and groups are left to the
// search, which knows what must stay on them.
func (w *work) harden(found []chosen) []chosen {
	var more []chosen
	for i := range w.e.Audit.Settings {
		a := &w.e.Audit.Settings[i]
		s := w.c.Setting(a.ID)
		if a.State != model.StateWeak || s == nil || !w.within(s) || s.PerShare() || w.avoids(s) || w.wished(s) ||
			planned(found, s) {
			continue
		}
		from, read := w.cfg.Settings[s.ID]
		if !read || !from.Present && s.Type == "policy" || isList(s) {
			continue
		}
		if why := w.idle(s); why != "" {
			w.reject(s.ID, why)
			continue
		}
		e := &edit{setting: s, where: w.where(s), from: from, order: len(w.c.Settings) + i}
		for _, data := range append(w.oneOf(s), w.values(s, from)...) {
			e.options = append(e.options, option{data: data})
		}
		e.options = w.enough(e)
		options := w.priced(e)
		if len(options) == 0 {
			continue
		}
		x := options[0] // the weakest sufficient value
		e.options = []option{x}
		ch := chosen{e, 0}
		if why, audits := w.mustListen(ch); why != "" {
			w.reject(s.ID, why)
			for _, a := range audits {
				if !planned(slices.Concat(found, more), a.edit.setting) {
					more = append(more, a)
				}
			}
			continue
		}
		switch {
		case w.shutsOut(ch) != "":
			w.reject(s.ID, w.shutsOut(ch))
		case x.cost[costNeeded] > 0:
			w.reject(s.ID, model.Text(x.data)+" would stop what was found here: "+w.dearest(e, x))
		case !w.keeping(slices.Concat(found, more, []chosen{ch})):
			w.reject(s.ID, model.Text(x.data)+" would take from strangers what they must keep: "+w.mustKeep())
		default:
			more = append(more, ch)
		}
	}
	return more
}

// within reports whether a setting is within the goal.
func (w *work) within(s *catalog.Setting) bool {
	return w.e.Policy.Goal == Findings || s.Reach == "anonymous" && s.Side != "client"
}

// isList reports whether a setting is a list that only the search may shorten.
func isList(s *catalog.Setting) bool { return s.Type == "REG_MULTI_SZ" || s.Type == "members" }

func planned(found []chosen, s *catalog.Setting) bool {
	return slices.ContainsFunc(found, func(ch chosen) bool { return ch.edit.setting == s })
}

// left adds what an audit calls weak and the plan leaves, so that audit and plan say the same.
func (w *work) left(p *model.Plan) {
	for i := range w.e.Audit.Settings {
		a := &w.e.Audit.Settings[i]
		s := w.c.Setting(a.ID)
		if a.State != model.StateWeak || s == nil || s.PerShare() ||
			slices.ContainsFunc(p.Changes, func(c model.Change) bool { return c.Setting == s.ID }) ||
			slices.ContainsFunc(w.rejected, func(r model.Rejected) bool { return r.Setting == s.ID }) {
			continue
		}
		switch _, read := w.cfg.Settings[s.ID]; {
		case !read:
			w.reject(s.ID, "it was not read, so there would be no way back")
		case w.avoids(s):
			w.reject(s.ID, "the policy says not to touch it")
		case w.e.Policy.Goal == Findings && !isList(s):
			w.reject(s.ID, "which value it should have is not for a plan to choose; --want "+s.ID+"=VALUE sets one")
		case s.Side == "client":
			w.reject(s.ID, "it is about this machine as a client, and gives strangers nothing; --goal "+Findings+
				" sets it all the same")
		case isList(s):
			w.reject(s.ID, "a shorter list would close nothing here")
		case s.Reach == "anonymous":
			value := "what is wanted"
			if list := w.values(s, w.cfg.Settings[s.ID]); len(list) > 0 {
				value = model.Text(list[0])
			}
			w.reject(s.ID, fmt.Sprintf("the value %s would close nothing here; --goal %s sets it all the same", value,
				Harden))
		default:
			w.reject(s.ID, "it is weak, and not about strangers: it reaches those who sign in, and what they would "+
				"lose is not known here; --goal "+Findings+" sets it all the same")
		}
	}
}
