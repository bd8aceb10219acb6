package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// pageText is the page. It loads nothing: its style is in it, and it has no script. html/template escapes every value
// for the place where it stands, so that a server's own name stays text.
//
//go:embed page.html
var pageText string

// styleText is the style of the pages, and partsText what they have in common: templates that a page names.
//
//go:embed style.html
var styleText string

//go:embed parts.html
var partsText string

// section is what a page shows of one host: what each witness says about it, the picture, the changes that close most,
// and all findings.
type section struct {
	ID, Name, Host string
	Parts          []*subject
	Answers        []Answer
	Picture        *picture
	Moves          []move
	MovesHead      string
	MovesNote      string
	Planned        bool // from a plan, whose predicted breakage is known
	Breaks         []model.Break
	Question       string
	Cards          []card
	Levels         string
}

// sections combines the results of one host: a scan and an audit with the same name, or the only ones of each.
func (d *Document) sections() []*section {
	var out []*section
	for _, h := range d.hosts {
		if s := d.sectionOf(out, h); s != nil {
			s.Parts = append(s.Parts, h)
			if s.Host == "" && h.Host != s.Name {
				s.Host = h.Host
			}
			continue
		}
		s := &section{ID: fmt.Sprintf("h%d", len(out)), Name: h.Name, Host: h.Host, Parts: []*subject{h}}
		if strings.EqualFold(s.Host, s.Name) {
			s.Host = ""
		}
		out = append(out, s)
	}
	for _, s := range out {
		d.fill(s)
	}
	return out
}

func (d *Document) sectionOf(all []*section, h *subject) *section {
	for _, s := range all {
		o := s.Parts[0]
		if len(s.Parts) > 1 || o.Kind == h.Kind ||
			o.Platform.System != "" && h.Platform.System != "" && o.Platform.System != h.Platform.System {
			continue
		}
		if o.Host != "" && strings.EqualFold(o.Host, h.Host) || len(d.hosts) == 2 && (o.Host == "" || h.Host == "") {
			return s
		}
	}
	return nil
}

func (d *Document) fill(s *section) {
	first := s.Parts[0]
	var findings []model.Finding
	var audit *model.Audit
	var scans []*model.Scan
	for _, h := range s.Parts {
		a := h.Answer
		if len(s.Parts) > 1 {
			a.Witness = h.Kind
		}
		s.Answers = append(s.Answers, a)
		findings = append(findings, h.Findings...)
		if h.audit != nil {
			audit = h.audit
		}
		if h.scan != nil {
			scans = append(scans, h.scan)
		}
	}
	var plan *model.Plan
	if audit != nil && d.plan != nil {
		plan = d.plan(audit, scans)
	}
	platform := first.Platform
	if audit != nil {
		platform = audit.Platform
	}
	if plan != nil {
		s.Moves, s.Breaks, s.Planned, s.Question = planMoves(d.catalog, plan), plan.Breaks, true,
			cmp.Or(plan.Question, plan.Refused)
		s.MovesHead, s.MovesNote = "What closes most", "From ipcguard plan with what this page rests on."
		if more := len(plan.Changes) - len(s.Moves); more > 0 {
			s.MovesNote += fmt.Sprintf(" It has %s more.", model.Count(more, "change", "changes"))
		}
	} else if platform.System != "" {
		s.Moves = adviceMoves(d.catalog, platform, findings)
		s.MovesHead = "What to look at first"
		s.MovesNote = "These settings decide about most of what was found. What the host has configured was not " +
			"read: ipcguard audit and plan say what is to be changed, and what that stops."
		if audit != nil {
			s.MovesNote = "These settings decide about most of what was found. ipcguard plan says what each change " +
				"closes, and what that stops."
		}
	}
	s.Picture = newPicture(d.catalog, s.ID, s.Name, first.doors, first.ways, s.Moves)
	s.Cards = cards(d.catalog, s.Parts)
	s.Levels = levels(s.Cards)
}

