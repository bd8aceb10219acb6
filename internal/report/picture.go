package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// way is how one stranger gets one kind of data. Pipe is empty for disk shares, which do not need IPC$.
type way struct {
	who  model.Identity
	pipe string
	kind model.Disclosure
}

// door is how far one stranger gets: whether the session succeeds, and whether IPC$ is open.
type door struct {
	who           model.Identity
	session, tree model.Outcome
	files         model.Outcome // of disk shares, which do not need IPC$
}

// picture shows strangers, the pipes that they use and the data behind them, from left to right, and where each change
// cuts.
//
//	anonymous ─┐          ┌─ samr   ──①── accounts
//	guest     ─┼─ IPC$ ───┼─ srvsvc ──①── shares
//	           └─────────── disk shares ─②─ files
type picture struct {
	ID            string
	Width, Height int
	Title, Desc   string
	Nodes         []picNode
	Links         []picLink
	Cuts          []picCut
	Heads         []picHead
	Key           string // what the numbers of the cuts mean
	Lines         []Line // the same in words, for screens on which the picture has no room
	Nothing       string // why the right side is empty
	NothingY      int
}

// Line is a line of a picture in words: how far a stranger comes, or what strangers are given, and through what.
type Line struct{ Class, Name, Text string }

type picNode struct {
	X, Y, W, H    int
	Label, Under  string
	Class         string
	TextY, UnderY int
}

type picLink struct{ Path, Class, Title string }

type picCut struct {
	X, Y, N int
	Title   string
}

type picHead struct {
	X    int
	Text string
}

// Dimensions of the picture, in view box units. A pipe's name in the catalog has at most 24 letters.
const (
	picWidth = 960
	picRow   = 46
	picBox   = 34
	picTop   = 40

	strangerX, strangerW = 4, 168
	doorX, doorW         = 262, 84
	pipeX, pipeW         = 430, 176
	dataX, dataW         = 744, 212

	cutStep = 24 // between two cuts of one line
	maxCuts = 4  // on one line: as many as fit between a pipe and its data
)

// scanWays returns what a scan saw: how far each stranger got, and the data from each pipe.
func scanWays(c *catalog.Catalog, s *model.Scan) (doors []door, ways []way) {
	for i := range s.Identities {
		r := &s.Identities[i]
		if !r.Identity.IsStranger() {
			continue
		}
		doors = append(doors, door{
			r.Identity, r.Session.Outcome, r.Tree.Outcome,
			c.Seen(s, r, model.DisclosesFiles).Outcome,
		})
		for _, p := range r.Pipes {
			for _, x := range p.Interfaces {
				for _, k := range x.Calls {
					if k.Outcome == model.Allowed && k.Count > 0 && k.Discloses.IsExposure() {
						ways = append(ways, way{r.Identity, p.Pipe, k.Discloses})
					}
				}
			}
		}
		if slices.ContainsFunc(r.Shares, func(x model.ShareResult) bool { return x.Open.Outcome == model.Allowed }) {
			ways = append(ways, way{r.Identity, "", model.DisclosesFiles})
		}
	}
	if len(s.Identities) == 0 {
		return findingWays(c, s.Findings)
	}
	return doors, ways
}

// findingWays returns what findings by themselves show.
func findingWays(c *catalog.Catalog, all []model.Finding) (doors []door, ways []way) {
	for _, f := range all {
		who, d := given(c, f.ID)
		if who = cmp.Or(f.Identity, who); !who.IsStranger() || !d.IsExposure() {
			continue
		}
		if !slices.ContainsFunc(doors, func(x door) bool { return x.who == who }) {
			doors = append(doors, door{who, model.Allowed, model.Allowed, ""})
		}
		ways = append(ways, way{who, pipeOf(c, f.Pipe, d), d})
	}
	return doors, ways
}

// pipeOf returns the pipe of a finding that does not name one: the first that gives its kind of data.
func pipeOf(c *catalog.Catalog, pipe string, d model.Disclosure) string {
	if f := c.FindingFor(model.Anonymous, d); pipe == "" && d != model.DisclosesFiles && f != nil && len(f.Pipes) > 0 {
		return f.Pipes[0]
	}
	return pipe
}

// auditWays returns what the access model says about a configuration.
func auditWays(c *catalog.Catalog, a *model.Audit) (doors []door, ways []way) {
	for _, id := range model.Strangers() {
		access, ok := a.Access[id]
		if !ok {
			continue
		}
		doors = append(doors, door{id, access.Session, access.Tree, access.Discloses[model.DisclosesFiles]})
		for _, d := range model.Disclosures() {
			if !d.IsExposure() || access.Discloses[d] != model.Allowed {
				continue
			}
			if d == model.DisclosesFiles {
				ways = append(ways, way{id, "", d})
				continue
			}
			for i := range c.Pipes {
				if p := &c.Pipes[i]; access.Pipes[p.Name] == model.Allowed && gives(c, p, d) {
					ways = append(ways, way{id, p.Name, d})
				}
			}
		}
	}
	return doors, ways
}

