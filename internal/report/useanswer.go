package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// strangerWords are the words for strangers, in report order.
var strangerWords = []struct {
	id   model.Identity
	text string
}{{model.Anonymous, "Null sessions"}, {model.Guest, "Guests"}, {model.UnknownUser, "Made-up users"}}

// gotten is what one kind of stranger was given and refused.
type gotten struct {
	refused int64
	given   map[model.Layer]*granted
}

// granted is what was given at one layer.
type granted struct {
	count            int64
	logons           bool // some rows are a gateway's, which contain only logons and refusals
	clients, servers map[string]bool
	names            map[string]int64            // of calls, or of pipes
	gives            map[string]model.Disclosure // what those calls disclose, if it is data
}

// add counts a use that was allowed. A bind says no more than its pipe.
func (g *gotten) add(u *model.Use) {
	layer, name := u.Layer, ""
	switch layer {
	case model.LayerCall:
		name = cmp.Or(Clean(u.Call), "calls that are not named")
	case model.LayerOpen, model.LayerBind:
		layer, name = model.LayerOpen, cmp.Or(Clean(u.Pipe), "a pipe that was not seen")
	}
	at := g.given[layer]
	if at == nil {
		at = &granted{
			clients: map[string]bool{}, servers: map[string]bool{}, names: map[string]int64{},
			gives: map[string]model.Disclosure{},
		}
		g.given[layer] = at
	}
	at.count += u.Count
	at.logons = at.logons || u.Source == model.SourceGateway
	at.clients[u.Client], at.servers[u.Server] = true, true
	at.names[name] += u.Count
	if d := dataOf(u); d.IsExposure() {
		at.gives[name] = d
	}
}

// dataOf returns what a call discloses when it succeeds, according to the catalog.
func dataOf(u *model.Use) model.Disclosure {
	c, _ := catalog.Load() // the built-in catalog never fails
	i := c.Interface(u.Interface)
	if i == nil || u.Call == "" {
		return ""
	}
	for _, k := range i.Calls {
		if k.Name == u.Call {
			return k.Discloses
		}
	}
	return ""
}

// calls says how many calls succeeded, those that disclose data first.
func (g *granted) calls() string {
	var kinds []string
	for _, d := range model.Disclosures() {
		for _, k := range g.gives {
			if k == d && !slices.Contains(kinds, d.Noun()) {
				kinds = append(kinds, d.Noun())
			}
		}
	}
	text := number(int(g.count), "call")
	if len(kinds) > 0 {
		text += ", among them those that give " + listed(kinds)
	}
	return text + ": " + g.mostOften()
}

// text returns the most that was given; empty for nothing.
func (g *gotten) text(who string) string {
	const none = "no call of theirs was seen to succeed"
	for _, layer := range []model.Layer{model.LayerCall, model.LayerOpen, model.LayerTree, model.LayerSession} {
		at := g.given[layer]
		if at == nil {
			continue
		}
		where := fmt.Sprintf("%s, %s", number(len(at.clients), "client"), number(len(at.servers), "server"))
		if g.refused > 0 && layer != model.LayerCall {
			where = fmt.Sprintf("refused %s; %s", number(int(g.refused), "time"), where)
		}
		switch layer {
		case model.LayerCall:
			return fmt.Sprintf("%s got an answer to %s; %s.", who, at.calls(), where)
		case model.LayerOpen:
			return fmt.Sprintf("%s opened pipes: %s; %s; %s.", who, at.mostOften(), none, where)
		case model.LayerTree:
			return fmt.Sprintf("%s connected to IPC$ %s and opened nothing; %s.", who, number(int(at.count), "time"),
				where)
		default:
			if at.logons {
				return fmt.Sprintf("%s logged on %s; a gateway's rows do not hold what they did then; %s.", who,
					number(int(at.count), "time"), where)
			}
			return fmt.Sprintf("%s logged on %s and went no further; %s.", who, number(int(at.count), "time"), where)
		}
	}
	return ""
}

// useAnswer says in one to three lines who got what without a password, the main question of an observation. It is for
// people: it names calls, and counts clients and servers.
func useAnswer(uses []model.Use) (out []string) {
	if len(uses) == 0 {
		return []string{"No use of IPC$ was seen."}
	}
	by := map[model.Identity]*gotten{}
	var unseen int64
	for i := range uses {
		u := &uses[i]
		if u.Identity == model.Unknown || u.Identity == model.Opaque {
			unseen += u.Count
		}
		if !u.Identity.IsStranger() {
			continue
		}
		g := by[u.Identity]
		if g == nil {
			g = &gotten{given: map[model.Layer]*granted{}}
			by[u.Identity] = g
		}
		switch u.Outcome {
		case model.Allowed:
			g.add(u)
		case model.Denied:
			g.refused += u.Count
		}
	}
	var refused []string
	for _, w := range strangerWords {
		g := by[w.id]
		if g == nil {
			continue
		}
		if text := g.text(w.text); text != "" {
			out = append(out, text)
		} else if g.refused > 0 {
			refused = append(refused, fmt.Sprintf("%s were refused %s", w.text, number(int(g.refused), "time")))
		}
	}
	switch {
	case len(out) > 0:
	case len(by) == 0:
		out = []string{"No null session and no guest was seen."}
	default:
		out = []string{"No null session and no guest was let in."}
	}
	if len(refused) > 0 && len(out) < maxAnswer {
		out = append(out, strings.Join(refused, "; ")+".")
	}
	if unseen > 0 && len(out) < maxAnswer {
		out = append(out,
			fmt.Sprintf("Of %s nobody can say whether it was one: the logon was not seen or could not be read, or "+
				"all is encrypted.", number(int(unseen), "use")))
	}
	return out[:min(len(out), maxAnswer)]
}

// maxAnswer is how many lines the answer has at most.
const maxAnswer = 3

// mostOften names the most frequent calls, those that disclose data first, and counts the rest.
func (g *granted) mostOften() string {
	const most = 4
	data := func(name string) int {
		if g.gives[name] != "" {
			return 0
		}
		return 1
	}
	all := slices.SortedFunc(maps.Keys(g.names), func(a, b string) int {
		return cmp.Or(data(a)-data(b), cmp.Compare(g.names[b], g.names[a]), strings.Compare(a, b))
	})
	text := strings.Join(all[:min(most, len(all))], ", ")
	if n := len(all) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}
