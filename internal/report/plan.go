package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// PlanFormats lists the formats of WritePlan, the default first.
func PlanFormats() []string { return []string{"text", "json", "html"} }

// WritePlan writes a plan for people, for apply, or as a page. width is the number of columns of text; less than 40
// counts as 80.
func WritePlan(w io.Writer, format string, p *model.Plan, style Style, width int) error {
	switch format {
	case "text":
		return planText(w, p, style, width)
	case "json":
		return WriteJSON(w, p)
	case "html":
		return planHTML(w, p)
	}
	return fmt.Errorf("unknown format %q: want one of %v", format, PlanFormats())
}

// planWriter formats a plan in the style of explain.
type planWriter struct{ *explanation }

func newPlanWriter(style Style, width int) planWriter {
	if width < 40 {
		width = 80
	}
	c, _ := catalog.Load() // the built-in catalog never fails
	return planWriter{&explanation{c: c, p: newPalette(style.Color), width: min(width, 120)}}
}

func planText(w io.Writer, p *model.Plan, style Style, width int) error {
	e := newPlanWriter(style, width)
	a := PlanAnswer(p)
	e.wrap("", "  ", fmt.Sprintf("%s: %s: %s.", e.p.bold(a.Of), a.Word, a.Says))
	e.text(2, 0, platformLine(p.Platform))
	switch {
	case p.Question != "":
		e.head("No changes: the evidence contradicts itself")
		e.item(Clean(p.Question))
	case p.Refused != "":
		e.head("No changes: refused")
		e.item(Clean(p.Refused))
	case len(p.Changes) > 0:
		e.head(model.Count(len(p.Changes), "change", "changes"))
		for i := range p.Changes {
			e.change(&p.Changes[i])
		}
	}
	if len(p.Breaks) > 0 {
		e.head("What stops")
		for _, b := range p.Breaks {
			e.item(fmt.Sprintf("%s: %s: %s (%s)", b.Certainty, Clean(b.Who), Clean(b.What), Clean(b.Because)))
		}
	}
	if len(p.Keeps) > 0 {
		e.head("What goes on working")
		for _, k := range p.Keeps {
			e.item(Clean(k.What) + ": " + Clean(k.Why))
		}
	}
	e.items("What stays open, or is not known", cleaned(p.Residual))
	e.items("Left as it is", leftAsItIs(p))
	if unused := notLeft(p); len(unused) > 0 {
		e.head("Looked at and not used")
		for _, r := range unused {
			e.item(Clean(r.Setting) + ": " + Clean(r.Why))
		}
	}
	e.items("Warnings", cleaned(p.Warnings))
	if len(p.Checks) > 0 {
		e.head("What verify should try")
		e.text(2, 0, Clean(strings.Join(p.Checks, "  ")))
	}
	if style.Verbose && p.Hash != "" {
		e.b.WriteByte('\n')
		e.field("plan", p.Hash)
		e.field("host state", p.Fingerprint)
	}
	return e.p.write(w, e.b.String())
}

// leftAsItIs returns the findings that a plan leaves, each with the reason.
func leftAsItIs(p *model.Plan) []string {
	out := make([]string, len(p.Left))
	for i, l := range p.Left {
		out[i] = fmt.Sprintf("%s: %s: %s", l.Severity, Clean(leftName(l)), cleanLong(l.Why))
	}
	return out
}

// Leavings lists what a plan leaves, one a line: what stays open or is unknown, then findings.
func Leavings(p *model.Plan) []string { return append(cleaned(p.Residual), leftAsItIs(p)...) }

// leftName names a finding that a plan leaves, with what it is about: only the setting if that is all that the finding
// says.
func leftName(l model.Left) string {
	switch {
	case l.Finding == "weak-setting":
		return l.Setting
	case l.Setting != "":
		return l.Finding + " (" + l.Setting + ")"
	}
	return l.Finding
}

// notLeft returns the settings that were not used, except those about which a remaining finding says the same.
func notLeft(p *model.Plan) []model.Rejected {
	return slices.DeleteFunc(slices.Clone(p.Rejected), func(r model.Rejected) bool {
		return slices.ContainsFunc(p.Left, func(l model.Left) bool { return l.Setting == r.Setting && l.Why == r.Why })
	})
}

func cleaned(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = cleanLong(s)
	}
	return out
}

// cleanLong is Clean for sentences of this program that contain names, which may be longer than a name.
func cleanLong(s string) string {
	var b strings.Builder
	for i, word := range strings.Split(s, " ") {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Clean(word))
	}
	return b.String()
}

