package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Replay is one observed use asked again under other settings.
type Replay struct {
	Use    model.Use     `json:"use"`
	Before model.Outcome `json:"before"` // by the model
	After  model.Outcome `json:"after"`
	Why    string        `json:"why"`
}

// replayed sorts uses by what becomes of them.
type replayed struct {
	Refused   []Replay // went through, and would not
	Possible  []Replay // went through, and may not
	Unjudged  []Replay // nobody knows who it was
	Unchanged int
}

// replay asks every use again. What was refused already loses nothing.
func replay(c *catalog.Catalog, before, after catalog.Config, uses []model.Use) replayed {
	var out replayed
	v, n := c.View(before), c.View(after)
	for _, u := range uses {
		if u.Outcome != model.Allowed {
			out.Unchanged++
			continue
		}
		r := Replay{Use: u}
		id, sure := asked(u.Identity)
		r.Before, r.After = answer(c, v, before, id, &u), answer(c, n, after, id, &u)
		switch {
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
	for _, l := range [][]Replay{out.Refused, out.Possible, out.Unjudged} {
		slices.SortFunc(l, func(a, b Replay) int {
			x, y := &a.Use, &b.Use
			return cmp.Or(cmp.Compare(x.Client, y.Client), cmp.Compare(x.Pipe, y.Pipe), cmp.Compare(x.Call, y.Call), cmp.Compare(x.Share, y.Share), cmp.Compare(x.Layer, y.Layer), cmp.Compare(x.Identity, y.Identity))
		})
	}
	return out
}

// asked is who the model is asked for. An encrypted session has a key and so a user; where the logon was not seen, the
// worst case is a stranger.
func asked(id model.Identity) (as model.Identity, sure bool) {
	switch id {
	case model.Anonymous, model.Guest, model.UnknownUser, model.User:
		return id, true
	case model.Machine, model.Opaque:
		return model.User, true
	}
	return model.Anonymous, false
}

// answer asks the model for one use: the session, the tree, the pipe, and the data behind the call where it is known.
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
	if p == model.Denied || p == model.Absent || u.Call == "" || id == model.User {
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

// disclosed is what a call gives away, where the catalog knows.
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
