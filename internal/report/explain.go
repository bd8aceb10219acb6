package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Brief writes the answer to a question in three lines, wrapped on a narrower terminal.
func Brief(w io.Writer, c *catalog.Catalog, t catalog.Topic, style Style, width int) error {
	e := &explanation{c: c, p: newPalette(style.Color), width: max(width, 40)}
	if width <= 0 {
		e.width = math.MaxInt
	}
	for i, line := range c.Brief(t) {
		if i == 0 {
			e.b.WriteString(e.p.bold(line) + "\n")
			continue
		}
		e.text(2, 0, line)
	}
	return e.p.write(w, e.b.String())
}

// Explain writes what the catalog has for a topic for people: what it is, what it does, and the sources. width is the
// number of columns; less than 40 counts as 80.
func Explain(w io.Writer, c *catalog.Catalog, t catalog.Topic, style Style, width int) error {
	if width < 40 {
		width = 80
	}
	e := &explanation{c: c, p: newPalette(style.Color), width: min(width, 120)} // longer lines are hard to read
	switch {
	case t.Note != nil:
		e.note(t.Note)
	case t.Setting != nil:
		e.setting(t.Setting)
	case t.Service != nil:
		e.service(t.Service)
	case t.Pipe != nil:
		e.pipe(t.Pipe)
	case t.Interface != nil:
		e.rpc(t.Interface)
	case t.Finding != nil:
		e.finding(t.Finding)
	case t.Claim != nil:
		e.claim(t.Claim)
	case t.Product != nil:
		e.product(t.Product)
	case len(t.Control) > 0:
		e.controls(t.Name, t.Control)
	default:
		return fmt.Errorf("explain: an empty topic")
	}
	e.related(t.Related)
	e.sources()
	return e.p.write(w, e.b.String())
}

// explanation collects the text, and the sources of its statements.
type explanation struct {
	c     *catalog.Catalog
	p     palette
	width int
	b     strings.Builder
	cited []string
}

func (e *explanation) cite(sources ...string) {
	for _, s := range sources {
		if !slices.Contains(e.cited, s) {
			e.cited = append(e.cited, s)
		}
	}
}

func (e *explanation) title(id, title, kind string) {
	if strings.EqualFold(id, title) {
		title = ""
	} else {
		title = ": " + title
	}
	fmt.Fprintf(&e.b, "%s%s (%s)\n", e.p.bold(id), title, kind)
}

func (e *explanation) head(s string) { fmt.Fprintf(&e.b, "\n%s\n", e.p.bold(s)) }

// text writes a paragraph; further lines are indented by hang.
func (e *explanation) text(indent, hang int, s string) {
	e.wrap(strings.Repeat(" ", indent), strings.Repeat(" ", indent+hang), s)
}

// wrap writes words after a first prefix, and after the next prefix on every further line.
func (e *explanation) wrap(first, next, s string) {
	line, free := first, true
	for _, word := range strings.Fields(s) {
		if !free && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > e.width {
			e.b.WriteString(line + "\n")
			line, free = next, true
		}
		if !free {
			line += " "
		}
		line, free = line+word, false
	}
	if !free {
		e.b.WriteString(line + "\n")
	}
}

func (e *explanation) item(s string) { e.text(2, 2, "- "+s) }

func (e *explanation) items(head string, list []string) {
	if len(list) == 0 {
		return
	}
	e.head(head)
	for _, s := range list {
		e.item(s)
	}
}

// field writes one line of a name and its value.
func (e *explanation) field(name, value string) {
	if value == "" {
		return
	}
	e.wrap(fmt.Sprintf("  %-14s ", name), strings.Repeat(" ", 17), value)
}

func (e *explanation) note(n *catalog.Note) {
	e.title(n.ID, n.Title, "topic")
	for _, s := range n.Text {
		e.b.WriteString("\n")
		e.text(0, 0, s)
	}
	e.cite(n.Sources...)
}

