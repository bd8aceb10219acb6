package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// Bounds of the picture: what fits on a screen or two and is still readable. The table has the rest.
const (
	maxGraphs  = 6
	maxClients = 24
	maxPipes   = 24

	maxLinkRows = 500 // of the table
)

// Dimensions of the picture, in view box units.
const (
	graphWidth = 960
	graphRow   = 34  // from one node to the next
	graphTop   = 34  // room for the headings
	graphLeft  = 300 // where links begin
	graphRight = 700 // and where they end
	labelRunes = 32  // of a pipe's name; the rest is in its title
	hostRunes  = 40  // of a client's: an IPv6 address is 39
)

// useGraph is one server's clients and pipes, and the links between them.
type useGraph struct {
	ID, Server  string
	Height      int
	Clients     []graphNode
	Pipes       []graphNode
	Links       []graphLink
	Table       []*graphLink // drawn or not
	MoreLinks   int
	MoreClients int
	MorePipes   int
	Legend      []model.Identity
	Shut        bool // some link is
	Desc        string
	servers     int
	strangers   int64
	count       int64
}

// graphNode is a client or a pipe.
type graphNode struct {
	Name, Label, Under string
	Y                  int
	Class              string // of the worst identity
	worst              int
	count              int64
}

// graphLink is everything that one identity did with one pipe from one client.
type graphLink struct {
	Client, Pipe, Path, Title string
	Identity                  model.Identity
	Accounts                  []string
	Width                     string
	Allowed, Refused, Open    int64
	Last                      string
	Shut                      bool // nothing of it got through
}