func (e planWriter) change(c *model.Change) {
	fmt.Fprintf(&e.b, "  %s. %s\n", c.ID, e.p.bold(Clean(c.Setting)))
	line := func(name, text string) {
		if text != "" {
			e.wrap(fmt.Sprintf("     %-7s ", name), strings.Repeat(" ", 13), text)
		}
	}
	line("where", Clean(c.Where))
	from := planValue(c.From)
	if !c.From.Present && c.Effective != nil {
		from += ", in effect " + Clean(value(c.Effective))
	}
	line("from", from)
	line("to", planValue(c.To))
	line("why", cleanLong(c.Why))
	for _, l := range closes(c.Closes) {
		line("closes", cleanLong(l))
	}
	line("in force", Clean(c.TakesEffect))
	if c.Reach == "everyone" {
		line("meets", "signed-in users too")
	}
	if c.ExportOnly {
		line("applied", e.p.warn("never by ipcguard; export it"))
	}
	line("not sure", cleanLong(c.Untested))
	var sources []string
	for _, s := range c.Sources {
		sources = append(sources, e.source(s))
	}
	line("sources", strings.Join(sources, "; "))
}

// closes says what a change closes, grouping strangers who lose the same.
func closes(ids []string) []string {
	var who []string
	kinds := map[string][]string{}
	for _, id := range ids {
		name, what := "", id
		for _, i := range model.Identities() {
			if rest, ok := strings.CutPrefix(id, string(i)+"-"); ok {
				name, what = string(i), rest
			}
		}
		if _, there := kinds[name]; !there {
			who = append(who, name)
		}
		kinds[name] = append(kinds[name], closed(strings.TrimPrefix(strings.TrimPrefix(what, "lists-"), "reads-")))
	}
	var out []string
	for i, name := range who {
		list := strings.Join(kinds[name], ", ")
		if list == "" {
			continue
		}
		names := []string{name}
		for _, other := range who[i+1:] {
			if strings.Join(kinds[other], ", ") == list {
				names = append(names, other)
				kinds[other] = nil
			}
		}
		if name == "" {
			out = append(out, list)
		} else {
			out = append(out, "for "+strings.Join(names, ", ")+": "+list)
		}
	}
	return out
}

// closed names what is closed: a kind of data by its noun, or the finding's title.
func closed(what string) string {
	if d := model.Disclosure(what); slices.Contains(model.Disclosures(), d) {
		return d.Noun()
	}
	return strings.ReplaceAll(what, "-", " ")
}

// source is one citation in words.
func (e planWriter) source(s string) string {
	tag, rest, _ := strings.Cut(s, " ")
	key, place, _ := strings.Cut(rest, " ")
	name := rest
	if src := e.c.Source(key); src != nil && src.ID == key {
		name = strings.TrimSpace(src.Title + " " + place)
	}
	return name + " (" + tags[tag] + ")"
}

func planValue(v model.Value) string { return Clean(v.String()) }

//go:embed planpage.html
var planPage string

func planHTML(w io.Writer, p *model.Plan) error {
	e := newPlanWriter(Style{}, 0)
	funcs := pageFuncs(e.c)
	maps.Copy(funcs, template.FuncMap{
		"value": planValue, "shown": value, "left": leftName, "platform": platformLine,
		"closed": func(c model.Change) string { return strings.Join(closes(c.Closes), "; ") },
		"sources": func(all []string) []linked {
			out := make([]linked, len(all))
			for i, s := range all {
				out[i] = linked{e.source(s), e.c.Link(s)}
			}
			return out
		},
	})
	page, err := template.New("plan").Funcs(funcs).Parse(styleText + partsText + planPage)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	moves := planMoves(e.c, p)
	return writePage(w, page, map[string]any{
		"Plan": p, "Answer": PlanAnswer(p), "Moves": moves, "Picture": planPicture(e.c, p, moves), "Unused": notLeft(p),
	})
}

// planPicture draws what a plan was made against: all that its changes close, and what it leaves.
func planPicture(c *catalog.Catalog, p *model.Plan, moves []move) *picture {
	var all []model.Finding
	for _, x := range p.Changes {
		for _, id := range x.Closes {
			all = append(all, model.Finding{ID: id})
		}
	}
	for _, l := range p.Left {
		all = append(all, model.Finding{ID: l.Finding, Identity: l.Identity})
	}
	doors, ways := findingWays(c, all)
	return newPicture(c, "p", p.Target, doors, ways, moves)
}