func (e *explanation) setting(s *catalog.Setting) {
	e.title(s.ID, s.Title, "setting of "+catalog.SystemTitle(s.System))
	e.b.WriteString("\n")
	e.text(0, 0, s.Summary)
	e.b.WriteString("\n")
	e.field("where", s.Where)
	e.field("type", s.Type)
	e.field("policy", s.Policy)
	e.field("applies to", e.c.ScopeText(s.Applies))
	if s.Since != "" {
		known := catalog.SystemTitle(s.System) + " " + s.Since + "; older releases ignore the line"
		if s.Before != "" {
			known += ", and know the same as " + s.Before
		}
		e.field("since", known)
	}
	if s.Reach == "everyone" {
		e.field("affects", "signed-in users too")
	}
	if s.Side == "client" {
		e.field("side", "this machine as a client; it opens nothing on its own shares")
	}
	if len(s.Values) > 0 {
		e.head("Values")
		for _, v := range s.Values {
			e.text(2, 4, fmt.Sprintf("%s%s: %s", value(v.Value), e.on(v.Scope), v.Means))
		}
	}
	e.head("Default")
	for _, d := range s.Defaults {
		if d.Unknown != "" {
			e.text(2, 4, "unknown"+e.on(d.Scope)+": "+d.Unknown)
		} else {
			e.text(2, 4, value(d.Value)+e.on(d.Scope)+releases(d))
		}
		e.cite(d.Sources...)
	}
	if len(s.Wanted) > 0 {
		e.head("Wanted")
		for _, v := range s.Wanted {
			e.text(2, 4, wanted(v)+e.on(v.Scope)+": "+v.Why)
		}
	}
	e.head("A change takes effect")
	for _, f := range s.TakesEffect {
		e.text(2, 4, f.How+e.on(f.Scope))
		e.cite(f.Sources...)
	}
	if len(s.Breaks) > 0 {
		e.head("What it breaks")
		for _, b := range s.Breaks {
			at := ""
			if b.Value != nil {
				at = "at " + value(b.Value)
			}
			line := strings.TrimSpace(at+e.on(b.Scope)) + ": "
			e.item(strings.TrimPrefix(line, ": ") + b.Who + ": " + b.What + " (" + b.Certainty + ")")
			e.cite(b.Sources...)
		}
	}
	e.items("Note", s.Notes)
	e.items("Not known", s.Unknown)
	e.benchmarks(s.ID)
	e.cite(s.Sources...)
}

func wanted(w catalog.Wanted) string {
	v := value(w.Value)
	switch w.Compare {
	case "at-least":
		return v + " or more"
	case "at-most":
		return v + " or less"
	case "subset":
		if v == "empty" {
			return v
		}
		return "nothing but " + v
	case "any":
		return "anything"
	}
	return v
}

// value prints a value as a person would write it down.
func value(v any) string {
	if v == nil {
		return "unknown"
	}
	return model.Text(v)
}

// on returns the scope of a statement in brackets, or an empty string if it applies everywhere.
func (e *explanation) on(s catalog.Scope) string {
	if t := e.c.ScopeText(s); t != "" {
		return " (" + t + ")"
	}
	return ""
}

// releases says to which releases of Samba a default applies.
func releases(d catalog.Default) string {
	switch {
	case d.Before != "":
		return " (before " + d.Before + ")"
	case d.From != "":
		return " (from " + d.From + " on)"
	}
	return ""
}

func (e *explanation) benchmarks(setting string) {
	all := e.c.ControlsFor(model.Platform{}, setting)
	if len(all) == 0 {
		return
	}
	e.head("Controls")
	for _, k := range all {
		e.text(2, 4, fmt.Sprintf("%s %s: %s", k.Benchmark, k.Version, k.ID))
	}
	for _, r := range e.c.Controls {
		if r.Setting == setting {
			if r.Notes != "" {
				e.item(r.Notes)
			}
			e.cite(r.Sources...)
		}
	}
}

func (e *explanation) service(s *catalog.Service) {
	e.title(s.ID, s.Title, "service")
	e.b.WriteString("\n")
	e.text(0, 0, s.Needs)
	e.b.WriteString("\n")
	e.field("pipes", strings.Join(append(slices.Clone(s.Pipes), s.Names...), ", "))
	e.field("interfaces", strings.Join(s.Interfaces, ", "))
	e.field("anonymous", e.c.NeedOf(s).Means)
	e.field("applies to", e.c.ScopeText(s.Applies))
	e.field("seen by", strings.Join(s.Detect.Services, ", "))
	b := s.Breaks
	if b != (catalog.ServiceBreak{}) {
		e.head("What stops it")
		for _, x := range [][2]string{
			{"anonymous restricted", b.Restrict},
			{"IPC$ blocked", b.Block},
			{"pipe firewall, unless listed", b.Firewall},
			{"SMB1 off", b.NoSMB1},
		} {
			if x[1] != "" {
				e.item(x[0] + ": " + x[1])
			}
		}
	}
	e.items("Not known", s.Unknown)
	e.cite(s.Sources...)
}