// gives reports whether a call behind a pipe gives one kind of data.
func gives(c *catalog.Catalog, p *catalog.Pipe, d model.Disclosure) bool {
	for _, b := range p.Interfaces {
		i := c.Interface(b.ID)
		if i != nil && b.Probe == "call" && slices.ContainsFunc(i.Calls, func(k catalog.Call) bool {
			return k.Discloses == d && k.Avoid == ""
		}) {
			return true
		}
	}
	return false
}

// newPicture returns the picture, or nil if nothing was settled about any stranger.
func newPicture(c *catalog.Catalog, id, of string, doors []door, ways []way, moves []move) *picture {
	if len(doors) == 0 {
		return nil
	}
	p := &picture{
		ID: id, Width: picWidth, Key: "change n of the list below cuts here",
		Title: "What strangers reach at " + of, Heads: []picHead{
			{strangerX, "who comes without an account"},
			{doorX, "the door"},
			{pipeX, "named pipes"},
			{dataX, "what they are given"},
		},
	}
	if len(moves) > 0 && moves[0].From == "" { // advice: the current value was not read
		p.Key = "setting n of the list below decides here"
	}
	pipes, kinds := pipesOf(ways), kindsOf(ways)
	rows := max(len(doors), len(pipes), len(kinds), 1)
	p.Height = picTop + rows*picRow + 4
	at := func(i, n int) int { return picTop + (rows-n)*picRow/2 + i*picRow + picBox/2 }
	doorY := at(0, 1)
	p.strangers(doors, ways, at, doorY, func(pipe string) int { return at(slices.Index(pipes, pipe), len(pipes)) })
	p.node(doorX, doorY, doorW, "IPC$", "", "door")
	for i, name := range pipes {
		y := at(i, len(pipes))
		label := name
		if name == "" {
			label = "disk shares"
		} else {
			p.link(doorX+doorW, doorY, pipeX, y, "open", "IPC$ → "+name)
		}
		p.node(pipeX, y, pipeW, label, "", "pipe")
	}
	for i, d := range kinds {
		y := at(i, len(kinds))
		for _, name := range pipes {
			if who := whoGets(ways, name, d); len(who) > 0 {
				p.link(pipeX+pipeW, at(slices.Index(pipes, name), len(pipes)), dataX, y, "open",
					cmp.Or(name, "disk shares")+" → "+d.Noun()+": "+strings.Join(who, ", "))
			}
		}
		p.node(dataX, y, dataW, d.Noun(), strings.Join(whoGets(ways, "*", d), ", "), "data")
		p.cuts(d, y, moves)
		p.Lines = append(p.Lines, Line{"data", d.Noun(), inWords(ways, pipes, d, moves)})
	}
	p.doorCuts(c, doorY, moves)
	if len(kinds) == 0 {
		p.NothingY, p.Nothing = doorY+4, nothing(doors)
		p.Lines = append(p.Lines, Line{"", "", p.Nothing})
	}
	p.Desc = p.describe(doors, ways, kinds, moves)
	return p
}

// inWords says who is given a kind of data, through what, and which moves decide about it.
func inWords(ways []way, pipes []string, d model.Disclosure, moves []move) string {
	var through []string
	for _, name := range pipes {
		if len(whoGets(ways, name, d)) > 0 && name != "" { // disk shares are what files are called already
			through = append(through, Clean(name))
		}
	}
	text := "given to " + strings.Join(whoGets(ways, "*", d), ", ")
	if len(through) > 0 {
		text += " through " + strings.Join(through, ", ")
	}
	var at []string
	for _, m := range moves {
		if slices.Contains(m.Kinds, d) {
			at = append(at, fmt.Sprint(m.N))
		}
	}
	if len(at) > 0 {
		text += "; see " + strings.Join(at, ", ") + " of the list below"
	}
	return text
}

// nothing says why the right side is empty, and no more than was seen.
func nothing(doors []door) string {
	shut := 0
	for _, d := range doors {
		switch {
		case d.session == model.Denied || d.tree == model.Denied || d.tree == model.Absent:
			shut++
		case d.tree != model.Allowed:
			return "nothing was seen, and not everything is settled"
		}
	}
	files := slices.ContainsFunc(doors, func(d door) bool { return d.files != model.Denied && d.files != model.Absent })
	switch {
	case shut == len(doors) && files:
		return "nothing through IPC$; whether disk shares open is not settled"
	case shut == len(doors):
		return "nothing: nobody without an account comes through the door"
	}
	return "nothing that was asked for was given to anybody without an account"
}

