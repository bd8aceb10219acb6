package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// strangerWords are how a report calls those who never proved who they are, in the order in which it tells of them.
var strangerWords = []struct {
	id   model.Identity
	text string
}{{model.Anonymous, "Null sessions"}, {model.Guest, "Guests"}, {model.UnknownUser, "Made-up users"}}

// gotten is what one kind of stranger was given and refused.
type gotten struct {
	calls, refused   int64
	clients, servers map[string]bool
	names            map[string]int64 // of the calls that were answered
}

// useAnswer says in one to three lines who got what without a password, which is what an observation is asked for. The lines
// are for people: they name calls, and count clients and servers.
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
			g = &gotten{clients: map[string]bool{}, servers: map[string]bool{}, names: map[string]int64{}}
			by[u.Identity] = g
		}
		switch {
		case u.Outcome == model.Allowed && u.Layer == model.LayerCall:
			g.calls += u.Count
			g.clients[u.Client], g.servers[u.Server] = true, true
			g.names[cmp.Or(Clean(u.Call), "calls that are not named")] += u.Count
		case u.Outcome == model.Denied:
			g.refused += u.Count
		}
	}
	var refused []string
	for _, w := range strangerWords {
		g := by[w.id]
		switch {
		case g == nil:
		case g.calls > 0:
			out = append(out, fmt.Sprintf("%s got an answer to %s: %s; %s, %s.", w.text, number(int(g.calls), "call"), mostOften(g.names),
				number(len(g.clients), "client"), number(len(g.servers), "server")))
		case g.refused > 0:
			refused = append(refused, fmt.Sprintf("%s were refused %s", w.text, number(int(g.refused), "time")))
		}
	}
	if len(out) == 0 {
		out = []string{"No null session and no guest got an answer to a call."}
	}
	if len(refused) > 0 && len(out) < maxAnswer {
		out = append(out, strings.Join(refused, "; ")+".")
	}
	if unseen > 0 && len(out) < maxAnswer {
		out = append(out, fmt.Sprintf("Of %s nobody can say whether it was one: the logon was not seen or could not be read, or all is encrypted.", number(int(unseen), "use")))
	}
	return out[:min(len(out), maxAnswer)]
}

// maxAnswer is how many lines the answer has at most.
const maxAnswer = 3

// mostOften names the calls that were made most, and counts the rest.
func mostOften(names map[string]int64) string {
	const most = 4
	all := slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(names[b], names[a]), strings.Compare(a, b))
	})
	text := strings.Join(all[:min(most, len(all))], ", ")
	if n := len(all) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}