// levels counts cards by severity.
func levels(all []card) string {
	by := map[model.Severity]int{}
	for _, c := range all {
		by[c.Severity]++
	}
	var parts []string
	for _, l := range []model.Severity{model.Critical, model.High, model.Medium, model.Low, model.Info} {
		if by[l] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", by[l], l))
		}
	}
	return strings.Join(parts, " · ")
}

// columnsOf returns the columns of the matrix: the kinds of data for which any host has an answer.
func columnsOf(hosts []*subject) []model.Disclosure {
	var out []model.Disclosure
	for _, kind := range model.Disclosures() {
		if slices.ContainsFunc(hosts, func(h *subject) bool {
			o := h.Cells[kind].Outcome
			return o != model.NotTested && rank(o) > 0
		}) {
			out = append(out, kind)
		}
	}
	return out
}

// pageFuncs are the functions of the page templates.
func pageFuncs(c *catalog.Catalog) template.FuncMap {
	return template.FuncMap{
		"show": model.Text, "join": strings.Join, "upper": strings.ToUpper, "when": useTime,
		"add":     func(a, b int) int { return a + b },
		"class":   func(v any) string { return strings.NewReplacer("-", "", " ", "").Replace(fmt.Sprint(v)) },
		"cell":    func(h *subject, kind model.Disclosure) cellOf { return h.Cells[kind] },
		"mark":    mark,
		"used":    used,
		"setting": func(id string) string { return settingLink(c, id) },
	}
}

// html writes the page.
func (d *Document) html() error {
	page, err := template.New("page").Funcs(pageFuncs(d.catalog)).Parse(styleText + partsText + pageText)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	all := d.sections()
	title := "ipcguard report"
	if len(all) == 1 {
		title = "ipcguard: " + all[0].Answers[0].String()
	}
	return writePage(d.w, page, map[string]any{
		"Title": title, "Sections": all, "One": len(all) == 1, "Sum": d.sum(), "Columns": columnsOf(d.hosts),
		"Made": d.now.Format("2006-01-02 15:04 UTC"),
	})
}

// sum counts the results by their verdict, the most severe first.
func (d *Document) sum() string {
	counts := map[string]int{}
	for _, h := range d.hosts {
		counts[h.Verdict]++
	}
	var parts []string
	for _, v := range []string{
		"exposed", "weak", "limited", "inconclusive", "unknown", "closed", "ok", "unreachable",
		"not-tested",
	} {
		if n := counts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	out := model.Count(len(d.hosts), "result", "results")
	if len(parts) > 0 {
		out += ": " + strings.Join(parts, ", ")
	}
	return out
}

// writePage writes a page completely, or not at all. Names may contain hidden or direction characters; the page's own
// text has none.
func writePage(w io.Writer, page *template.Template, data any) error {
	var b bytes.Buffer
	err := page.Execute(&b, data)
	if err == nil {
		_, err = w.Write(bytes.Map(func(r rune) rune {
			if r != '\n' && model.Hidden(r) {
				return '?'
			}
			return r
		}, b.Bytes()))
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// mark returns a cell of the matrix as one sign that is readable without colour.
func mark(o model.Outcome) string {
	switch o {
	case model.Allowed:
		return "open"
	case gaveNothing:
		return "empty"
	case model.Denied:
		return "shut"
	case model.Absent:
		return "none"
	case model.OutcomeUnknown, model.Inconclusive, model.NotTested:
		return "?"
	}
	return ""
}

// used returns the settings that a page shows: configured, weak, or effective on a host; those that were never read are
// only counted.
func used(all []model.Setting) []model.Setting {
	var out []model.Setting
	for _, s := range all {
		if !s.NotRead && (s.Present || s.State == model.StateWeak || s.Basis == model.BasisDefault) {
			out = append(out, s)
		}
	}
	return out
}