func (p *picture) strangers(doors []door, ways []way, at func(i, n int) int, doorY int, pipeY func(string) int) {
	for i, d := range doors {
		y := at(i, len(doors))
		class, said := "open", "comes to IPC$"
		switch {
		case d.session == model.Denied:
			class, said = "shut", "refused at logon"
		case d.tree == model.Denied || d.tree == model.Absent:
			class, said = "shut", "refused at IPC$"
		case d.tree != model.Allowed:
			class, said = "unknown", "not settled"
		}
		p.link(strangerX+strangerW, y, doorX, doorY, class, string(d.who)+": "+said)
		if slices.ContainsFunc(ways, func(w way) bool { return w.who == d.who && w.pipe == "" }) {
			to := pipeY("")
			p.Links = append(p.Links, picLink{
				fmt.Sprintf("M%d %dC%d %d %d %d %d %d", strangerX+strangerW, y, strangerX+strangerW+30, to, doorX, to,
					pipeX, to), "open", string(d.who) + " → disk shares",
			})
		}
		p.node(strangerX, y, strangerW, string(d.who), said, "who "+class)
		p.Lines = append(p.Lines, Line{class, string(d.who), said})
	}
}

func (p *picture) link(x1, y1, x2, y2 int, class, title string) {
	half := (x2 - x1) / 2
	p.Links = append(p.Links, picLink{
		fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+half, y1, x2-half, y2, x2, y2),
		class, title,
	})
}

func (p *picture) node(x, y, w int, label, under, class string) {
	n := picNode{X: x, Y: y - picBox/2, W: w, H: picBox, Label: Clean(label), Under: under, Class: class, TextY: y + 5}
	if under != "" {
		n.TextY, n.UnderY = y-1, y+12
	}
	p.Nodes = append(p.Nodes, n)
}

// cuts puts the numbers of the changes on the line that ends at a kind of data.
func (p *picture) cuts(d model.Disclosure, y int, moves []move) {
	n := 0
	for _, m := range moves {
		if slices.Contains(m.Kinds, d) && n < maxCuts {
			p.Cuts = append(p.Cuts, picCut{dataX - 16 - n*cutStep, y, m.N, fmt.Sprintf("%d: %s", m.N, m.Setting)})
			n++
		}
	}
}

// doorCuts puts the numbers of changes that keep strangers from IPC$ itself at the door.
func (p *picture) doorCuts(c *catalog.Catalog, y int, moves []move) {
	n := 0
	for _, m := range moves {
		s := c.Setting(m.Setting)
		if s == nil || len(m.Kinds) == 0 || !s.Governs.Session && !s.Governs.Tree || n == maxCuts {
			continue
		}
		p.Cuts = append(p.Cuts, picCut{doorX - 14 - n*cutStep, y, m.N, fmt.Sprintf("%d: %s", m.N, m.Setting)})
		n++
	}
}

// describe describes the picture in words, for readers who cannot see it.
func (p *picture) describe(doors []door, ways []way, kinds []model.Disclosure, moves []move) string {
	var out []string
	for _, d := range doors {
		out = append(out, fmt.Sprintf("%s: session %s, IPC$ %s", d.who, cmp.Or(d.session, model.NotTested),
			cmp.Or(d.tree, model.NotTested)))
	}
	for _, d := range kinds {
		line := d.Noun() + ": given to " + strings.Join(whoGets(ways, "*", d), ", ")
		for _, m := range moves {
			if slices.Contains(m.Kinds, d) {
				line += fmt.Sprintf("; at %d, %s", m.N, m.Setting)
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, ". ") + "."
}

// whoGets lists the strangers who get a kind of data through a pipe; * is any.
func whoGets(ways []way, pipe string, d model.Disclosure) []string {
	var out []string
	for _, id := range model.Strangers() {
		if slices.ContainsFunc(ways, func(w way) bool {
			return w.who == id && w.kind == d && (pipe == "*" || w.pipe == pipe)
		}) {
			out = append(out, string(id))
		}
	}
	return out
}

// pipesOf lists the pipes of ways, disk shares last.
func pipesOf(ways []way) []string {
	var out []string
	files := false
	for _, w := range ways {
		if files = files || w.pipe == ""; w.pipe != "" && !slices.Contains(out, w.pipe) {
			out = append(out, w.pipe)
		}
	}
	slices.Sort(out)
	if files {
		out = append(out, "")
	}
	return out
}

// kindsOf lists the kinds of data in the order of reports, files last: so lines cross as little as can be.
func kindsOf(ways []way) []model.Disclosure {
	var out []model.Disclosure
	for _, d := range model.Disclosures() {
		if d != model.DisclosesFiles && slices.ContainsFunc(ways, func(w way) bool { return w.kind == d }) {
			out = append(out, d)
		}
	}
	if slices.ContainsFunc(ways, func(w way) bool { return w.kind == model.DisclosesFiles }) {
		out = append(out, model.DisclosesFiles)
	}
	return out
}
