package catalog

import (
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// Brief returns the answer in three lines: what it is, what it does, and what to know or do about it. The last line
// answers the question if it asked for more than the entry.
func (c *Catalog) Brief(t Topic) []string {
	b := &briefing{c, t}
	var lines []string
	switch {
	case t.Note != nil:
		lines = append([]string{b.head(t.Note.ID, t.Note.Title, "topic")}, t.Note.Text...)
	case t.Setting != nil:
		lines = b.setting(t.Setting)
	case t.Service != nil:
		lines = b.service(t.Service)
	case t.Pipe != nil:
		lines = b.pipe(t.Pipe)
	case t.Interface != nil:
		lines = b.rpc(t.Interface)
	case t.Finding != nil:
		f := t.Finding
		lines = []string{b.head(f.ID, f.Title, "finding"), f.Meaning, "Fix: " + f.Fix.Text()}
	case t.Claim != nil:
		lines = b.claim(t.Claim)
	case t.Product != nil:
		lines = b.product(t.Product)
	default:
		lines = b.controls()
	}
	lines = slices.DeleteFunc(lines, func(s string) bool { return strings.TrimSpace(s) == "" })
	return lines[:min(len(lines), 3)]
}

type briefing struct {
	c *Catalog
	t Topic
}

func (b *briefing) head(id, title, kind string) string {
	if strings.EqualFold(id, title) {
		return fmt.Sprintf("%s (%s)", id, kind)
	}
	return fmt.Sprintf("%s: %s (%s)", id, title, kind)
}

func (b *briefing) setting(s *Setting) []string {
	kind := "setting of " + SystemTitle(s.System)
	if s.Side == "client" {
		kind += ", as a client"
	}
	if b.t.Value == "" {
		return []string{b.head(s.ID, s.Title, kind), s.Summary, b.further(s)}
	}
	var said []string
	for _, m := range s.meanings(b.t.Value) {
		said = append(said, b.on(m.Scope)+m.Means)
	}
	line := strings.Join(said, " ")
	if said == nil {
		line = s.Summary
		if len(s.Values) > 0 {
			var known []string
			for _, m := range s.Values {
				if v := model.Text(m.Value); !slices.Contains(known, v) {
					known = append(known, v)
				}
			}
			line = b.t.Value + " is no value that is documented; those are " + strings.Join(known, ", ") + "."
		}
	}
	return []string{b.head(s.ID+" = "+b.t.Value, s.Title, kind), line, b.further(s)}
}

// on returns the products of a statement, as its prefix.
func (b *briefing) on(s Scope) string {
	if text := b.c.ScopeText(s); text != "" {
		return text + ": "
	}
	return ""
}

// further returns the sentence about a setting that best matches the rest of the question; without a question, the
// wanted value and the default.
func (b *briefing) further(s *Setting) string {
	asked := words(b.t.Focus)
	best, most := "", 0
	take := func(sentence, also string) {
		in := words(sentence + " " + also)
		n := 0
		for _, w := range asked {
			if closest(w, in) >= 0.7 {
				n++
			}
		}
		if n > most {
			best, most = sentence, n
		}
	}
	breaks := strings.Contains(b.t.Focus, "break") || strings.Contains(b.t.Focus, "stop") ||
		strings.Contains(b.t.Focus, "fail")
	for _, k := range s.Breaks {
		if b.t.Value != "" && k.Value != nil && !same(k.Value, b.t.Value) {
			continue
		}
		at := ""
		if k.Value != nil {
			at = " at " + model.Text(k.Value)
		}
		sentence := fmt.Sprintf("Breaks%s: %s%s: %s (%s).", at, b.on(k.Scope), k.Who, k.What, k.Certainty)
		if breaks && best == "" {
			best = sentence
		}
		take(sentence, strings.Join(k.Services, " "))
	}
	for _, v := range s.Wanted {
		take(b.wanted(v), "")
	}
	for _, n := range append(slices.Clone(s.Notes), s.Unknown...) {
		take(n, "")
	}
	for _, v := range s.Values {
		if b.t.Value == "" { // else it is already mentioned
			take(fmt.Sprintf("At %s: %s%s", model.Text(v.Value), b.on(v.Scope), v.Means), "")
		}
	}
	if best != "" {
		return best
	}
	var parts []string
	newest := b.newest(s)
	for _, v := range s.Wanted {
		if _, fits := b.c.Fit(v.Scope, newest); fits && v.Compare != "any" {
			parts = append(parts, b.wanted(v))
			break
		}
	}
	for _, d := range s.Defaults {
		if _, fits := b.c.Fit(d.Scope, newest); !fits {
			continue
		}
		if d.Unknown == "" {
			parts = append(parts, "Default: "+b.on(d.Scope)+model.Text(d.Value)+".")
		} else {
			parts = append(parts, "Default: "+b.on(d.Scope)+"not known. "+d.Unknown)
		}
		break
	}
	return strings.Join(parts, " ")
}

// newest returns the latest product that reads a setting, as a domain member if the setting is for those.
func (b *briefing) newest(s *Setting) model.Platform {
	for i := len(b.c.Products) - 1; i >= 0; i-- {
		q := &b.c.Products[i]
		for _, role := range []model.Role{model.Member, model.DomainController, model.Workstation} {
			p := model.Platform{System: q.System, Product: q.ID, Build: q.Builds[1], Role: role}
			if certain, _ := b.c.Fit(s.Applies, p); certain && q.System == s.System && q.Family != "client" {
				return p
			}
		}
	}
	return model.Platform{System: s.System}
}

func (b *briefing) wanted(w Wanted) string {
	return fmt.Sprintf("Wanted: %s%s. %s", b.on(w.Scope), w.Text(), w.Why)
}

func (b *briefing) service(s *Service) []string {
	var stops []string
	for _, x := range [][2]string{{"anonymous restricted", s.Breaks.Restrict}, {"IPC$ blocked", s.Breaks.Block}} {
		if x[1] != "" {
			stops = append(stops, x[0]+": "+x[1])
		}
	}
	last := "What stops when IPC$ is restricted or blocked is not known: no document says."
	if stops != nil {
		last = "What stops: " + strings.Join(stops, "; ") + "."
	}
	pipes := append(slices.Clone(s.Pipes), s.Names...)
	if len(pipes) > 0 {
		last += " Pipes: " + strings.Join(pipes, ", ") + "."
	}
	return []string{b.head(s.ID, s.Title, "service"), strings.TrimSpace(s.Needs + " " + b.c.NeedOf(s).Brief), last}
}

func (b *briefing) pipe(p *Pipe) []string {
	var behind, open []string
	for _, x := range p.Interfaces {
		if i := b.c.Interface(x.ID); i != nil {
			behind = append(behind, i.Title)
		}
	}
	for i := range b.c.PipeTables {
		if t := &b.c.PipeTables[i]; has(t.Builtin, p.Name) || has(t.Hard, p.Name) {
			open = append(open, b.c.ScopeText(t.Scope))
		}
	}
	second := "What answers behind it is not known here."
	if behind != nil {
		second = "Behind it: " + strings.Join(behind, ", ") + "."
	}
	if p.Notes != "" {
		second += " " + p.Notes
	}
	third := "Windows opens it to anonymous callers by default on no release; NullSessionPipes would."
	if open != nil {
		third = "Open to anonymous callers by default on " + strings.Join(open, "; ") +
			", and where NullSessionPipes lists it."
	}
	return []string{b.head(`\pipe\`+p.Name, p.Title, "pipe"), second, third}
}

func (b *briefing) rpc(i *Interface) []string {
	var gives, never []string
	for _, k := range i.Calls {
		switch {
		case k.Avoid != "":
			never = append(never, k.Name)
		case k.Discloses != model.DisclosesNothing && !slices.Contains(gives, k.Discloses.Noun()):
			gives = append(gives, k.Discloses.Noun())
		}
	}
	second := fmt.Sprintf("%s version %s, %s.", i.UUID, i.Version, i.Doc)
	third := "Its calls are never sent. " + i.Why
	if gives != nil {
		third = "It can give " + strings.Join(gives, ", ") + "."
		if never != nil {
			third += " Never sent: " + strings.Join(never, ", ") + "."
		}
	}
	return []string{b.head(i.ID, i.Title, "RPC interface"), second, third}
}

func (b *briefing) claim(k *Claim) []string {
	word := map[string]string{
		"true": "TRUE", "false": "FALSE", "partly": "PARTLY TRUE",
		"unknown": "NOT KNOWN",
	}[k.Verdict]
	last := ""
	if k.Against != "" {
		last = "Said otherwise: " + k.Against
	} else if len(k.Settings) > 0 {
		last = "Look at " + strings.Join(k.Settings, ", ") + "."
	}
	return []string{word + ": " + k.Claim + " (claim)", k.Why, last}
}

func (b *briefing) product(p *Product) []string {
	role := model.Member
	if p.Family == "client" {
		role = model.Workstation
	}
	a := b.c.Evaluate(Config{
		Platform: model.Platform{System: p.System, Product: p.ID, Build: p.Builds[1], Role: role},
		Complete: true,
	}, model.Anonymous)[model.Anonymous]
	var given []model.Disclosure
	for _, d := range model.Disclosures() {
		if a.Discloses[d] == model.Allowed {
			given = append(given, d)
		}
	}
	second := fmt.Sprintf("With every setting at its default an anonymous caller's session is %s and IPC$ is %s.",
		a.Session, a.Tree)
	third := "He is given nothing."
	if given != nil {
		third = "He is given " + model.Nouns(given) + "."
	}
	return []string{b.head(p.ID, p.Title, "product"), second, third}
}

func (b *briefing) controls() []string {
	lines := []string{b.head(b.t.Name, "what benchmarks mean by it", "control")}
	for _, r := range b.t.Control {
		s := b.c.Setting(r.Setting)
		if s == nil {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s, wanted %s: %s", s.ID, r.Value, s.Summary))
	}
	if len(lines) == 2 {
		if r := b.t.Control[0]; r.Notes != "" {
			return append(lines, r.Notes)
		}
		return append(lines, b.further(b.c.Setting(b.t.Control[0].Setting)))
	}
	if len(lines) > 3 {
		lines[2] += fmt.Sprintf(" (and %d more: -v)", len(lines)-3)
	}
	return lines
}