// Who is the identity and its accounts, of which a table names only a few.
func (l *graphLink) Who() string {
	const most = 3
	if len(l.Accounts) == 0 {
		return string(l.Identity)
	}
	text := string(l.Identity) + " " + strings.Join(l.Accounts[:min(most, len(l.Accounts))], ", ")
	if n := len(l.Accounts) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// noPipe is the target of a logon or a connect without a known pipe.
const noPipe = "no pipe seen"

// useGraphs returns a graph for each server, or one for all servers that are used alike: those that strangers use
// first. more is the number of servers without a graph.
func useGraphs(uses []model.Use) (graphs []*useGraph, more int) {
	byServer := map[string][]model.Use{}
	for _, u := range uses {
		byServer[u.Server] = append(byServer[u.Server], u)
	}
	type group struct {
		servers []string
		uses    []model.Use
	}
	alike := map[string]*group{}
	for _, server := range slices.Sorted(maps.Keys(byServer)) {
		key := likeness(byServer[server])
		if alike[key] == nil {
			alike[key] = new(group)
		}
		alike[key].servers = append(alike[key].servers, server)
		alike[key].uses = append(alike[key].uses, byServer[server]...)
	}
	for _, g := range alike {
		graphs = append(graphs, newUseGraph(serverNames(g.servers), len(g.servers), g.uses))
	}
	slices.SortFunc(graphs, func(a, b *useGraph) int {
		return cmp.Or(cmp.Compare(b.strangers, a.strangers), cmp.Compare(b.count, a.count),
			strings.Compare(a.Server, b.Server))
	})
	for _, g := range graphs[min(maxGraphs, len(graphs)):] {
		more += g.servers
	}
	graphs = graphs[:min(maxGraphs, len(graphs))]
	for i, g := range graphs {
		g.ID = fmt.Sprintf("graph%d", i+1)
	}
	return graphs, more
}

// likeness is equal for servers that are used in the same way.
func likeness(uses []model.Use) string {
	var b strings.Builder
	for _, l := range joinLinks(uses) {
		fmt.Fprintf(&b, "%q %q %s %v\n", l.Client, l.Pipe, l.Identity, l.Shut)
	}
	return b.String()
}

// serverNames names servers that are alike; a heading lists only a few.
func serverNames(all []string) string {
	const most = 4
	shown := make([]string, 0, most)
	for _, s := range all[:min(len(all), most)] {
		shown = append(shown, cmp.Or(Clean(s), "(server not known)"))
	}
	text := strings.Join(shown, ", ")
	if n := len(all) - most; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	if len(all) > 1 {
		text = fmt.Sprintf("%d servers that are used alike: %s", len(all), text)
	}
	return text
}

func newUseGraph(server string, servers int, uses []model.Use) *useGraph {
	g := &useGraph{Server: server, servers: servers}
	links := joinLinks(uses)
	clients, pipes := map[string]*graphNode{}, map[string]*graphNode{}
	node := func(m map[string]*graphNode, name string, l *graphLink, n int64) {
		x := m[name]
		if x == nil {
			x = &graphNode{Name: name, worst: len(identityOrder)}
			m[name] = x
		}
		x.count += n
		if w := identityRank(l.Identity); w < x.worst {
			x.worst, x.Class = w, string(l.Identity)
		}
	}
	for _, l := range links {
		n := l.Allowed + l.Refused + l.Open
		node(clients, l.Client, l, n)
		node(pipes, l.Pipe, l, n)
		g.count += n
		if l.Identity.IsStranger() {
			g.strangers += n
		}
	}
	g.Clients, g.MoreClients = topNodes(clients, maxClients)
	all := len(pipes)
	for name := range pipes { // one that only clients without a place use would stand alone
		if !slices.ContainsFunc(links, func(l *graphLink) bool {
			return l.Pipe == name && slices.ContainsFunc(g.Clients,
				func(c graphNode) bool { return c.Name == l.Client })
		}) {
			delete(pipes, name)
		}
	}
	g.Pipes, _ = topNodes(pipes, maxPipes)
	g.MorePipes = all - len(g.Pipes)
	g.place(links)
	g.Table, g.MoreLinks = links[:min(len(links), maxLinkRows)], max(0, len(links)-maxLinkRows)
	return g
}

func identityRank(i model.Identity) int {
	if n := slices.Index(identityOrder, i); n >= 0 {
		return n
	}
	return len(identityOrder)
}

func shorten(name string, most int) string {
	r := []rune(name)
	if len(r) <= most {
		return name
	}
	return string(r[:most-1]) + "…"
}

// joinLinks adds up rows. A logon or a connect counts only if its client and identity were seen with no pipe at all.
func joinLinks(uses []model.Use) []*graphLink {
	type who struct {
		client   string
		identity model.Identity
	}
	type key struct {
		who
		pipe string
	}
	piped := map[who]bool{}
	for i := range uses {
		if u := &uses[i]; u.Pipe != "" {
			piped[who{u.Client, u.Identity}] = true
		}
	}
	byKey := map[key]*graphLink{}
	for i := range uses {
		u := &uses[i]
		w := who{u.Client, u.Identity}
		pipe := Clean(u.Pipe)
		switch {
		case u.Pipe == "" && piped[w]:
			continue
		case u.Pipe == "":
			pipe = noPipe
		}
		l := byKey[key{w, pipe}]
		if l == nil {
			l = &graphLink{Client: cmp.Or(Clean(u.Client), "(client not known)"), Pipe: pipe, Identity: u.Identity}
			byKey[key{w, pipe}] = l
		}
		switch u.Outcome {
		case model.Allowed:
			l.Allowed += u.Count
		case model.Denied, model.Absent:
			l.Refused += u.Count
		default:
			l.Open += u.Count
		}
		if a := Clean(u.Account); a != "" && !slices.Contains(l.Accounts, a) {
			l.Accounts = append(l.Accounts, a)
		}
		l.Last = max(l.Last, useTime(u.Last))
	}
	links := make([]*graphLink, 0, len(byKey))
	for _, l := range byKey {
		slices.Sort(l.Accounts)
		l.Shut = l.Allowed == 0 && l.Open == 0
		links = append(links, l)
	}
	slices.SortFunc(links, func(a, b *graphLink) int {
		return cmp.Or(identityRank(a.Identity)-identityRank(b.Identity), strings.Compare(a.Client, b.Client),
			strings.Compare(a.Pipe, b.Pipe),
			strings.Compare(string(a.Identity), string(b.Identity)))
	})
	return links
}

// topNodes keeps the most important nodes: those of strangers, then the busiest.
func topNodes(all map[string]*graphNode, most int) (nodes []graphNode, more int) {
	for _, n := range all {
		nodes = append(nodes, *n)
	}
	slices.SortFunc(nodes, func(a, b graphNode) int {
		return cmp.Or(a.worst-b.worst, cmp.Compare(b.count, a.count), strings.Compare(a.Name, b.Name))
	})
	more = max(0, len(nodes)-most)
	return nodes[:min(most, len(nodes))], more
}

// place gives nodes and links their coordinates.
func (g *useGraph) place(links []*graphLink) {
	rows := max(len(g.Clients)+min(1, g.MoreClients), len(g.Pipes)+min(1, g.MorePipes))
	g.Height = graphTop + rows*graphRow + 8
	at := func(nodes []graphNode, runes int) map[string]int {
		m := map[string]int{}
		for i := range nodes {
			nodes[i].Label = shorten(nodes[i].Name, runes)
			nodes[i].Y = graphTop + i*graphRow + graphRow/2
			m[nodes[i].Name] = i
		}
		return m
	}
	from := at(g.Clients, hostRunes)
	g.untangle(links, from)
	to := at(g.Pipes, labelRunes)
	most := int64(1)
	for _, l := range links {
		most = max(most, l.Allowed+l.Refused+l.Open)
	}
	lanes := map[[2]int]int{}
	who := map[string][]model.Identity{}
	for _, l := range links {
		a, ok1 := from[l.Client]
		b, ok2 := to[l.Pipe]
		if !ok1 || !ok2 {
			continue
		}
		// Identities between the same two ends are adjacent.
		shift := lanes[[2]int{a, b}] * 5
		lanes[[2]int{a, b}]++
		y1, y2 := g.Clients[a].Y+shift, g.Pipes[b].Y+shift
		const bend = (graphRight - graphLeft) / 2
		l.Path = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", graphLeft+6, y1, graphLeft+bend, y1, graphRight-bend, y2,
			graphRight-6, y2)
		n := l.Allowed + l.Refused + l.Open
		l.Width = fmt.Sprintf("%.1f", 1.5+3.5*math.Log1p(float64(n))/math.Log1p(float64(most)))
		l.Title = fmt.Sprintf("%s as %s to %s: %s", l.Client, l.Who(), l.Pipe, l.told())
		g.Links = append(g.Links, *l)
		g.Shut = g.Shut || l.Shut
		if !slices.Contains(g.Legend, l.Identity) {
			g.Legend = append(g.Legend, l.Identity)
		}
		if !slices.Contains(who[l.Client], l.Identity) {
			who[l.Client] = append(who[l.Client], l.Identity)
		}
	}
	// The worst are drawn last, on top of the others.
	slices.Reverse(g.Links)
	for i := range g.Clients {
		g.Clients[i].Under = joinIdentities(who[g.Clients[i].Name])
	}
	g.Desc = fmt.Sprintf("%s, %s, %d ways between them. The table below the picture has the same.",
		number(len(g.Clients)+g.MoreClients, "client"), number(len(g.Pipes)+g.MorePipes, "pipe"), len(links))
}

// untangle orders the pipes by the positions of their users, so that fewer links cross.
func (g *useGraph) untangle(links []*graphLink, from map[string]int) {
	sum, n := map[string]float64{}, map[string]float64{}
	for _, l := range links {
		if i, ok := from[l.Client]; ok {
			sum[l.Pipe] += float64(i)
			n[l.Pipe]++
		}
	}
	middle := func(x graphNode) float64 {
		if n[x.Name] == 0 {
			return float64(len(from))
		}
		return sum[x.Name] / n[x.Name]
	}
	slices.SortStableFunc(g.Pipes, func(a, b graphNode) int { return cmp.Compare(middle(a), middle(b)) })
}

// told describes the outcomes of the uses in words.
func (l *graphLink) told() string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{l.Allowed, "allowed"}, {l.Refused, "refused"}, {l.Open, "not settled"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(parts, ", ")
}

func joinIdentities(list []model.Identity) string {
	words := make([]string, len(list))
	for i, id := range list {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}

func number(n int, what string) string { return model.Count(n, what, what+"s") }
