package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Replay is one observed use, evaluated again under other settings.
type Replay struct {
	Use    model.Use     `json:"use"`
	Before model.Outcome `json:"before"` // by the model
	After  model.Outcome `json:"after"`
	Why    string        `json:"why"`
	Way    bool          `json:"way,omitempty"` // what ends is the way in which the client signed in
	Looks  []model.Look  `json:"looks"`
}

// replayed sorts uses by what happens to them.
type replayed struct {
	Refused   []Replay // was allowed, or tried with an unknown result, and would not be
	Possible  []Replay // likewise, and may not be
	Unjudged  []Replay // the caller is unknown
	NotKnown  []Replay // by signed-in users; what the settings do to them is unknown
	Unchanged int
}

// replay evaluates every use again. A use that was refused before loses nothing. One whose result a log does not tell
// is evaluated as if it had been let in, and says so. unmodelled are changed settings that affect signed-in users in a
// way that the model does not know.
func replay(c *catalog.Catalog, before, after catalog.Config, uses []model.Use, unmodelled []string) replayed {
	var out replayed
	v, n := c.View(before), c.View(after)
	changed := n.Changed(v)
	for _, u := range uses {
		considered := u.Considered()
		if u.Outcome != model.Allowed && !considered && !u.Untold() {
			out.Unchanged++
			continue
		}
		r := Replay{Use: u, Looks: []model.Look{lookOf(&u)}}
		id, sure := asked(u.Identity)
		if r.Before, r.After = model.Allowed, model.Allowed; u.ToldBy == "" { // otherwise another host answers
			r.Before, r.After = answer(c, v, before, id, &u), answer(c, n, after, id, &u)
		}
		signIn(v, n, changed, &r)
		switch {
		case r.Way && considered:
			r.After, r.Why = model.OutcomeUnknown,
				r.Why+"; the log says that it was considered, and not that it came to it"
			out.Possible = append(out.Possible, r)
		case u.ToldBy != "" && !r.Way:
			out.Unchanged++
		case r.Way && levelOf(r.After) == shut:
			out.Refused = append(out.Refused, r)
		case r.Way:
			out.Possible = append(out.Possible, r)
		case levelOf(r.After) >= levelOf(r.Before) && id == model.User && behind(c, v, n, &u) != "":
			r.Why = behind(c, v, n, &u)
			out.Possible = append(out.Possible, r)
		case levelOf(r.After) >= levelOf(r.Before) && len(unmodelled) > 0:
			r.Why = "what " + strings.Join(unmodelled, ", ") + " does to those who sign in is not known"
			out.NotKnown = append(out.NotKnown, r)
		case levelOf(r.After) >= levelOf(r.Before):
			out.Unchanged++
		case levelOf(r.After) == ajar:
			r.Why = "whether it still goes through is not known"
			out.Possible = append(out.Possible, r)
		case sure:
			r.Why = fmt.Sprintf("%s is refused it afterwards", u.Identity)
			out.Refused = append(out.Refused, r)
		default:
			r.Why = "the logon was not seen; if it was a stranger it is refused"
			out.Unjudged = append(out.Unjudged, r)
		}
	}
	for _, l := range [][]Replay{out.Refused, out.Possible, out.Unjudged, out.NotKnown} {
		for i := range l {
			if r := &l[i]; r.Use.Untold() && !r.Use.Considered() {
				r.Before = model.OutcomeUnknown
				r.Why += "; " + untold
			}
		}
		slices.SortFunc(l, func(a, b Replay) int {
			x, y := &a.Use, &b.Use
			return cmp.Or(cmp.Compare(x.Client, y.Client), cmp.Compare(x.Pipe, y.Pipe), cmp.Compare(x.Call, y.Call),
				cmp.Compare(x.Share, y.Share), cmp.Compare(x.Layer, y.Layer), cmp.Compare(x.Identity, y.Identity))
		})
	}
	return out
}

// untold is what a log leaves open about a logon that it has.
const untold = "whether it was let in before is not known"

// signIn sets the answer if a changed setting ends the way in which the client signed in, and says why. The client did
// come in, so unknown effects of the present settings did not stop it, and no answer of the model that is the same
// before and after. An answer that the model lowers further stays.
func signIn(before, after *catalog.View, changed []string, r *Replay) {
	was, _ := before.SignIn(&r.Use, changed)
	is, why := after.SignIn(&r.Use, changed)
	if was == model.Denied || is == model.Allowed ||
		levelOf(r.After) < levelOf(r.Before) && levelOf(r.After) < levelOf(is) {
		return
	}
	r.Way, r.After, r.Why = true, is, strings.Join(why, "; ")
}