func (e *explanation) pipe(p *catalog.Pipe) {
	e.title(`\pipe\`+p.Name, p.Title, "pipe")
	e.b.WriteString("\n")
	e.text(0, 0, p.Notes)
	e.field("same server", strings.Join(p.Aliases, ", "))
	for _, b := range p.Interfaces {
		if i := e.c.Interface(b.ID); i != nil {
			e.field("interface", i.ID+" "+i.UUID+" "+i.Version+" ("+probeWords[b.Probe]+")")
		}
	}
	if len(p.Interfaces) == 0 {
		e.field("scan", probeWords[p.Probe])
	}
	e.head("Open to anonymous callers by default")
	for _, t := range e.c.PipeTables {
		in := func(l []string) bool {
			return slices.ContainsFunc(l, func(n string) bool {
				return catalog.PipeName(n) == catalog.PipeName(p.Name)
			})
		}
		where := e.c.ScopeText(t.Scope)
		switch {
		case in(t.Hard):
			e.item(where + ": yes, whatever NullSessionPipes says")
		case in(t.Unsure):
			e.item(where + ": the documents disagree")
		case in(t.Builtin):
			e.item(where + ": yes")
		default:
			continue
		}
		e.cite(t.Sources...)
	}
	e.item("every other Windows: no")
	e.samba(p.Name)
	e.cite(p.Sources...)
}

// samba writes who gets what through a pipe on a Samba server.
func (e *explanation) samba(pipe string) {
	words := map[string]string{
		"anyone": "everybody, unless IPC$ is closed", "unrestricted": "strangers only at restrict anonymous 0; users",
		"user": "users", "administrator": "administrators", "absent": "nobody, it is not there", "unknown": "not known",
	}
	first := true
	for _, r := range e.c.Rules {
		if catalog.PipeName(r.Pipe) != catalog.PipeName(pipe) {
			continue
		}
		if first {
			e.head("On Samba, given to")
			first = false
		}
		line := fmt.Sprintf("%s (%s): %s", r.Discloses, r.Interface, words[r.Standalone])
		if r.DC != r.Standalone {
			line += "; on a domain controller " + words[r.DC]
		}
		e.item(line)
		e.cite(r.Sources...)
	}
}

var probeWords = map[string]string{
	"call": "asked by scan", "bind-only": "bound by scan, never called",
	"open-only": "opened by scan, nothing is sent", "never": "never touched by scan",
}

func (e *explanation) rpc(i *catalog.Interface) {
	e.title(i.ID, i.Title, "RPC interface")
	e.b.WriteString("\n")
	e.field("uuid", i.UUID)
	e.field("version", i.Version)
	e.field("document", i.Doc)
	e.field("scan", strings.TrimSpace(probeWords[i.Probe]+". "+i.Why))
	var pipes []string
	for _, p := range e.c.Pipes {
		for _, b := range p.Interfaces {
			if b.ID == i.ID {
				pipes = append(pipes, p.Name)
			}
		}
	}
	e.field("pipes", strings.Join(pipes, ", "))
	if len(i.Calls) > 0 {
		e.head("Calls")
		for _, k := range i.Calls {
			what := "gives " + string(k.Discloses)
			if k.Avoid != "" {
				what = "never sent: " + k.Avoid
			} else if k.Discloses == model.DisclosesNothing {
				what = "gives nothing by itself"
			}
			e.text(2, 4, fmt.Sprintf("%3d %s: %s", k.Opnum, k.Name, what))
		}
	}
	e.cite(i.Sources...)
}

func (e *explanation) finding(f *catalog.Finding) {
	e.title(f.ID, f.Title, "finding of "+map[string]string{
		"scan": "scan", "audit": "audit",
		"joined": "audit with a scan",
	}[f.Kind])
	e.b.WriteString("\n")
	e.text(0, 0, f.Meaning)
	e.head("Fix")
	for _, system := range append([]string{"any"}, catalog.Systems()...) {
		for _, h := range f.Fix[system] {
			lead := catalog.SystemTitle(system) + e.on(h.Scope)
			if lead != "" {
				lead += ": "
			}
			e.text(2, 2, strings.TrimSpace(lead+h.Say))
		}
	}
	e.head("Severity")
	for _, g := range f.Severity {
		e.text(2, 4, string(g.Level)+e.on(g.Scope))
	}
	e.field("also known as", strings.Join(f.Refs, ", "))
	e.cite(f.Sources...)
}

func (e *explanation) claim(k *catalog.Claim) {
	e.title(k.ID, k.Claim, "claim")
	word := map[string]string{
		"true": "TRUE", "false": "FALSE", "partly": "PARTLY TRUE",
		"unknown": "NOT KNOWN",
	}[k.Verdict]
	fmt.Fprintf(&e.b, "\n%s\n", e.p.bold(word))
	e.text(0, 0, k.Why)
	if k.Against != "" {
		e.b.WriteString("\n")
		e.text(0, 0, "Said otherwise: "+k.Against)
	}
	e.cite(k.Sources...)
}

func (e *explanation) product(p *catalog.Product) {
	e.title(p.ID, p.Title, "product")
	e.b.WriteString("\n")
	if p.Builds[0] > 0 {
		e.field("builds", strings.TrimSuffix(fmt.Sprintf("%d to %d", p.Builds[0], p.Builds[1]),
			fmt.Sprintf(" to %d", p.Builds[0])))
	}
	e.field("family", p.Family)
	e.text(2, 0, p.Notes)
	e.head("An anonymous caller, with every setting at its default")
	roles := []model.Role{model.Workstation, model.Member, model.DomainController}
	if p.Family == "client" {
		roles = roles[:1]
	} else if p.Family == "server" {
		roles = roles[1:]
	}
	for _, role := range roles {
		in := catalog.Config{
			Platform: model.Platform{System: p.System, Product: p.ID, Build: p.Builds[1], Role: role},
			Complete: true,
		}
		a := e.c.Evaluate(in, model.Anonymous)[model.Anonymous]
		var given, open []string
		for _, d := range model.Disclosures() {
			switch a.Discloses[d] {
			case model.Allowed:
				given = append(given, string(d))
			case model.OutcomeUnknown:
				open = append(open, string(d))
			}
		}
		line := fmt.Sprintf("%s: session %s, IPC$ %s; given: %s", strings.ReplaceAll(string(role), "-", " "), a.Session,
			a.Tree, orNothing(given))
		if len(open) > 0 {
			line += "; not known: " + strings.Join(open, ", ")
		}
		e.item(line)
	}
	e.cite(p.Sources...)
}

func orNothing(l []string) string {
	if len(l) == 0 {
		return "nothing"
	}
	return strings.Join(l, ", ")
}

func (e *explanation) controls(id string, rows []catalog.ControlRow) {
	e.title(id, "what benchmarks mean by it", "control")
	for _, r := range rows {
		e.head(r.Setting + ", wanted " + orNothing(strings.Fields(r.Value)[:min(1, len(strings.Fields(r.Value)))]))
		for _, k := range e.c.ControlsFor(model.Platform{}, r.Setting) {
			if strings.HasSuffix(strings.ToLower(k.ID), strings.ToLower(id)) {
				e.text(2, 4, k.Benchmark+" "+k.Version)
			}
		}
		e.cite(r.Sources...)
	}
}

func (e *explanation) related(refs []catalog.Ref) {
	if len(refs) == 0 {
		return
	}
	e.head("See also")
	for _, r := range refs[:min(len(refs), 16)] { // the closest first; a screen has room for this many
		e.item(fmt.Sprintf("%s %s: %s", r.Kind, r.ID, r.Title))
	}
}

// tags describe the quality of a source.
var tags = map[string]string{
	"D": "document", "S": "source code", "M": "measured", "3": "third party", "K": "common knowledge", "I": "inference",
	"U": "unverified",
}

// sources lists what was cited. Documents of one family (knowledge base articles, open specifications) share a line.
func (e *explanation) sources() {
	e.head("Sources")
	type group struct {
		title string
		list  []string
	}
	var groups []*group
	for _, s := range e.cited {
		tag, rest, _ := strings.Cut(s, " ")
		key, place, _ := strings.Cut(rest, " ")
		title, name := key, place
		if src := e.c.Source(key); src != nil {
			title = src.Title
			if src.ID != key {
				name = strings.TrimSpace(key + " " + place)
			}
		}
		title += " (" + tags[tag] + ")"
		i := slices.IndexFunc(groups, func(g *group) bool { return g.title == title })
		if i < 0 {
			i, groups = len(groups), append(groups, &group{title: title})
		}
		if name != "" {
			groups[i].list = append(groups[i].list, name)
		}
	}
	for _, g := range groups {
		if len(g.list) == 0 {
			e.item(g.title)
		} else {
			e.item(g.title + ": " + strings.Join(g.list, ", "))
		}
	}
}