// lookOf returns the look that a use is.
func lookOf(u *model.Use) model.Look {
	asked := string(u.Layer)
	switch {
	case u.Call != "":
		asked = u.Call + " through " + u.Pipe
	case u.Pipe != "":
		asked = "open " + u.Pipe
	case u.Share != "":
		asked = "connect to " + u.Share
	}
	answer := u.Status
	if answer == "" {
		answer = string(u.Outcome)
	}
	return model.Look{
		Asked: asked, Of: u.Server, As: u.Identity, Times: u.Count, First: u.First, Last: u.Last, Answer: answer,
	}
}

// behind says what a signed-in user who opens a pipe is no longer given through it, if the calls were not seen.
func behind(c *catalog.Catalog, before, after *catalog.View, u *model.Use) string {
	p := c.Pipe(u.Pipe)
	if u.Pipe == "" || u.Call != "" || p == nil {
		return ""
	}
	var lost []model.Disclosure
	for _, b := range p.Interfaces {
		i := c.Interface(b.ID)
		if i == nil {
			continue
		}
		for _, k := range i.Calls {
			if d := k.Discloses; d.IsExposure() && !slices.Contains(lost, d) &&
				levelOf(after.Discloses(model.User, d)) < levelOf(before.Discloses(model.User, d)) {
				lost = append(lost, d)
			}
		}
	}
	if lost == nil {
		return ""
	}
	return fmt.Sprintf("the pipe still opens, and %s behind it may be refused to signed-in users; which calls they "+
		"make was not seen", model.Nouns(lost))
}

// unmodelled lists changed settings that affect everybody and about whose effect on signed-in users the model says
// nothing: its answer for them stays the same.
func (w *work) unmodelled(after catalog.Config, changed []*catalog.Setting) []string {
	var out []string
	for _, s := range changed {
		if s.Reach == "anonymous" || s.Side == "client" || len(s.Ends) > 0 || w.excepts(s) || s.PerAccount() {
			continue
		}
		if _, possible := w.c.Fit(s.Applies, w.platform); !possible {
			continue
		}
		now, known := w.effective(s.ID)
		if to, ok := s.Value(after.Settings[s.ID]); ok && known && s.Same(now, to) {
			continue // it already has that effect
		}
		one := w.cfg
		one.Settings = maps.Clone(w.cfg.Settings)
		one.Settings[s.ID] = after.Settings[s.ID]
		if sameFor(w.c.Evaluate(w.cfg, model.User)[model.User], w.c.Evaluate(one, model.User)[model.User]) {
			out = append(out, s.ID)
		}
	}
	return out
}

// sameFor reports whether two answers of the model are the same, apart from their reasons.
func sameFor(a, b model.Access) bool {
	return a.Session == b.Session && a.Tree == b.Tree && maps.Equal(a.Pipes, b.Pipes) &&
		maps.Equal(a.Discloses, b.Discloses)
}

// asked returns the identity to ask the model for. An encrypted session has a key and so a user. If the logon was not
// seen, the worst case is a stranger.
func asked(id model.Identity) (as model.Identity, sure bool) {
	switch {
	case slices.Contains(model.Identities(), id):
		return id, true
	case id == model.Machine || id == model.Opaque:
		return model.User, true
	}
	return model.Anonymous, false
}

// answer asks the model about one use: the session, the tree, the pipe, and the data behind the call if it is known.
func answer(c *catalog.Catalog, v *catalog.View, cfg catalog.Config, id model.Identity, u *model.Use) model.Outcome {
	switch {
	case u.Share != "" && !strings.EqualFold(u.Share, "IPC$"):
		if s := v.Session(id); levelOf(s) < open || id == model.User {
			return s
		}
		for _, s := range cfg.Shares {
			if strings.EqualFold(s.Name, u.Share) && !s.OpenToGuests() {
				return model.Denied
			}
		}
		return v.Discloses(id, model.DisclosesFiles)
	case u.Layer == model.LayerSession:
		return v.Session(id)
	case u.Pipe == "":
		return v.Tree(id)
	}
	p := v.Pipe(id, u.Pipe)
	if p == model.Denied || p == model.Absent || u.Call == "" {
		return p
	}
	if o, ok := v.Call(id, u.Interface, u.Call); ok && levelOf(o) < levelOf(p) {
		return o
	}
	if d := disclosed(c, u); d.IsExposure() {
		if o := v.Discloses(id, d); levelOf(o) < levelOf(p) {
			return o
		}
	}
	return p
}

// disclosed returns what a call gives away, if the catalog knows.
func disclosed(c *catalog.Catalog, u *model.Use) model.Disclosure {
	for _, name := range []string{u.UUID, u.Interface} {
		if i := c.Interface(name); i != nil {
			for _, k := range i.Calls {
				if k.Opnum == u.Opnum {
					return k.Discloses
				}
			}
		}
	}
	return model.DisclosesNothing
}
